"""Adafactor, as Keras 3 computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class Adafactor(SlottedRule):
    """Gradients divided by a second moment that is kept as two factors.

    A variable of rank 2 or more keeps the means of its squared gradient over the last axis and
    over the one before it, for every index of the other axes; a variable of lower rank keeps all
    of the second moment. The decay grows with the step and is 0 in the first, which so forgets
    the zeros the moment starts at. The step is relative to the root mean square of the variable.

    Keras' `relative_step` changes nothing: the learning rate is capped by `1 / sqrt(t)` with it
    and without it. Keras also stores the product of the factors, as large as the variable, though
    every step computes it anew. Source: Keras 3.15.1, `keras.optimizers.Adafactor`; Shazeer and
    Stern, 2018.

    Args:
        learning_rate: Largest step size, relative to the variable.
        beta_2_decay: Exponent of the step in the decay of the second moment.
        epsilon_1: Added to the squared gradient.
        epsilon_2: Smallest root mean square that a variable is taken to have.
        clip_threshold: Largest root mean square of the update, before the step size.
        relative_step: Accepted, without effect.

    Attributes:
        slots: From rank 2 on `(index, "v_row")`, without the last axis of the variable, and
            `(index, "v_column")`, without the one before it; below rank 2 `(index, "v")`, shaped
            like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        if w.ndim < 2:
            return {"v": np.zeros_like(w)}
        return {
            "v_row": np.zeros(w.shape[:-1]),
            "v_column": np.zeros(w.shape[:-2] + w.shape[-1:]),
        }

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        beta_2 = 1 - float(t) ** self.beta_2_decay
        v = self._second_moment(index, g * g + self.epsilon_1, beta_2)
        direction = g / np.sqrt(v)
        direction = direction / np.maximum(1.0, root_mean_square(direction) / self.clip_threshold)

        rate = min(self.learning_rate, 1 / np.sqrt(t))
        scale = np.maximum(self.epsilon_2, root_mean_square(w))
        return w - scale * rate * direction

    def _second_moment(self, index: int, squares: Array, beta_2: float) -> Array:
        """Take the squares into the slots and return the second moment, shaped like them."""
        if squares.ndim < 2:
            v = beta_2 * self.slots[index, "v"] + (1 - beta_2) * squares
            self.slots[index, "v"] = v
            return np.asarray(v)

        row = beta_2 * self.slots[index, "v_row"] + (1 - beta_2) * squares.mean(axis=-1)
        column = beta_2 * self.slots[index, "v_column"] + (1 - beta_2) * squares.mean(axis=-2)
        self.slots[index, "v_row"] = row
        self.slots[index, "v_column"] = column
        share = row / row.mean(axis=-1, keepdims=True)
        return np.asarray(share[..., :, np.newaxis] * column[..., np.newaxis, :])


def root_mean_square(x: Array) -> float:
    """Return the root of the mean square of all elements."""
    return float(np.sqrt(np.mean(x * x)))
