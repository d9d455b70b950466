"""Resilient backpropagation, as PyTorch computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class Rprop(SlottedRule):
    """Steps of a size per element that grows while the gradient keeps its sign.

    Where the sign changed, the step size shrinks, the element does not move, and its gradient is
    remembered as zero, so that the next step neither grows nor shrinks it. Only the signs of the
    gradients matter. The learning rate is the step size at the start, and has no effect later on.
    Optax' rule of the same name takes every step one call late.
    Source: PyTorch 2.13.0, `torch.optim.Rprop`; Riedmiller and Braun, 1993.

    Args:
        learning_rate: Step size of every element at the start.
        eta_minus: Factor of the step size where the sign changed; below 1.
        eta_plus: Factor of the step size where the sign stayed; above 1.
        step_size_min: Smallest step size.
        step_size_max: Largest step size.

    Attributes:
        slots: `(index, "previous_gradient")` and `(index, "step_size")`, each shaped like the
            variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.01,
        eta_minus: float = 0.5,
        eta_plus: float = 1.2,
        step_size_min: float = 1e-6,
        step_size_max: float = 50.0,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.eta_minus = eta_minus
        self.eta_plus = eta_plus
        self.step_size_min = step_size_min
        self.step_size_max = step_size_max

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {
            "previous_gradient": np.zeros_like(w),
            "step_size": np.full_like(w, self.learning_rate),
        }

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        agreement = g * self.slots[index, "previous_gradient"]
        factor = np.where(agreement > 0, self.eta_plus, 1.0)
        factor = np.where(agreement < 0, self.eta_minus, factor)
        step_size = self.slots[index, "step_size"] * factor
        step_size = np.clip(step_size, self.step_size_min, self.step_size_max)
        g = np.where(agreement < 0, 0.0, g)

        self.slots[index, "step_size"] = step_size
        self.slots[index, "previous_gradient"] = g
        return w - step_size * np.sign(g)
