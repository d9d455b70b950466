"""Numbers per matrix, row, column and index: their rates, the interpreter, phases and kernels."""

from __future__ import annotations

import copy
import importlib
import itertools
import pickle
from functools import cache
from typing import Any

import numba
import numpy as np
import pytest

from optgen.frontend.lower import load_text
from optgen.ir.axes import column_totals, panel_height, row_totals
from optgen.ir.interpreter import block_sums
from optgen.ir.program import Schedule
from optgen.ir.rate import (
    COLUMN,
    CONST,
    ELEMENT,
    INDEX,
    MATRIX,
    ROW,
    STEP,
    TENSOR,
    Rate,
    are_combinable,
    join,
    join_all,
)
from optgen.passes import compile_mode
from optgen.runtime.axes import make_axis_tables
from optgen.testing import Case
from optgen.testing.case import everything_of
from optgen.testing.oracle import Oracle
from optgen.testing.steps import compare_with_interpreter
from tests.oracle import compiled, generated, subject
from tests.references.pipeline import Pipeline

RATES = (CONST, STEP, TENSOR, MATRIX, ROW, COLUMN, INDEX, ELEMENT)

SHAPES: tuple[tuple[int, ...], ...] = (
    (),
    (5,),
    (3, 4),
    (2, 3, 4, 5),
    (70, 3),
    (200, 65),
    (3, 5000),
    (2, 9000),
    (400, 2, 2),
    (130, 4097),
)
"""All ranks, long rows, several panels, many small matrices."""

EMPTY: tuple[tuple[int, ...], ...] = ((0,), (0, 3), (3, 0), (2, 0, 3), (0, 3, 4))

RULES: tuple[tuple[str, str, dict[str, float]], ...] = (
    ("adafactor", "default", {"learning_rate": 0.1, "clip_threshold": 0.5}),
    ("came", "default", {"learning_rate": 0.1, "beta_2": 0.75, "beta_3": 0.5}),
    ("sm3", "sum", {}),
    ("sm3", "decay", {"beta": 0.5}),
    ("sm3", "momentum", {"momentum": 0.9}),
    ("sm3", "momentum_decay", {"momentum": 0.9, "beta": 0.25}),
)


# Rates -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("left", "right"), list(itertools.product(RATES, repeat=2)), ids=str)
def test_join_is_the_smallest_rate_that_both_fit_in(left: Rate, right: Rate) -> None:
    joined = join(left, right)
    assert joined == join(right, left)
    assert left <= joined
    assert right <= joined
    assert all(joined <= other for other in RATES if left <= other and right <= other)


@pytest.mark.parametrize("rates", list(itertools.product(RATES, repeat=3)), ids=str)
def test_join_does_not_depend_on_grouping(rates: tuple[Rate, Rate, Rate]) -> None:
    first, second, third = rates
    assert join(join(first, second), third) == join(first, join(second, third))
    assert join_all(rates) == join_all(rates[::-1])


def test_a_number_per_index_combines_with_nothing_else_within_a_variable() -> None:
    refused = {str(rate) for rate in RATES if not are_combinable((INDEX, rate))}
    assert refused == {"matrix", "row", "column", "element"}
    assert join(ROW, COLUMN) == ELEMENT
    assert join(ROW, MATRIX) == ROW


# The order of additions ------------------------------------------------------------------


@pytest.mark.parametrize("columns", [1, 3, 255, 256, 300, 4096, 4097, 9000])
def test_a_row_is_added_up_as_a_variable_of_its_own(columns: int) -> None:
    rows = np.random.default_rng(columns).standard_normal((3, columns))
    expected = []
    for row in rows:
        total = np.float64(0.0)
        for part in block_sums(row, np.add, 0.0):
            total += part
        expected.append(total)
    assert row_totals(rows, np.add, 0.0).reshape(-1).tolist() == expected


