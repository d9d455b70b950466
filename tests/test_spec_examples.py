"""The specs that come with optgen reproduce the outside numbers that they name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from optgen.frontend.lower import load_program
from optgen.frontend.schema import ExampleSpec, OptimizerSpec
from optgen.ir.interpreter import State, initial_state, run
from optgen.ir.program import Program
from optgen.ir.rate import STEP

SPECS = sorted((Path(__file__).parents[1] / "specs").glob("*.toml"))
LOADED = {path.stem: load_program(path) for path in SPECS}
EXAMPLES = [
    pytest.param(spec, program, example, id=f"{stem}-{number}-{example.mode}")
    for stem, (spec, program) in LOADED.items()
    for number, example in enumerate(spec.example)
]


@pytest.mark.parametrize("stem", LOADED)
def test_every_mode_has_an_example(stem: str) -> None:
    spec, program = LOADED[stem]
    assert {example.mode for example in spec.example} == {mode.name for mode in program.modes}
    assert all(example.source for example in spec.example)


@pytest.mark.parametrize(("spec", "program", "example"), EXAMPLES)
def test_example(spec: OptimizerSpec, program: Program, example: ExampleSpec) -> None:
    values = {row.name: row.default for row in program.hyperparameters}
    values |= example.hyperparameters
    per_variable = {row.name for row in program.hyperparameters if row.per_variable}
    numbers = {
        name: float(value) for name, value in values.items() if isinstance(value, float | int)
    }
    slots = {slot.name: slot for slot in program.slots}
    start = np.array(example.start, dtype=np.float64)
    initial = {name: slot.initial for name, slot in slots.items() if slot.rate != STEP}
    tensors = initial_state([start], initial, {name: slot.rate for name, slot in slots.items()})
    step = {name: value for name, value in numbers.items() if name not in per_variable}
    step |= {slot.name: slot.initial or 0.0 for slot in slots.values() if slot.rate == STEP}
    tensors[0] |= {name: np.float64(numbers[name]) for name in per_variable}
    equations = program.mode(example.mode).equations
    state = State(step, tensors)
    for number, (gradient, expected) in enumerate(
        zip(example.gradients, example.expected, strict=True)
    ):
        state.step |= {"iterations": float(number), "t": float(number + 1)}
        state.tensors[0]["g"] = np.array(gradient, dtype=np.float64)
        run(equations, state, ())
        assert_allclose(
            state.tensors[0]["w"], expected, rtol=example.tolerance, atol=example.tolerance
        )
