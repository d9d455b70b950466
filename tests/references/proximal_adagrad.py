"""Proximal Adagrad, as TensorFlow Addons computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class ProximalAdagrad(SlottedRule):
    """Adagrad whose regularisation is a proximal step of the same size as the gradient's.

    There is no epsilon: an element without any gradient is kept from a division by zero by the
    initial value alone, which Addons allows to be zero all the same. L1 shrinks by a fixed amount
    and stops at zero; L2 divides. Addons refuses a negative initial value or strength.
    Source: TensorFlow Addons 0.23.0, `tfa.optimizers.ProximalAdagrad`, which calls TensorFlow's
    kernel `ResourceApplyProximalAdagrad`; Duchi and Singer, 2009.

    Args:
        learning_rate: Step size.
        initial_accumulator_value: What the sum of squares starts at.
        l1_regularization_strength: Strength of the L1 regularisation.
        l2_regularization_strength: Strength of the L2 regularisation.

    Attributes:
        slots: `(index, "accumulated_square")`, shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {"accumulated_square": np.full_like(w, self.initial_accumulator_value)}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        accumulated = self.slots[index, "accumulated_square"] + g * g
        self.slots[index, "accumulated_square"] = accumulated

        rate = self.learning_rate / np.sqrt(accumulated)
        w = w - rate * g
        l1 = self.l1_regularization_strength * rate
        l2 = self.l2_regularization_strength * rate
        return np.sign(w) * np.maximum(np.abs(w) - l1, 0.0) / (1 + l2)
