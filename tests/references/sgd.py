"""Stochastic gradient descent with momentum, as Keras 3 computes it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class SGD:
    """Gradient descent, with optional classical or Nesterov momentum.

    The learning rate is inside the velocity, so a velocity built under one rate keeps it.
    Source: Keras 3, `keras.optimizers.SGD`; the Nesterov form is that of Sutskever et al., 2013.

    Args:
        learning_rate: Step size; may be assigned between steps.
        momentum: Fraction of the velocity that is kept; 0 means no velocity at all.
        nesterov: Whether the step looks ahead along the new velocity.

    Attributes:
        slots: `(index, "velocity")`, shaped like the variable; present only with momentum.
    """

    def __init__(
        self, learning_rate: float = 0.01, momentum: float = 0.0, nesterov: bool = False
    ) -> None:
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.nesterov = nesterov
        self.slots: dict[tuple[int, str], Array] = {}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        """Return the variable after one step.

        Args:
            index: Position of the variable, the key of its slots.
            w: The variable, any shape.
            g: Its gradient, the same shape.
            t: The step, counted from 1; this rule does not depend on it.

        Returns:
            The new variable, shaped like `w`.
        """
        if self.momentum == 0:
            return w - g * self.learning_rate

        velocity = self.slots.get((index, "velocity"), np.zeros_like(w))
        velocity = self.momentum * velocity - g * self.learning_rate
        self.slots[index, "velocity"] = velocity
        if self.nesterov:
            return w + (self.momentum * velocity - g * self.learning_rate)
        return w + velocity
