"""Learning-rate schedules: their numbers, their limits, and that they survive being stored."""

from __future__ import annotations

import copy
import dataclasses
import doctest
import importlib
import inspect
import json
import math
import pickle
import re
from collections.abc import Callable
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import pytest

import optgen.schedules
from optgen.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    LinearWarmup,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    WarmupStableDecay,
    deserialize,
    serialize,
)
from tests.references.live_keras import load_keras
from tests.references.schedules import cosine_restarts, falls, warmup_stable_decay

close = pytest.approx


class InverseSquareRoot(LearningRateSchedule):
    """A schedule as a user writes it."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    def __call__(self, step: int) -> float:
        return self.scale / math.sqrt(1 + step)

    def get_config(self) -> dict[str, Any]:
        return {"scale": self.scale}


class Product(LearningRateSchedule):
    """A user's schedule made of others, restored in the way of Keras."""

    def __init__(self, factors: list[LearningRateSchedule]) -> None:
        self.factors = factors

    def __call__(self, step: int) -> float:
        return math.prod(factor(step) for factor in self.factors)

    def get_config(self) -> dict[str, Any]:
        return {"factors": self.factors}

    @classmethod
    def from_config(cls, config: Any) -> Product:  # type: ignore[override]
        return cls(**config)


@dataclasses.dataclass(frozen=True)
class Halved(LearningRateSchedule):
    """A user's dataclass, which needs no `get_config`."""

    schedule: LearningRateSchedule

    def __call__(self, step: int) -> float:
        return self.schedule(step) / 2


CUSTOM = {"InverseSquareRoot": InverseSquareRoot, "Product": Product, "Halved": Halved}

KERAS_CASES: list[LearningRateSchedule] = [
    ExponentialDecay(0.1, 10, 0.5),
    ExponentialDecay(0.1, 10, 0.5, True),
    ExponentialDecay(0.1, 7, 1.3, staircase=True, name="growth"),
    ExponentialDecay(0.1, 3, 0.0),
    ExponentialDecay(0.1, 2.5, 0.9, name=None),
    PiecewiseConstantDecay([10, 20], [0.1, 0.01, 0.001]),
    PiecewiseConstantDecay([0], [0.1, 0.2], name="steps"),
    PiecewiseConstantDecay((1, 2, 3, 30), (0.5, 0.4, 0.3, 0.2, 0.1)),
    PiecewiseConstantDecay([2.5, 7.5], [1.0, 0.5, 0.25]),
    PolynomialDecay(0.1, 20),
    PolynomialDecay(0.1, 20, 0.01, 0.5),
    PolynomialDecay(0.1, 20, 0.01, 2.0, True),
    PolynomialDecay(0.1, 7, 0.0, 0.5, cycle=True),
    PolynomialDecay(0.1, 20, power=0.0),
    PolynomialDecay(0.1, 7.3, 0.3, 1.5, cycle=True, name=None),
    InverseTimeDecay(0.1, 10, 0.5),
    InverseTimeDecay(0.1, 10, 0.5, True),
    InverseTimeDecay(0.1, 0.5, 2.0, name="inverse"),
    CosineDecay(0.1, 20),
    CosineDecay(0.1, 20, 0.1, "cosine"),
    CosineDecay(0.0, 20, warmup_target=0.1, warmup_steps=5),
    CosineDecay(0.02, 20, 0.2, None, 0.1, 10),
    CosineDecay(0.02, 20, warmup_target=0.1),
    CosineDecay(0.1, 20, warmup_steps=10),
    CosineDecayRestarts(0.1, 10),
    CosineDecayRestarts(0.1, 10, 1.0, 0.9),
    CosineDecayRestarts(0.1, 10, 1.5, 0.9, 0.1),
    CosineDecayRestarts(0.1, 10, 3.0, 1.1, 0.1, None),
    CosineDecayRestarts(0.1, 7, t_mul=1.25, alpha=0.5),
]
OTHER_CASES: list[LearningRateSchedule] = [
    LinearWarmup(0.1, 5),
    LinearWarmup(0.1, 5, 0.01, 1, "warmup"),
    LinearWarmup(CosineDecay(0.1, 20, alpha=0.1), 5, offset=1),
    LinearWarmup(LinearWarmup(PiecewiseConstantDecay([3], [0.1, 0.2]), 2), 3),
    LinearWarmup(0.1, 0),
    OneCycle(0.1, 20),
    OneCycle(0.1, 20, 0.4, "linear", 10.0, 100.0, True, "cycle"),
    OneCycle(0.1, 1),
    WarmupStableDecay(0.1, 5, 10, 5),
    WarmupStableDecay(0.1, 0, 0, 5, "cosine", 0.1, 1.5, "wsd"),
    WarmupStableDecay(0.1, 3, 0, 5, decay="linear"),
    WarmupStableDecay(0.1, 0, 4, 5, decay="1-square", minimum_ratio=0.2),
]
CASES = KERAS_CASES + OTHER_CASES
CUSTOM_CASES: list[LearningRateSchedule] = [
    InverseSquareRoot(0.1),
    Product([InverseSquareRoot(0.1), LinearWarmup(InverseSquareRoot(0.1), 5)]),
    Halved(CosineDecay(0.1, 20)),
    LinearWarmup(Halved(InverseSquareRoot(0.2)), 5),
]

