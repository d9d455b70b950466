"""The reference interpreter as an optimizer: steps as the language defines them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from optgen.frontend.common import COMMON_HYPERPARAMETERS, common_programs
from optgen.ir.interpreter import State, initial_state, run
from optgen.ir.program import Program, Variant
from optgen.ir.rate import STEP
from optgen.passes import compile_mode
from optgen.testing.arrays import Array, assert_near, state_arrays

COMMON_DEFAULTS: dict[str, Any] = {h.name: h.default for h in COMMON_HYPERPARAMETERS}


@cache
def variant(program: Program, mode: str) -> Variant:
    """A mode straight after specialization: the author's lines with the common stages around."""
    found: list[Variant] = []

    def keep(name: str, code: Any) -> None:
        if name == "specialize":
            found.append(code)

    compile_mode(program, mode, keep)
    return found[0]


class Oracle:
    """Steps a list of variables as the language defines it.

    Args:
        program: the optimizer.
        mode: one of its modes.
        variables: the variables; copies are stepped.
        arguments: hyperparameters and common arguments that differ from their defaults.
    """

    def __init__(
        self,
        program: Program,
        mode: str,
        variables: Sequence[Array],
        arguments: Mapping[str, Any],
    ) -> None:
        self.program, self.mode = program, mode
        values = {**COMMON_DEFAULTS, **{h.name: h.default for h in program.hyperparameters}}
        self.arguments = {**values, **arguments}
        self.raw = 0
        self.update = variant(program, mode)
        numbers = {n: float(x) for n, x in self.arguments.items() if isinstance(x, float | int)}
        self.step_slots = {
            slot.name: slot.initial_value(numbers) or 0.0
            for slot in self.update.slots
            if slot.rate == STEP
        }
        slots = {slot.name: slot for slot in self.update.slots if slot.rate != STEP}
        self.tensors = initial_state(
            [np.asarray(variable) for variable in variables],
            {name: slot.initial_value(numbers) for name, slot in slots.items()},
            {name: slot.rate for name, slot in slots.items()},
        )
        for tensor in self.tensors:
            tensor["weight_decay"] = self.arguments["weight_decay"] or 0.0

    @property
    def variables(self) -> list[Array]:
        """The variables after the steps so far."""
        return [tensor["w"] for tensor in self.tensors]

    def arrays(self, like: Mapping[str, Array]) -> dict[str, Array]:
        """What an optimizer's arrays should hold, by the same keys; see ``state_arrays``."""
        found: dict[str, Array] = {}
        for key in like:
            name, _, position = key.rpartition("/")
            if position.isdecimal():
                found[key] = np.asarray(self.tensors[int(position)][_TENSOR_NAMES.get(name, name)])
            else:
                found[key] = np.asarray(self.step_slots[key])
        return found

    def take_over(self, arrays: Mapping[str, Array]) -> None:
        """Go on from the state of an optimizer that has taken as many calls."""
        for key, array in arrays.items():
            name, _, position = key.rpartition("/")
            if position.isdecimal():
                name = _TENSOR_NAMES.get(name, name)
                old = self.tensors[int(position)][name]
                copied = np.array(array, subok=False)
                self.tensors[int(position)][name] = (
                    copied if isinstance(old, np.ndarray) else copied[()]
                )
            else:
                self.step_slots[key] = float(array)

    def assert_equals(self, optimizer: Any, variables: Sequence[Array], ulps: int = 0) -> float:
        """Check every variable, slot, average and accumulator of a generated optimizer.

        Args:
            optimizer: the optimizer, which has taken the same steps.
            variables: its variables.
            ulps: how many units in the last place a value may differ; 0 for equal bits.

        Returns:
            The largest difference, in units in the last place of its array's largest value.
        """
        actual = state_arrays(optimizer, variables)
        return assert_near(actual, self.arrays(actual), ulps=ulps)

    def stages(self) -> set[str]:
        """The common stages that the arguments switch on."""
        declared = {h.name for h in self.program.hyperparameters}
        found = {
            name
            for name in _STAGE_ARGUMENTS
            if self.arguments[name] is not None and name not in declared
        }
        if self.arguments["gradient_accumulation_steps"]:
            found.add("accumulator")
        if self.arguments["use_ema"]:
            found.add("average")
            if self.arguments["ema_overwrite_frequency"]:
                found.add("overwrite")
        return found

    def step(self, gradients: Sequence[Array | None]) -> None:
        """One call with a gradient, or None, per variable."""
        steps = self.arguments["gradient_accumulation_steps"] or 1
        updates = (self.raw + 1) % steps == 0
        stages = self.stages()
        present, absent = [], []
        for tensor, gradient in zip(self.tensors, gradients, strict=True):
            if gradient is None:
                absent.append(tensor)
            else:
                tensor["g"] = np.asarray(gradient).astype(tensor["w"].dtype)
                present.append(tensor)
        accumulate, rest, _ = common_programs()
        code = self.update if updates else variant(accumulate, "accumulate")
        state = State(self._step_values(), present)
        run(code, state, stages)
        resting = stages & {"average", "overwrite"} | (
            stages & {"accumulator"} if updates else set()
        )
        run(variant(rest, "rest"), State(self._step_values(), absent), resting)
        if updates:
            self.step_slots = {name: state.step[name] for name in self.step_slots}
        self.raw += 1

    def evaluate(self) -> list[Array]:
        """The values that the variables have for an evaluation; they stay as they are."""
        kept = [tensor["w"] for tensor in self.tensors]
        code = variant(self.program.evaluation, f"{self.mode}_evaluation")
        # Between steps, the step is the last one.
        values = self._step_values()
        run(code, State({**values, "t": values["iterations"]}, self.tensors), ())
        found = self.variables
        for tensor, w in zip(self.tensors, kept, strict=True):
            tensor["w"] = w
        return found

    def _step_values(self) -> dict[str, float]:
        iterations = self.raw // (self.arguments["gradient_accumulation_steps"] or 1)
        values = {
            name: float(value)
            for name, value in self.arguments.items()
            if isinstance(value, int | float)
        }
        frequency = self.arguments["ema_overwrite_frequency"]
        due = frequency is not None and (iterations + 1) % frequency == 0
        counters = {"t": iterations + 1.0, "iterations": float(iterations)}
        return {**values, **counters, "overwrite_now": float(due), **self.step_slots}


_TENSOR_NAMES = {"variable": "w"}
_STAGE_ARGUMENTS = (
    "loss_scale_factor",
    "clipnorm",
    "global_clipnorm",
    "clipvalue",
    "weight_decay",
)
