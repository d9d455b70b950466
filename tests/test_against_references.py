"""Every mode of every generated class against the hand-written references, in float64."""

from __future__ import annotations

import numpy as np
import pytest

from tests.generated_classes import (
    Arguments,
    covering_cases,
    declared,
    hyperparameters_of,
)
from tests.oracle import generated, selecting, thorough_modes, thorough_specs
from tests.pairwise import COMMON_CHOICES, covering_arguments, covering_rows, pairs_of
from tests.parity.measuring import expected_state
from tests.references.pipeline import Pipeline
from tests.references.sources import rule_of

SHAPES: list[tuple[int, ...]] = [(), (5,), (3, 4), (2, 3, 2)]
STEPS = 8
MISSING = {(0, 2), (3, 0), (3, 3), (4, 1), (7, 2)}
"""Calls and variables without a gradient."""


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.dtype == np.float64
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("spec", "mode", "common"),
    [pytest.param(s, m, a, id=f"{s}-{m}-{label}") for s, m, label, a in covering_cases()],
)
@pytest.mark.filterwarnings("ignore:.*no gradient:UserWarning")
def test_class_equals_reference(spec: str, mode: str, common: Arguments) -> None:
    rng = np.random.default_rng([ord(c) for c in spec + mode + repr(common)])
    own = hyperparameters_of(spec, mode, rng)
    optimizer = generated(spec)(**own, **common)
    assert optimizer.select_mode().name == mode
    pipeline = Pipeline(rule_of(spec)(**own), **common)
    variables = [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]
    pipeline.build(variables)
    optimizer.build(variables)
    for call in range(STEPS):
        if call == 5:
            optimizer.learning_rate /= 2
            pipeline.rule.learning_rate /= 2
        gradients = [
            None if (call, i) in MISSING else np.asarray(2 * rng.standard_normal(shape))
            for i, shape in enumerate(SHAPES)
        ]
        optimizer.apply(gradients, variables)
        pipeline.step(gradients)
        for actual, expected in zip(variables, pipeline.variables, strict=True):
            assert_close(actual, expected)
        assert optimizer.iterations == pipeline.iterations
    for actual, expected in zip(
        optimizer.weights[1:], expected_state(optimizer, pipeline), strict=True
    ):
        if expected is not None:
            assert_close(np.reshape(actual, expected.shape), expected)


def test_every_mode_has_a_reference_and_two_rows() -> None:
    cases = [(spec, mode) for spec, mode, _, common in covering_cases() if common]
    assert all(cases.count(pair) >= 2 for pair in thorough_modes())
    for spec, mode in thorough_modes():
        assert rule_of(spec)(**selecting(spec, mode)).learning_rate > 0


@pytest.mark.parametrize("spec", thorough_specs())
def test_rows_of_a_spec_cover_all_pairs_of_arguments(spec: str) -> None:
    found = [common for name, _, _, common in covering_cases() if name == spec]
    assert all(row in found for row in covering_arguments(declared(spec)).values())


def test_covering_rows_hold_every_pair_and_are_few() -> None:
    factors = {name: list(choices) for name, choices in COMMON_CHOICES.items()}
    rows = covering_rows(factors)
    covered = set().union(*map(pairs_of, rows))
    names = list(factors)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            for a in factors[first]:
                for b in factors[second]:
                    assert ((first, a), (second, b)) in covered
    assert len(rows) == 12, "which is the least: 4 ways to clip, 3 averages"