every_case = pytest.mark.parametrize("schedule", CASES, ids=repr)
every_case_and_custom = pytest.mark.parametrize("schedule", CASES + CUSTOM_CASES, ids=repr)


def curve(schedule: Callable[[int], Any], steps: int = 60) -> list[float]:
    return [float(schedule(step)) for step in range(steps)]


# The first steps -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "first"),
    [
        (ExponentialDecay(0.4, 1, 0.5), [0.4, 0.2, 0.1]),
        (ExponentialDecay(0.4, 2, 0.5, staircase=True), [0.4, 0.4, 0.2]),
        (PiecewiseConstantDecay([0, 1], [0.3, 0.2, 0.1]), [0.3, 0.2, 0.1]),
        (PolynomialDecay(0.4, 4, 0.0), [0.4, 0.3, 0.2]),
        (InverseTimeDecay(0.6, 1, 1.0), [0.6, 0.3, 0.2]),
        (CosineDecay(0.4, 2), [0.4, 0.2, 0.0]),
        (CosineDecay(0.0, 9, warmup_target=0.4, warmup_steps=4), [0.0, 0.1, 0.2]),
        (CosineDecay(0.0, 2, warmup_target=0.4, warmup_steps=1), [0.0, 0.4, 0.2]),
        (CosineDecayRestarts(0.4, 1, m_mul=0.5), [0.4, 0.2, 0.1]),
        (LinearWarmup(0.4, 4), [0.0, 0.1, 0.2]),
        (LinearWarmup(0.4, 4, offset=1), [0.1, 0.2, 0.3]),
        (LinearWarmup(ExponentialDecay(0.4, 1, 0.5), 1), [0.0, 0.4, 0.2]),
        (LinearWarmup(ExponentialDecay(0.4, 1, 0.5), 1, offset=1), [0.4, 0.4, 0.2]),
        (LinearWarmup(ExponentialDecay(0.4, 1, 0.5), 0), [0.4, 0.2, 0.1]),
        (OneCycle(1.0, 10), [0.04, 0.52, 1.0]),
        (WarmupStableDecay(0.4, 2, 0, 1), [0.0, 0.2, 0.4]),
        (WarmupStableDecay(0.4, 0, 1, 4, "linear"), [0.4, 0.4, 0.3]),
    ],
    ids=repr,
)
def test_the_first_three_steps(schedule: LearningRateSchedule, first: list[float]) -> None:
    assert curve(schedule, 3) == close(first, rel=1e-15, abs=1e-16)


# Keras -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keras_schedules() -> Any:
    """The schedules of Keras 3 on NumPy in float64, or a skip with the reason."""
    return load_keras().optimizers.schedules


