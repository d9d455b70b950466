"""The documents that the classes answer to, row by row: examples, equations and arguments.

Each table belongs to one document and says in its order what it promises; a row's check fails if
the class does otherwise. Where a document errs, the row says what holds instead. NovoGrad, methods
and state are in files of their own beside this one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from optgen import LossScaleOptimizer, Variable, schedules
from optgen.optimizers import SGD
from optgen.runtime import Optimizer
from tests.document_rows import Array, Check, Rows, after, cases, near

# --- Equations of SGD -------------------------------------------------------------------------


def plain_rule() -> None:
    assert after(SGD(learning_rate=0.1), 3.0, 2.0) == near(2.8)
    assert after(SGD(learning_rate=0.1), 3.0, 2.0, -1.0) == near(2.9)


def momentum_rule() -> None:
    # The velocity is -0.2, then 0.9 * -0.2 + 0.1 = -0.08.
    assert after(SGD(learning_rate=0.1, momentum=0.9), 3.0, 2.0) == near(2.8)
    assert after(SGD(learning_rate=0.1, momentum=0.9), 3.0, 2.0, -1.0) == near(2.72)


def nesterov_rule() -> None:
    optimizer = SGD(learning_rate=0.1, momentum=0.9, nesterov=True)
    # The velocities are those of plain momentum.
    first = 3.0 + 0.9 * -0.2 - 0.1 * 2.0
    second = first + 0.9 * -0.08 - 0.1 * -1.0
    assert after(optimizer, 3.0, 2.0, -1.0) == near(second)


def nesterov_stores_the_point_looked_ahead_to() -> None:
    stored = np.array(3.0)
    optimizer = SGD(learning_rate=0.1, momentum=0.9, nesterov=True)
    theta, v = 3.0, 0.0
    for _ in range(5):
        # The gradient of theta ** 2 at the point that the velocity leads to.
        gradient = 2.0 * (theta + 0.9 * v)
        optimizer.apply_gradients([(2.0 * stored, stored)])
        v = 0.9 * v - 0.1 * gradient
        theta += v
    assert stored == near(theta + 0.9 * v)


# --- Printed examples -------------------------------------------------------------------------


def run_of(code: str) -> dict[str, Any]:
    """The names that an example leaves behind, with our classes under TensorFlow's names."""
    optimizers = SimpleNamespace(SGD=SGD)
    names = {"tf": SimpleNamespace(keras=SimpleNamespace(optimizers=optimizers), Variable=Variable)}
    exec(code, names)
    return names


def example_without_momentum() -> None:
    left = run_of(
        """
opt = tf.keras.optimizers.SGD(learning_rate=0.1)
var = tf.Variable(1.0)
loss = lambda: (var ** 2)/2.0
step_count = opt.minimize(loss, [var]).numpy()
"""
    )
    assert left["step_count"] == 1
    assert left["var"].dtype == np.float32
    assert left["var"].numpy() == np.float32(1.0) - np.float32(0.1)


def example_with_momentum() -> None:
    left = run_of(
        """
opt = tf.keras.optimizers.SGD(learning_rate=0.1, momentum=0.9)
var = tf.Variable(1.0)
val0 = var.value()
loss = lambda: (var ** 2)/2.0
step_count = opt.minimize(loss, [var]).numpy()
val1 = var.value()
first_step = (val0 - val1).numpy()
step_count = opt.minimize(loss, [var]).numpy()
val2 = var.value()
second_step = (val1 - val2).numpy()
"""
    )
    assert left["step_count"] == 2
    assert left["first_step"] == pytest.approx(0.1, rel=1e-6)
    assert left["second_step"] == pytest.approx(0.18, rel=1e-6)


# --- Constructors -----------------------------------------------------------------------------

KEYWORDS = inspect.Parameter.empty

OF_TF20 = {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False, "name": "SGD"}
OF_R = {
    "learning_rate": 0.01,
    "momentum": 0,
    "nesterov": False,
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "name": "SGD",
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}
OF_KERAS3 = {
    "learning_rate": 0.01,
    "momentum": 0.0,
    "nesterov": False,
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
    "name": "SGD",
    "kwargs": KEYWORDS,
}


