"""Methods of the pages of TensorFlow, row by row; see ``test_seed_documents.py``.

State is in ``test_seed_documents_state.py``. The pages share most methods, so that checks are made
of SGD and of NovoGrad.
"""

from __future__ import annotations

import inspect
import json
from functools import partial
from typing import Any

import numpy as np
import pytest

from optgen import Variable
from optgen.optimizers import SGD, NovoGrad
from optgen.schedules import ExponentialDecay
from tests.document_rows import (
    GRADIENTS,
    Check,
    Class,
    RowsOfClass,
    built,
    cases,
    half_square,
    is_count,
    near,
    of,
    pair,
    signature_of,
    with_slots,
)

# --- apply_gradients --------------------------------------------------------------------------


def apply_gradients_steps(cls: Class) -> None:
    w = Variable(np.array([1.0, 2.0]))
    optimizer = cls(learning_rate=0.1)
    returned = optimizer.apply_gradients([(np.array([0.6, -0.8]), w)])
    assert w.numpy() == pytest.approx([0.94, 2.08], rel=1e-7)
    assert is_count(returned, 1)
    assert is_count(optimizer.iterations, 1)


def apply_gradients_is_the_second_part(cls: Class) -> None:
    (whole, first), (parts, second) = (with_slots(cls), pair()), (with_slots(cls), pair())
    for _ in range(3):
        whole.minimize(half_square(*first), first)
        found = parts.get_gradients(half_square(*second), second)
        parts.apply_gradients(zip(found, second, strict=True))
    assert [w.tolist() for w in first] == [w.tolist() for w in second]


def apply_gradients_to_processed_gradients(cls: Class) -> None:
    w = Variable(np.array([0.6, 0.8]))
    optimizer = cls(learning_rate=0.1)
    vars = [w]
    grads = [-gradient for gradient in optimizer.get_gradients(half_square(w), vars)]
    optimizer.apply_gradients(zip(grads, vars, strict=True), experimental_aggregate_gradients=False)
    assert w.numpy() == pytest.approx([0.66, 0.88], rel=1e-7)


def apply_gradients_in_one_process(cls: Class) -> None:
    found = []
    for aggregate in (True, False):
        optimizer, variables = with_slots(cls), pair()
        optimizer.apply_gradients(
            zip(GRADIENTS, variables, strict=True), experimental_aggregate_gradients=aggregate
        )
        found.append([w.tolist() for w in variables])
    default = [w.tolist() for w in built(cls)[1]]
    assert found == [default, default]


def apply_gradients_name(cls: Class) -> None:
    optimizer, variables = with_slots(cls), pair()
    optimizer.apply_gradients(zip(GRADIENTS, variables, strict=True), name="update")
    assert [w.tolist() for w in variables] == [w.tolist() for w in built(cls)[1]]
    with pytest.raises(ValueError, match="^name: expected a string or None, "):
        optimizer.apply_gradients(zip(GRADIENTS, variables, strict=True), name=3)


def apply_gradients_malformed(cls: Class) -> None:
    optimizer, (a, _) = built(cls)
    gradient = GRADIENTS[0]
    malformed: list[Any] = [[a], [gradient], [(gradient,)], [(gradient, a, a)], (gradient, a)]
    for pairs in malformed:
        with pytest.raises(TypeError, match="^grads_and_vars: expected pairs of gradient"):
            optimizer.apply_gradients(pairs)
    assert is_count(optimizer.iterations, 1)


def apply_gradients_without_any(cls: Class) -> None:
    optimizer, (a, b) = built(cls)
    for pairs in ([(None, a), (None, b)], []):
        with pytest.raises(ValueError, match="^gradients: expected (a|at least one) gradient"):
            optimizer.apply_gradients(pairs)
    assert is_count(optimizer.iterations, 1)


# --- minimize, get_gradients, get_updates -----------------------------------------------------


def minimize_steps(cls: Class) -> None:
    w = Variable(1.0)
    optimizer = cls(learning_rate=0.1)
    assert is_count(optimizer.minimize(half_square(w), [w]), 1)
    assert w.numpy() == pytest.approx(0.9, rel=1e-6)
    assert is_count(optimizer.iterations, 1)


def minimize_takes_lists_and_tuples(cls: Class) -> None:
    for sequence in (list, tuple):
        w = Variable(1.0)
        cls(learning_rate=0.1).minimize(half_square(w), sequence([w]))
        assert w.numpy() == pytest.approx(0.9, rel=1e-6)


def minimize_takes_a_callable_list(cls: Class) -> None:
    made: list[Variable] = []

    def loss() -> Any:
        if not made:
            made.append(Variable(1.0))
        return made[0] ** 2 / 2.0

    optimizer = cls(learning_rate=0.1)
    optimizer.minimize(loss, lambda: made)
    assert made[0].numpy() == pytest.approx(0.9, rel=1e-6)