@pytest.mark.parametrize("schedule", KERAS_CASES, ids=repr)
def test_keras_has_the_same_numbers(keras_schedules: Any, schedule: LearningRateSchedule) -> None:
    keras = getattr(keras_schedules, type(schedule).__name__)
    peer = keras.from_config({**schedule.get_config(), "name": "a Keras name is never None"})
    assert curve(schedule, 400) == close(curve(peer, 400), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("schedule", KERAS_CASES, ids=repr)
def test_schedules_that_keras_serialized_are_restored(
    keras_schedules: Any, schedule: LearningRateSchedule
) -> None:
    peer = getattr(keras_schedules, type(schedule).__name__)(**schedule.get_config())
    stored = json.loads(json.dumps(keras_schedules.serialize(peer)))
    assert deserialize(stored) == schedule


@pytest.mark.parametrize("cls", sorted({type(s) for s in KERAS_CASES}, key=repr))
def test_arguments_have_the_order_and_defaults_of_keras(
    keras_schedules: Any, cls: type[LearningRateSchedule]
) -> None:
    def arguments(function: Any) -> list[tuple[str, Any]]:
        return [(p.name, p.default) for p in inspect.signature(function).parameters.values()]

    assert arguments(cls) == arguments(getattr(keras_schedules, cls.__name__))


def test_integers_are_floats_where_keras_rounds_to_integers(keras_schedules: Any) -> None:
    assert keras_schedules.ExponentialDecay(1, 10, 0.5)(5) == 0
    assert ExponentialDecay(1, 10, 0.5)(5) == math.sqrt(0.5)
    for schedule in (PolynomialDecay(1, 2, 0), InverseTimeDecay(1, 1, 1), CosineDecay(1, 2)):
        assert schedule(1) == 0.5
    assert PiecewiseConstantDecay([1], [1, 2])(0) == 1.0


# One class after the other ---------------------------------------------------------------------


def test_a_staircase_changes_at_multiples_only() -> None:
    assert curve(ExponentialDecay(8.0, 3, 0.5, staircase=True), 7) == [8, 8, 8, 4, 4, 4, 2]
    assert curve(InverseTimeDecay(6.0, 3, 1.0, staircase=True), 7) == [6, 6, 6, 3, 3, 3, 2]


def test_growth_beyond_floats_is_infinite() -> None:
    assert ExponentialDecay(0.1, 1, 2.0)(10**6) == math.inf
    assert CosineDecayRestarts(0.1, 1, 1.0, 2.0)(10**6) == math.inf


def test_a_boundary_is_the_last_step_of_its_interval() -> None:
    schedule = PiecewiseConstantDecay([2, 4], [0.3, 0.2, 0.1])
    assert curve(schedule, 6) == [0.3, 0.3, 0.3, 0.2, 0.2, 0.1]
    assert schedule(4.0) == 0.2
    assert schedule(4.001) == 0.1
    assert PiecewiseConstantDecay([2.5], [0.2, 0.1])(2.4) == 0.2
    assert PiecewiseConstantDecay([2.5], [0.2, 0.1])(2.6) == 0.1


def test_no_boundaries_are_a_constant() -> None:
    assert curve(PiecewiseConstantDecay([], [0.3]), 3) == [0.3, 0.3, 0.3]


def test_a_cycling_polynomial_reaches_its_end_at_every_multiple() -> None:
    schedule = PolynomialDecay(1.0, 10, 0.0, cycle=True)
    assert [schedule(step) for step in (0, 10, 11, 20, 21, 30)] == close(
        [1.0, 0.0, 0.45, 0.0, 0.3, 0.0], abs=1e-15
    )


@pytest.mark.parametrize("decay_steps", [0.1, 0.3, 0.7, 3.3, 1 / 3])
def test_rounding_never_takes_a_root_of_a_negative_number(decay_steps: float) -> None:
    schedule = PolynomialDecay(1.0, decay_steps, 0.0, 0.5, cycle=True)
    assert all(0.0 <= rate <= 1.0 for rate in curve(schedule, 2000))


def test_a_cosine_stays_at_its_end() -> None:
    schedule = CosineDecay(0.5, 10, alpha=0.5, warmup_target=1.0, warmup_steps=5)
    assert [schedule(step) for step in (5, 10, 15, 16, 10**15)] == close([1, 0.75, 0.5, 0.5, 0.5])


RESTARTS = ["1", "1.5", "2", "3", "1.1", "1.25", "1.01", "10"]


@pytest.mark.parametrize("t_mul", RESTARTS)
@pytest.mark.parametrize("first", ["1", "7", "10", "64", "33.7", "1000"])
def test_restarts_are_found_in_hundreds_of_falls(t_mul: str, first: str) -> None:
    schedule = CosineDecayRestarts(1.0, float(first), float(t_mul), m_mul=0.99)
    for index, (start, length) in enumerate(islice(falls(Fraction(first), Fraction(t_mul)), 250)):
        height = 0.99**index
        at = [
            schedule(float(start + length * part)) for part in (0, Fraction(1, 2), Fraction(2, 3))
        ]
        assert at == close([height, height / 2, height / 4], rel=1e-9), index


@pytest.mark.parametrize("t_mul", RESTARTS)
@pytest.mark.parametrize("first", [1, 7, 10, 64, 1000])
def test_counts_next_to_restarts_are_on_their_side(t_mul: str, first: int) -> None:
    schedule = CosineDecayRestarts(1.0, first, float(t_mul), m_mul=0.9)
    starts = [start for start, _ in islice(falls(Fraction(first), Fraction(t_mul)), 1, 60)]
    for start in (start for start in starts if start < 10**9):
        for step in (math.ceil(start) - 1, math.ceil(start), math.ceil(start) + 1):
            expected = cosine_restarts(step, Fraction(first), Fraction(t_mul), 0.9)
            assert schedule(step) == close(expected, rel=1e-10, abs=1e-14), step


def test_the_floor_of_restarts_is_not_scaled() -> None:
    schedule = CosineDecayRestarts(0.1, 10, 1.0, m_mul=0.5, alpha=0.2)
    assert [schedule(step) for step in (0, 10, 20)] == close([0.1, 0.06, 0.04])
    assert schedule(29.999999) == close(0.02)


# Other libraries -------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 1])
def test_a_schedule_after_a_warmup_starts_at_its_own_0(offset: int) -> None:
    after = PiecewiseConstantDecay([0, 2], [0.4, 0.2, 0.1])
    schedule = LinearWarmup(after, 4, 0.2, offset)
    rise = [0.2, 0.25, 0.3, 0.35, 0.4][offset : offset + 4]
    assert curve(schedule, 9) == close([*rise, 0.4, 0.2, 0.2, 0.1, 0.1])


def test_a_warmup_never_exceeds_its_target() -> None:
    assert LinearWarmup(0.4, 4, offset=1)(2.5) == close(0.35)
    assert LinearWarmup(0.4, 4, offset=1)(3.5) == 0.4


def test_a_warmup_before_a_cosine_is_the_one_of_cosine_decay() -> None:
    composed = LinearWarmup(CosineDecay(0.1, 20, 0.2), 7, initial_learning_rate=0.01)
    whole = CosineDecay(0.01, 20, 0.2, warmup_target=0.1, warmup_steps=7)
    assert curve(composed) == close(curve(whole), rel=1e-14)


def test_a_warmup_hands_counts_on_as_integers() -> None:
    seen: list[object] = []

    class Recorder(LearningRateSchedule):
        def __call__(self, step: int) -> float:
            seen.append(step)
            return 0.1

    curve(LinearWarmup(Recorder(), 1), 3)
    assert seen == [0, 0, 1]
    assert all(type(step) is int for step in seen)


def torch_curve(make: Callable[[Any, Any], Any], learning_rate: float, steps: int) -> list[float]:
    """The learning rates of a torch scheduler, which `make` gets from torch and an optimizer."""
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=learning_rate)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = []
    for _ in range(steps - 1):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return [*rates, float(optimizer.param_groups[0]["lr"])]


