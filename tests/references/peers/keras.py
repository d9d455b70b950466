"""Keras 3's optimizers on its NumPy backend, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.references.comparison import Arguments, Array, Gradients
from tests.references.live_keras import load_keras

STATE = {
    "velocity": ["momentums"],
    "m": ["_m", "_momentums"],
    "v": ["_velocities", "_v"],
    "v_hat": ["_velocity_hats"],
    "u": ["_u"],
    "z": ["_linears", "_momentums"],
    "n": ["_accumulators"],
    "u_product": ["_u_product"],
    "momentum_buffer": ["_momentums"],
    "average_gradient": ["_average_gradients"],
    "accumulated_square": ["_accumulators"],
    "accumulated_grad": ["_accumulated_grads"],
    "accumulated_delta_var": ["_accumulated_delta_vars"],
    "v_row": ["_r"],
    "v_column": ["_c"],
}
"""Where Keras keeps what the slots hold; the first attribute that an optimizer has is the one."""


class KerasPeer:
    """The optimizer of Keras that has a reference's name and arguments.

    Args:
        rule: The reference's class.
        arguments: Its arguments.
        variables: The variables; copies are stepped.
        **common: Arguments of Keras' base class.
    """

    def __init__(
        self, rule: type[Any], arguments: Arguments, variables: Sequence[Array], **common: Any
    ) -> None:
        keras = load_keras()
        self.optimizer = getattr(keras.optimizers, rule.__name__)(**arguments, **common)
        self.variables = [keras.Variable(w, dtype="float64") for w in variables]
        self.optimizer.build(self.variables)

    def step(self, learning_rate: float, gradients: Gradients) -> list[Any]:
        self.optimizer.learning_rate = learning_rate
        with np.errstate(all="ignore"):  # Lamb divides by norms of zero, and drops the quotients
            self.optimizer.apply(gradients, self.variables)
        return [w.value for w in self.variables]

    def state(self, index: int | None, slot: str) -> Any:
        [attribute, *_] = [name for name in STATE[slot] if hasattr(self.optimizer, name)]
        found = getattr(self.optimizer, attribute)
        return (found if index is None else found[index]).value
