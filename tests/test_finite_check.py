"""The compiled check for gradients that are not finite: what it finds, and what it leaves alone."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numba import float32, float64, njit

from optgen.driver import common_modes
from optgen.frontend.common import common_programs
from optgen.frontend.names import STAGE_NAMES
from optgen.ir.interpreter import State, run
from optgen.optimizers import common, common_cpu
from optgen.runtime import Mode
from optgen.runtime.arrays import address_of
from optgen.runtime.drivers import ONE_THREAD, all_threads
from optgen.runtime.host import HostTables
from optgen.runtime.phases import prepare
from optgen.runtime.plan import Group, describe, make_group
from tests.oracle import generated, spec_names, variant

PHASE = common.FINITE_MODE.phases[0]
DTYPES = (np.float32, np.float64)
THREADS = (ONE_THREAD, all_threads())
SIZE = 40_961
"""Several chunks, the last one of an odd length."""

Array = np.ndarray[Any, Any]


def tables(variables: Sequence[Array], gradients: Sequence[Array]) -> Group:
    """The tables over variables of one dtype and their gradients; columns hold 7."""
    count = len(variables)
    streams = [(None, None)] * count
    mode = replace(common.FINITE_MODE, columns=(*common.FINITE_MODE.columns, "size", "other"))
    group = make_group(range(count), variables, streams, mode)
    for row, gradient in enumerate(gradients):
        group.pointers[row, 1] = address_of(gradient)
        describe(group.layout[row, 1], gradient, group.like.dtype)
    group.tensor[:] = 7.0
    return group


def checked(
    threads: tuple[int, int], variables: Sequence[Array], gradients: Sequence[Array]
) -> float:
    """What the driver finds; also checks that it writes its column alone."""
    group = tables(variables, gradients)
    before = [array.tobytes() for array in (*variables, *gradients)]
    PHASE.driver(threads, group.like, group.everything.tables(PHASE).address, (), (), None, None)
    assert [array.tobytes() for array in (*variables, *gradients)] == before
    assert (group.tensor[:, 1:] == 7.0).all()
    return float(group.tensor[:, 0].sum())


def extremes(dtype: Any) -> Array:
    """Finite values at every end: largest, smallest, denormal, both zeros."""
    info = np.finfo(dtype)
    values = [info.max, info.min, info.tiny, -info.tiny, info.smallest_subnormal, 0.0, -0.0, 1.5]
    return np.resize(np.array(values, dtype), SIZE)


@pytest.mark.parametrize("threads", THREADS, ids=("one", "all"))
@pytest.mark.parametrize("dtype", DTYPES)
def test_finite_gradients_give_zero(threads: tuple[int, int], dtype: Any) -> None:
    variables = [np.full(SIZE, np.nan, dtype), np.zeros((), dtype), np.zeros((0, 3), dtype)]
    gradients = [extremes(dtype), np.array(np.finfo(dtype).max), np.zeros((0, 3), dtype)]
    assert checked(threads, variables, gradients) == 0.0


@pytest.mark.parametrize("threads", THREADS, ids=("one", "all"))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", DTYPES)
def test_one_bad_element_anywhere_gives_nan(
    threads: tuple[int, int], value: float, dtype: Any
) -> None:
    for position in (0, 4095, SIZE // 2, SIZE - 1):
        gradient = extremes(dtype)
        gradient[position] = value
        others = [np.ones(3, dtype), gradient, np.ones((2, 2), dtype)]
        assert np.isnan(checked(threads, [np.zeros_like(g) for g in others], others)), position


@pytest.mark.parametrize("threads", THREADS, ids=("one", "all"))
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_may_lie_anyhow_in_memory(threads: tuple[int, int], dtype: Any) -> None:
    base = np.resize(extremes(dtype), (2 * SIZE, 3))
    strided, broadcast = base[::-2, 1:], np.broadcast_to(base[0], (5000, 3))
    other = np.dtype(np.float64 if dtype == np.float32 else np.float32)
    unlike = np.ones((4, 5), other)
    gradients = [strided, broadcast, unlike]
    variables = [np.zeros(g.shape, dtype) for g in gradients]
    assert checked(threads, variables, gradients) == 0.0
    base[1 + 2 * 777, 2] = np.inf  # between rows and columns that the strided gradient has
    assert np.isnan(checked(threads, variables[:1], gradients[:1]))
    assert checked(threads, variables[1:], gradients[1:]) == 0.0
    base[0, 2] = np.nan
    assert np.isnan(checked(threads, variables[1:2], gradients[1:2]))
    unlike[3, 4] = -np.inf
    assert np.isnan(checked(threads, variables[2:], gradients[2:]))


def test_a_double_that_no_float_holds_is_not_finite() -> None:
    gradient = np.array([1.0, 1e300])
    assert np.isnan(checked(ONE_THREAD, [np.zeros(2, np.float32)], [gradient]))
    assert checked(ONE_THREAD, [np.zeros(2)], [gradient]) == 0.0


def sum_of_call(gradients: Sequence[Array]) -> float:
    """What the runtime knows after the check of one call, with a table for each gradient."""
    (phase,) = prepare(common.FINITE_MODE, (), frozenset(), ())
    groups = [
        replace(tables([np.zeros_like(gradient)], [gradient]), positions=(position,))
        for position, gradient in enumerate(gradients)
    ]
    over_all = HostTables.__new__(HostTables)
    over_all.groups = groups
    scalars: dict[str, float] = {}
    everything = [group.everything for group in groups]
    assert over_all.run([phase], everything, scalars, None, None) == []
    (name,) = scalars
    assert name == "nonfinite"
    return scalars[name]


def test_the_runtime_knows_the_result_by_name() -> None:
    gradients: list[Array] = [np.ones(4, np.float32), np.ones(3)]
    assert sum_of_call(gradients) == 0.0
    for bad in gradients:
        bad[2] = np.inf
        assert np.isnan(sum_of_call(gradients))
        bad[2] = 1.0


def test_the_interpreter_agrees() -> None:
    _, _, finite = common_programs()
    (schedule,) = [m.schedule for m in common_modes() if m.schedule.name == "finite"]
    for code in (variant(finite, "finite"), schedule):
        for value in (1.5, np.inf, np.nan):
            tensors = [{"w": np.zeros(3), "g": np.array([1.0, value, -0.0])} for _ in range(2)]
            state = State({}, tensors)
            run(code, state, ())
            assert np.array_equal(state.step["nonfinite"], value - value, equal_nan=True)
            assert all((tensor["w"] == 0).all() for tensor in state.tensors)


def test_every_table_begins_with_the_column_of_the_check() -> None:
    first = common.FINITE_MODE.columns
    assert first
    for spec in spec_names():
        module = importlib.import_module(f"optgen.optimizers.{spec}")
        modes = [value for value in vars(module).values() if isinstance(value, Mode)]
        assert modes
        assert all(mode.columns[: len(first)] == first for mode in modes)
        assert generated(spec).finite is common.FINITE_MODE


def test_no_spec_can_use_the_names_of_the_check() -> None:
    (mode,) = [m for m in common_modes() if m.schedule.name == "finite"]
    names = {line.target.name for line in mode.schedule.lines()}
    assert {*mode.table, "nonfinite"} <= names
    assert names <= set(STAGE_NAMES)


@pytest.mark.parametrize("real", [float32, float64], ids=str)
def test_the_difference_stays_in_the_machine_code_and_is_packed(real: Any) -> None:
    kernel = getattr(common_cpu, PHASE.driver.__name__.removesuffix("_driver"))
    # Compiled anew: what comes from the cache cannot be inspected.
    fresh = njit(error_model="numpy")(kernel.py_func)
    fresh.compile((real[::1], float64[:, ::1]))
    (text,) = fresh.inspect_llvm().values()
    kind = "float" if real is float32 else "double"
    assert f"x {kind}>" in text
    assert any("fsub <" in line and f"x {kind}>" in line for line in text.splitlines())