@pytest.mark.parametrize("warmup_steps", [2, 3, 10])
def test_offset_1_is_the_warmup_of_torch(warmup_steps: int) -> None:
    def linear(schedulers: Any, optimizer: Any) -> Any:
        part = 1 / warmup_steps
        return schedulers.LinearLR(optimizer, part, total_iters=warmup_steps - 1)

    expected = torch_curve(linear, 0.3, 15)
    assert curve(LinearWarmup(0.3, warmup_steps, offset=1), 15) == close(expected, rel=1e-12)


def test_offset_1_is_the_warmup_of_schedule_free() -> None:
    schedule = LinearWarmup(0.3, 8, offset=1)
    assert curve(schedule, 20) == close([0.3 * min(1, (k + 1) / 8) for k in range(20)])


def test_offset_0_is_the_warmup_of_optax() -> None:
    optax = pytest.importorskip("optax")
    rise = optax.linear_schedule(0.01, 0.3, 6)
    assert curve(LinearWarmup(0.3, 6, 0.01), 12) == close(curve(rise, 12), abs=1e-6)
    joined = optax.join_schedules([rise, optax.cosine_decay_schedule(0.3, 10, 0.1)], [6])
    schedule = LinearWarmup(CosineDecay(0.3, 10, 0.1), 6, 0.01)
    assert curve(schedule, 20) == close(curve(joined, 20), abs=1e-6)


