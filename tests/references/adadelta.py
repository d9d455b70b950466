"""Adadelta, as Keras 3 computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class Adadelta(SlottedRule):
    """Gradients scaled by the root mean square of past steps over that of past gradients.

    Epsilon is inside both square roots, and it is what the first step grows from. The paper has
    no learning rate, which is a rate of 1.0; Keras' default is 0.001. The mean square of the
    steps is that of the steps before they are multiplied by the learning rate.
    Source: Keras 3.15.1, `keras.optimizers.Adadelta`; Zeiler, 2012.

    Args:
        learning_rate: Step size.
        rho: Decay of both mean squares.
        epsilon: Added to both mean squares, under the root.

    Attributes:
        slots: `(index, "accumulated_grad")` and `(index, "accumulated_delta_var")`, the mean
            squares, each shaped like the variable.
    """

    def __init__(
        self, learning_rate: float = 0.001, rho: float = 0.95, epsilon: float = 1e-7
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.rho = rho
        self.epsilon = epsilon

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {
            "accumulated_grad": np.zeros_like(w),
            "accumulated_delta_var": np.zeros_like(w),
        }

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        squared_gradient = self.slots[index, "accumulated_grad"]
        squared_delta = self.slots[index, "accumulated_delta_var"]

        squared_gradient = self.rho * squared_gradient + (1 - self.rho) * g * g
        delta = -np.sqrt(squared_delta + self.epsilon) * g
        delta = delta / np.sqrt(squared_gradient + self.epsilon)
        squared_delta = self.rho * squared_delta + (1 - self.rho) * delta * delta

        self.slots[index, "accumulated_grad"] = squared_gradient
        self.slots[index, "accumulated_delta_var"] = squared_delta
        return w + self.learning_rate * delta
