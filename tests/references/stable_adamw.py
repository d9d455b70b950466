"""StableAdamW, as pytorch_optimizer computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class StableAdamW(SlottedRule):
    """AdamW whose step size shrinks where gradients outgrow their second moment.

    Both moments are corrected inside their decays, which are 0 in the first step; nothing is
    divided afterwards. The learning rate is divided by the root mean square, over the variable, of
    the gradient over the root of the new second moment, if that is above 1; in it epsilon squared
    is the smallest second moment, while in the step epsilon is added to the root.

    The source decays weights by 0.01 unless told otherwise, and scales the decay by the shrunk
    learning rate; ours is the common stage, which is off by default and uses the full one.
    Source: pytorch_optimizer 4.1.0, `StableAdamW`; Wortsman et al., 2023.

    Args:
        learning_rate: Step size.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        epsilon: Added to the square root of the second moment.

    Attributes:
        slots: `(index, "m")` and `(index, "v")`, each shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
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
        beta_1 = corrected_decay(self.beta_1, t)
        beta_2 = corrected_decay(self.beta_2, t)

        m = m + (g - m) * (1 - beta_1)
        v = beta_2 * v + (1 - beta_2) * g * g
        self.slots[index, "m"] = m
        self.slots[index, "v"] = v

        excess = np.sqrt(np.mean(g * g / np.maximum(v, self.epsilon**2)))
        rate = self.learning_rate / np.maximum(1.0, excess)  # NaN stays NaN
        return w - rate * m / (np.sqrt(v) + self.epsilon)


def corrected_decay(beta: float, t: int) -> float:
    """Return the decay that makes a running mean, started at zero, unbiased in step `t`."""
    return (beta**t - beta) / (beta**t - 1)