def test_one_cycle_has_the_published_numbers() -> None:
    expected = [0.04, 0.52, 1, 0.950485, 0.811746, 0.611262, 0.388742, 0.188258, 0.049519, 4e-6]
    assert curve(OneCycle(1.0, 10), 10) == close(expected, abs=6e-7)


@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize("anneal_strategy", ["cos", "linear"])
@pytest.mark.parametrize(
    ("total_steps", "pct_start"),
    [(10, 0.3), (11, 0.3), (100, 0.25), (7, 0.5), (10, 0.0), (10, 1.0), (2, 0.3), (10, 0.6)],
)
def test_one_cycle_is_that_of_torch(
    total_steps: int, pct_start: float, anneal_strategy: str, three_phase: bool
) -> None:
    def one_cycle(schedulers: Any, optimizer: Any) -> Any:
        return schedulers.OneCycleLR(
            optimizer,
            0.3,
            total_steps,
            pct_start=pct_start,
            anneal_strategy=anneal_strategy,
            cycle_momentum=False,
            div_factor=10.0,
            final_div_factor=50.0,
            three_phase=three_phase,
        )

    schedule = OneCycle(0.3, total_steps, pct_start, anneal_strategy, 10.0, 50.0, three_phase)
    expected = torch_curve(one_cycle, 0.1, total_steps)
    assert curve(schedule, total_steps) == close(expected, rel=1e-12)


def test_one_cycle_stays_at_its_last_rate() -> None:
    schedule = OneCycle(1.0, 10)
    assert schedule(10) == schedule(9)
    assert schedule(10**9) == schedule(9) == close(4e-6)


@pytest.mark.parametrize("three_phase", [False, True])
def test_a_rise_that_ends_at_once_is_over(three_phase: bool) -> None:
    assert OneCycle(1.0, 10, 0.1, three_phase=three_phase)(0) == 1.0


@pytest.mark.parametrize("steps", [(5, 10, 5), (0, 0, 7), (3, 0, 4), (0, 4, 1)])
@pytest.mark.parametrize("decay", ["1-sqrt", "linear", "1-square", "cosine"])
def test_warmup_stable_decay_is_that_of_pytorch_optimizer(
    decay: str, steps: tuple[int, int, int]
) -> None:
    for ratio in (0.0, 0.1) if decay == "cosine" else (0.0,):
        for cycles in (0.5, 1.0, 1.5):
            schedule = WarmupStableDecay(0.3, *steps, decay, ratio, cycles)
            expected = [
                0.3 * warmup_stable_decay(s, *steps, decay, ratio, cycles) for s in range(40)
            ]
            assert curve(schedule, 40) == close(expected, rel=1e-12, abs=1e-16)


@pytest.mark.parametrize("decay", ["1-sqrt", "linear", "1-square", "cosine"])
def test_every_shape_falls_to_the_minimum_without_a_jump(decay: str) -> None:
    schedule = WarmupStableDecay(0.3, 10, 10, 1000, decay, minimum_ratio=0.2)
    rates = curve(schedule, 1100)
    assert rates[20] == 0.3
    assert max(abs(np.diff(rates[20:]))) < 0.3 * 0.05
    assert all(after <= before for before, after in zip(rates[20:], rates[21:], strict=False))
    assert rates[1020:] == [close(0.06)] * 80
    half = {"1-sqrt": 1 - math.sqrt(0.5), "linear": 0.5, "1-square": 0.75, "cosine": 0.5}
    assert rates[520] == close(0.3 * (0.8 * half[decay] + 0.2))


# The step --------------------------------------------------------------------------------------

SEVEN: list[Any] = [7.0, np.int64(7), np.uint8(7), np.float32(7), np.array(7), np.array(7.0)]


@every_case
def test_a_step_may_be_any_number_and_a_rate_is_a_float(schedule: LearningRateSchedule) -> None:
    for step in SEVEN:
        assert schedule(step) == schedule(7)
        assert type(schedule(step)) is float
    assert all(type(schedule(step)) is float for step in range(40))
    assert all(type(schedule(step)) is float for step in (2**24 + 1, 10**15))


NO_STEPS = [-1, -0.5, math.nan, math.inf, True, np.True_, "3", None, [3], np.array([3]), 1j]


