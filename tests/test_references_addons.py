"""The references of TensorFlow Addons' optimizers against its published and recorded numbers.

Addons needs a TensorFlow that cannot be installed beside the Keras of the other tests, so its
numbers were recorded, on float64 variables: tensorflow-addons 0.23.0 with tensorflow-cpu 2.15.1.
It keeps its hyperparameters in float32, so all of them are sums of powers of two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.references.pipeline import Pipeline, Rule
from tests.references.proximal_adagrad import ProximalAdagrad
from tests.references.yogi import Yogi


def after_steps(rule: Rule, start: Any, gradients: Any) -> list[Any]:
    """Return the variables after the last step."""
    pipeline = Pipeline(rule)
    pipeline.build(start)
    for step_gradients in gradients:
        pipeline.step(step_gradients)
    return pipeline.variables


# --- Recorded numbers ---------------------------------------------------------------------

START = [[1.0, -2.0, 0.05], [0.5]]
GRADIENTS = [
    [[0.3, -0.4, 1.2], [2.0]],
    [[0.1, 0.2, -0.2], [-1.0]],
    [[0.6, 0.0, 0.8], [0.5]],
    [[1.5, -1.0, 0.5], [3.0]],
]

YOGI = {
    ("sign", 0.875, 0.0, 0.0): [
        [0.7369752592450572, -1.8573511428130474, -0.2549053317792034],
        [0.23092829163258927],
    ],
    ("sign", 0.875, 0.0, 0.625): [
        [0.041129972779692534, -0.3406522317116552, -0.1575277885206057],
        [0.061835155458237444],
    ],
    ("sign", 0.875, 0.375, 0.0): [[0.0, -0.6606878682478858, 0.0], [-0.017967868621848015]],
    ("sign", 0.875, 0.375, 0.625): [[0.0, -0.0, 0.0], [-0.016502470179262315]],
    ("sign", 0.0, 0.0, 0.0): [
        [0.6116776388406536, -1.8203708525284068, -0.19486270997027752],
        [0.24201595767176454],
    ],
    ("sign", 0.0, 0.0, 0.625): [
        [0.308206295431538, -1.1263367941290605, -0.16729685939492164],
        [0.17495876604978636],
    ],
    ("sign", 0.0, 0.375, 0.0): [
        [0.3199274670345115, -1.5376122689591947, -0.06709729088284783],
        [0.12596083212970394],
    ],
    ("sign", 0.0, 0.375, 0.625): [
        [0.0879864506379579, -0.9109253993747106, -0.05868749684653963],
        [0.07181943579720028],
    ],
    ("tanh", 0.875, 0.0, 0.0): [
        [0.7473188518794858, -1.8478319336002946, -0.2562762236837898],
        [0.23311733008496888],
    ],
    ("tanh", 0.875, 0.0, 0.625): [
        [0.05677799235910126, -0.3002533855479651, -0.15814972990755638],
        [0.06462960723212449],
    ],
    ("tanh", 0.875, 0.375, 0.0): [[0.0, -0.5544064876596633, 0.0], [-0.017858111837002116]],
    ("tanh", 0.875, 0.375, 0.625): [[0.0, -0.0, 0.0], [-0.01640983998442832]],
    ("tanh", 0.0, 0.0, 0.0): [
        [0.6231498497016028, -1.8135694459076648, -0.19638341392503028],
        [0.24243705574141922],
    ],
    ("tanh", 0.0, 0.0, 0.625): [
        [0.32877950719216104, -1.0822823947328404, -0.16844965784308863],
        [0.17642483546465232],
    ],
    ("tanh", 0.0, 0.375, 0.0): [
        [0.3456613766196241, -1.5095561194979705, -0.06771648072561813],
        [0.1280778181164538],
    ],
    ("tanh", 0.0, 0.375, 0.625): [
        [0.11660033427865626, -0.8549979582104292, -0.059157211848040084],
        [0.07461449806284462],
    ],
}
"""By activation, `beta_1`, and the strengths of L1 and L2."""

PROXIMAL_ADAGRAD = {
    (0.0, 0.0): [
        [0.7165683885164765, -1.8553740688635187, -0.1499470765499868],
        [0.30815674585158837],
    ],
    (0.0, 0.625): [
        [0.43955667374042284, -1.2210663270598643, -0.13237626732802293],
        [0.2628865066278545],
    ],
    (0.375, 0.0): [
        [0.47406928479170757, -1.6034858007030575, -0.04416155299351188],
        [0.2326635585558704],
    ],
    (0.375, 0.625): [
        [0.24870688835138208, -1.0239373774376346, -0.04053829859466219],
        [0.1930190051026023],
    ],
}
"""By the strengths of L1 and L2."""

DEFAULTS = {
    Yogi: [[0.9666294349853743, -1.9805400668560664, 0.021033058037140014], [0.4779211663133876]],
    ProximalAdagrad: [
        [0.9973915371715978, -1.998703625750236, 0.048337056595360015],
        [0.4984469634057489],
    ],
}


@pytest.mark.parametrize(("activation", "beta_1", "l1", "l2"), YOGI)
def test_yogi(activation: str, beta_1: float, l1: float, l2: float) -> None:
    rule = Yogi(0.125, beta_1, 0.75, 2**-7, l1, l2, 0.125, activation)
    expected = YOGI[activation, beta_1, l1, l2]
    for w, wanted in zip(after_steps(rule, START, GRADIENTS), expected, strict=True):
        assert_allclose(w, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("l1", "l2"), PROXIMAL_ADAGRAD)
def test_proximal_adagrad(l1: float, l2: float) -> None:
    rule = ProximalAdagrad(0.125, 0.25, l1, l2)
    expected = PROXIMAL_ADAGRAD[l1, l2]
    for w, wanted in zip(after_steps(rule, START, GRADIENTS), expected, strict=True):
        assert_allclose(w, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make_rule", DEFAULTS)
def test_defaults(make_rule: type[Rule]) -> None:
    # The defaults are no sums of powers of two: 1.5e-8 is what float32 hyperparameters leave.
    after = after_steps(make_rule(), START, GRADIENTS)
    for w, wanted in zip(after, DEFAULTS[make_rule], strict=True):
        assert_allclose(w, wanted, rtol=0, atol=3e-8)


# --- Published numbers --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strengths", "expected"),
    [
        pytest.param(
            {},
            [[-6.722771, -9.230448], [3.0539124, 1.1230775]],
            id="test_without_regularization",
        ),
        pytest.param(
            {"l1_regularization_strength": 0.001},
            [[-6.663634, -9.190331], [2.9593036, 1.0292315]],
            id="test_with_l1_regularization",
        ),
        pytest.param(
            {"l1_regularization_strength": 0.001, "l2_regularization_strength": 2.0},
            [[-0.0495, -0.0995], [-0.0045, -0.0095]],
            id="test_with_l1_l2_regularization",
        ),
    ],
)
def test_proximal_adagrad_addons(strengths: dict[str, float], expected: Any) -> None:
    # tensorflow/addons at 64fdd97, tensorflow_addons/optimizers/tests/proximal_adagrad_test.py, the
    # test named in the id. The numbers are float32 ones of up to eight digits, hence 1e-6.
    rule = ProximalAdagrad(3.0, 0.1, **strengths)
    start, gradients = [[1.0, 2.0], [4.0, 3.0]], [[[0.1, 0.2], [0.01, 0.02]]] * 10
    for w, wanted in zip(after_steps(rule, start, gradients), expected, strict=True):
        assert_allclose(w, wanted, rtol=1e-6)


def test_yogi_second_moment_by_hand() -> None:
    # v = 1 and g * g = 0.25: the sign is negative, so v falls by a quarter of 0.25.
    rule = Yogi(beta_2=0.75, initial_accumulator_value=1.0)
    after_steps(rule, [[0.0]], [[[0.5]]])
    assert_allclose(rule.slots[0, "v"], [1 - 0.25 * 0.25], rtol=1e-15)


def test_yogi_moves_slowly_down_where_gradients_vanish() -> None:
    # Where Adam's second moment decays, Yogi's stays: the squared gradient is the change.
    rule = Yogi(initial_accumulator_value=1.0)
    after_steps(rule, [[0.0]], [[[0.0]]] * 3)
    assert rule.slots[0, "v"] == np.ones(1)
