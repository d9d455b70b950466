"""Tiger, as pytorch_optimizer computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class Tiger(SlottedRule):
    """Steps of one size along the sign of the momentum.

    It is Lion with both decays equal, so that the momentum of the step is the one that is kept.
    An element whose momentum is zero does not move. The source decays weights by 0.01 unless told
    otherwise; ours is the common stage, which is off by default.
    Source: pytorch_optimizer 4.1.0, `Tiger`; Su, 2023.

    Args:
        learning_rate: The size of every element's step.
        beta: Decay of the momentum.

    Attributes:
        slots: `(index, "m")`, shaped like the variable.
    """

    def __init__(self, learning_rate: float = 0.001, beta: float = 0.965) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta = beta

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {"m": np.zeros_like(w)}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        m = self.slots[index, "m"]
        m = m + (g - m) * (1 - self.beta)
        self.slots[index, "m"] = m
        return w - self.learning_rate * np.sign(m)
