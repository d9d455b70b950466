"""Adagrad, as Keras 3 computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class Adagrad(SlottedRule):
    """Gradients divided by the root of the sum of all their squares.

    The sum starts above zero, and epsilon is inside the square root; in PyTorch it starts at zero
    and epsilon is outside. Source: Keras 3.15.1, `keras.optimizers.Adagrad`; Duchi et al., 2011.

    Args:
        learning_rate: Step size.
        initial_accumulator_value: What the sum of squares starts at.
        epsilon: Added to the sum of squares, under the root.

    Attributes:
        slots: `(index, "accumulated_square")`, shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {"accumulated_square": np.full_like(w, self.initial_accumulator_value)}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        accumulated = self.slots[index, "accumulated_square"] + g * g
        self.slots[index, "accumulated_square"] = accumulated
        return w - self.learning_rate * g / np.sqrt(accumulated + self.epsilon)
