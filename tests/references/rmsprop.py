"""RMSprop with momentum and centering, as Keras 3 computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class RMSprop(SlottedRule):
    """Gradients divided by the root of their mean square.

    Epsilon is inside the square root, in every mode; PyTorch has it outside. The learning rate
    is inside the momentum, so a buffer built under one rate keeps it. Nothing is corrected for
    the start at zero: the first step is about `learning_rate / sqrt(1 - rho)` long.
    Source: Keras 3.15.1, `keras.optimizers.RMSprop`; Hinton, 2012, lecture 6e; Graves, 2013, for
    the centered form.

    Args:
        learning_rate: Step size.
        rho: Decay of the mean square and of the mean.
        momentum: Fraction of the buffer that is kept; 0 means no buffer at all.
        epsilon: Added to the mean square, or to the variance, under the root.
        centered: Whether the variance takes the place of the mean square.

    Attributes:
        slots: `(index, "v")`; with momentum `(index, "momentum_buffer")`; if centered
            `(index, "average_gradient")`; each shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        slots: dict[str, Slot] = {"v": np.zeros_like(w)}
        if self.momentum > 0:
            slots["momentum_buffer"] = np.zeros_like(w)
        if self.centered:
            slots["average_gradient"] = np.zeros_like(w)
        return slots

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        v = self.rho * self.slots[index, "v"] + (1 - self.rho) * g * g
        self.slots[index, "v"] = v

        variance = v
        if self.centered:
            average = self.rho * self.slots[index, "average_gradient"] + (1 - self.rho) * g
            self.slots[index, "average_gradient"] = average
            variance = v - average * average

        increment = self.learning_rate * g / np.sqrt(variance + self.epsilon)
        if self.momentum > 0:
            increment = self.momentum * self.slots[index, "momentum_buffer"] + increment
            self.slots[index, "momentum_buffer"] = increment
        return w - increment
