"""Adam with decoupled weight decay, as Keras 3 computes it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class AdamW:
    """Adam on a variable that is first shrunk by weight decay times learning rate.

    The decay never enters the moments. Source: Keras 3, `keras.optimizers.AdamW`; Loshchilov
    and Hutter, 2019.

    Args:
        learning_rate: Step size; may be assigned between steps. It scales the decay too.
        weight_decay: Fraction of the variable removed per unit of learning rate.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        epsilon: Added to the square root of the uncorrected second moment.
        amsgrad: Whether the largest second moment so far is the one divided by.

    Attributes:
        slots: `(index, "m")` and `(index, "v")`, and with AMSGrad `(index, "v_hat")`, each
            shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
    ) -> None:
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad
        self.slots: dict[tuple[int, str], Array] = {}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        """Return the variable after one step.

        Args:
            index: Position of the variable, the key of its slots.
            w: The variable, any shape.
            g: Its gradient, the same shape.
            t: The step, counted from 1.

        Returns:
            The new variable, shaped like `w`.
        """
        m = self.slots.get((index, "m"), np.zeros_like(w))
        v = self.slots.get((index, "v"), np.zeros_like(w))

        w = w - w * self.weight_decay * self.learning_rate

        alpha = self.learning_rate * np.sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t)
        m = m + (g - m) * (1 - self.beta_1)
        v = v + (g * g - v) * (1 - self.beta_2)
        self.slots[index, "m"] = m
        self.slots[index, "v"] = v

        if self.amsgrad:
            v_hat = self.slots.get((index, "v_hat"), np.zeros_like(w))
            v_hat = np.maximum(v_hat, v)
            self.slots[index, "v_hat"] = v_hat
            return w - m * alpha / (np.sqrt(v_hat) + self.epsilon)
        return w - m * alpha / (np.sqrt(v) + self.epsilon)
