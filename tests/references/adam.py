"""Adam and its AMSGrad variant, as Keras 3 computes them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Adam:
    """Adaptive moments with the bias corrections folded into the step size.

    Epsilon is the one of the paper's folded form ("epsilon hat"), added to the square root of
    the uncorrected second moment. AMSGrad takes its maximum over that uncorrected moment too.
    Source: Keras 3, `keras.optimizers.Adam`; Kingma and Ba, 2014; Reddi et al., 2018.

    Args:
        learning_rate: Step size; may be assigned between steps.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        epsilon: Added to the denominator.
        amsgrad: Whether the largest second moment so far is the one divided by.

    Attributes:
        slots: `(index, "m")` and `(index, "v")`, and with AMSGrad `(index, "v_hat")`, each
            shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
    ) -> None:
        self.learning_rate = learning_rate
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