@every_case
def test_a_step_that_is_no_count_is_refused(schedule: LearningRateSchedule) -> None:
    for step in NO_STEPS:
        message = rf"step: expected .* >= 0, received {re.escape(repr(step))} \("
        with pytest.raises(ValueError, match=message):
            schedule(step)  # type: ignore[arg-type]


# What constructors refuse ----------------------------------------------------------------------

NO_NUMBERS = (None, "0.1", True, np.True_, math.nan, math.inf, -math.inf, 1j, [0.1], 10**400)
NO_NUMBERS += (np.float32("nan"), np.ones(1), np.array(0.1))
NO_FLAGS = (None, 0, 1, 0.0, "True")
NO_NAMES = (0, b"name", ["name"])
NO_LISTS = (None, 0.1, "0.1", b"12", {1.0: 2.0}, {0.1}, np.array(0.1))

POSITIVE = (*NO_NUMBERS, 0, 0.0, -1)
NOT_NEGATIVE = (*NO_NUMBERS, -1, -1e-9)
WHOLE = (*NO_NUMBERS, 2.0, 2.5, np.float32(2), -1)

VALID: dict[type[LearningRateSchedule], dict[str, Any]] = {
    type(schedule): schedule.get_config() for schedule in reversed(CASES)
}
REFUSED: dict[str, tuple[Any, ...]] = {
    "initial_learning_rate": NO_NUMBERS,
    "end_learning_rate": NO_NUMBERS,
    "max_learning_rate": NO_NUMBERS,
    "learning_rate": (*NO_NUMBERS, abs, {"class_name": "CosineDecay", "config": {}}),
    "alpha": NO_NUMBERS,
    "decay_steps": POSITIVE,
    "first_decay_steps": POSITIVE,
    "decay_rate": NOT_NEGATIVE,
    "power": NOT_NEGATIVE,
    "warmup_target": tuple(value for value in NO_NUMBERS if value is not None),
    "warmup_steps": NOT_NEGATIVE,
    "stable_steps": WHOLE,
    "total_steps": (*WHOLE, 0),
    "t_mul": (*NO_NUMBERS, 0.999, 0, -2),
    "m_mul": NOT_NEGATIVE,
    "offset": (*WHOLE, 2),
    "pct_start": (*NOT_NEGATIVE, 1.001, 30),
    "div_factor": POSITIVE,
    "final_div_factor": POSITIVE,
    "minimum_ratio": (*NOT_NEGATIVE, 1.001),
    "num_cycles": POSITIVE,
    "anneal_strategy": (None, "cosine", "", 0),
    "decay": (None, "sqrt", "", 0),
    "staircase": NO_FLAGS,
    "cycle": NO_FLAGS,
    "three_phase": NO_FLAGS,
    "boundaries": (*NO_LISTS, [3, 2], [2, 2]),
    "values": NO_LISTS,
    "name": NO_NAMES,
}
STRICTER = {
    (LinearWarmup, "warmup_steps"): WHOLE,
    (WarmupStableDecay, "warmup_steps"): WHOLE,
    (WarmupStableDecay, "decay_steps"): (*WHOLE, 0),
}


@pytest.mark.parametrize(
    ("cls", "argument"), [(cls, argument) for cls in VALID for argument in VALID[cls]]
)
def test_refused_arguments_are_named_with_what_was_received(
    cls: type[LearningRateSchedule], argument: str
) -> None:
    for value in STRICTER.get((cls, argument), REFUSED[argument]):
        message = rf"^{cls.__name__}\.{argument}: expected .+, received {re.escape(repr(value))} \("
        with pytest.raises(ValueError, match=message):
            cls(**{**VALID[cls], argument: value})


@pytest.mark.parametrize("argument", ["boundaries", "values"])
def test_an_item_that_is_no_number_is_named_by_its_index(argument: str) -> None:
    for value in NO_NUMBERS:
        given = {"boundaries": [1, 2], "values": [0.1, 0.2, 0.3], argument: [0, value, 5]}
        message = rf"^PiecewiseConstantDecay\.{argument}\[1\]: expected a finite number, received "
        with pytest.raises(ValueError, match=message + re.escape(repr(value))):
            PiecewiseConstantDecay(**given)


