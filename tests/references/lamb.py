"""LAMB, as Keras 3 computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class Lamb(SlottedRule):
    """Adam whose step on a variable is as long as the variable, times the learning rate.

    The norms are over the whole variable; where either is zero the ratio is 1. Weight decay is
    the common stage, so it acts before, and also on the norm of the variable; in the paper and in
    other libraries it is part of the direction.
    Source: Keras 3.15.1, `keras.optimizers.Lamb`; You et al., 2019.

    Args:
        learning_rate: Step size, relative to the norm of the variable.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        epsilon: Added to the square root of the corrected second moment.

    Attributes:
        slots: `(index, "m")` and `(index, "v")`, each shaped like the variable.
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
        return {"m": np.zeros_like(w), "v": np.zeros_like(w)}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        m = self.slots[index, "m"]
        v = self.slots[index, "v"]

        m = m + (g - m) * (1 - self.beta_1)
        v = v + (g * g - v) * (1 - self.beta_2)
        self.slots[index, "m"] = m
        self.slots[index, "v"] = v

        m_hat = m / (1 - self.beta_1**t)
        v_hat = v / (1 - self.beta_2**t)
        direction = m_hat / (np.sqrt(v_hat) + self.epsilon)

        w_norm = np.sqrt(np.sum(w * w))
        direction_norm = np.sqrt(np.sum(direction * direction))
        ratio = w_norm / direction_norm if w_norm > 0 and direction_norm > 0 else 1.0
        return w - ratio * self.learning_rate * direction