def minimize_grad_loss(cls: Class) -> None:
    w = Variable(np.array([1.0, 2.0]))
    # SGD with the rate 1 moves by the gradient; of NovoGrad, the squared norm shows it.
    optimizer = cls(learning_rate=1.0)
    optimizer.minimize(lambda: 1.0 * w, [w], grad_loss=np.array([0.25, -0.5]))
    if cls is SGD:
        assert w.numpy() == near([0.75, 2.5])
    else:
        assert optimizer.get_slot(w, "v") == near(0.25**2 + 0.5**2)


def minimize_name(cls: Class) -> None:
    w = Variable(1.0)
    optimizer = cls(learning_rate=0.1)
    assert is_count(optimizer.minimize(half_square(w), [w], name="step"), 1)
    with pytest.raises(ValueError, match="^name: expected a string or None, "):
        optimizer.minimize(half_square(w), [w], name=3)


def minimize_a_tensor(cls: Class) -> None:
    w = Variable(1.0)
    with pytest.raises(ValueError, match="^loss: expected a callable without arguments, "):
        cls().minimize(w**2 / 2.0, [w])


def minimize_no_variable(cls: Class) -> None:
    w = Variable(1.0)
    optimizer = cls()
    for other in (np.ones(2), 1.0, w.value()):
        with pytest.raises(ValueError, match="^var_list: expected Variables, received .* item 1"):
            optimizer.minimize(half_square(w), [w, other])
    assert (w.item(), optimizer.built) == (1.0, False)


def get_gradients_returns(cls: Class) -> None:
    optimizer, variables = built(cls)
    before = [w.tolist() for w in variables]
    found = optimizer.get_gradients(half_square(*variables), variables)
    assert isinstance(found, list)
    assert [gradient.tolist() for gradient in found] == before
    assert [w.tolist() for w in variables] == before
    assert is_count(optimizer.iterations, 1)


def get_gradients_without_one(cls: Class) -> None:
    optimizer, (a, b) = built(cls)
    with pytest.raises(ValueError, match="^params: expected Variables that the loss depends on"):
        optimizer.get_gradients(half_square(a), [a, b])


def get_updates_steps(cls: Class) -> None:
    first, second = pair(), pair()
    with_slots(cls).minimize(half_square(*first), first)
    (step,) = with_slots(cls).get_updates(half_square(*second), second)
    assert is_count(step, 1)
    assert (
        [w.tolist() for w in second] == [w.tolist() for w in first] != [w.tolist() for w in pair()]
    )


# --- Configurations ---------------------------------------------------------------------------


def get_config_rebuilds(cls: Class) -> None:
    schedule = ExponentialDecay(0.5, decay_steps=10, decay_rate=0.9)
    arguments = {"learning_rate": schedule, "clipnorm": 2.0, "decay": 0.5, "name": "head"}
    optimizer = cls(**arguments)
    config = optimizer.get_config()
    assert type(config) is dict
    assert config["clipnorm"] == 2.0
    again = cls.from_config(json.loads(json.dumps(config)))
    assert type(again) is cls
    assert again.get_config() == config
    assert repr(again) == repr(optimizer) != repr(cls())


def get_config_leaves_the_state(cls: Class) -> None:
    optimizer, _ = built(cls)
    again = cls.from_config(optimizer.get_config())
    assert is_count(again.iterations, 0)
    assert not again.built


def from_config_custom_objects(cls: Class) -> None:
    def constant_rate() -> float:
        return 0.25

    config = cls(learning_rate=constant_rate).get_config()
    with pytest.raises(ValueError, match="^learning_rate: .* a callable called 'constant_rate'"):
        cls.from_config(config)
    again = cls.from_config(config, custom_objects={"constant_rate": constant_rate})
    assert again.learning_rate == 0.25
    assert again.get_config() == config


# --- Signatures -------------------------------------------------------------------------------

REQUIRED = inspect.Parameter.empty

PRINTED: dict[str, dict[str, Any]] = {
    "add_slot": {"var": REQUIRED, "slot_name": REQUIRED, "initializer": "zeros"},
    "apply_gradients": {"grads_and_vars": REQUIRED, "name": None},
    "from_config": {"config": REQUIRED, "custom_objects": None},
    "get_config": {},
    "get_gradients": {"loss": REQUIRED, "params": REQUIRED},
    "get_slot": {"var": REQUIRED, "slot_name": REQUIRED},
    "get_slot_names": {},
    "get_updates": {"loss": REQUIRED, "params": REQUIRED},
    "get_weights": {},
    "minimize": {"loss": REQUIRED, "var_list": REQUIRED, "grad_loss": None, "name": None},
    "set_weights": {"weights": REQUIRED},
}


def has_signature(method: str, cls: Class) -> None:
    ours, printed = list(signature_of(cls, method).items()), list(PRINTED[method].items())
    assert ours[: len(printed)] == printed
    assert all(default is not REQUIRED for _, default in ours[len(printed) :])


