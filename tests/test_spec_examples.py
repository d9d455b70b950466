"""The specs that come with optgen reproduce the outside numbers that they name."""

from __future__ import annotations

import pytest
from numpy.testing import assert_allclose

from optgen.frontend.examples import run_example
from optgen.frontend.schema import ExampleSpec
from optgen.testing import Case, check_named
from tests.oracle import compiled, spec_names, subject, thorough_specs

EXAMPLE = check_named("examples")
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


@pytest.mark.parametrize(
    ("spec", "case"),
    [
        pytest.param(spec, case, id=f"{spec}-{case}")
        for spec in spec_names()
        for case in EXAMPLE.cases(subject(spec), False)
        if spec in thorough_specs() or case.dtype == "float64"
    ],
)
def test_the_generated_class_reproduces_the_example(spec: str, case: Case) -> None:
    EXAMPLE.run(subject(spec), case)
