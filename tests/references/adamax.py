"""Adamax, as Keras 3 computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class Adamax(SlottedRule):
    """Adam with the largest recent gradient in place of the second moment.

    Epsilon is added to the norm in the division; PyTorch and Optax add it inside the maximum, so
    they differ where a gradient stays zero. Only the first moment is corrected for its start.
    Source: Keras 3.15.1, `keras.optimizers.Adamax`; Kingma and Ba, 2014, section 7.1.

    Args:
        learning_rate: Step size.
        beta_1: Decay of the first moment.
        beta_2: Decay of the norm.
        epsilon: Added to the norm that the moment is divided by.

    Attributes:
        slots: `(index, "m")` and `(index, "u")`, each shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {"m": np.zeros_like(w), "u": np.zeros_like(w)}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        m = self.slots[index, "m"]
        u = self.slots[index, "u"]

        m = m + (g - m) * (1 - self.beta_1)
        u = np.maximum(self.beta_2 * u, np.abs(g))
        self.slots[index, "m"] = m
        self.slots[index, "u"] = u

        return w - self.learning_rate * m / ((1 - self.beta_1**t) * (u + self.epsilon))
