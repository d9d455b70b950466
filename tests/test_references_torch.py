"""The references of torch.optim's optimizers against PyTorch in float64, and by hand."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from numpy.testing import assert_allclose

from tests.references.asgd import ASGD
from tests.references.comparison import (
    Arguments,
    assert_same_run,
    assert_same_slots,
    cases,
    defaults,
    random_run,
)
from tests.references.peers.torch import TorchPeer, spelt_for_torch
from tests.references.pipeline import Pipeline
from tests.references.radam import RAdam
from tests.references.rprop import Rprop
from tests.references.rule import SlottedRule
from tests.references.sources import TORCH, rules_of

RULES: list[type[SlottedRule]] = [rule for rule in rules_of(TORCH) if issubclass(rule, SlottedRule)]


def live_run(
    rule: type[SlottedRule],
    arguments: Arguments,
    options: Arguments,
    *,
    tiny: bool = False,
    **common: Any,
) -> None:
    """Compare a reference with the class of the same name."""
    start, gradients = random_run(rule.__name__ + repr(arguments), tiny=tiny)
    peer = TorchPeer(rule, arguments, start, **options)
    reference = rule(**arguments)
    assert_same_run(reference, peer, start, gradients, **common)
    assert_same_slots(reference, peer)


@pytest.mark.parametrize("foreach", [False, True])
@pytest.mark.parametrize(
    ("rule", "arguments"),
    [
        pytest.param(rule, arguments, id=f"{rule.__name__}-{label}")
        for rule in RULES
        for label, arguments in cases(rule)
    ],
)
def test_live_torch(rule: type[SlottedRule], arguments: Arguments, foreach: bool) -> None:
    live_run(rule, arguments, {"foreach": foreach})


@pytest.mark.parametrize("rule", RULES)
def test_live_torch_with_tiny_gradients(rule: type[SlottedRule]) -> None:
    live_run(rule, {}, {}, tiny=True)


@pytest.mark.parametrize("rule", RULES)
def test_defaults_are_those_of_torch(rule: type[SlottedRule]) -> None:
    torch = pytest.importorskip("torch")
    theirs = inspect.signature(getattr(torch.optim, rule.__name__)).parameters
    for name, default in spelt_for_torch(defaults(rule)).items():
        assert theirs[name].default == default, name


def test_decoupled_decay_of_radam_is_the_common_stage() -> None:
    options = {"weight_decay": 0.1, "decoupled_weight_decay": True}
    live_run(RAdam, {"learning_rate": 0.05}, options, weight_decay=0.1)


def test_asgd_begins_its_mean_after_t0() -> None:
    # By hand: up to step t0 + 2 the mean is the variable; then it moves by half of the way.
    rule = ASGD(learning_rate=1.0, lambd=0.0, t0=1.0)
    pipeline = Pipeline(rule)
    pipeline.build([0.0])
    means = []
    for _ in range(5):
        pipeline.step([-1.0])
        means.append(float(rule.slots[0, "w_average"]))
    assert_allclose(means, [1, 2, 3, 3.5, 4], rtol=1e-15)


def test_radam_becomes_adaptive_at_step_6_by_default() -> None:
    # By hand: the length of the average is below the step by less than 0.01 in the first steps,
    # so it first exceeds 5 at step 6; until then, under a constant gradient, w falls by g * lr.
    pipeline = Pipeline(RAdam(learning_rate=0.1))
    pipeline.build([0.0])
    falls = []
    for _ in range(6):
        before = pipeline.variables[0]
        pipeline.step([3.0])
        falls.append(float(before - pipeline.variables[0]))
    assert_allclose(falls[:5], [0.3] * 5, rtol=1e-12)
    assert 0 < falls[5] < 0.01


def test_rprop_by_hand() -> None:
    # Steps 0.1 and 0.1 * 1.2; the sign changes: the size halves and nothing moves; the gradient
    # counts as zero, so the next step keeps the size; then it grows again.
    pipeline = Pipeline(Rprop(learning_rate=0.1))
    pipeline.build([0.0])
    after = []
    for g in [1.0, 5.0, -0.1, -7.0, -1.0]:
        pipeline.step([g])
        after.append(float(pipeline.variables[0]))
    assert_allclose(after, [-0.1, -0.22, -0.22, -0.16, -0.088], rtol=0, atol=1e-15)