@pytest.mark.parametrize("values", [[], [0.1], [0.1, 0.2], [0.1, 0.2, 0.3, 0.4]])
def test_there_is_one_value_more_than_boundaries(values: list[float]) -> None:
    message = rf"values: expected one more than the 2 boundaries, received {len(values)}"
    with pytest.raises(ValueError, match=message):
        PiecewiseConstantDecay([1, 2], values)


def test_messages_say_which_values_are_allowed() -> None:
    for make, expected in [
        (lambda: CosineDecay(0.1, 0), "a finite number of steps > 0, received 0 (int)."),
        (lambda: CosineDecayRestarts(0.1, 1, 0.5), "a finite number >= 1, received 0.5 (float)."),
        (lambda: OneCycle(1.0, 0), "an integer >= 1, received 0 (int)."),
        (lambda: OneCycle(1.0, 9, 2), "a finite number >= 0 and <= 1, received 2 (int)."),
        (lambda: OneCycle(1.0, 9, 0.3, "sin"), "one of 'cos', 'linear', received 'sin' (str)."),
    ]:
        with pytest.raises(ValueError, match=re.escape("expected " + expected) + "$"):
            make()


def test_numpy_numbers_become_plain_ones() -> None:
    schedule = PiecewiseConstantDecay(np.array([1, 2]), np.array([1, 0.5, 0.25], np.float32))
    assert json.dumps(schedule.get_config()["boundaries"]) == "[1, 2]"
    assert json.dumps(schedule.get_config()["values"]) == "[1.0, 0.5, 0.25]"
    config = CosineDecay(np.float32(0.5), np.int32(20), np.int8(0)).get_config()
    assert [type(config[name]) for name in ("initial_learning_rate", "decay_steps", "alpha")] == [
        float,
        int,
        float,
    ]


# Storing ---------------------------------------------------------------------------------------


@every_case_and_custom
def test_a_schedule_survives_json(schedule: LearningRateSchedule) -> None:
    stored = serialize(schedule)
    assert stored["class_name"] == type(schedule).__name__
    restored = deserialize(json.loads(json.dumps(stored)), CUSTOM)
    assert type(restored) is type(schedule)
    assert restored == schedule
    assert curve(restored) == curve(schedule)
    assert serialize(restored) == stored


@every_case
def test_a_config_is_the_arguments_of_the_constructor(schedule: LearningRateSchedule) -> None:
    config = json.loads(json.dumps(schedule.get_config()))
    assert list(config) == list(inspect.signature(type(schedule)).parameters)
    assert type(schedule).from_config(config) == schedule


@every_case_and_custom
def test_copies_are_equal(schedule: LearningRateSchedule) -> None:
    for twin in (
        pickle.loads(pickle.dumps(schedule)),
        copy.copy(schedule),
        copy.deepcopy(schedule),
    ):
        assert twin is not schedule
        assert twin == schedule
        assert hash(twin) == hash(schedule)
        assert curve(twin) == curve(schedule)


def test_schedules_of_another_class_or_config_are_unequal() -> None:
    everything = [*CASES, *CUSTOM_CASES, ExponentialDecay(0.1, 10, 0.5, name="other")]
    for i, schedule in enumerate(everything):
        assert [other == schedule for other in everything].index(True) == i
        assert sum(other == schedule for other in everything) == 1
        assert schedule != serialize(schedule)
    assert len(set(everything)) == len(everything)
    assert ExponentialDecay(0.1, 10, 0.5) != InverseTimeDecay(0.1, 10, 0.5, name="ExponentialDecay")


@every_case
def test_the_repr_of_a_schedule_makes_it_again(schedule: LearningRateSchedule) -> None:
    assert eval(repr(schedule), dict(vars(optgen.schedules))) == schedule


def test_the_repr_is_the_call_of_the_constructor() -> None:
    assert repr(LinearWarmup(0.1, 5)) == (
        "LinearWarmup(learning_rate=0.1, warmup_steps=5, initial_learning_rate=0.0, offset=0, "
        "name=None)"
    )
    assert repr(InverseSquareRoot(0.1)) == "InverseSquareRoot(scale=0.1)"


@every_case
def test_a_schedule_cannot_be_changed(schedule: LearningRateSchedule) -> None:
    before = schedule.get_config()
    for argument in before:
        with pytest.raises(AttributeError):
            setattr(schedule, argument, 1)
    assert schedule.get_config() == before


