"""The stages that every optimizer shares, around one update rule, as Keras 3 orders them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tests.references.rule import SlottedRule

Array = NDArray[np.float64]


class Rule(Protocol):
    """What the stages need of an update rule."""

    learning_rate: float

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        """Return the variable `w` after step `t` under gradient `g`."""
        ...


class Pipeline:
    """One optimizer step over all variables.

    The order: drop missing gradients, unscale, accumulate, clip, decay, update, average,
    overwrite, count. Source: Keras 3, `keras.optimizers.Optimizer` on its NumPy backend. It
    differs in one thing, invisible after the first step: averages start as the variables.

    Args:
        rule: The update rule, which holds the learning rate and its own slots. A rule with slots
            from the start makes them in `build`, and hears of every update before its variables.
        weight_decay: Fraction of a variable removed per unit of learning rate before its
            update; None for a rule with a decay of its own.
        clipnorm: Largest L2 norm of each gradient.
        clipvalue: Largest magnitude of each gradient element.
        global_clipnorm: Largest L2 norm of all gradients of a step taken together. Exactly one
            clip argument acts: `clipnorm`, else this one, else `clipvalue`.
        use_ema: Whether a moving average of every variable is kept.
        ema_momentum: Weight of the old average; taken as 0 while `iterations` is 0.
        ema_overwrite_frequency: Every so many iterations the variables become their averages.
        loss_scale_factor: What the loss was multiplied by; gradients are divided by it.
        gradient_accumulation_steps: Calls whose mean gradient makes one update.

    Attributes:
        variables: The float64 arrays, in the order given to `build`.
        averages: One per variable, shaped like it; empty without `use_ema`.
        accumulators: Gradient sums, one per variable, shaped like it; empty without
            accumulation.
        raw_iterations: Number of completed `step` calls.
    """

    def __init__(
        self,
        rule: Rule,
        *,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
    ) -> None:
        self.rule = rule
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.variables: list[Array] = []
        self.averages: list[Array] = []
        self.accumulators: list[Array] = []
        self.raw_iterations = 0

    @property
    def iterations(self) -> int:
        """Number of completed updates."""
        if self.gradient_accumulation_steps:
            return self.raw_iterations // self.gradient_accumulation_steps
        return self.raw_iterations

    def build(self, variables: Sequence[ArrayLike]) -> None:
        """Copy the variables and create averages, accumulators and a rule's slots for them.

        Args:
            variables: Initial values, each of any shape.
        """
        self.variables = [np.array(w, dtype=np.float64) for w in variables]
        if isinstance(self.rule, SlottedRule):
            self.rule.build(self.variables)
        if self.use_ema:
            self.averages = [w.copy() for w in self.variables]
        if self.gradient_accumulation_steps:
            self.accumulators = [np.zeros_like(w) for w in self.variables]

    def step(self, gradients: Sequence[ArrayLike | None]) -> None:
        """Take one call's gradients through all stages.

        Args:
            gradients: One per built variable, shaped like it, or None for a variable that has
                none in this call; at least one must be given.
        """
        present = {
            index: np.asarray(g, dtype=np.float64)
            for index, (_, g) in enumerate(zip(self.variables, gradients, strict=True))
            if g is not None
        }
        if not present:
            raise ValueError("no gradient was given for any variable")

        if self.loss_scale_factor is not None:
            present = {index: g / self.loss_scale_factor for index, g in present.items()}

        k = self.gradient_accumulation_steps
        if not k:
            self._update(present)
        elif (self.raw_iterations + 1) % k == 0:
            self._update({i: (g + self.accumulators[i]) / k for i, g in present.items()})
            self.accumulators = [np.zeros_like(w) for w in self.variables]
        else:
            for index, g in present.items():
                self.accumulators[index] = self.accumulators[index] + g

        if self.use_ema:
            mu = self.ema_momentum if self.iterations != 0 else 0.0
            self.averages = [
                np.asarray(mu * average + (1 - mu) * w)
                for average, w in zip(self.averages, self.variables, strict=True)
            ]
            f = self.ema_overwrite_frequency
            if f and (self.iterations + 1) % f == 0:
                self.variables = [average.copy() for average in self.averages]

        self.raw_iterations += 1

    def _update(self, gradients: dict[int, Array]) -> None:
        """Clip, decay and update the variables that have a gradient."""
        learning_rate = self.rule.learning_rate
        t = self.iterations + 1
        if isinstance(self.rule, SlottedRule):
            self.rule.begin_step(t)
        for index, g in self._clip(gradients).items():
            w = self.variables[index]
            if self.weight_decay is not None:
                w = w - w * self.weight_decay * learning_rate
            self.variables[index] = np.asarray(self.rule.update(index, w, g, t))

    def _clip(self, gradients: dict[int, Array]) -> dict[int, Array]:
        """Return the gradients after the one clip stage that acts, if any."""
        if self.clipnorm is not None and self.clipnorm > 0:
            c = self.clipnorm
            return {
                index: g * c / np.maximum(np.sqrt(np.sum(g * g)), c)
                for index, g in gradients.items()
            }
        if self.global_clipnorm is not None and self.global_clipnorm > 0:
            c = self.global_clipnorm
            norm = np.sqrt(np.sum([np.sum(g * g) for g in gradients.values()]))
            with np.errstate(divide="ignore", invalid="ignore"):
                scale = c * np.minimum(1.0 / norm, 1.0 / c) + (norm - norm)
            return {index: g * scale for index, g in gradients.items()}
        if self.clipvalue is not None and self.clipvalue > 0:
            c = self.clipvalue
            return {index: np.clip(g, -c, c) for index, g in gradients.items()}
        return gradients
