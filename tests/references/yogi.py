"""Yogi, as TensorFlow Addons computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class Yogi(SlottedRule):
    """Adam whose second moment grows and shrinks by an amount that does not depend on itself.

    Both corrections are folded into the step size, as in Keras' Adam, although the second moment
    does not start at zero. Regularisation is proximal and uses the step size of each element: L2
    alone shrinks, L1 shrinks by a fixed amount and stops at zero. With `beta_1` of 0 Addons keeps
    no first moment; the numbers are those of one that is always the gradient. Addons spells the
    decays `beta1` and `beta2`. Source: TensorFlow Addons 0.23.0, `tfa.optimizers.Yogi`; Zaheer et
    al., 2018.

    Args:
        learning_rate: Step size.
        beta_1: Decay of the first moment.
        beta_2: 1 minus the share of the squared gradient by which the second moment moves.
        epsilon: Added to the square root of the uncorrected second moment.
        l1_regularization_strength: Strength of the L1 regularisation.
        l2_regularization_strength: Strength of the L2 regularisation.
        initial_accumulator_value: What the second moment starts at; the first one starts at zero.
        activation: `"sign"`, or `"tanh"` for the hyperbolic tangent of ten times the difference.

    Attributes:
        slots: `(index, "v")` and `(index, "m")`, each shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.01,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-3,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        initial_accumulator_value: float = 1e-6,
        activation: str = "sign",
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.initial_accumulator_value = initial_accumulator_value
        self.activation = {"sign": np.sign, "tanh": lambda x: np.tanh(10 * x)}[activation]

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {"v": np.full_like(w, self.initial_accumulator_value), "m": np.zeros_like(w)}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        m = self.slots[index, "m"]
        v = self.slots[index, "v"]

        m = self.beta_1 * m + (1 - self.beta_1) * g
        v = v + (1 - self.beta_2) * self.activation(g * g - v) * g * g
        self.slots[index, "m"] = m
        self.slots[index, "v"] = v

        rate = self.learning_rate * np.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        rate = rate / (np.sqrt(v) + self.epsilon)
        w = w - rate * m
        l1 = self.l1_regularization_strength * rate
        l2 = self.l2_regularization_strength * rate
        return np.sign(w) * np.maximum(np.abs(w) - l1, 0.0) / (1 + l2)
