"""Rectified Adam, as PyTorch computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class RAdam(SlottedRule):
    """Adam that leaves out the second moment until its variance is known well enough.

    Until the length of the approximated simple moving average exceeds 5, a step goes along the
    corrected first moment alone, which is as large as the gradients are. Epsilon is added to the
    root of the uncorrected second moment. A length of exactly 5 counts as too short here; in
    Optax and TensorFlow Addons it does not. PyTorch counts steps per parameter, this rule counts
    all steps. Source: PyTorch 2.13.0, `torch.optim.RAdam`; Liu et al., 2019.

    Args:
        learning_rate: Step size.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment; the default gives the first adaptive step at step 6.
        epsilon: Added to the square root of the uncorrected second moment.

    Attributes:
        slots: `(index, "m")` and `(index, "v")`, each shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
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
        v = self.beta_2 * v + (1 - self.beta_2) * g * g
        self.slots[index, "m"] = m
        self.slots[index, "v"] = v

        m_hat = m / (1 - self.beta_1**t)
        longest = 2 / (1 - self.beta_2) - 1
        length = longest - 2 * t * self.beta_2**t / (1 - self.beta_2**t)
        if length <= 5:
            return w - self.learning_rate * m_hat

        rectification = np.sqrt(
            ((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length)
        )
        scale = np.sqrt(1 - self.beta_2**t) / (np.sqrt(v) + self.epsilon)
        return w - self.learning_rate * m_hat * scale * rectification
