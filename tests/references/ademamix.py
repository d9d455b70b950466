"""AdEMAMix, as pytorch_optimizer computes it."""

from __future__ import annotations

import math

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class AdEMAMix(SlottedRule):
    """Adam with a second, much slower mean of the gradients beside the first.

    The slow mean is not corrected for its start. With `t_alpha_beta3`, its weight grows linearly,
    and its decay so that its half-life does, from `beta_1`, over that many steps; the decay never
    exceeds `beta_3`. The warm-up needs `beta_1` and `beta_3` between 0 and 1, both excluded.
    Source: pytorch_optimizer 4.1.0, `AdEMAMix`; Pagliardini et al., 2024.

    Args:
        learning_rate: Step size.
        beta_1: Decay of the fast mean.
        beta_2: Decay of the second moment.
        beta_3: Decay of the slow mean.
        alpha: Weight of the slow mean.
        t_alpha_beta3: Steps of the warm-up of `alpha` and `beta_3`; None for none.
        epsilon: Added to the square root of the corrected second moment.

    Attributes:
        slots: `(index, "m")`, `(index, "v")` and `(index, "m_slow")`, each shaped like the
            variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        beta_3: float = 0.9999,
        alpha: float = 5.0,
        t_alpha_beta3: float | None = None,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.beta_3 = beta_3
        self.alpha = alpha
        self.t_alpha_beta3 = t_alpha_beta3
        self.epsilon = epsilon

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {name: np.zeros_like(w) for name in ("m", "v", "m_slow")}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        m, v, m_slow = (self.slots[index, name] for name in ("m", "v", "m_slow"))
        alpha, beta_3 = self._warmed_up(t)

        m = m + (g - m) * (1 - self.beta_1)
        v = self.beta_2 * v + (1 - self.beta_2) * g * g
        m_slow = m_slow + (g - m_slow) * (1 - beta_3)
        self.slots[index, "m"] = m
        self.slots[index, "v"] = v
        self.slots[index, "m_slow"] = m_slow

        denominator = np.sqrt(v) / np.sqrt(1 - self.beta_2**t) + self.epsilon
        direction = m / (1 - self.beta_1**t) + alpha * m_slow
        return w - self.learning_rate * direction / denominator

    def _warmed_up(self, t: int) -> tuple[float, float]:
        """Return the weight and the decay of the slow mean in step `t`."""
        if self.t_alpha_beta3 is None:
            return self.alpha, self.beta_3
        progress = t / self.t_alpha_beta3
        fast, slow = math.log(self.beta_1), math.log(self.beta_3)
        beta_3 = math.exp(fast * slow / ((1 - progress) * slow + progress * fast))
        return min(progress * self.alpha, self.alpha), min(beta_3, self.beta_3)
