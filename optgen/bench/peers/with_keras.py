"""The optimizers of Keras on jax, through the stateless call that can be compiled whole."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras
import numpy as np

from optgen.bench.candidate import Array
from optgen.bench.peers.processors import available_processors
from optgen.bench.steps import Step


class Keras:
    """An optimizer of Keras under ``jax.jit``; a candidate."""

    packages: tuple[str, ...] = ("keras", "jax", "jaxlib")

    def __init__(self, step: Step, variables: list[Array]) -> None:
        self.threads = available_processors()
        optimizer = getattr(keras.optimizers, step.optimizer)(**step.arguments)
        own = [keras.Variable(array) for array in variables]
        optimizer.build(own)
        self._places = _places_of_averages(optimizer, step)
        # Keras' own arrays, which the first step takes over: from then on they live here alone.
        self._values = [variable.value for variable in own]
        self._state = [variable.value for variable in optimizer.variables]
        self._gradients: list[jax.Array] = []

        def take(values: Any, state: Any, gradients: Any) -> Any:
            return optimizer.stateless_apply(state, gradients, values)

        self._take = jax.jit(take, donate_argnums=(0, 1))
        given = ", ".join(f"{name}={value}" for name, value in step.arguments.items())
        self.form = (
            f"jax.jit(keras.optimizers.{step.optimizer}({given}).stateless_apply; "
            "donated parameters and state)"
        )

    def fresh(self, arrays: Iterable[Array]) -> list[jax.Array]:
        gradients = [jnp.array(array, copy=True) for array in arrays]
        jax.block_until_ready(gradients)
        return gradients

    def again(self) -> list[jax.Array]:
        gradients = [jnp.copy(gradient) for gradient in self._gradients]
        jax.block_until_ready(gradients)
        return gradients

    def place(self, gradients: list[jax.Array]) -> None:
        self._gradients = gradients

    def step(self) -> None:
        self._values, self._state = self._take(self._values, self._state, self._gradients)

    def wait(self) -> None:
        jax.block_until_ready((self._values, self._state))

    def results(self) -> list[Array]:
        averages = [self._state[place] for place in self._places]
        return [np.asarray(value) for value in (*self._values, *averages)]


def _places_of_averages(optimizer: Any, step: Step) -> list[int]:
    """Where in the state the averages of the variables are, in the order of the variables."""
    if not step.arguments.get("use_ema"):
        return []
    averages = {id(variable) for variable in optimizer._model_variables_moving_average}
    return [place for place, v in enumerate(optimizer.variables) if id(v) in averages]


def make(step: Step, variables: list[Array], form: str) -> Keras:
    """The candidate of a step over copies of variables."""
    return Keras(step, variables)
