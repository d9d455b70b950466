"""Schedules that fall with the step, or jump at given steps: those of Keras 3 but the cosines."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from optgen.runtime.schedules.base import LearningRateSchedule, built_in
from optgen.runtime.schedules.checks import (
    Step,
    check_arguments,
    checked_step,
    flag,
    increasing,
    number,
    numbers,
    optional_name,
    steps,
)


@built_in
@dataclass(frozen=True)
class ExponentialDecay(LearningRateSchedule):
    """Multiplication by `decay_rate` every `decay_steps` steps.

    The rate is `initial_learning_rate * decay_rate ** p` with `p = step / decay_steps`, rounded
    down if `staircase`.

    Source: Keras 3, `keras.optimizers.schedules.ExponentialDecay`. Unlike there, an integer
    `initial_learning_rate` is a float, and `decay_rate` cannot be negative.

        >>> schedule = ExponentialDecay(0.1, decay_steps=10, decay_rate=0.25)
        >>> [schedule(step) for step in (0, 5, 10)]
        [0.1, 0.05, 0.025]

    Args:
        initial_learning_rate: rate at step 0.
        decay_steps: steps until the rate is multiplied by `decay_rate`; more than 0.
        decay_rate: factor, at least 0; above 1 the rate grows.
        staircase: whether the rate changes only at multiples of `decay_steps`.
        name: kept in the config.
    """

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str | None = "ExponentialDecay"

    def __post_init__(self) -> None:
        check_arguments(
            self,
            initial_learning_rate=number(),
            decay_steps=steps(above=0),
            decay_rate=number(at_least=0),
            staircase=flag,
            name=optional_name,
        )

    def __call__(self, step: Step) -> float:
        decays = checked_step(step) / self.decay_steps
        if self.staircase:
            decays = math.floor(decays)
        return self.initial_learning_rate * float_power(self.decay_rate, decays)


@built_in
@dataclass(frozen=True)
class PiecewiseConstantDecay(LearningRateSchedule):
    """A constant rate between any two boundaries.

    The rate is `values[i]` for `boundaries[i - 1] < step <= boundaries[i]`: a boundary is the last
    step of the interval that it ends.

    Source: Keras 3, `keras.optimizers.schedules.PiecewiseConstantDecay`. Unlike there, boundaries
    out of order are refused instead of adding several values up, none at all mean a constant,
    values are floats, and boundaries are not rounded to the type of the step.

        >>> schedule = PiecewiseConstantDecay([100, 200], [0.1, 0.01, 0.001])
        >>> [schedule(step) for step in (0, 100, 101, 200, 201)]
        [0.1, 0.1, 0.01, 0.01, 0.001]

    Args:
        boundaries: steps in strictly increasing order.
        values: rates, one more than boundaries.
        name: kept in the config.
    """

    boundaries: Sequence[float]
    values: Sequence[float]
    name: str | None = "PiecewiseConstant"

    def __post_init__(self) -> None:
        check_arguments(self, boundaries=increasing, values=numbers, name=optional_name)
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"{type(self).__name__}.values: expected one more than the "
                f"{len(self.boundaries)} boundaries, received {len(self.values)}."
            )

    def __call__(self, step: Step) -> float:
        return self.values[bisect_left(self.boundaries, checked_step(step))]


@built_in
@dataclass(frozen=True)
class PolynomialDecay(LearningRateSchedule):
    """A fall from one rate to another along a power of the steps that are left.

    The rate is `(initial_learning_rate - end_learning_rate) * (1 - p) ** power +
    end_learning_rate` with `p = min(step, decay_steps) / decay_steps`. If `cycle`, `p = step / D`
    for `D` the smallest multiple of `decay_steps` that is at least the step (and not 0): the rate
    reaches its end at every multiple, and jumps up to a lower and lower height after it.

    Source: Keras 3, `keras.optimizers.schedules.PolynomialDecay`. Unlike there, an integer
    `initial_learning_rate` is a float, and `power` cannot be negative.

        >>> schedule = PolynomialDecay(0.5, decay_steps=10, end_learning_rate=0.25)
        >>> [schedule(step) for step in (0, 5, 10, 11)]
        [0.5, 0.375, 0.25, 0.25]

    Args:
        initial_learning_rate: rate at step 0.
        decay_steps: steps until the end is reached; more than 0.
        end_learning_rate: rate at the end.
        power: exponent, at least 0; 1 is a straight line.
        cycle: whether the rate rises and falls again after `decay_steps`.
        name: kept in the config.
    """

    initial_learning_rate: float
    decay_steps: float
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str | None = "PolynomialDecay"

    def __post_init__(self) -> None:
        check_arguments(
            self,
            initial_learning_rate=number(),
            decay_steps=steps(above=0),
            end_learning_rate=number(),
            power=number(at_least=0),
            cycle=flag,
            name=optional_name,
        )

    def __call__(self, step: Step) -> float:
        s = checked_step(step)
        end = self.decay_steps
        if self.cycle and s > 0:
            end *= math.ceil(s / self.decay_steps)
        left = 1.0 - min(s, end) / end
        height = self.initial_learning_rate - self.end_learning_rate
        return height * math.pow(left, self.power) + self.end_learning_rate


@built_in
@dataclass(frozen=True)
class InverseTimeDecay(LearningRateSchedule):
    """Division by a number that grows with the step.

    The rate is `initial_learning_rate / (1 + decay_rate * p)` with `p = step / decay_steps`,
    rounded down if `staircase`.

    Source: Keras 3, `keras.optimizers.schedules.InverseTimeDecay`. Unlike there, an integer
    `initial_learning_rate` is a float, and `decay_rate` cannot be negative.

        >>> schedule = InverseTimeDecay(0.1, decay_steps=10, decay_rate=1.0)
        >>> [schedule(step) for step in (0, 10, 30)]
        [0.1, 0.05, 0.025]

    Args:
        initial_learning_rate: rate at step 0.
        decay_steps: steps until the divisor has grown by `decay_rate`; more than 0.
        decay_rate: growth of the divisor, at least 0.
        staircase: whether the rate changes only at multiples of `decay_steps`.
        name: kept in the config.
    """

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str | None = "InverseTimeDecay"

    def __post_init__(self) -> None:
        check_arguments(
            self,
            initial_learning_rate=number(),
            decay_steps=steps(above=0),
            decay_rate=number(at_least=0),
            staircase=flag,
            name=optional_name,
        )

    def __call__(self, step: Step) -> float:
        decays = checked_step(step) / self.decay_steps
        if self.staircase:
            decays = math.floor(decays)
        return self.initial_learning_rate / (1.0 + self.decay_rate * decays)


def float_power(base: float, exponent: float) -> float:
    """Return a power of a number >= 0, infinite where it exceeds the range of floats."""
    try:
        return float(base**exponent)
    except OverflowError:
        return math.inf
