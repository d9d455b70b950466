"""AdaBound, as pytorch_optimizer computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule

SMALL = 1e-15
"""What the source adds to every second moment before it takes the root."""


class AdaBound(SlottedRule):
    """Adam whose step sizes are bounded, more and more tightly, around one final size.

    The final size follows the learning rate: it is multiplied by the ratio of the learning rate
    to the one at the start, or to the first one above zero. The bounded factor multiplies the
    uncorrected first moment; both corrections are inside the bounds. Besides epsilon, 1e-15 is
    added to the second moment under the root.
    Source: pytorch_optimizer 4.1.0, `AdaBound`; Luo et al., 2019.

    Args:
        learning_rate: Step size.
        final_learning_rate: Step size that the bounds close in on; the source calls it
            `final_lr`.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        gamma: How fast the bounds close in; above zero.
        epsilon: Added to the square root of the uncorrected second moment.
        amsgrad: Whether the largest second moment so far is the one divided by; the source calls
            it `ams_bound`.

    Attributes:
        slots: `(index, "m")` and `(index, "v")`, and with AMSGrad `(index, "v_hat")`, each shaped
            like the variable; `(None, "base_learning_rate")`, one number.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        final_learning_rate: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        gamma: float = 0.001,
        epsilon: float = 1e-8,
        amsgrad: bool = False,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.final_learning_rate = final_learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.gamma = gamma
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        names = ["m", "v", "v_hat"] if self.amsgrad else ["m", "v"]
        return {name: np.zeros_like(w) for name in names}

    def initial_step_slots(self) -> dict[str, float]:
        return {"base_learning_rate": self.learning_rate}

    def begin_step(self, t: int) -> None:
        if self.slots[None, "base_learning_rate"] == 0:
            self.slots[None, "base_learning_rate"] = self.learning_rate

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        m = self.slots[index, "m"]
        v = self.slots[index, "v"]

        m = m + (g - m) * (1 - self.beta_1)
        v = self.beta_2 * v + (1 - self.beta_2) * g * g
        self.slots[index, "m"] = m
        self.slots[index, "v"] = v
        if self.amsgrad:
            v = np.maximum(self.slots[index, "v_hat"], v)
            self.slots[index, "v_hat"] = v

        rate = self.learning_rate * np.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        rate = rate / (np.sqrt(v + SMALL) + self.epsilon)
        lower, upper = self._bounds(t)
        return w - np.clip(rate, lower, upper) * m

    def _bounds(self, t: int) -> tuple[float, float]:
        """Return the smallest and the largest step size of step `t`."""
        base = self.slots[None, "base_learning_rate"]
        final = self.final_learning_rate * self.learning_rate / base if base > 0 else 0.0
        return final * (1 - 1 / (self.gamma * t + 1)), final * (1 + 1 / (self.gamma * t))
