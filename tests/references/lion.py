"""Lion, as Keras 3 computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class Lion(SlottedRule):
    """Steps of one size along the sign of a mix of momentum and gradient.

    The mix of the step, by `beta_1`, is not what is kept: the momentum decays by `beta_2`, after
    the variable has moved. An element whose mix is zero does not move.
    Source: Keras 3.15.1, `keras.optimizers.Lion`; Chen et al., 2023.

    Args:
        learning_rate: The size of every element's step.
        beta_1: Weight of the momentum in the step; Keras takes values in (0, 1], though its
            message says [0, 1].
        beta_2: Decay of the momentum.

    Attributes:
        slots: `(index, "m")`, shaped like the variable.
    """

    def __init__(
        self, learning_rate: float = 0.001, beta_1: float = 0.9, beta_2: float = 0.99
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {"m": np.zeros_like(w)}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        m = self.slots[index, "m"]
        direction = np.sign(self.beta_1 * m + (1 - self.beta_1) * g)
        self.slots[index, "m"] = self.beta_2 * m + (1 - self.beta_2) * g
        return w - self.learning_rate * direction
