"""LaProp, as pytorch_optimizer computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule

SMALL = 1e-15
"""What the source adds to every second moment before it takes the root."""


class LaProp(SlottedRule):
    """Momentum over gradients that are divided by their root mean square first.

    The learning rate is inside the momentum; the correction for its start is the mean of the
    learning rates, decayed alike and only in steps with a gradient, over the present one; with a
    rate of zero there is no correction, and the variable still moves along its momentum. Epsilon
    joins the root before that is corrected, so both are divided by the correction; besides it,
    1e-15 is added under the root. The centered form subtracts the square of a mean that decays by
    `beta_2`, and begins after some steps; with AMSGrad the largest such difference counts.

    In its batched mode, the default, the source rounds the correction to float32; its
    parameter-by-parameter mode does not, and is the one followed here. The source decays weights
    after the step; ours is the common stage. Source: pytorch_optimizer 4.1.0, `LaProp`; Ziyin et
    al., 2020.

    Args:
        learning_rate: Step size.
        beta_1: Decay of the momentum.
        beta_2: Decay of the second moment, and of the mean.
        centered: Whether the variance takes the place of the second moment.
        steps_before_using_centered: In how many steps it does not yet.
        epsilon: Added to the square root of the uncorrected second moment.
        amsgrad: Whether the largest second moment so far is the one divided by; the source calls
            it `ams_bound`.

    Attributes:
        slots: `(index, "m")` and `(index, "v")`, shaped like the variable;
            `(index, "learning_rate_average")`, one number per variable; if centered
            `(index, "average_gradient")` and with AMSGrad `(index, "v_hat")`, shaped like the
            variable.
    """

    def __init__(
        self,
        learning_rate: float = 4e-4,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        centered: bool = False,
        steps_before_using_centered: int = 10,
        epsilon: float = 1e-15,
        amsgrad: bool = False,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.centered = centered
        self.steps_before_using_centered = steps_before_using_centered
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        slots: dict[str, Slot] = {"m": np.zeros_like(w), "v": np.zeros_like(w)}
        slots["learning_rate_average"] = 0.0
        if self.centered:
            slots["average_gradient"] = np.zeros_like(w)
        if self.amsgrad:
            slots["v_hat"] = np.zeros_like(w)
        return slots

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        rate = self.learning_rate
        average = self.slots[index, "learning_rate_average"]
        average = self.beta_1 * average + (1 - self.beta_1) * rate
        self.slots[index, "learning_rate_average"] = average
        correction = average / rate if rate != 0 else 1.0

        v = self._second_moment(index, g, t)
        denominator = (np.sqrt(v + SMALL) + self.epsilon) / np.sqrt(1 - self.beta_2**t)
        m = self.beta_1 * self.slots[index, "m"] + (1 - self.beta_1) * rate * g / denominator
        self.slots[index, "m"] = m
        return w - m / correction

    def _second_moment(self, index: int, g: Array, t: int) -> Array:
        """Take the gradient into the slots and return what the root is taken of."""
        v = self.beta_2 * self.slots[index, "v"] + (1 - self.beta_2) * g * g
        self.slots[index, "v"] = v
        if self.centered:
            mean = self.slots[index, "average_gradient"]
            mean = mean + (g - mean) * (1 - self.beta_2)
            self.slots[index, "average_gradient"] = mean
            if t > self.steps_before_using_centered:
                v = v - mean * mean
        if self.amsgrad:
            v = np.maximum(self.slots[index, "v_hat"], v)
            self.slots[index, "v_hat"] = v
        return np.asarray(v)
