"""The way of a variable through several steps, as the reference interpreter takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from optgen.ir.interpreter import Array, State, initial_state, run
from optgen.ir.program import HyperparameterValue, Program
from optgen.ir.rate import STEP


def trajectory(
    program: Program,
    mode: str,
    values: Mapping[str, HyperparameterValue],
    start: Array,
    gradient: Callable[[int, Array], Array],
) -> Iterator[Array]:
    """The variable after each step of the author's equations, without end, in float64.

    Args:
        program: the optimizer.
        mode: one of its modes.
        values: hyperparameters that differ from their defaults.
        start: the variable before the first step.
        gradient: from the number of steps so far and the variable to its gradient.
    """
    values = {row.name: row.default for row in program.hyperparameters} | dict(values)
    numbers = {name: float(v) for name, v in values.items() if isinstance(v, float | int)}
    tensors = initial_state(
        [np.array(start, np.float64)],
        {slot.name: slot.initial_value(numbers) for slot in program.slots if slot.rate != STEP},
        {slot.name: slot.rate for slot in program.slots},
    )
    tensors[0] |= {
        row.name: np.float64(numbers[row.name])
        for row in program.hyperparameters
        if row.per_variable and row.name in numbers
    }
    step = {
        slot.name: slot.initial_value(numbers) or 0.0 for slot in program.slots if slot.rate == STEP
    }
    state = State({**numbers, **step}, tensors)
    number = 0
    while True:
        state.step |= {"iterations": float(number), "t": number + 1.0}
        tensors[0]["g"] = np.array(gradient(number, tensors[0]["w"]), np.float64)
        run(program.mode(mode).equations, state, ())
        yield np.array(tensors[0]["w"])
        number += 1
