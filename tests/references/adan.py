"""Adan, as pytorch_optimizer computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class Adan(SlottedRule):
    """Adam with Nesterov momentum that is estimated from differences of gradients.

    The betas are decays, as in Adam, where those of the paper are 1 minus them. Optax' rule of the
    same name, with the same defaults, weighs the difference by `1 - beta_2` where this one weighs
    it by `beta_2`. The difference of a variable's first gradient is zero, whenever that gradient
    comes. Each of the three moments is corrected for its start. The clipping of the source by the
    norm of all gradients, off by default, is the common stage.
    Source: pytorch_optimizer 4.1.0, `Adan`; Xie et al., 2022.

    Args:
        learning_rate: Step size.
        beta_1: Decay of the mean of the gradients.
        beta_2: Decay of the mean of their differences, and weight of a difference.
        beta_3: Decay of the second moment.
        epsilon: Added to the square root of the corrected second moment.

    Attributes:
        slots: `(index, "m")`, the mean gradient, `(index, "n")`, the second moment,
            `(index, "v")`, the mean difference, and `(index, "previous_gradient")`, each shaped
            like the variable; `(index, "has_previous")`, one number per variable, 0 before its
            first gradient and 1 after it.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.98,
        beta_2: float = 0.92,
        beta_3: float = 0.99,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.beta_3 = beta_3
        self.epsilon = epsilon

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        slots: dict[str, Slot] = {
            name: np.zeros_like(w) for name in ("m", "n", "v", "previous_gradient")
        }
        return slots | {"has_previous": 0.0}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        m, n, v = (self.slots[index, name] for name in ("m", "n", "v"))
        previous = self.slots[index, "previous_gradient"]
        difference = g - previous if self.slots[index, "has_previous"] else np.zeros_like(g)

        m = m + (g - m) * (1 - self.beta_1)
        v = v + (difference - v) * (1 - self.beta_2)
        ahead = g + self.beta_2 * difference
        n = self.beta_3 * n + (1 - self.beta_3) * ahead * ahead

        self.slots[index, "m"] = m
        self.slots[index, "n"] = n
        self.slots[index, "v"] = v
        self.slots[index, "previous_gradient"] = g
        self.slots[index, "has_previous"] = 1.0

        m_hat = m / (1 - self.beta_1**t)
        v_hat = v / (1 - self.beta_2**t)
        denominator = np.sqrt(n) / np.sqrt(1 - self.beta_3**t) + self.epsilon
        return w - self.learning_rate * (m_hat + self.beta_2 * v_hat) / denominator
