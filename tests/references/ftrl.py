"""Follow the regularized leader, as Keras 3 computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class Ftrl(SlottedRule):
    """The variable that minimises all past linearised losses plus regularisation.

    The variable is computed anew in every step; what it was enters only through the difference
    of two powers, and through the shrinkage. Its initial value is therefore lost: with a zero
    gradient, the first step sets it to zero. The regularisation by `beta` depends on the learning
    rate of the step. The shrinkage is part of the linear term and not of the sum of squares.
    Source: Keras 3.15.1, `keras.optimizers.Ftrl`; McMahan et al., 2013.

    Args:
        learning_rate: Step size.
        learning_rate_power: How the step size falls with the sum of squares; 0 is a fixed size.
        initial_accumulator_value: What the sum of squares starts at.
        l1_regularization_strength: Multiple of the magnitude in the minimised sum.
        l2_regularization_strength: Multiple of the square in the minimised sum.
        l2_shrinkage_regularization_strength: Multiple of the square in the loss of each step.
        beta: The paper's beta, added to the root of the sum of squares.

    Attributes:
        slots: `(index, "n")`, the sum of squares, and `(index, "z")`, the linear term, each
            shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {"n": np.full_like(w, self.initial_accumulator_value), "z": np.zeros_like(w)}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        n = self.slots[index, "n"]
        z = self.slots[index, "z"]
        rate = self.learning_rate
        power = -self.learning_rate_power

        n_new = n + g * g
        sigma = (n_new**power - n**power) / rate
        z = z + g + 2 * self.l2_shrinkage_regularization_strength * w - sigma * w
        self.slots[index, "n"] = n_new
        self.slots[index, "z"] = z

        l2 = self.l2_regularization_strength + self.beta / (2 * rate)
        quadratic = n_new**power / rate + 2 * l2
        l1 = self.l1_regularization_strength
        return (np.clip(z, -l1, l1) - z) / quadratic
