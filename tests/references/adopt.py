"""ADOPT, as pytorch_optimizer computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class ADOPT(SlottedRule):
    """Momentum over gradients that are divided by the second moment of the steps before.

    The first step moves nothing: it only fills the second moment with the squared gradient. The
    denominator is the root or epsilon, whichever is larger; epsilon is not added. The quotient is
    clipped to the fourth root of the step. The first step is that of the optimizer: a variable
    whose first gradient comes later divides it by epsilon and clips.
    Source: pytorch_optimizer 4.1.0, `ADOPT`; Taniguchi et al., 2024.

    Args:
        learning_rate: Step size.
        beta_1: Decay of the momentum.
        beta_2: Decay of the second moment.
        epsilon: Smallest denominator.

    Attributes:
        slots: `(index, "m")` and `(index, "v")`, each shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.9999,
        epsilon: float = 1e-6,
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
        if t == 1:
            self.slots[index, "v"] = v + g * g
            return w

        limit = t**0.25
        quotient = np.clip(g / np.maximum(np.sqrt(v), self.epsilon), -limit, limit)
        m = m + (quotient - m) * (1 - self.beta_1)
        self.slots[index, "m"] = m
        self.slots[index, "v"] = self.beta_2 * v + (1 - self.beta_2) * g * g
        return w - self.learning_rate * m
