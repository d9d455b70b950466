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
    Gradients,
    assert_same_run,
    assert_same_slots,
    cases,
    defaults,
    random_run,
)
from tests.references.laprop import LaProp
from tests.references.lars import LARS
from tests.references.pipeline import Pipeline
from tests.references.rule import SlottedRule
from tests.references.schedule_free_adamw import ScheduleFreeAdamW
from tests.references.sm3 import SM3
from tests.references.stable_adamw import StableAdamW
from tests.references.tiger import Tiger

RULES: list[type[SlottedRule]] = [
    ADOPT,
    AdEMAMix,
    AdaBelief,
    AdaBound,
    Adan,
    CAME,
    LARS,
    LaProp,
    SM3,
    StableAdamW,
    Tiger,
]
DECAYED_FIRST: list[type[SlottedRule]] = [ADOPT, AdEMAMix, AdaBelief, AdaBound, Adan, CAME, Tiger]
"""Those whose decoupled decay takes the full learning rate, before the update."""

RENAMED = {
    "learning_rate": "lr",
    "final_learning_rate": "final_lr",
    "amsgrad": "ams_bound",
    "epsilon": "eps",
    "epsilon_1": "eps1",
    "epsilon_2": "eps2",
}


STATE = {
    "m": "exp_avg",
    "v": "exp_avg_sq",
    "s": "exp_avg_var",
    "s_hat": "max_exp_avg_var",
    "v_hat": "max_exp_avg_sq",
    "m_slow": "exp_avg_slow",
    "average_gradient": "exp_mean_avg_beta2",
    "learning_rate_average": "exp_avg_lr_1",
    "momentum_buffer": "momentum_buffer",
    "v_row": "exp_avg_sq_row",
    "v_column": "exp_avg_sq_col",
    "residual_row": "exp_avg_res_row",
    "residual_column": "exp_avg_res_col",
}
"""What the library calls the slots, but for those of Adan and SM3."""


def state_of(rule: SlottedRule, optimizer: Any, parameter: Any, name: str) -> Any:
    """Return what the library keeps in place of a slot."""
    if name == "base_learning_rate":
        return optimizer.base_lrs[0]
    state = optimizer.state[parameter]
    if isinstance(rule, Adan):
        return {
            "m": state["exp_avg"],
            "n": state["exp_avg_sq"],
            "v": state["exp_avg_diff"],
            "previous_gradient": -state["previous_grad"],
            "has_previous": float(bool(state)),
        }[name]
    if isinstance(rule, SM3) and name != "momentum_buffer":
        axes = [state[f"accumulator_{axis}"].ravel() for axis in range(max(parameter.ndim, 1))]
        return np.concatenate(axes if name == "v_axes" else [axes[name == "v_column"]])
    return state[STATE[name]]


@pytest.fixture(scope="module")
def library() -> ModuleType:
    """The library, or a skip with the reason."""
    module: ModuleType = pytest.importorskip(
        "pytorch_optimizer", reason="pytorch_optimizer (and PyTorch) is not installed"
    )
    return module


def spelt_for_library(rule: type[SlottedRule], arguments: Arguments) -> Arguments:
    """Return the arguments under the library's names; the betas with those not given."""
    parameters = inspect.signature(rule).parameters
    betas = [name for name in ("beta_1", "beta_2", "beta_3") if name in parameters]
    spelt = {RENAMED.get(n, n): value for n, value in arguments.items() if n not in betas}
    if betas:
        spelt["betas"] = tuple(arguments.get(n, parameters[n].default) for n in betas)
    return spelt


def live_run(
    library: ModuleType,
    rule: type[SlottedRule],
    arguments: Arguments,
    options: Arguments,
    *,
    tiny: bool = False,
    rates: Mapping[int, float] | None = None,
    tolerance: float = TOLERANCE,
    **common: Any,
) -> float:
    """Compare a reference with the class of the same name, and return the worst difference."""
    torch = pytest.importorskip("torch")
    start, gradients = random_run(rule.__name__ + repr(arguments), missing=True, tiny=tiny)
    parameters = [torch.nn.Parameter(torch.tensor(w)) for w in start]
    peer_class = getattr(library, rule.__name__)
    spelt = spelt_for_library(rule, arguments)
    if "weight_decay" in inspect.signature(peer_class).parameters:
        spelt = {"weight_decay": 0.0} | spelt
    optimizer = peer_class(parameters, **spelt | options)

    def step(learning_rate: float, step_gradients: Gradients) -> list[Any]:
        optimizer.param_groups[0]["lr"] = learning_rate
        for parameter, g in zip(parameters, step_gradients, strict=True):
            parameter.grad = None if g is None else torch.tensor(g)
        optimizer.step()
        return [parameter.detach().numpy() for parameter in parameters]

    reference = rule(**arguments)
    worst = assert_same_run(
        reference, step, start, gradients, rates=rates, tolerance=tolerance, **common
    )
    parameter_of = dict(enumerate(parameters))
    assert_same_slots(
        reference, lambda i, name: state_of(reference, optimizer, parameter_of.get(i), name)
    )
    return worst


CASES = [
    pytest.param(rule, arguments, id=f"{rule.__name__}-{label}")
    for rule in RULES
    for label, arguments in cases(rule)
]


@pytest.mark.parametrize(("rule", "arguments"), CASES)
def test_live_library(library: ModuleType, rule: type[SlottedRule], arguments: Arguments) -> None:
    live_run(library, rule, arguments, {"foreach": False})


@pytest.mark.parametrize(("rule", "arguments"), CASES)
def test_live_library_in_batches(
    library: ModuleType, rule: type[SlottedRule], arguments: Arguments
) -> None:
    # LaProp's batched form, the default, holds the correction of the momentum in float32, which
    # rounds it by up to 6e-8; of a variable near 1, 7e-9 is what came out.
    tolerance = 1e-7 if rule is LaProp else TOLERANCE
    live_run(library, rule, arguments, {"foreach": True}, tolerance=tolerance)


@pytest.mark.parametrize("rule", RULES)
def test_live_library_with_tiny_gradients(library: ModuleType, rule: type[SlottedRule]) -> None:
    live_run(library, rule, {}, {"foreach": False}, tiny=True)


@pytest.mark.parametrize("rule", RULES)
def test_live_library_with_a_pause(library: ModuleType, rule: type[SlottedRule]) -> None:
    # LaProp goes on along its momentum while the rate is zero, and AdaBound takes the first rate
    # above zero as the one its bounds refer to; a large gamma makes them act.
    arguments = {"learning_rate": 0.0} | ({"gamma": 0.5} if rule is AdaBound else {})
    rates = {2: 0.1, 5: 0.0, 7: 0.05}
    live_run(library, rule, arguments, {"foreach": False}, rates=rates)


@pytest.mark.parametrize("rule", DECAYED_FIRST)
def test_decoupled_decay_is_the_common_stage(library: ModuleType, rule: type[SlottedRule]) -> None:
    options: Arguments = {"weight_decay": 0.1, "weight_decouple": True, "foreach": False}
    live_run(library, rule, {"learning_rate": 0.05}, options, weight_decay=0.1)


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
