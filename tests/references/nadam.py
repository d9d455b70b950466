"""Nadam, as Keras 3 computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class Nadam(SlottedRule):
    """Adam that looks ahead along its first moment, under a momentum that warms up.

    The momentum of step t is `beta_1 * (1 - 0.5 * 0.96**t)`: the exponent is the step itself,
    where PyTorch and older Keras multiply it by 0.004 and so warm up 250 times more slowly. The
    product of all momenta so far, which corrects the first moment, is one number for the whole
    optimizer, and grows with every step, also for variables without a gradient.
    Source: Keras 3.15.1, `keras.optimizers.Nadam`; Dozat, 2015.

    Args:
        learning_rate: Step size.
        beta_1: Decay of the first moment, and what the momentum grows to.
        beta_2: Decay of the second moment.
        epsilon: Added to the square root of the corrected second moment.

    Attributes:
        slots: `(index, "m")` and `(index, "v")`, each shaped like the variable;
            `(None, "u_product")`, one number.
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

    def initial_step_slots(self) -> dict[str, float]:
        return {"u_product": 1.0}

    def begin_step(self, t: int) -> None:
        self.slots[None, "u_product"] = self.slots[None, "u_product"] * self._momentum(t)

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        m = self.slots[index, "m"]
        v = self.slots[index, "v"]
        u_product = self.slots[None, "u_product"]

        m = m + (g - m) * (1 - self.beta_1)
        v = v + (g * g - v) * (1 - self.beta_2)
        self.slots[index, "m"] = m
        self.slots[index, "v"] = v

        ahead = self._momentum(t + 1)
        m_hat = ahead * m / (1 - u_product * ahead)
        m_hat = m_hat + (1 - self._momentum(t)) * g / (1 - u_product)
        v_hat = v / (1 - self.beta_2**t)
        return w - self.learning_rate * m_hat / (np.sqrt(v_hat) + self.epsilon)

    def _momentum(self, t: int) -> float:
        """Return the momentum of step `t`."""
        return self.beta_1 * (1 - 0.5 * 0.96**t)
