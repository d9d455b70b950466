"""Run a spec's example vectors through the interpreter: does the spec say what its source says?"""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from optgen.frontend.report import Report
from optgen.frontend.schema import ExampleSpec, OptimizerSpec
from optgen.frontend.toml import SpanIndex
from optgen.ir.program import Program
from optgen.ir.trajectory import trajectory

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
    gradients = [np.array(gradient, np.float64) for gradient in example.gradients]
    way = trajectory(
        program,
        example.mode,
        example.hyperparameters,
        np.array(example.start, np.float64),
        lambda number, w: gradients[number],
    )
    return list(islice(way, len(gradients)))


def _text(values: Array) -> str:
    """The values in full, or the first few of many."""
    flat = [repr(float(value)) for value in values.reshape(-1)[:4]]
    more = ", ..." if values.size > len(flat) else ""
    return flat[0] if values.ndim == 0 else f"[{', '.join(flat)}{more}]"
