"""The reference interpreter as an optimizer: steps as the language defines them."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from optgen.driver import Optimizer, compile_spec
from optgen.frontend.common import common_programs
from optgen.ir.interpreter import State, initial_state, run
from optgen.ir.program import Program, Variant
from optgen.ir.rate import STEP
from optgen.passes import compile_mode

SPECS = Path(__file__).parent.parent / "specs"

COMMON_DEFAULTS: dict[str, Any] = {
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


@cache
def compiled(spec: str) -> Optimizer:
    """A spec of the project by its file's stem, compiled."""
    return compile_spec(SPECS / f"{spec}.toml")


def spec_names() -> list[str]:
    """The stems of all specs."""
    return sorted(path.stem for path in SPECS.glob("*.toml"))


def spec_modes() -> list[tuple[str, str]]:
    """All (spec, mode) pairs."""
    return [(name, mode.name) for name in spec_names() for mode in compiled(name).program.modes]


def selecting(spec: str, mode: str) -> dict[str, Any]:
    """Hyperparameters that select a mode, as the program's cells say."""
    cells = [choice.cell for choice in compiled(spec).program.choices if choice.mode == mode]
    return dict(cells[0])


def generated(spec: str) -> Any:
    """The generated class of a spec."""
    module = importlib.import_module(f"generated.{spec}")
    return getattr(module, compiled(spec).program.name)


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
        variables: Sequence[np.ndarray],
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
    def variables(self) -> list[np.ndarray]:
        """The variables after the steps so far."""
        return [tensor["w"] for tensor in self.tensors]

    def assert_equals(self, optimizer: Any, variables: Sequence[np.ndarray], ulps: int = 0) -> None:
        """Check every variable, slot, average and accumulator of a generated optimizer.

        Args:
            optimizer: the optimizer, which has taken the same steps.
            variables: its variables.
            ulps: how many units in the last place a value may differ; 0 for equal bits.
        """
        state = optimizer._state
        for position, (tensor, variable) in enumerate(zip(self.tensors, variables, strict=True)):
            pairs = {"w": variable}
            pairs |= {name: arrays[position] for name, arrays in state.slots.items()}
            pairs |= {"average": state.averages[position]} if state.averages else {}
            pairs |= {"accumulator": state.accumulators[position]} if state.accumulators else {}
            for name, actual in pairs.items():
                expected = np.asarray(tensor[name])
                assert actual.dtype == expected.dtype, name
                if ulps:
                    np.testing.assert_array_max_ulp(actual, expected, ulps)
                else:
                    np.testing.assert_array_equal(actual, expected, err_msg=name)
        for name, value in self.step_slots.items():
            assert float(state.step_slots[name]) == value, name

    def stages(self) -> set[str]:
        """The common stages that the arguments switch on."""
        found = {
            name
            for name in ("loss_scale_factor", "clipnorm", "global_clipnorm", "clipvalue")
            if self.arguments[name] is not None
        }
        declared = {h.name for h in self.program.hyperparameters}
        if self.arguments["weight_decay"] is not None and "weight_decay" not in declared:
            found.add("weight_decay")
        if self.arguments["gradient_accumulation_steps"]:
            found.add("accumulator")
        if self.arguments["use_ema"]:
            found.add("average")
            if self.arguments["ema_overwrite_frequency"]:
                found.add("overwrite")
        return found

    def step(self, gradients: Sequence[np.ndarray | None]) -> None:
        """One call with a gradient, or None, per variable."""
        steps = self.arguments["gradient_accumulation_steps"] or 1
        updates = (self.raw + 1) % steps == 0
        stages = self.stages()
        present = []
        for tensor, gradient in zip(self.tensors, gradients, strict=True):
            if gradient is not None:
                tensor["g"] = np.asarray(gradient).astype(tensor["w"].dtype)
                present.append(tensor)
        accumulate, rest, _ = common_programs()
        code = self.update if updates else variant(accumulate, "accumulate")
        state = State(self._step_values(), present)
        run(code, state, stages)
        absent = [
            t for t, gradient in zip(self.tensors, gradients, strict=True) if gradient is None
        ]
        resting = stages & {"average", "overwrite"} | (
            stages & {"accumulator"} if updates else set()
        )
        run(variant(rest, "rest"), State(self._step_values(), absent), resting)
        if updates:
            self.step_slots = {name: state.step[name] for name in self.step_slots}
        self.raw += 1

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
