"""Run a spec's example vectors through the interpreter: does the spec say what its source says?"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from optgen.frontend.report import Report
from optgen.frontend.schema import ExampleSpec, OptimizerSpec
from optgen.frontend.toml import SpanIndex
from optgen.ir.interpreter import State, initial_state, run
from optgen.ir.program import Program
from optgen.ir.rate import STEP

Array = npt.NDArray[Any]


def check_examples(spec: OptimizerSpec, program: Program, index: SpanIndex) -> None:
    """Compare every example with what its mode's equations give, step by step, in float64.

    Raises:
        CompileError: if an example does not hold, with the expected and the computed values.
    """
    report = Report(index)
    for number, example in enumerate(spec.example):
        for step, computed in enumerate(run_example(program, example)):
            expected = np.array(example.expected[step], np.float64)
            tolerance = example.tolerance
            if not np.allclose(computed, expected, tolerance, tolerance, equal_nan=True):
                report.error(
                    "E501",
                    f"the example of mode `{example.mode}` does not hold at step {step + 1}",
                    index.value("example", number, "expected"),
                    f"expected {_text(expected)}, computed {_text(computed)}",
                    help="the source is right, or the equations are: mend the other one",
                )
                break
    report.raise_if_any()


def run_example(program: Program, example: ExampleSpec) -> list[Array]:
    """The variable after each step of an example, float64, shaped like its start."""
    values = {row.name: row.default for row in program.hyperparameters} | example.hyperparameters
    numbers = {name: float(v) for name, v in values.items() if isinstance(v, float | int)}
    initial = {slot.name: slot.initial for slot in program.slots if slot.rate != STEP}
    tensors = initial_state(
        [np.array(example.start, np.float64)],
        initial,
        {slot.name: slot.rate for slot in program.slots},
    )
    tensors[0] |= {
        row.name: np.float64(numbers[row.name])
        for row in program.hyperparameters
        if row.per_variable and row.name in numbers
    }
    step = {slot.name: slot.initial or 0.0 for slot in program.slots if slot.rate == STEP}
    state = State({**numbers, **step}, tensors)
    found = []
    for number, gradient in enumerate(example.gradients):
        state.step |= {"iterations": float(number), "t": number + 1.0}
        state.tensors[0]["g"] = np.array(gradient, np.float64)
        run(program.mode(example.mode).equations, state, ())
        found.append(np.array(state.tensors[0]["w"]))
    return found


def _text(values: Array) -> str:
    """The values in full, or the first few of many."""
    flat = [repr(float(value)) for value in values.reshape(-1)[:4]]
    more = ", ..." if values.size > len(flat) else ""
    return flat[0] if values.ndim == 0 else f"[{', '.join(flat)}{more}]"
