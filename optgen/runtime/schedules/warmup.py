"""Schedules that begin with a rise, from other libraries than Keras."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optgen.runtime.schedules.base import LearningRateSchedule, built_in
from optgen.runtime.schedules.checks import (
    Step,
    check_arguments,
    checked_step,
    choice,
    count,
    flag,
    number,
    optional_name,
    refused,
)
from optgen.runtime.schedules.cosine import half_cosine


def _number_or_schedule(argument: str, value: object) -> float | LearningRateSchedule:
    if isinstance(value, LearningRateSchedule):
        return value
    try:
        rate: float = number()(argument, value)
    except ValueError:
        expected = "a finite number or a LearningRateSchedule of optgen.schedules"
        raise refused(argument, expected, value) from None
    return rate


@built_in
@dataclass(frozen=True)
class LinearWarmup(LearningRateSchedule):
    """A linear rise to a rate that then stays, or to a schedule that then begins.

    For the first `warmup_steps` steps, the rate is `initial_learning_rate + (target -
    initial_learning_rate) * min(1, (step + offset) / warmup_steps)`, where the target is
    `learning_rate`, or its value at step 0 if it is a schedule. Afterwards it is `learning_rate`,
    or that schedule `warmup_steps` steps late.

    Source: with `offset=0`, the warm-up of Keras' `CosineDecay` and optax' `linear_schedule`,
    whose first step has the initial rate; with `offset=1`, that of schedule_free and of torch's
    `LinearLR(start_factor=1 / warmup_steps, total_iters=warmup_steps - 1)`, whose first step is
    one part of the way up already, so that no step is wasted on a rate of 0.

        >>> schedule = LinearWarmup(0.5, warmup_steps=4)
        >>> [schedule(step) for step in (0, 1, 2, 3, 4, 5)]
        [0.0, 0.125, 0.25, 0.375, 0.5, 0.5]
        >>> schedule = LinearWarmup(0.5, warmup_steps=4, offset=1)
        >>> [schedule(step) for step in (0, 1, 2, 3, 4, 5)]
        [0.125, 0.25, 0.375, 0.5, 0.5, 0.5]

    Args:
        learning_rate: rate or schedule after the warm-up.
        warmup_steps: steps of the warm-up, an integer; 0 for none.
        initial_learning_rate: rate that the rise begins with.
        offset: 0 if step 0 has the initial rate, 1 if it is one step's part above it.
        name: kept in the config.
    """

    learning_rate: float | LearningRateSchedule
    warmup_steps: int
    initial_learning_rate: float = 0.0
    offset: int = 0
    name: str | None = None

    def __post_init__(self) -> None:
        check_arguments(
            self,
            learning_rate=_number_or_schedule,
            warmup_steps=count(at_least=0),
            initial_learning_rate=number(),
            offset=count(at_least=0, at_most=1),
            name=optional_name,
        )

    def __call__(self, step: Step) -> float:
        s = checked_step(step)
        if s >= self.warmup_steps:
            return self._after(s - self.warmup_steps)
        fraction = min(1.0, (s + self.offset) / self.warmup_steps)
        initial = self.initial_learning_rate
        return initial + (self._after(0) - initial) * fraction

    def _after(self, step: float) -> float:
        """Return the rate so many steps after the warm-up."""
        if isinstance(self.learning_rate, LearningRateSchedule):
            return float(self.learning_rate(step))  # type: ignore[arg-type]
        return self.learning_rate


@built_in
@dataclass(frozen=True)
class OneCycle(LearningRateSchedule):
    """One rise to a large rate and one fall to a tiny one: the 1cycle policy.

    The rate goes from `max_learning_rate / div_factor` at step 0 to `max_learning_rate` at step
    `pct_start * total_steps - 1`, and from there to the first rate divided by `final_div_factor`
    at the last step, `total_steps - 1`. In three phases, it first goes back to the first rate, in
    as many steps as it rose. From rate `a` to rate `b`, with `f` the fraction of the phase that is
    done, it is `b + (a - b) * (1 + cos(pi * f)) / 2`, or `a + (b - a) * f` if linear.

    Source: torch, `OneCycleLR`; Smith and Topin, 2018. Unlike there, the rate stays at its last
    value after the last step, where torch raises an error; a rise that ends at step 0, where torch
    divides by zero, is over; and the momentum is left alone.

        >>> schedule = OneCycle(1.0, total_steps=10)
        >>> [round(schedule(step), 6) for step in (0, 1, 2, 5, 9, 10)]
        [0.04, 0.52, 1.0, 0.611262, 4e-06, 4e-06]

    Args:
        max_learning_rate: largest rate.
        total_steps: steps in all, an integer of at least 1.
        pct_start: fraction of all steps that the rise takes, in [0, 1].
        anneal_strategy: "cos" or "linear".
        div_factor: largest rate divided by the first, more than 0.
        final_div_factor: first rate divided by the last, more than 0.
        three_phase: whether the fall stops over at the first rate.
        name: kept in the config.
    """

    max_learning_rate: float
    total_steps: int
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    three_phase: bool = False
    name: str | None = None

    def __post_init__(self) -> None:
        check_arguments(
            self,
            max_learning_rate=number(),
            total_steps=count(at_least=1),
            pct_start=number(at_least=0, at_most=1),
            anneal_strategy=choice("cos", "linear"),
            div_factor=number(above=0),
            final_div_factor=number(above=0),
            three_phase=flag,
            name=optional_name,
        )

    def __call__(self, step: Step) -> float:
        s = min(checked_step(step), self.total_steps - 1)
        start, end, before, after = next(phase for phase in self._phases() if s <= phase[1])
        fraction = (s - start) / (end - start) if start < end else 1.0
        if self.anneal_strategy == "linear":
            return before + (after - before) * fraction
        return after + (before - after) * half_cosine(fraction)

    def _phases(self) -> list[tuple[float, float, float, float]]:
        """Return the first and last step of each phase, and the rates at both."""
        largest = self.max_learning_rate
        first = largest / self.div_factor
        last = first / self.final_div_factor
        peak = self.pct_start * self.total_steps - 1.0
        final = self.total_steps - 1.0
        rise = (0.0, peak, first, largest)
        if self.three_phase:
            return [rise, (peak, 2.0 * peak, largest, first), (2.0 * peak, final, first, last)]
        return [rise, (peak, final, largest, last)]


@built_in
@dataclass(frozen=True)
class WarmupStableDecay(LearningRateSchedule):
    """A linear rise, a constant rate for most of the time, and a fall at the end: WSD.

    The rate is `learning_rate` times a factor: `step / warmup_steps` for `warmup_steps` steps,
    then 1 for `stable_steps` steps, then `(1 - minimum_ratio) * shape(p) + minimum_ratio` for
    `decay_steps` steps with `p` the fraction of them that is done, and then `minimum_ratio`. The
    shapes are `1 - sqrt(p)`, `1 - p`, `1 - p**2` and `(1 + cos(2 * pi * num_cycles * p)) / 2`.

    Source: pytorch_optimizer, `get_wsd_schedule`; Hägele et al., 2024. Unlike there, all shapes
    fall to `minimum_ratio`: in that library all but the cosine fall towards 0, and jump up to the
    ratio when the fall is over. With a ratio of 0 the numbers are the same.

        >>> schedule = WarmupStableDecay(0.5, warmup_steps=2, stable_steps=3, decay_steps=4)
        >>> [schedule(step) for step in (0, 1, 2, 5, 6, 9)]
        [0.0, 0.25, 0.5, 0.5, 0.25, 0.0]

    Args:
        learning_rate: largest rate.
        warmup_steps: steps of the rise, an integer; 0 for none.
        stable_steps: steps of the constant rate, an integer; 0 for none.
        decay_steps: steps of the fall, an integer of at least 1.
        decay: shape of the fall: "1-sqrt", "linear", "1-square" or "cosine".
        minimum_ratio: what is left at the end, as a fraction of `learning_rate`, in [0, 1].
        num_cycles: cycles of the cosine, more than 0; only a half, or a whole number and a half,
            reaches the end without a jump.
        name: kept in the config.
    """

    learning_rate: float
    warmup_steps: int
    stable_steps: int
    decay_steps: int
    decay: str = "1-sqrt"
    minimum_ratio: float = 0.0
    num_cycles: float = 0.5
    name: str | None = None

    def __post_init__(self) -> None:
        check_arguments(
            self,
            learning_rate=number(),
            warmup_steps=count(at_least=0),
            stable_steps=count(at_least=0),
            decay_steps=count(at_least=1),
            decay=choice("1-sqrt", "linear", "1-square", "cosine"),
            minimum_ratio=number(at_least=0, at_most=1),
            num_cycles=number(above=0),
            name=optional_name,
        )

    def __call__(self, step: Step) -> float:
        s = checked_step(step)
        if s < self.warmup_steps:
            return self.learning_rate * (s / self.warmup_steps)
        progress = (s - self.warmup_steps - self.stable_steps) / self.decay_steps
        if progress <= 0.0:
            return self.learning_rate
        height = self._shape(progress) if progress < 1.0 else 0.0
        return self.learning_rate * ((1.0 - self.minimum_ratio) * height + self.minimum_ratio)

    def _shape(self, progress: float) -> float:
        """Return what is left of the fall, after a fraction of it between 0 and 1."""
        if self.decay == "1-sqrt":
            return 1.0 - math.sqrt(progress)
        if self.decay == "1-square":
            return 1.0 - progress**2
        if self.decay == "cosine":
            return half_cosine(2.0 * self.num_cycles * progress)
        return 1.0 - progress
