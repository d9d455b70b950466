"""CAME, as pytorch_optimizer computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class CAME(SlottedRule):
    """Adafactor with momentum, divided by how far updates stray from it.

    A variable of rank 2 or more keeps its second moment and its squared residuals as means over
    the last axis and over the one before it, for every index of the other axes. A variable of
    lower rank keeps all of its second moment, and no residuals: its step is the momentum itself.
    Nothing is corrected for the start at zero: the first update has a root mean square of about
    `1 / sqrt(1 - beta_2)` and is clipped.

    The source's option `ams_bound`, off by default, is left out: it takes the largest root where
    it means the largest second moment. Source: pytorch_optimizer 4.1.0, `CAME`; Luo et al., 2023.

    Args:
        learning_rate: Step size.
        beta_1: Decay of the momentum.
        beta_2: Decay of the second moment.
        beta_3: Decay of the squared residuals.
        clip_threshold: Largest root mean square of an update.
        epsilon_1: Added to the squared gradient.
        epsilon_2: Added to the squared residual.

    Attributes:
        slots: `(index, "m")`, shaped like the variable. From rank 2 on `(index, "v_row")` and
            `(index, "residual_row")`, without the last axis of the variable, `(index, "v_column")`
            and `(index, "residual_column")`, without the one before it; below rank 2
            `(index, "v")`, shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 2e-4,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        beta_3: float = 0.9999,
        clip_threshold: float = 1.0,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-16,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.beta_3 = beta_3
        self.clip_threshold = clip_threshold
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        slots: dict[str, Slot] = {"m": np.zeros_like(w)}
        if w.ndim < 2:
            return slots | {"v": np.zeros_like(w)}
        for name in ("v", "residual"):
            slots[f"{name}_row"] = np.zeros(w.shape[:-1])
            slots[f"{name}_column"] = np.zeros(w.shape[:-2] + w.shape[-1:])
        return slots

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        squares = g * g + self.epsilon_1
        if w.ndim < 2:
            v = self.beta_2 * self.slots[index, "v"] + (1 - self.beta_2) * squares
            self.slots[index, "v"] = v
        else:
            v = self._factored(index, "v", squares, self.beta_2)

        u = g / np.sqrt(v)
        u = u / np.maximum(1.0, np.sqrt(np.mean(u * u)) / self.clip_threshold)
        m = self.slots[index, "m"]
        m = m + (u - m) * (1 - self.beta_1)
        self.slots[index, "m"] = m

        if w.ndim < 2:
            return w - self.learning_rate * m
        residuals = (u - m) * (u - m) + self.epsilon_2
        instability = self._factored(index, "residual", residuals, self.beta_3)
        return w - self.learning_rate * m / np.sqrt(instability)

    def _factored(self, index: int, name: str, x: Array, beta: float) -> Array:
        """Take `x` into a pair of factors and return their product, shaped like `x`."""
        row = beta * self.slots[index, f"{name}_row"] + (1 - beta) * x.mean(axis=-1)
        column = beta * self.slots[index, f"{name}_column"] + (1 - beta) * x.mean(axis=-2)
        self.slots[index, f"{name}_row"] = row
        self.slots[index, f"{name}_column"] = column
        share = row / row.mean(axis=-1, keepdims=True)
        return np.asarray(share[..., :, np.newaxis] * column[..., np.newaxis, :])