def test_a_column_is_added_up_in_panels() -> None:
    elements = np.random.default_rng(1).standard_normal((150, 300))
    assert panel_height(300) == 64
    panels = []
    for start in (0, 64, 128):
        total = np.zeros(300)
        for row in elements[start : start + 64]:
            total = total + row
        panels.append(total)
    expected = ((0.0 + panels[0]) + panels[1]) + panels[2]
    np.testing.assert_array_equal(column_totals(elements, np.add, 0.0).reshape(-1), expected)
    assert not np.array_equal(expected, elements.sum(axis=0)), "numbers that show no order"


# The interpreter against the references --------------------------------------------------


@pytest.mark.parametrize(("spec", "mode", "arguments"), RULES, ids=str)
def test_the_interpreter_equals_the_reference(
    spec: str, mode: str, arguments: dict[str, float]
) -> None:
    rng = np.random.default_rng(5)
    variables = [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]
    program = compiled(spec).program
    module = importlib.import_module(f"tests.references.{spec}")
    pipeline = Pipeline(getattr(module, program.name)(**arguments))
    pipeline.build(variables)
    oracle = Oracle(program, mode, variables, arguments)
    for _ in range(4):
        gradients = [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]
        pipeline.step(gradients)
        oracle.step(gradients)
    for actual, expected in zip(oracle.variables, pipeline.variables, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


# Phases ----------------------------------------------------------------------------------


def schedule_of(equations: str, **slots: str) -> Schedule:
    """The schedule of a rule whose slots have these rates."""
    declared = "\n".join(f'{n} = {{ rate = "{rate}", doc = "x" }}' for n, rate in slots.items())
    text = f"""
name = "Rule"
summary = "A rule."
update = '''
{equations}
'''
[hyperparameters]
learning_rate = {{ default = 0.01, doc = "x" }}
[slots]
{declared}
"""
    return compile_mode(load_text(text, "rule.toml")[1], "default")


def own_phases(schedule: Schedule) -> list[str]:
    """The phases that run whatever stages are on."""
    return [phase.name for phase in schedule.phases if phase.stages is None]


def test_rows_and_the_whole_variable_are_combined_in_loops_of_their_own() -> None:
    schedule = schedule_of(
        "v = 0.5 * v + row_sum(g * g) + norm(g)\nw = w - learning_rate * g / sqrt(v)", v="row"
    )
    assert own_phases(schedule) == [
        "reduce_row_sum_of_g_times_g",
        "reduce_other_sum_of_squares_of_g",
        "update",
    ]
    kinds = [[phase.reduces_axes, len(phase.reductions)] for phase in schedule.phases[-3:]]
    assert kinds == [[True, 1], [False, 1], [False, 0]]


def test_what_only_slots_need_is_combined_in_the_last_loop() -> None:
    schedule = schedule_of(
        "bound = index_minimum(v) + g * g\nv = index_max(bound)\nw = w - g / sqrt(bound)\n"
        "w = w * learning_rate",
        v="index",
    )
    assert own_phases(schedule) == ["update", "store_slots"]
    update, store = schedule.phases[-2:]
    assert [line.target.rate for line in update.reductions] == [ROW, COLUMN]
    assert [output.name for output in store.axis_stores] == ["v"]
    assert not store.lines


def test_old_numbers_that_the_last_loop_needs_are_kept_until_it_ends() -> None:
    schedule = schedule_of(
        "old = v * 1\nv = 0.5 * v + row_mean(g * g)\nw = w - learning_rate * g / sqrt(old + v)",
        v="row",
    )
    stores = {phase.name: [o.name for o in phase.axis_stores] for phase in schedule.phases}
    assert stores["update"] == ["v"], "a number computed from the old ones does for the loop"
    schedule = schedule_of(
        "u = g * v\nv = 0.5 * v + row_mean(g * g)\nw = w - learning_rate * u / sqrt(v)", v="row"
    )
    stores = {phase.name: [o.name for o in phase.axis_stores] for phase in schedule.phases}
    assert stores["update"] == []
    assert stores["store_slots"] == ["v"]


# The tables ------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [8, 4096, 16384])
def test_chunks_cover_every_element_once_and_units_are_whole_panels(chunk: int) -> None:
    shapes = [*SHAPES, *EMPTY]
    variables = [np.empty(shape, np.float32) for shape in shapes]
    mode = generated("adafactor")().select_mode()
    tables = make_axis_tables(variables, mode, chunk)
    covered = [np.zeros(variable.size, int) for variable in variables]
    chunks, fixed = tables.everything.chunks, tables.fixed
    for variable, offset, length, _ in chunks.tolist():
        covered[variable][offset : offset + length] += 1
    assert all((counts == 1).all() for counts in covered)
    for variable, first, stop in tables.everything.units.tolist():
        rows, columns = fixed["shapes"][variable, 1:].tolist()
        start = chunks[first, 1]
        end = chunks[stop - 1, 1] + chunks[stop - 1, 2]
        for border in (start // columns, end // columns):
            in_matrix = border % rows
            assert in_matrix % fixed["panels"][variable, 2] == 0


# Kernels ---------------------------------------------------------------------------------


@cache
def parity(spec: str, mode: str, dtype: str, every: bool, threads: int) -> float:
    """The largest difference from the interpreter over some calls."""
    tested = subject(spec)
    common = everything_of(tested) if every else {}
    before = numba.get_num_threads()
    numba.set_num_threads(min(threads, before))
    try:
        case = Case(mode, dtype, common, shapes=(*SHAPES, *EMPTY), calls=3)
        return compare_with_interpreter(tested, case)
    finally:
        numba.set_num_threads(before)


@pytest.mark.parametrize(
    ("spec", "mode", "dtype", "every"),
    [
        ("adafactor", "default", "float32", False),
        ("sm3", "momentum_decay", "float64", False),
    ],
)
@pytest.mark.parametrize("threads", [2, 1, 3])
@pytest.mark.filterwarnings("ignore")
def test_kernels_equal_the_interpreter(
    spec: str, mode: str, dtype: str, every: bool, threads: int
) -> None:
    assert parity(spec, mode, dtype, every, threads) == 0.0


# The class -------------------------------------------------------------------------------


def stepped(optimizer: Any, variables: list[Any], seed: int) -> None:
    """One call with gradients of this seed."""
    rng = np.random.default_rng(seed)
    optimizer.apply([rng.standard_normal(w.shape) for w in variables], variables)


@pytest.mark.parametrize("spec", ["adafactor", "sm3"])
def test_slots_have_the_shapes_of_the_language_and_are_live(spec: str) -> None:
    variables = [np.ones(shape) for shape in ((), (5,), (3, 4), (2, 3, 4))]
    optimizer = generated(spec)()
    optimizer.build(variables)
    names = [name for name in optimizer.get_slot_names() if name.startswith("v")]
    shapes = [[optimizer.get_slot(w, name).shape for w in variables] for name in names]
    if spec == "sm3":
        assert shapes == [[(1,), (5,), (7,), (9,)]]
    else:
        assert shapes == [[(), (5,), (3,), (2, 3)], [(), (5,), (4,), (2, 4)]]
    slot = optimizer.get_slot(variables[2], names[0])
    assert slot.dtype == np.float64
    stepped(optimizer, variables, 1)
    assert (np.asarray(slot) > 0).all()


@pytest.mark.parametrize("spec", ["adafactor", "sm3"])
def test_copies_and_pickles_go_on_with_the_same_bits(spec: str) -> None:
    variables = [np.ones((3, 4)), np.ones(5)]
    optimizer = generated(spec)()
    stepped(optimizer, variables, 1)
    others = [copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
    weights = [np.array(array) for array in optimizer.get_weights()]
    starts = [w.copy() for w in variables]
    stepped(optimizer, variables, 2)
    again = generated(spec)()
    fresh = [w.copy() for w in starts]
    again.build(fresh)
    again.set_weights(weights)
    stepped(again, fresh, 2)
    for own, copied in zip(variables, fresh, strict=True):
        np.testing.assert_array_equal(own, copied)
    assert all(len(other.get_weights()) == len(weights) for other in others)
