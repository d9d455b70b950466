"""The references of TensorFlow Addons' optimizers against its published and recorded numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.references.peers.addons import proximal_adagrad_runs, yogi_runs
from tests.references.peers.recorded import FOUR_STEPS, TWO_STARTS, RecordedRun
from tests.references.pipeline import Pipeline, Rule
from tests.references.proximal_adagrad import ProximalAdagrad
from tests.references.rule import SlottedRule
from tests.references.yogi import Yogi


def after_steps(rule: Rule, start: Any, gradients: Any) -> list[Any]:
    """Return the variables after the last step."""
    pipeline = Pipeline(rule)
    pipeline.build(start)
    for step_gradients in gradients:
        pipeline.step(step_gradients)
    return pipeline.variables


# --- Recorded numbers ---------------------------------------------------------------------

DEFAULTS = {
    Yogi: [[0.9666294349853743, -1.9805400668560664, 0.021033058037140014], [0.4779211663133876]],
    ProximalAdagrad: [
        [0.9973915371715978, -1.998703625750236, 0.048337056595360015],
        [0.4984469634057489],
    ],
}


@pytest.mark.parametrize(
    ("rule", "run"),
    [
        pytest.param(rule, run, id=f"{rule.__name__}-{number}")
        for rule, runs in {Yogi: yogi_runs(), ProximalAdagrad: proximal_adagrad_runs()}.items()
        for number, run in enumerate(runs)
    ],
)
def test_recorded(rule: type[SlottedRule], run: RecordedRun) -> None:
    after = after_steps(rule(**run.arguments), run.start, run.gradients)
    for w, wanted in zip(after, run.expected, strict=True):
        assert_allclose(w, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make_rule", DEFAULTS)
def test_defaults(make_rule: type[Rule]) -> None:
    # The defaults are no sums of powers of two: 1.5e-8 is what float32 hyperparameters leave.
    after = after_steps(make_rule(), TWO_STARTS, FOUR_STEPS)
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
