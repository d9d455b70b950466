"""Random programs mean the same before and after every pass, to the bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from optgen.frontend.common import GRADIENT, VARIABLE, _lower_with, stages_program
from optgen.ir.axes import stored_shape
from optgen.ir.interpreter import State, run
from optgen.ir.program import Program, Schedule, Variant
from optgen.ir.rate import STEP
from optgen.ir.verify import verify_program
from optgen.passes import compile_mode
from tests.random_programs import AXIS_SLOTS, HYPERPARAMETERS, SLOTS, draw

SEEDS = range(200)
STAGES = (
    (),
    ("loss_scale_factor", "clipnorm"),
    ("global_clipnorm", "average"),
    ("accumulator", "clipvalue", "average", "overwrite"),
)


def random_state(seed: int, dtype: type = np.float32) -> State:
    """Variables of several shapes with slots and gradients, some of them special values."""
    rng = np.random.default_rng(seed)
    step: dict[str, float] = {h.name: float(h.default or 0) for h in HYPERPARAMETERS}
    step |= {"t": 3.0, "iterations": 2.0, "overwrite_now": 1.0, "p": 0.75}
    step |= {"loss_scale_factor": 4.0, "gradient_accumulation_steps": 2.0, "ema_momentum": 0.9}
    step |= {"clipnorm": 0.5, "global_clipnorm": 0.7, "clipvalue": 0.3}
    tensors: list[dict[str, Any]] = []
    for shape in ((), (5,), (3, 4), (0,), (5000,)):
        tensor: dict[str, Any] = {"size": np.float64(np.prod(shape)), "weight_decay": 0.1}
        for name in ("w", "g", "m", "n", "average", "accumulator"):
            values = rng.standard_normal(shape) * 10.0 ** rng.integers(-2, 3, shape)
            tensor[name] = np.asarray(values, dtype)
        if shape == (5,) and seed % 5 == 0:
            tensor["g"][:4] = [np.nan, np.inf, -0.0, 1e-42]
        tensor |= {"v": np.float64(rng.random()), "u": np.float64(rng.random())}
        for slot in AXIS_SLOTS:
            tensor[slot.name] = rng.standard_normal(stored_shape(slot.rate, shape))
        tensors.append(tensor)
    return State(step, tensors)


def equal(left: State, right: State) -> bool:
    """Whether two states hold the same bits, any NaN being equal to any other."""
    if left.step.keys() != right.step.keys():
        return False
    same = all(np.array_equal(left.step[k], right.step[k], equal_nan=True) for k in left.step)
    for one, other in zip(left.tensors, right.tensors, strict=True):
        for name in one:
            a, b = np.asarray(one[name]), np.asarray(other[name])
            zeros = np.array_equal(np.signbit(a[a == 0]), np.signbit(b[b == 0]))
            same &= a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True) and zeros
    return same


def forms(program: Program) -> list[tuple[str, Variant | Schedule]]:
    """The program's only mode after each pass."""
    found: list[tuple[str, Variant | Schedule]] = []
    compile_mode(program, program.modes[0].name, lambda name, code: found.append((name, code)))
    return found


@pytest.mark.parametrize("axes", [False, True], ids=["elements", "axes"])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_pass_changes_what_a_program_means(seed: int, axes: bool) -> None:
    program = draw(seed, axes)
    verify_program(program)
    author = random_state(seed)
    run(program.modes[0].equations, author, ())
    # The gradient is no output: a program may reassign it, which ends with the step.
    for name, code in forms(program):
        state = random_state(seed)
        run(code, state, ())
        assert equal(state, author), f"{name} changed the program"


@pytest.mark.parametrize("stages", STAGES[1:], ids="+".join)
@pytest.mark.parametrize("axes", [False, True], ids=["elements", "axes"])
def test_no_pass_changes_what_the_common_stages_mean(stages: tuple[str, ...], axes: bool) -> None:
    for seed in SEEDS[::5]:
        found = forms(draw(seed, axes))
        first = random_state(seed)
        run(found[0][1], first, stages)
        for name, code in found[1:]:
            state = random_state(seed)
            run(code, state, stages)
            assert equal(state, first), f"{name} changed program {seed}"


def giving_back(text: str) -> Program:
    """A program with all common stages, whose equations give back ``total``."""
    program = stages_program()
    learning_rate = program.hyperparameters[0].symbol
    symbols = {s.name: s for s in (VARIABLE, GRADIENT, learning_rate)}
    mode = replace(
        program.modes[0], equations=_lower_with(symbols, text, "test"), results=("total",)
    )
    return replace(program, modes=(mode,))


@pytest.mark.parametrize("stages", STAGES, ids="+".join)
@pytest.mark.parametrize(
    ("text", "phases"),
    [
        ("total = sum_over_variables(sum(g * g))", ["update"]),
        ("total = sum_over_variables(sum(w))\nw = w - learning_rate * g", ["update"]),
        (
            "w = w - learning_rate * g / norm(g)\ntotal = sum_over_variables(sum(w))",
            ["reduce_other_sum_of_squares_of_g", "update"],
        ),
    ],
    ids=["alone", "beside the update", "of the update"],
)
def test_a_result_keeps_its_reduction_and_adds_no_empty_phase(
    text: str, phases: list[str], stages: tuple[str, ...]
) -> None:
    program = giving_back(text)
    found = forms(program)
    schedule = found[-1][1]
    assert isinstance(schedule, Schedule)
    assert [phase.name for phase in schedule.phases if phase.stages is None] == phases
    first = random_state(1)
    run(found[0][1], first, stages)
    assert np.isfinite(first.step["total"])
    for name, code in found[1:]:
        state = random_state(1)
        run(code, state, stages)
        assert equal(state, first), f"{name} changed the program"


def test_a_third_of_the_programs_have_two_phases_and_all_rates_occur() -> None:
    schedules = [forms(draw(seed))[-1][1] for seed in SEEDS]
    unconditional = [
        sum(phase.stages is None for phase in s.phases)
        for s in schedules
        if isinstance(s, Schedule)
    ]
    assert len(unconditional) == len(SEEDS)
    assert sum(count >= 2 for count in unconditional) >= len(SEEDS) / 3
    assert max(unconditional) >= 3
    assert {slot.rate for slot in SLOTS} >= {STEP}
