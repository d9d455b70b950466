"""The references of pytorch_optimizer's optimizers against the installed library, in float64.

The library publishes no numbers; its own tests look at falling losses. Its weight decay is off
here, but for the classes that decay as the common stage does, which are run with that as well.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from tests.references.adabelief import AdaBelief
from tests.references.adabound import AdaBound
from tests.references.adan import Adan
from tests.references.ademamix import AdEMAMix
from tests.references.adopt import ADOPT
from tests.references.came import CAME
from tests.references.comparison import (
    TOLERANCE,
    Arguments,
    assert_same_run,
    assert_same_slots,
    cases,
    defaults,
    random_run,
)
from tests.references.laprop import LaProp
from tests.references.lars import LARS
from tests.references.peers.pytorch_optimizer import (
    LibraryPeer,
    load_library,
    spelt_for_library,
)
from tests.references.pipeline import Pipeline
from tests.references.rule import SlottedRule
from tests.references.schedule_free_adamw import ScheduleFreeAdamW
from tests.references.sm3 import SM3
from tests.references.sources import PYTORCH_OPTIMIZER, rules_of
from tests.references.tiger import Tiger

RULES: list[type[SlottedRule]] = [
    rule for rule in rules_of(PYTORCH_OPTIMIZER) if issubclass(rule, SlottedRule)
]
DECAYED_FIRST: list[type[SlottedRule]] = [ADOPT, AdEMAMix, AdaBelief, AdaBound, Adan, CAME, Tiger]
"""Those whose decoupled decay takes the full learning rate, before the update."""


@pytest.fixture(scope="module")
def library() -> ModuleType:
    """The library, or a skip with the reason."""
    return load_library()


def live_run(
    rule: type[SlottedRule],
    arguments: Arguments,
    options: Arguments,
    *,
    tiny: bool = False,
    rates: Mapping[int, float] | None = None,
    tolerance: float = TOLERANCE,
    **common: Any,
) -> None:
    """Compare a reference with the class of the same name."""
    start, gradients = random_run(rule.__name__ + repr(arguments), missing=True, tiny=tiny)
    peer = LibraryPeer(rule, arguments, start, **options)
    reference = rule(**arguments)
    assert_same_run(reference, peer, start, gradients, rates=rates, tolerance=tolerance, **common)
    assert_same_slots(reference, peer)


CASES = [
    pytest.param(rule, arguments, id=f"{rule.__name__}-{label}")
    for rule in RULES
    for label, arguments in cases(rule)
]


@pytest.mark.parametrize(("rule", "arguments"), CASES)
def test_live_library(rule: type[SlottedRule], arguments: Arguments) -> None:
    live_run(rule, arguments, {"foreach": False})


@pytest.mark.parametrize(("rule", "arguments"), CASES)
def test_live_library_in_batches(rule: type[SlottedRule], arguments: Arguments) -> None:
    # LaProp's batched form, the default, holds the correction of the momentum in float32, which
    # rounds it by up to 6e-8; of a variable near 1, 7e-9 is what came out.
    tolerance = 1e-7 if rule is LaProp else TOLERANCE
    live_run(rule, arguments, {"foreach": True}, tolerance=tolerance)


@pytest.mark.parametrize("rule", RULES)
def test_live_library_with_tiny_gradients(rule: type[SlottedRule]) -> None:
    live_run(rule, {}, {"foreach": False}, tiny=True)


@pytest.mark.parametrize("rule", RULES)
def test_live_library_with_a_pause(rule: type[SlottedRule]) -> None:
    # LaProp goes on along its momentum while the rate is zero, and AdaBound takes the first rate
    # above zero as the one its bounds refer to; a large gamma makes them act.
    arguments = {"learning_rate": 0.0} | ({"gamma": 0.5} if rule is AdaBound else {})
    rates = {2: 0.1, 5: 0.0, 7: 0.05}
    live_run(rule, arguments, {"foreach": False}, rates=rates)


@pytest.mark.parametrize("rule", DECAYED_FIRST)
def test_decoupled_decay_is_the_common_stage(rule: type[SlottedRule]) -> None:
    options: Arguments = {"weight_decay": 0.1, "weight_decouple": True, "foreach": False}
    live_run(rule, {"learning_rate": 0.05}, options, weight_decay=0.1)


@pytest.mark.parametrize("rule", RULES)
def test_defaults_are_those_of_the_library(library: ModuleType, rule: type[SlottedRule]) -> None:
    theirs = inspect.signature(getattr(library, rule.__name__)).parameters
    for name, default in spelt_for_library(rule, defaults(rule)).items():
        assert theirs[name].default == default, name


def test_schedule_free_is_that_of_its_authors(library: ModuleType) -> None:
    # With a constant rate and no warm-up all z weigh the same there as well. What differs is that
    # the library adds 1e-15 under the root; 4e-15 is what came out.
    torch = pytest.importorskip("torch")
    _, gradients = random_run("schedule free")
    start = np.array([0.5, -1.5, 2.0, 0.1, 0.0])
    rule = ScheduleFreeAdamW(0.1)
    pipeline = Pipeline(rule)
    pipeline.build([start])
    parameter = torch.nn.Parameter(torch.tensor(start))
    optimizer = library.ScheduleFreeAdamW([parameter], lr=0.1, weight_decay=0.0)
    optimizer.train()
    for step_gradients in gradients:
        pipeline.step([step_gradients[1]])
        parameter.grad = torch.tensor(step_gradients[1])
        optimizer.step()
        assert_allclose(pipeline.variables[0], parameter.detach().numpy(), rtol=0, atol=TOLERANCE)
    optimizer.eval()
    mean = rule.mean(0, pipeline.variables[0])
    assert_allclose(mean, parameter.detach().numpy(), rtol=0, atol=TOLERANCE)


# --- What the live comparison does not reach ----------------------------------------------


def test_adan_has_no_difference_at_a_late_first_gradient() -> None:
    rule = Adan(beta_2=0.5)
    pipeline = Pipeline(rule)
    pipeline.build([0.0, 0.0])
    for gradients in [[None, 1.0], [4.0, 1.0], [6.0, 1.0]]:
        pipeline.step(gradients)
    assert rule.slots[0, "v"] == 0.5 * (6 - 4)


def test_adabound_takes_the_first_rate_above_zero_as_base() -> None:
    rule = AdaBound(learning_rate=0.0)
    pipeline = Pipeline(rule)
    pipeline.build([1.0])
    pipeline.step([1.0])
    assert pipeline.variables[0] == 1.0
    rule.learning_rate = 0.25
    pipeline.step([1.0])
    rule.learning_rate = 0.125
    pipeline.step([1.0])
    assert rule.slots[None, "base_learning_rate"] == 0.25


def test_lars_norms_of_zero_leave_the_gradient_alone() -> None:
    pipeline = Pipeline(LARS(learning_rate=0.5, momentum=0.0))
    pipeline.build([np.zeros((2, 1)), np.ones((2, 1))])
    pipeline.step([np.array([[1.0], [2.0]]), np.zeros((2, 1))])
    assert_array_equal(pipeline.variables[0], [[-0.5], [-1.0]])
    assert_array_equal(pipeline.variables[1], np.ones((2, 1)))


def test_sm3_keeps_as_much_as_its_axes_are_long() -> None:
    rule = SM3(momentum=0.5)
    Pipeline(rule).build([np.zeros(3), np.zeros((3, 4)), np.zeros((2, 3, 4))])
    assert np.shape(rule.slots[0, "v"]) == (3,)
    assert np.shape(rule.slots[1, "v_row"]) == (3,)
    assert np.shape(rule.slots[1, "v_column"]) == (4,)
    assert [np.shape(numbers) for numbers in rule.slots[2, "v_axes"]] == [(2,), (3,), (4,)]
