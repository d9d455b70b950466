"""The generated class, by its public call, with its defaults."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numba

from optgen.bench.candidate import Array
from optgen.bench.steps import Step
from optgen.gpu_check.package import optimizer_class
from optgen.runtime import Optimizer


class Ours:
    """A generated optimizer over NumPy arrays; a candidate."""

    packages: tuple[str, ...] = ("optgen", "numba", "numpy")

    def __init__(self, step: Step, variables: list[Array]) -> None:
        given = ", ".join(f"{name}={value}" for name, value in step.arguments.items())
        self.form = f"{step.optimizer}({given}).apply_gradients(zip(gradients, variables))"
        self.threads = numba.get_num_threads()
        self._variables = variables
        self._has_averages = bool(step.arguments.get("use_ema"))
        made: Callable[..., Optimizer] = optimizer_class(step.optimizer)
        self._optimizer = made(**step.arguments)
        self._optimizer.build(variables)
        self._gradients: list[Array] = []

    def fresh(self, arrays: Iterable[Array]) -> list[Array]:
        return [array.copy() for array in arrays]

    def again(self) -> list[Array]:
        return self.fresh(self._gradients)

    def place(self, gradients: list[Array]) -> None:
        self._gradients = gradients

    def step(self) -> None:
        self._optimizer.apply_gradients(zip(self._gradients, self._variables, strict=True))

    def wait(self) -> None:
        """Nothing is running when a call has returned."""

    def results(self) -> list[Array]:
        if not self._has_averages:
            return self._variables
        # First the count of calls and the learning rate, then the averages.
        averages = self._optimizer.variables[2 : 2 + len(self._variables)]
        return [*self._variables, *averages]


def make(step: Step, variables: list[Array], form: str) -> Ours:
    """The candidate of a step over variables, which it updates in place."""
    return Ours(step, variables)
