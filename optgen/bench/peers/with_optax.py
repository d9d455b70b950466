"""The transformations of optax, compiled as one function that may reuse its arguments' memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from optgen.bench.candidate import Array
from optgen.bench.peers.processors import available_processors
from optgen.bench.steps import ADAPTIVE, MOMENTUM, NORMED, Step


class Optax:
    """A transformation of optax under ``jax.jit``; a candidate.

    Args:
        transformation: what gives the updates.
        form: what a user writes for it.
        variables: the values to start with.
        momentum: of the variables' averages; None without.
    """

    packages: tuple[str, ...] = ("optax", "jax", "jaxlib")

    def __init__(
        self,
        transformation: optax.GradientTransformation,
        form: str,
        variables: list[Array],
        momentum: float | None,
    ) -> None:
        self.threads = available_processors()
        self._values = [jnp.array(array) for array in variables]
        self._averages = [] if momentum is None else [jnp.copy(value) for value in self._values]
        self._first = True
        self._state = transformation.init(self._values)
        self._gradients: list[jax.Array] = []

        def take(values: Any, averages: Any, state: Any, gradients: Any) -> Any:
            updates, state = transformation.update(gradients, state, values)
            values = optax.apply_updates(values, updates)
            if momentum is not None:
                averages = optax.incremental_update(values, averages, 1.0 - momentum)
            return values, averages, state

        self._take = jax.jit(take, donate_argnums=(0, 1, 2))
        averaged = "" if momentum is None else ", then optax.incremental_update"
        self.form = f"jax.jit({form}{averaged}; donated parameters and state)"

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
        self._values, self._averages, self._state = self._take(
            self._values, self._averages, self._state, self._gradients
        )
        if self._first:
            # The first averages are the variables after the first step, as for all candidates.
            self._averages = [jnp.copy(value) for value in self._values[: len(self._averages)]]
            self._first = False

    def wait(self) -> None:
        jax.block_until_ready((self._values, self._averages, self._state))

    def results(self) -> list[Array]:
        return [np.asarray(value) for value in (*self._values, *self._averages)]


def make(step: Step, variables: list[Array], form: str) -> Optax:
    """The candidate of a step over copies of variables."""
    rate = step.number("learning_rate")
    momentum = None
    if step.name == MOMENTUM:
        rule = optax.sgd(rate, momentum=step.number("momentum"), nesterov=True)
        written = "optax.sgd(momentum, nesterov=True)"
    elif step.name == ADAPTIVE:
        rule = optax.adam(rate, **_adaptive(step))
        written = "optax.adam"
    elif step.name == NORMED:
        rule = optax.novograd(rate, **_adaptive(step), weight_decay=step.number("weight_decay"))
        written = "optax.novograd(weight_decay)"
    else:
        decayed = optax.adamw(rate, **_adaptive(step), weight_decay=step.number("weight_decay"))
        rule = optax.chain(optax.clip_by_global_norm(step.number("global_clipnorm")), decayed)
        written = "optax.chain(clip_by_global_norm, adamw(weight_decay))"
        momentum = step.number("ema_momentum")
    return Optax(rule, written, variables, momentum)


def _adaptive(step: Step) -> dict[str, float]:
    return {
        "b1": step.number("beta_1"),
        "b2": step.number("beta_2"),
        "eps": step.number("epsilon"),
    }