def defaults_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The defaults of parameters by name, in their order."""
    return {name: p.default for name, p in inspect.signature(function).parameters.items()}


def constructor_of_tf20() -> None:
    ours = defaults_of(SGD)
    assert {name: ours[name] for name in OF_TF20} == OF_TF20
    assert list(ours)[:3] == list(OF_TF20)[:3]


def constructor_of_r() -> None:
    assert defaults_of(SGD) == {**OF_R, "kwargs": KEYWORDS}
    without_name = [name for name in OF_R if name != "name"]
    assert [name for name in defaults_of(SGD) if name in without_name] == without_name
    assert SGD(**OF_R).get_config() == SGD().get_config() == OF_R


def constructor_of_keras3() -> None:
    assert list(defaults_of(SGD).items()) == list(OF_KERAS3.items())


# --- Arguments of SGD -------------------------------------------------------------------------


def rate_as_a_number() -> None:
    assert after(SGD(learning_rate=0.25), 1.0, 2.0) == near(0.5)
    assert after(SGD(0.25), 1.0, 2.0) == near(0.5)


def rate_as_a_tensor() -> None:
    assert after(SGD(learning_rate=Variable(0.25).value()), 1.0, 2.0) == near(0.5)


def rate_as_a_schedule() -> None:
    halved = schedules.ExponentialDecay(0.5, decay_steps=1, decay_rate=0.5)
    assert after(SGD(learning_rate=halved), 1.0, 1.0) == near(0.5)
    assert after(SGD(learning_rate=halved), 1.0, 1.0, 1.0) == near(0.25)


def rate_as_a_callable() -> None:
    rates = iter([0.5, 0.25])
    assert after(SGD(learning_rate=lambda: next(rates)), 1.0, 1.0, 1.0) == near(0.25)


def rate_not_given() -> None:
    assert after(SGD(), 1.0, 1.0) == near(0.99)
    assert SGD().learning_rate == 0.01


def hyperparameters_as_callables() -> None:
    now = {"learning_rate": 0.5, "momentum": 0.5}
    optimizer = SGD(
        learning_rate=lambda: now["learning_rate"],
        momentum=lambda: Variable(now["momentum"]).value(),
    )
    w = np.array(1.0)
    optimizer.apply_gradients([(np.array(1.0), w)])
    now |= {"learning_rate": 0.25, "momentum": 0.75}
    optimizer.apply_gradients([(np.array(1.0), w)])
    assert w == near(1.0 - 0.5 - (0.75 * 0.5 + 0.25))


def momentum_accelerates_and_dampens() -> None:
    again = after(SGD(learning_rate=0.1, momentum=0.9), 0.0, 1.0, 1.0)
    back = after(SGD(learning_rate=0.1, momentum=0.9), 0.0, 1.0, -1.0)
    assert again == near(-0.1 - 0.19)
    assert back == near(-0.1 + 0.01)


def momentum_as_an_integer() -> None:
    assert after(SGD(learning_rate=0.1, momentum=0), 1.0, 1.0, 1.0) == near(0.8)
    assert after(SGD(learning_rate=0.1, momentum=1), 1.0, 1.0, 1.0) == near(0.7)


def momentum_below_zero() -> None:
    with pytest.raises(ValueError, match="^momentum: expected a finite number >= 0 "):
        SGD(momentum=-0.1)


def momentum_not_given() -> None:
    assert SGD().momentum == 0.0
    assert SGD().get_slot_names() == []


def nesterov_is_a_boolean() -> None:
    assert SGD(nesterov=True).nesterov is True
    with pytest.raises(ValueError, match="^nesterov: expected True or False, "):
        SGD(nesterov="yes")  # type: ignore[arg-type]


def nesterov_not_given() -> None:
    assert SGD(momentum=0.9).nesterov is False
    momentum_rule()


def weight_decay_of_sgd() -> None:
    # Half of a tenth of the variable goes first, then half of the gradient.
    assert after(SGD(learning_rate=0.5, weight_decay=0.1), 2.0, 1.0) == near(1.9 - 0.5)
    assert after(SGD(learning_rate=0.5, weight_decay=None), 2.0, 1.0) == near(1.5)


def clipped(**clip: float) -> list[Array]:
    """What two variables at zero become, with the learning rate 1 and gradients of norm 5 and 1."""
    variables = [np.zeros(2), np.zeros(1)]
    SGD(learning_rate=1.0, **clip).apply([np.array([3.0, -4.0]), np.ones(1)], variables)
    return variables


def clipnorm_of_sgd() -> None:
    long, short = clipped(clipnorm=2.0)
    assert long == near([-1.2, 1.6])
    assert short == near([-1.0])


def clipvalue_of_sgd() -> None:
    long, short = clipped(clipvalue=3.5)
    assert long == near([-3.0, 3.5])
    assert short == near([-1.0])


def global_clipnorm_of_sgd() -> None:
    long, short = clipped(global_clipnorm=2.0)
    assert long == near(np.array([-3.0, 4.0]) * 2.0 / np.sqrt(26.0))
    assert short == near([-2.0 / np.sqrt(26.0)])


def clipping_in_two_ways() -> None:
    with pytest.raises(ValueError, match="at most one of clipnorm, clipvalue, global_clipnorm"):
        SGD(clipnorm=1.0, clipvalue=1.0)


def average_is_kept() -> None:
    w = np.array(10.0)
    optimizer = SGD(learning_rate=1.0, use_ema=True, ema_momentum=0.9)
    averages = []
    for _ in range(3):
        optimizer.apply([np.array(1.0)], [w])
        averages.append(float(optimizer.weights[-1]))
    assert averages == near([9.0, 0.9 * 9.0 + 0.1 * 8.0, 0.9 * 8.9 + 0.1 * 7.0])


def average_not_asked_for() -> None:
    unused = SGD(learning_rate=1.0, ema_momentum=0.5, ema_overwrite_frequency=1)
    assert unused.use_ema is False
    assert after(unused, 10.0, 1.0, 1.0) == near(8.0)
    assert len(unused.weights) == 1


def average_momentum_not_given() -> None:
    optimizer = SGD(learning_rate=1.0, use_ema=True)
    assert after(optimizer, 10.0, 1.0, 1.0) == near(8.0)
    assert optimizer.weights[-1] == near(0.99 * 9.0 + 0.01 * 8.0)


def average_overwrites() -> None:
    def optimizer() -> SGD:
        return SGD(learning_rate=1.0, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=2)

    assert after(optimizer(), 10.0, 1.0) == near(9.0)
    assert after(optimizer(), 10.0, 1.0, 1.0) == near(0.9 * 9.0 + 0.1 * 8.0)
    assert after(optimizer(), 10.0, 1.0, 1.0, 1.0) == near(7.9)


def average_overwrites_at_the_end() -> None:
    w = Variable(10.0, dtype="float64")
    optimizer = SGD(learning_rate=1.0, use_ema=True, ema_momentum=0.9)
    for _ in range(2):
        optimizer.minimize(lambda: 1.0 * w, [w])
    assert w.numpy() == near(8.0)
    optimizer.finalize_variable_values([w])
    assert w.numpy() == near(8.9)


def loss_scale_of_sgd() -> None:
    optimizer = SGD(learning_rate=0.5, loss_scale_factor=8.0)
    assert optimizer.scale_loss(3.0) == 24.0
    assert after(optimizer, 1.0, 8.0) == near(0.5)
    w = Variable(1.0, dtype="float64")
    SGD(learning_rate=0.5, loss_scale_factor=8.0).minimize(lambda: w**2 / 2.0, [w])
    assert w.numpy() == near(0.5)


def loss_scale_by_itself() -> None:
    optimizer = LossScaleOptimizer(SGD(learning_rate=0.5), initial_scale=8.0)
    w = np.array(1.0)
    optimizer.apply([np.array(8.0)], [w])
    assert w == near(0.5)
    optimizer.apply([np.array(np.inf)], [w])
    assert w == near(0.5)
    assert optimizer.scale_loss(3.0) == 12.0


def accumulation() -> None:
    w = np.array(1.0)
    optimizer = SGD(learning_rate=0.5, momentum=0.9, gradient_accumulation_steps=2)
    optimizer.apply([np.array(1.0)], [w])
    assert w == 1.0
    assert optimizer.get_slot(w, "velocity") == 0.0
    optimizer.apply([np.array(3.0)], [w])
    assert w == near(1.0 - 0.5 * 2.0)
    assert optimizer.get_slot(w, "velocity") == near(-1.0)


def name_not_given() -> None:
    assert SGD().name == "SGD"


def name_leads_messages() -> None:
    with pytest.raises(ValueError, match="^head: expected a built optimizer"):
        SGD(momentum=0.9, name="head").get_slot(np.ones(2), "velocity")


def name_malformed() -> None:
    for name in ("", None, 3):
        with pytest.raises(ValueError, match="^name: expected a non-empty printable string, "):
            SGD(name=name)  # type: ignore[arg-type]


def lr_of_sgd() -> None:
    optimizer = SGD(lr=0.25)
    assert optimizer.learning_rate == optimizer.lr == 0.25
    assert after(optimizer, 1.0, 2.0) == near(0.5)


def decay_of_sgd() -> None:
    steps = 1.0 + 1.0 / 1.5 + 1.0 / 2.0
    assert after(SGD(learning_rate=1.0, decay=0.5), 0.0, 1.0, 1.0, 1.0) == near(-steps)


def keywords_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match=r"^SGD got unknown argument\(s\) 'rate'"):
        SGD(rate=0.1)


def result_is_an_optimizer() -> None:
    assert isinstance(SGD(), Optimizer)


# --- The tables -------------------------------------------------------------------------------

OF_TF2_PAGE: Rows = [
    ("is-an-optimizer", "it inherits from Optimizer", result_is_an_optimizer),
    ("rule-without-momentum", "w loses learning_rate * g", plain_rule),
    ("rule-with-momentum", "it prints w * velocity; the velocity is added", momentum_rule),
    ("rule-of-nesterov", "it prints nesterov=False; the rule is that of True", nesterov_rule),
    ("learning-rate-tensor", "may be a tensor", rate_as_a_tensor),
    ("learning-rate-number", "may be a floating point value", rate_as_a_number),
    ("learning-rate-schedule", "may be a schedule", rate_as_a_schedule),
    ("learning-rate-callable", "may be a callable without arguments", rate_as_a_callable),
    ("learning-rate-default", "0.01", rate_not_given),
    ("momentum", "speeds up and dampens oscillations", momentum_accelerates_and_dampens),
    ("momentum-at-least-0", "is not negative", momentum_below_zero),
    ("momentum-default", "the integer 0, for plain descent", momentum_not_given),
    ("momentum-integer", "the default 0 may be given", momentum_as_an_integer),
    ("nesterov", "is a boolean", nesterov_is_a_boolean),
    ("nesterov-default", "False", nesterov_not_given),
    ("name-default", "the name of the class", name_not_given),
    ("clipnorm", "cuts gradients by norm", clipnorm_of_sgd),
    ("clipvalue", "cuts gradients by value", clipvalue_of_sgd),
    ("one-of-clipnorm-and-clipvalue", "not both", clipping_in_two_ways),
    ("example-step", "minimize counts 1 and the step is learning_rate", example_without_momentum),
    ("example-momentum", "steps of 0.1 and 0.18", example_with_momentum),
    ("name", "prefixes what the optimizer makes; here, messages", name_leads_messages),
    ("name-malformed", "ValueError", name_malformed),
    ("lr", "an old name of learning_rate", lr_of_sgd),
    ("decay", "lets the rate fall with the inverse of time", decay_of_sgd),
    ("keywords", "no others", keywords_that_nobody_knows),
]

OF_R_PAGE: Rows = [
    ("rule-without-momentum", "w loses learning_rate * g", plain_rule),
    ("rule-with-momentum", "the velocity, with the rate in it, is added", momentum_rule),
    ("rule-of-nesterov", "momentum * velocity and the new gradient's share", nesterov_rule),
    ("constructor", "names and defaults; name stands before the last two", constructor_of_r),
    ("learning-rate-number", "may be a float", rate_as_a_number),
    ("learning-rate-schedule", "may be a schedule", rate_as_a_schedule),
    ("learning-rate-callable", "may be a callable without arguments", rate_as_a_callable),
    ("learning-rate-default", "0.01", rate_not_given),
    ("momentum", "speeds up and dampens oscillations", momentum_accelerates_and_dampens),
    ("momentum-at-least-0", "is not negative", momentum_below_zero),
    ("momentum-default", "0, for plain descent", momentum_not_given),
    ("nesterov", "is a boolean", nesterov_is_a_boolean),
    ("nesterov-default", "FALSE", nesterov_not_given),
    ("weight-decay", "a number switches it on", weight_decay_of_sgd),
    ("clipnorm", "bounds the norm of each gradient alone", clipnorm_of_sgd),
    ("clipvalue", "bounds each element, here from below as well", clipvalue_of_sgd),
    ("global-clipnorm", "bounds the norm of all gradients together", global_clipnorm_of_sgd),
    ("use-ema", "keeps an average of the variables", average_is_kept),
    ("use-ema-default", "FALSE, and then its two arguments are idle", average_not_asked_for),
    ("ema-momentum", "weight of the old average, 0.99", average_momentum_not_given),
    ("ema-overwrite-frequency", "how often averages replace variables", average_overwrites),
    (
        "finalize",
        "without it, by hand at the end, as there is no fit",
        average_overwrites_at_the_end,
    ),
    ("name", "names the optimizer's weights; here, its messages", name_leads_messages),
    ("further-keywords", "for older versions: lr", lr_of_sgd),
    ("loss-scale-factor", "multiplies the loss, divides gradients", loss_scale_of_sgd),
    ("loss-scale-optimizer", "finds the factor by itself", loss_scale_by_itself),
    ("gradient-accumulation-steps", "mean gradients, and nothing between", accumulation),
    ("returns", "an optimizer", result_is_an_optimizer),
]

OF_TF20_PAGE: Rows = [
    ("is-an-optimizer", "it inherits from Optimizer", result_is_an_optimizer),
    ("rule-without-momentum", "theta loses learning_rate * gradient", plain_rule),
    ("rule-with-momentum", "v keeps momentum * v, and is added", momentum_rule),
    (
        "rule-of-nesterov",
        "gradients are those at theta + momentum * v, which is what is stored",
        nesterov_stores_the_point_looked_ahead_to,
    ),
    ("hyperparameter-tensor", "may be a scalar tensor", rate_as_a_tensor),
    (
        "hyperparameter-callable",
        "may be a callable, asked at apply_gradients, that returns a tensor or a number",
        hyperparameters_as_callables,
    ),
    ("learning-rate-over-time", "a callable may change it between calls", rate_as_a_callable),
    ("constructor", "names, defaults and the order of the first three", constructor_of_tf20),
    ("learning-rate", "a number", rate_as_a_number),
    ("momentum", "speeds up and dampens oscillations", momentum_accelerates_and_dampens),
    ("momentum-at-least-0", "is not negative", momentum_below_zero),
    ("nesterov", "is a boolean", nesterov_is_a_boolean),
    ("name", "prefixes what the optimizer makes; here, messages", name_leads_messages),
    ("name-default", "the name of the class", name_not_given),
    ("clipnorm", "cuts gradients by norm", clipnorm_of_sgd),
    ("clipvalue", "cuts gradients by value", clipvalue_of_sgd),
    ("decay", "lets the rate fall with the inverse of time", decay_of_sgd),
    ("lr", "an old name of learning_rate", lr_of_sgd),
    ("keywords", "no others", keywords_that_nobody_knows),
]

# The R page is a translation of this one.
OF_KERAS3_PAGE: Rows = [
    ("constructor", "names, order and defaults", constructor_of_keras3),
    *[row for row in OF_R_PAGE if row[0] not in ("constructor", "further-keywords", "returns")],
    ("keywords", "no unknown ones", keywords_that_nobody_knows),
]

TABLES = {"tf2": OF_TF2_PAGE, "r": OF_R_PAGE, "tf20": OF_TF20_PAGE, "keras3": OF_KERAS3_PAGE}


@cases(TABLES)
def test_class_does_what_the_document_says(document: str, says: str, check: Check) -> None:
    check()
