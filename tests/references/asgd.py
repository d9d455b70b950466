"""Averaged stochastic gradient descent, as PyTorch computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class ASGD(SlottedRule):
    """Gradient descent with a falling step size, and the mean of the variables it passes.

    The step size and the weight of the mean are computed at the end of a step, for the next one.
    A change of the learning rate therefore acts one step late: the first step uses the rate at
    the start, and every other one the rate that held in the step before. The variables themselves
    do not depend on their mean, which is only kept; it is the variable itself up to step
    `t0 + 2`. `lambd`, a decay, is on by default and acts on the variable before its step. PyTorch
    counts steps per parameter, this rule counts all steps.
    Source: PyTorch 2.13.0, `torch.optim.ASGD`; Polyak and Juditsky, 1992.

    Args:
        learning_rate: Step size of the first step.
        lambd: Decay per unit of step size; it also makes the step size fall.
        alpha: Power of the fall of the step size.
        t0: Step after which the mean begins.

    Attributes:
        slots: `(index, "eta")`, the next step size, and `(index, "mu")`, the next weight of the
            variable in the mean, one number per variable each; `(index, "w_average")`, shaped
            like the variable, and at first a copy of it (in PyTorch zero until the first step).
    """

    def __init__(
        self,
        learning_rate: float = 0.01,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.lambd = lambd
        self.alpha = alpha
        self.t0 = t0

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {"eta": self.learning_rate, "mu": 1.0, "w_average": np.array(w)}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        eta = self.slots[index, "eta"]
        mu = self.slots[index, "mu"]
        average = self.slots[index, "w_average"]

        w = w * (1 - self.lambd * eta) - eta * g
        self.slots[index, "w_average"] = w if mu == 1 else average + mu * (w - average)

        rate = self.learning_rate
        self.slots[index, "eta"] = rate / (1 + self.lambd * rate * t) ** self.alpha
        self.slots[index, "mu"] = 1 / max(1.0, t - self.t0)
        return w
