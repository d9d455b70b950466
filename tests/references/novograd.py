"""NovoGrad, after the TensorFlow Addons optimizer, with the learning rate outside the moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class NovoGrad:
    """Momentum on gradients normalised by one second moment per variable.

    Weight decay and gradient averaging, each on or off, make the four modes; AMSGrad combines
    with every one of them. Epsilon is outside the square root in all of them. The first step
    takes the squared gradient norm itself as second moment and never averages.
    Source: TensorFlow Addons 0.23, `tfa.optimizers.NovoGrad`, whose numbers these are as long
    as the learning rate stays constant; Ginsburg et al., 2019.

    Args:
        learning_rate: Step size; may be assigned between steps. It is no part of the moment.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        epsilon: Added to the square root of the second moment.
        weight_decay: Multiple of the variable that joins the normalised gradient.
        grad_averaging: Whether the joined term is weighted by `1 - beta_1`, decay included.
        amsgrad: Whether the largest second moment so far is the one divided by.

    Attributes:
        slots: `(index, "m")`, shaped like the variable; `(index, "v")` and with AMSGrad
            `(index, "v_hat")`, one number per variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float = 0.0,
        grad_averaging: bool = False,
        amsgrad: bool = False,
    ) -> None:
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.grad_averaging = grad_averaging
        self.amsgrad = amsgrad
        self.slots: dict[tuple[int, str], Array | float] = {}

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
        v = self.slots.get((index, "v"), 0.0)

        squared_norm = float(np.sum(g * g))
        v = squared_norm if t == 1 else self.beta_2 * v + (1 - self.beta_2) * squared_norm
        self.slots[index, "v"] = v

        second_moment = v
        if self.amsgrad:
            v_hat = self.slots.get((index, "v_hat"), 0.0)
            v_hat = float(np.maximum(v_hat, v))
            self.slots[index, "v_hat"] = v_hat
            second_moment = v_hat

        d = g / (np.sqrt(second_moment) + self.epsilon)
        if self.weight_decay > 0:
            d = d + self.weight_decay * w
        if self.grad_averaging and t > 1:
            d = (1 - self.beta_1) * d

        m = self.beta_1 * m + d
        self.slots[index, "m"] = m
        return w - self.learning_rate * m
