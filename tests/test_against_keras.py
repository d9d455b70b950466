"""Generated classes against the installed Keras 3, on its NumPy backend in float64.

All classes that are named after one of Keras are constructed like it; SGD, Adam and AdamW take
steps beside it with common arguments. Without these, all take steps beside their sources:
tests/parity.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.generated_classes import (
    Arguments,
    covering_cases,
    hyperparameters_of,
)
from tests.oracle import compiled, generated, spec_names
from tests.references.live_keras import load_keras
from tests.references.sources import KERAS, SOURCES

pytestmark = pytest.mark.filterwarnings(
    # Keras variables do not take NumPy 2's keyword yet.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
)

PEERS = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}
NAMED_AFTER_KERAS = [spec for spec in spec_names() if KERAS in SOURCES[spec]]
WITHOUT_EFFECT = {"relative_step"}
"""Arguments that change nothing in Keras, and that a spec leaves out and says so."""
SHAPES: list[tuple[int, ...]] = [(), (5,), (3, 4), (2, 2, 3)]
CALLS = 9
MISSING = {(0, 2), (3, 0), (4, 0), (4, 1), (7, 3)}
"""Calls and variables without a gradient."""
LEARNING_RATES = {3: 0.02, 6: 0.005}
"""What is assigned before a call."""


@pytest.fixture(scope="module")
def keras() -> ModuleType:
    """Keras 3 on NumPy in float64, or a skip with the reason."""
    return load_keras()


def draw(rng: np.random.Generator, call: int) -> list[np.ndarray | None]:
    return [
        None if (call, i) in MISSING else np.asarray(rng.normal(scale=1 + call % 3, size=shape))
        for i, shape in enumerate(SHAPES)
    ]


def state_of(peer: Any) -> list[Any]:
    """Everything that Keras keeps, after the count of calls."""
    return [variable.value for variable in peer.variables[1:]]


def assert_close(actual: Any, expected: Any) -> None:
    assert actual.dtype == expected.dtype == "float64"
    np.testing.assert_allclose(actual, np.asarray(expected), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("spec", "mode", "common"),
    [
        pytest.param(s, m, a, id=f"{s}-{m}-{label}")
        for s, m, label, a in covering_cases()
        if s in PEERS
    ],
)
@pytest.mark.filterwarnings("ignore:.*no gradient:UserWarning")
@pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning")
def test_class_equals_keras(keras: ModuleType, spec: str, mode: str, common: Arguments) -> None:
    rng = np.random.default_rng([ord(c) for c in spec + mode + repr(common)])
    arguments = {**hyperparameters_of(spec, mode, rng), **common}
    optimizer = generated(spec)(**arguments)
    peer = getattr(keras.optimizers, PEERS[spec])(**arguments)
    variables = [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]
    live = [keras.Variable(w, dtype="float64") for w in variables]
    for call in range(CALLS):
        if call in LEARNING_RATES:
            optimizer.learning_rate = peer.learning_rate = LEARNING_RATES[call]
        gradients = draw(rng, call)
        raw = optimizer.apply_gradients(zip(gradients, variables, strict=True))
        assert raw == int(peer.apply_gradients(zip(gradients, live, strict=True)))
        assert optimizer.iterations == int(peer.iterations)
        for actual, expected in zip(variables, live, strict=True):
            assert_close(actual, expected.value)
        for actual, expected in zip(optimizer.variables[1:], state_of(peer), strict=True):
            assert_close(actual, expected)
    optimizer.finalize_variable_values(variables)
    peer.finalize_variable_values(live)
    for actual, expected in zip(variables, live, strict=True):
        assert_close(actual, expected.value)
    assert_same_config(optimizer.get_config(), peer.get_config())


def assert_same_config(actual: Arguments, expected: Arguments) -> None:
    del actual["name"], expected["name"]
    assert set(actual) == set(expected) - WITHOUT_EFFECT
    for name, value in actual.items():
        assert type(value) is type(expected[name]), name
        if name == "learning_rate":
            assert value == pytest.approx(expected[name], rel=1e-7)
        else:
            assert value == expected[name], name


@pytest.mark.parametrize("spec", NAMED_AFTER_KERAS)
def test_constructor_has_the_parameters_of_keras(keras: ModuleType, spec: str) -> None:
    ours = dict(inspect.signature(generated(spec)).parameters)
    theirs = dict(inspect.signature(getattr(keras.optimizers, generated(spec).__name__)).parameters)
    assert list(ours) == [name for name in theirs if name not in WITHOUT_EFFECT]
    for name in WITHOUT_EFFECT & set(theirs):
        assert name in compiled(spec).spec.description
    assert ours.pop("name").default == generated(spec).__name__
    assert theirs.pop("name").default is None
    for name, parameter in ours.items():
        assert parameter.default == theirs[name].default, name
        assert type(parameter.default) is type(theirs[name].default), name
        assert parameter.kind == theirs[name].kind, name


@pytest.mark.parametrize("spec", NAMED_AFTER_KERAS)
def test_default_config_is_that_of_keras(keras: ModuleType, spec: str) -> None:
    peer = getattr(keras.optimizers, generated(spec).__name__)()
    assert_same_config(generated(spec)().get_config(), peer.get_config())


@pytest.mark.parametrize("spec", NAMED_AFTER_KERAS)
def test_keras_takes_the_config_and_the_other_way_round(keras: ModuleType, spec: str) -> None:
    ours, theirs = generated(spec), getattr(keras.optimizers, generated(spec).__name__)
    config = ours(learning_rate=0.25, clipnorm=0.5, use_ema=True).get_config()
    returned = theirs.from_config(config).get_config()
    returned = {name: value for name, value in returned.items() if name not in WITHOUT_EFFECT}
    assert ours.from_config(returned).get_config() == config


def test_integers_are_learning_rates_here_and_not_in_keras(keras: ModuleType) -> None:
    assert generated("sgd")(learning_rate=1).get_config()["learning_rate"] == 1.0
    with pytest.raises(ValueError, match="learning_rate"):
        keras.optimizers.SGD(learning_rate=1)
