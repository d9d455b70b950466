"""Schedules that fall along half a cosine, once or again and again: those of Keras 3."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optgen.runtime.schedules.base import LearningRateSchedule, built_in
from optgen.runtime.schedules.checks import (
    Step,
    check_arguments,
    checked_step,
    number,
    optional_name,
    optional_number,
    steps,
)
from optgen.runtime.schedules.decay import float_power

_ON_RESTART = 1e-12
"""Relative distance below which a step is on a restart: above what rounding does to the position
of a restart, below the distance of two counts."""


@built_in
@dataclass(frozen=True)
class CosineDecay(LearningRateSchedule):
    """A fall along half a cosine, after a linear warm-up if one is asked for.

    The rate is `initial_learning_rate * ((1 - alpha) * c + alpha)` with
    `c = (1 + cos(pi * min(step, decay_steps) / decay_steps)) / 2`. With a `warmup_target`, it is
    `initial_learning_rate + (warmup_target - initial_learning_rate) * step / warmup_steps` for the
    first `warmup_steps` steps, and then the same fall from `warmup_target`.

    Source: Keras 3, `keras.optimizers.schedules.CosineDecay`; Loshchilov and Hutter, 2017. Unlike
    there, an integer `initial_learning_rate` is a float, and `warmup_steps` cannot be negative.

        >>> schedule = CosineDecay(0.0, decay_steps=100, warmup_target=0.1, warmup_steps=10)
        >>> [schedule(step) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.05, 0.1, 0.05, 0.0]

    Args:
        initial_learning_rate: rate at step 0.
        decay_steps: steps of the fall, without those of the warm-up; more than 0.
        alpha: what is left at the end, as a fraction of the rate that the fall begins with.
        name: kept in the config.
        warmup_target: rate at the end of the warm-up; None for no warm-up.
        warmup_steps: steps of the warm-up, at least 0; without a `warmup_target` they do nothing.
    """

    initial_learning_rate: float
    decay_steps: float
    alpha: float = 0.0
    name: str | None = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: float = 0

    def __post_init__(self) -> None:
        check_arguments(
            self,
            initial_learning_rate=number(),
            decay_steps=steps(above=0),
            alpha=number(),
            name=optional_name,
            warmup_target=optional_number,
            warmup_steps=steps(at_least=0),
        )

    def __call__(self, step: Step) -> float:
        s = checked_step(step)
        initial = self.initial_learning_rate
        if self.warmup_target is not None:
            if s < self.warmup_steps:
                return (self.warmup_target - initial) * (s / self.warmup_steps) + initial
            initial = self.warmup_target
            s -= self.warmup_steps
        cosine = half_cosine(min(s, self.decay_steps) / self.decay_steps)
        return initial * ((1.0 - self.alpha) * cosine + self.alpha)


@built_in
@dataclass(frozen=True)
class CosineDecayRestarts(LearningRateSchedule):
    """Falls along half a cosine, one after another, each longer and from another height.

    Fall `i` takes `first_decay_steps * t_mul ** i` steps. With `f` the fraction of it that is
    done, the rate is
    `initial_learning_rate * ((1 - alpha) * m_mul ** i * (1 + cos(pi * f)) / 2 + alpha)`.

    Source: Keras 3, `keras.optimizers.schedules.CosineDecayRestarts`; Loshchilov and Hutter, 2017.
    Unlike there, an integer `initial_learning_rate` is a float, a step on a restart always belongs
    to the new fall (Keras' logarithm can miss it), `t_mul < 1` is refused, since its falls would
    come to an end, and `m_mul` cannot be negative.

        >>> schedule = CosineDecayRestarts(0.1, first_decay_steps=10, m_mul=0.5)
        >>> [schedule(step) for step in (0, 5, 10, 20, 30)]
        [0.1, 0.05, 0.05, 0.025, 0.025]

    Args:
        initial_learning_rate: rate at step 0.
        first_decay_steps: steps of the first fall; more than 0.
        t_mul: how many times longer than the last a fall is; at least 1.
        m_mul: how many times higher than the last a fall begins; at least 0.
        alpha: smallest rate, as a fraction of `initial_learning_rate`, not scaled by `m_mul`.
        name: kept in the config.
    """

    initial_learning_rate: float
    first_decay_steps: float
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str | None = "SGDRDecay"

    def __post_init__(self) -> None:
        check_arguments(
            self,
            initial_learning_rate=number(),
            first_decay_steps=steps(above=0),
            t_mul=number(at_least=1),
            m_mul=number(at_least=0),
            alpha=number(),
            name=optional_name,
        )

    def __call__(self, step: Step) -> float:
        fall, fraction = self._position(checked_step(step) / self.first_decay_steps)
        cosine = float_power(self.m_mul, fall) * half_cosine(fraction)
        return self.initial_learning_rate * ((1.0 - self.alpha) * cosine + self.alpha)

    def _position(self, done: float) -> tuple[int, float]:
        """Return the index of the present fall, and the fraction of it that is done.

        Args:
            done: the steps so far, in units of `first_decay_steps`.
        """
        fall = math.floor(done)
        if self.t_mul > 1.0:
            growth = self.t_mul - 1.0
            fall = math.floor(math.log1p(done * growth) / math.log1p(growth))
        # Rounding may have put a step that is on a restart before it.
        if self._start(fall + 1) <= done * (1.0 + _ON_RESTART):
            fall += 1
        return fall, (done - self._start(fall)) / float_power(self.t_mul, fall)

    def _start(self, fall: int) -> float:
        """Return where a fall starts: the sum of the lengths before, the first of which is 1."""
        if self.t_mul == 1.0:
            return float(fall)
        growth = self.t_mul - 1.0
        return math.expm1(fall * math.log1p(growth)) / growth


def half_cosine(fraction: float) -> float:
    """Return the height of half a cosine that falls from 1 at fraction 0 to 0 at fraction 1."""
    return 0.5 * (1.0 + math.cos(math.pi * fraction))
