"""The specs that come with optgen reproduce the outside numbers that they name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from optgen.frontend.examples import run_example
from optgen.frontend.schema import ExampleSpec
from tests.oracle import compiled, generated, spec_names

EXAMPLES = [
    pytest.param(spec, example, id=f"{spec}-{number}-{example.mode}")
    for spec in spec_names()
    for number, example in enumerate(compiled(spec).spec.example)
]


@pytest.mark.parametrize("spec", spec_names())
def test_every_mode_has_an_example_with_a_source(spec: str) -> None:
    optimizer = compiled(spec)
    modes = {mode.name for mode in optimizer.program.modes}
    assert {example.mode for example in optimizer.spec.example} == modes
    assert all(len(example.source) > 10 for example in optimizer.spec.example)


@pytest.mark.parametrize(("spec", "example"), EXAMPLES)
def test_the_interpreter_reproduces_the_example(spec: str, example: ExampleSpec) -> None:
    computed = run_example(compiled(spec).program, example)
    for value, expected in zip(computed, example.expected, strict=True):
        assert_allclose(value, expected, rtol=example.tolerance, atol=example.tolerance)


@pytest.mark.parametrize(("spec", "example"), EXAMPLES)
def test_the_generated_class_reproduces_the_example(spec: str, example: ExampleSpec) -> None:
    arguments: dict[str, Any] = dict(example.hyperparameters)
    optimizer = generated(spec)(**arguments)
    variable = np.array(example.start, np.float64)
    for gradient, expected in zip(example.gradients, example.expected, strict=True):
        optimizer.apply_gradients([(np.array(gradient, np.float64), variable)])
        assert_allclose(variable, expected, rtol=example.tolerance, atol=example.tolerance)