def arguments_of_addons(cls: Class) -> None:
    listed = {
        "add_slot": ["var", "slot_name", "initializer", "shape"],
        "apply_gradients": ["name", "experimental_aggregate_gradients"],
        "from_config": ["config", "custom_objects"],
        "get_gradients": ["loss", "params"],
        "minimize": ["loss", "var_list", "name"],
        "set_weights": ["weights"],
    }
    for method, names in listed.items():
        assert [name for name in signature_of(cls, method) if name in names] == names
    assert signature_of(cls, "apply_gradients")["experimental_aggregate_gradients"] is True


def test_minimize_takes_no_tape_but_none() -> None:
    """The page of NovoGrad has it, for a loss that is given as a tensor."""
    w = Variable(1.0)
    assert is_count(NovoGrad().minimize(half_square(w), [w], tape=None), 1)
    with pytest.raises(ValueError, match="tape: expected None, received object"):
        NovoGrad().minimize(half_square(w), [w], tape=object())


# --- The tables -------------------------------------------------------------------------------

OF_TF2_PAGE: RowsOfClass = [
    ("apply-gradients", "updates variables, returns and adds one step", apply_gradients_steps),
    ("apply-gradients-second", "is what minimize ends with", apply_gradients_is_the_second_part),
    ("apply-gradients-sum", "sums over replicas, here one", apply_gradients_in_one_process),
    (
        "apply-gradients-example",
        "gradients that are processed before, in a zip",
        apply_gradients_to_processed_gradients,
    ),
    ("apply-gradients-name", "optional", apply_gradients_name),
]

OF_TF20_PAGE: RowsOfClass = [
    *[
        (f"signature-{method}", "names, order and defaults", partial(has_signature, method))
        for method in PRINTED
    ],
    ("apply-gradients", "returns the step; its global_step is iterations", apply_gradients_steps),
    ("apply-gradients-second", "is what minimize ends with", apply_gradients_is_the_second_part),
    ("apply-gradients-name", "optional", apply_gradients_name),
    ("apply-gradients-malformed", "TypeError", apply_gradients_malformed),
    ("apply-gradients-without-any", "ValueError", apply_gradients_without_any),
    ("from-config", "makes the same optimizer again", get_config_rebuilds),
    ("from-config-custom-objects", "functions by name", from_config_custom_objects),
    ("get-config", "a dictionary without the state", get_config_leaves_the_state),
    ("get-gradients", "a list; the loss is a callable here", get_gradients_returns),
    ("get-gradients-error", "ValueError where there is none", get_gradients_without_one),
    ("get-updates", "one step, as a list", get_updates_steps),
    ("minimize", "updates variables and returns the step", minimize_steps),
    (
        "minimize-explicitly",
        "gradients may be processed between its two parts",
        apply_gradients_to_processed_gradients,
    ),
    ("minimize-var-list", "a list or tuple", minimize_takes_lists_and_tuples),
    ("minimize-var-list-callable", "for variables of the loss", minimize_takes_a_callable_list),
    ("minimize-grad-loss", "the gradient of the loss", minimize_grad_loss),
    ("minimize-name", "optional", minimize_name),
    ("minimize-no-variable", "ValueError", minimize_no_variable),
]

OF_NOVOGRAD_PAGE: RowsOfClass = [
    ("arguments-of-methods", "names in order", arguments_of_addons),
    ("apply-gradients", "returns the step and adds one", apply_gradients_steps),
    ("apply-gradients-second", "is what minimize ends with", apply_gradients_is_the_second_part),
    (
        "apply-gradients-sum",
        "sums over replicas, here one, so that there is no RuntimeError across them",
        apply_gradients_in_one_process,
    ),
    ("apply-gradients-name", "optional", apply_gradients_name),
    ("apply-gradients-without-any", "ValueError", apply_gradients_without_any),
    ("from-config", "makes the same optimizer again", get_config_rebuilds),
    ("from-config-custom-objects", "functions by name", from_config_custom_objects),
    ("get-config", "a dictionary without the state", get_config_leaves_the_state),
    ("get-gradients", "a list; the loss is a callable here", get_gradients_returns),
    ("get-gradients-error", "ValueError where there is none", get_gradients_without_one),
    ("minimize", "updates variables, returns the step and adds one", minimize_steps),
    ("minimize-tensor", "not without a tape", minimize_a_tensor),
    ("minimize-var-list", "a list or tuple", minimize_takes_lists_and_tuples),
    ("minimize-var-list-callable", "for variables of the loss", minimize_takes_a_callable_list),
    ("minimize-name", "optional", minimize_name),
    ("minimize-no-variable", "ValueError", minimize_no_variable),
]


@cases(
    {
        "tf2": of(SGD, OF_TF2_PAGE),
        "tf20": of(SGD, OF_TF20_PAGE),
        "novograd": of(NovoGrad, OF_NOVOGRAD_PAGE),
    }
)
def test_class_does_what_the_document_says(document: str, says: str, check: Check) -> None:
    check()