def test_lists_that_are_changed_later_change_nothing() -> None:
    boundaries, values = [1, 2], [0.3, 0.2, 0.1]
    schedule = PiecewiseConstantDecay(boundaries, values)
    boundaries[0], values[0] = 9, 9.0
    schedule.get_config()["values"][0] = 9.0
    assert curve(schedule, 3) == [0.3, 0.3, 0.2]


# Schedules of a user ---------------------------------------------------------------------------


def test_an_unknown_class_is_named_with_the_remedy() -> None:
    stored = serialize(InverseSquareRoot(0.1))
    message = (
        r"class_name: expected one of CosineDecay, .*, received 'InverseSquareRoot'\. .*"
        r"custom_objects=\{'InverseSquareRoot': InverseSquareRoot\}"
    )
    for config in (stored, serialize(Halved(InverseSquareRoot(0.1)))):
        with pytest.raises(ValueError, match=message):
            deserialize(config, {"Halved": Halved})
    with pytest.raises(ValueError, match="received 'InverseSquareRoot'"):
        LinearWarmup.from_config(LinearWarmup(InverseSquareRoot(0.1), 5).get_config())


def test_a_misspelt_class_is_told_the_nearest_name() -> None:
    with pytest.raises(ValueError, match="received 'CosinDecay'; did you mean 'CosineDecay'"):
        deserialize({"class_name": "CosinDecay", "config": {}})
    with pytest.raises(ValueError, match="did you mean 'InverseSquareRoot'"):
        deserialize({"class_name": "InverseSquarRoot", "config": {}}, CUSTOM)


def test_from_config_restores_schedules_inside() -> None:
    schedule = LinearWarmup(Halved(InverseSquareRoot(0.2)), 5)
    assert LinearWarmup.from_config(schedule.get_config(), CUSTOM) == schedule


def test_a_class_of_the_user_comes_before_one_of_optgen() -> None:
    stored = {"class_name": "CosineDecay", "config": {"scale": 0.1}}
    assert deserialize(stored, {"CosineDecay": InverseSquareRoot}) == InverseSquareRoot(0.1)


@pytest.mark.parametrize(
    "config",
    [None, "CosineDecay", {}, {"class_name": "CosineDecay"}, {"class_name": 1, "config": {}}],
)
def test_what_serialize_does_not_return_is_refused(config: Any) -> None:
    message = rf"config: expected what `serialize` returns.*received {re.escape(repr(config))}"
    with pytest.raises(ValueError, match=message):
        deserialize(config)


def test_what_is_no_schedule_is_not_serialized() -> None:
    with pytest.raises(ValueError, match=r"schedule: expected .*, received 0\.1 \(float\)"):
        serialize(0.1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"custom_objects\['abs'\]: expected a subclass"):
        deserialize({"class_name": "abs", "config": {}}, {"abs": abs})  # type: ignore[dict-item]


def test_a_schedule_without_config_works_but_is_not_stored() -> None:
    class Constant(LearningRateSchedule):
        def __call__(self, step: int) -> float:
            return 0.1

    one, other = Constant(), Constant()
    assert one == one
    assert one != other
    assert len({one, other}) == 2
    assert "Constant object" in repr(one)
    with pytest.raises(NotImplementedError, match="Constant does not implement `get_config"):
        serialize(one)


def test_a_schedule_without_call_says_so() -> None:
    with pytest.raises(
        NotImplementedError, match="LearningRateSchedule does not implement `__call"
    ):
        LearningRateSchedule()(0)


# The documentation -----------------------------------------------------------------------------


MODULES = ["schedules", *(f"runtime.schedules.{m}" for m in ("base", "decay", "cosine", "warmup"))]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name: str) -> None:
    failed, attempted = doctest.testmod(importlib.import_module(f"optgen.{name}"))
    assert attempted > 0
    assert failed == 0


@pytest.mark.parametrize("cls", VALID)
def test_every_class_documents_source_example_and_arguments(cls: type[Any]) -> None:
    text = inspect.getdoc(cls) or ""
    assert "Source: " in text
    assert f">>> schedule = {cls.__name__}(" in text
    for argument in inspect.signature(cls).parameters:
        assert re.search(rf"^    {argument}: ", text, re.MULTILINE), argument


def test_the_public_module_has_every_class() -> None:
    classes = {cls.__name__ for cls in VALID}
    assert {*classes, "LearningRateSchedule", "serialize", "deserialize"} == set(
        optgen.schedules.__all__
    )
