"""Schedule-free AdamW, as Keras 3 computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class ScheduleFreeAdamW(SlottedRule):
    """Adam steps on one sequence, gradients taken between it and its running mean.

    Three sequences: `z` makes the steps of Adam without a first moment; `x` is the mean of all
    `z`; the variable, where gradients are taken, is `beta_1 * x + (1 - beta_1) * z`. Only the
    variable and `z` are kept, `x` follows from them. The mean is what should be evaluated.

    Each `z` weighs the same in the mean, also during warm-up and whatever the learning rate is;
    the authors' code weighs by the square of the learning rate. The common weight decay acts on
    the variable and not on `z`, with the rate before warm-up, and so moves `x`.

    Keras has no evaluation mode: a model is evaluated at the variable, not at `x`. On its PyTorch
    backend the old `z` is a view of the new one, and all steps but the first are wrong there; the
    other backends are the source. Source: Keras 3.15.1, `keras.optimizers.ScheduleFreeAdamW`;
    Defazio et al., 2024.

    Args:
        learning_rate: Step size.
        beta_1: Weight of the mean in the variable; not 0, by which it divides.
        beta_2: Decay of the second moment.
        epsilon: Added to the square root of the corrected second moment.
        warmup_steps: In how many steps the learning rate grows from zero; the first step has
            `1 / warmup_steps` of it.

    Attributes:
        slots: `(index, "z")`, at first the variable itself, and `(index, "v")`, each shaped like
            the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {"z": w.copy(), "v": np.zeros_like(w)}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        z = self.slots[index, "z"]
        v = self.slots[index, "v"]

        rate = self.learning_rate
        if self.warmup_steps > 0:
            rate = rate * min(t / self.warmup_steps, 1.0)

        v = v + (g * g - v) * (1 - self.beta_2)
        x = self.mean(index, w)
        z = z - rate * g / (np.sqrt(v / (1 - self.beta_2**t)) + self.epsilon)
        x = (1 - 1 / t) * x + (1 / t) * z

        self.slots[index, "z"] = z
        self.slots[index, "v"] = v
        return self.beta_1 * x + (1 - self.beta_1) * z

    def mean(self, index: int, w: Array) -> Array:
        """Return `x`, the mean that should be evaluated.

        Args:
            index: Position of the variable.
            w: The variable.

        Returns:
            An array shaped like `w`.
        """
        return (w - (1 - self.beta_1) * self.slots[index, "z"]) / self.beta_1
