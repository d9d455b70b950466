"""AdaBelief, as pytorch_optimizer computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class AdaBelief(SlottedRule):
    """Adam with the variance of the gradient around its mean as second moment.

    The deviation is taken from the new mean. Epsilon is added twice: to the second moment in
    every step, where it stays and so adds up to `epsilon / (1 - beta_2)`, and to its corrected
    root. With the default, both are far below what float32 resolves next to ordinary gradients,
    but not next to a second moment of zero. Not rectified, which is the default of the source.
    Source: pytorch_optimizer 4.1.0, `AdaBelief`; Zhuang et al., 2020.

    Args:
        learning_rate: Step size.
        beta_1: Decay of the mean.
        beta_2: Decay of the second moment.
        epsilon: Added to the second moment, and to its corrected square root.
        amsgrad: Whether the largest second moment so far is the one divided by; the source calls
            it `ams_bound`.

    Attributes:
        slots: `(index, "m")` and `(index, "s")`, and with AMSGrad `(index, "s_hat")`, each shaped
            like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-16,
        amsgrad: bool = False,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        names = ["m", "s", "s_hat"] if self.amsgrad else ["m", "s"]
        return {name: np.zeros_like(w) for name in names}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        m = self.slots[index, "m"]
        s = self.slots[index, "s"]

        m = m + (g - m) * (1 - self.beta_1)
        s = self.beta_2 * s + (1 - self.beta_2) * (g - m) * (g - m) + self.epsilon
        self.slots[index, "m"] = m
        self.slots[index, "s"] = s
        if self.amsgrad:
            s = np.maximum(self.slots[index, "s_hat"], s)
            self.slots[index, "s_hat"] = s

        denominator = np.sqrt(s) / np.sqrt(1 - self.beta_2**t) + self.epsilon
        return w - self.learning_rate / (1 - self.beta_1**t) * m / denominator
