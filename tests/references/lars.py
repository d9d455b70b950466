"""Layer-wise adaptive rate scaling, as pytorch_optimizer computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class LARS(SlottedRule):
    """Momentum on gradients that are scaled to the norm of their variable.

    Only variables of rank 2 or more are scaled and decayed; scalars and vectors take plain
    momentum steps. The norm of the gradient is taken before the decay joins it, and the decay
    enters the scale as the sum of the two norms. A norm of zero gives the scale 1. The learning
    rate is outside the buffer, so a change of it acts on past gradients as well. The decay is
    LARS' own and not the common stage. Source: pytorch_optimizer 4.1.0, `LARS`; You et al., 2017.

    Args:
        learning_rate: Step size.
        weight_decay: Multiple of the variable that joins its gradient.
        momentum: Fraction of the buffer that is kept; 0 means no buffer at all.
        dampening: Share of the gradient that does not enter the buffer, the first step included.
        trust_coefficient: Length of a scaled gradient, relative to the norm of the variable.
        nesterov: Whether the step looks ahead along the new buffer; no effect without momentum.

    Attributes:
        slots: `(index, "momentum_buffer")`, shaped like the variable; present only with momentum.
    """

    def __init__(
        self,
        learning_rate: float = 0.001,
        weight_decay: float = 0.0,
        momentum: float = 0.9,
        dampening: float = 0.0,
        trust_coefficient: float = 0.001,
        nesterov: bool = False,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.momentum = momentum
        self.dampening = dampening
        self.trust_coefficient = trust_coefficient
        self.nesterov = nesterov

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        return {"momentum_buffer": np.zeros_like(w)} if self.momentum > 0 else {}

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        if w.ndim > 1:
            w_norm = np.sqrt(np.sum(w * w))
            norm = np.sqrt(np.sum(g * g)) + self.weight_decay * w_norm
            trust = self.trust_coefficient * w_norm / norm if w_norm > 0 and norm > 0 else 1.0
            g = trust * (g + self.weight_decay * w)

        if self.momentum > 0:
            buffer = self.momentum * self.slots[index, "momentum_buffer"]
            buffer = buffer + (1 - self.dampening) * g
            self.slots[index, "momentum_buffer"] = buffer
            g = g + self.momentum * buffer if self.nesterov else buffer
        return w - self.learning_rate * g
