"""The state as users see it: order of lists, slots by name, what they may add and replace."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from optgen import Variable
from optgen.optimizers import SGD, Adam, AdamW, NovoGrad
from tests.generated_classes import everything_on
from tests.oracle import thorough_specs

Array = np.ndarray[Any, Any]


def built(cls: Any, **arguments: Any) -> tuple[Any, list[Array]]:
    variables = [np.full(3, 2.0), np.ones((2, 2), np.float32)]
    optimizer = cls(**arguments)
    optimizer.build(variables)
    optimizer.apply([np.full(3, 0.5), np.full((2, 2), 0.25, np.float32)])
    return optimizer, variables


def same(lists: list[Array], expected: list[Array]) -> bool:
    return len(lists) == len(expected) and all(a is b for a, b in zip(lists, expected, strict=True))


# --- Order ------------------------------------------------------------------------------------


def test_variables_come_in_the_order_of_keras() -> None:
    optimizer, (a, b) = built(
        Adam, amsgrad=True, use_ema=True, gradient_accumulation_steps=2, learning_rate=0.5
    )
    state = optimizer._state
    slot = optimizer.get_slot
    assert optimizer.variables[0].dtype == np.int64
    assert optimizer.variables[:2] == [1, 0.5]
    expected = [*state.averages, *state.accumulators]
    expected += [slot(a, "m"), slot(a, "v"), slot(b, "m"), slot(b, "v")]
    expected += [slot(a, "v_hat"), slot(b, "v_hat")]
    assert same(optimizer.variables[2:], expected)
    assert same(optimizer.variables(), optimizer.variables)


def test_the_learning_rate_is_among_the_variables_only_as_a_number() -> None:
    optimizer, _ = built(SGD, momentum=0.5, learning_rate=0.5)
    count = len(optimizer.variables)
    optimizer.learning_rate = lambda: 0.25
    assert len(optimizer.variables) == count - 1
    optimizer.learning_rate = 0.125
    assert optimizer.variables[1] == 0.125


def test_weights_come_in_the_order_of_tensorflow() -> None:
    optimizer, (a, b) = built(Adam, amsgrad=True, use_ema=True, gradient_accumulation_steps=2)
    state = optimizer._state
    expected = [optimizer.get_slot(w, name) for name in ("m", "v", "v_hat") for w in (a, b)]
    expected += [*state.averages, *state.accumulators]
    assert optimizer.weights[0].dtype == np.int64
    assert same(optimizer.weights[1:], expected)
    assert same(optimizer.weights(), optimizer.weights)
    assert optimizer.get_slot_names() == ["m", "v", "v_hat"]
    assert len(SGD().weights) == 1
    assert NovoGrad().get_slot_names() == ["m", "v"]


@pytest.mark.parametrize("spec", thorough_specs())
def test_weights_are_copies_and_variables_are_live(spec: str) -> None:
    optimizer = everything_on(spec)
    w = np.ones(3)
    optimizer.apply([np.ones(3)], [w])
    for saved, live in zip(optimizer.get_weights(), optimizer.weights, strict=True):
        assert not np.shares_memory(saved, live)
        assert saved.tobytes() == live.tobytes()
        assert any(live is array for array in optimizer.variables)
    saved[...] = 77
    assert all(77 not in array for array in optimizer.weights)


# --- Replacing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w[:-1], r"weights: expected 3 arrays, received 2\."),
        (lambda w: [*w, w[0]], "weights: expected 3 arrays, received 4"),
        (lambda w: [], "weights: expected 3 arrays, received 0"),
        (lambda w: [*w[:-1], np.ones(4)], r"weights\[2\]: expected the shape \(2, 2\), .*\(4,\)"),
        (lambda w: [*w[:-1], w[-1] * 1j], r"weights\[2\]: expected float32, received complex"),
        (lambda w: [*w[:-1], w[-1] > 0], r"weights\[2\]: expected float32, received bool"),
        (lambda w: [*w[:-1], [["a", "b"]] * 2], r"weights\[2\]: expected float32, received str"),
        (lambda w: [np.array(1.5), *w[1:]], r"weights\[0\]: expected int64, received float64"),
        (lambda w: [np.array(-1), *w[1:]], r"weights\[0\]: expected a count, received -1"),
        (lambda w: [np.ones(1, int), *w[1:]], r"weights\[0\]: expected the shape \(\)"),
    ],
)
def test_weights_that_do_not_fit_change_nothing(
    change: Callable[[list[Any]], list[Any]], message: str
) -> None:
    optimizer, _ = built(SGD, momentum=0.5)
    before = [a.tobytes() for a in optimizer.weights]
    with pytest.raises(ValueError, match=message):
        optimizer.set_weights(change([np.array(7), np.full(3, 7.0), np.full((2, 2), 7.0)]))
    assert [a.tobytes() for a in optimizer.weights] == before


def test_weights_are_converted_and_counted_from() -> None:
    optimizer, variables = built(SGD, momentum=0.5, learning_rate=1.0)
    velocity = optimizer.weights[1]
    optimizer.set_weights([10, [1.0, 2.0, 3.0], np.zeros((2, 2))])
    assert optimizer.iterations == 10
    assert velocity.tolist() == [1, 2, 3]
    variables[0][...] = 0
    optimizer.apply([np.zeros(3), np.zeros((2, 2), np.float32)])
    assert variables[0].tolist() == [0.5, 1.0, 1.5]


def test_weights_of_an_unbuilt_optimizer_are_its_count() -> None:
    optimizer = SGD(momentum=0.5)
    with pytest.raises(ValueError, match=r"expected 1 arrays, received 2.*not built.*build\("):
        optimizer.set_weights([1, np.ones(3)])
    optimizer.set_weights([4])
    assert optimizer.iterations == 4


# --- Slots ------------------------------------------------------------------------------------


def test_slots_are_live_and_found_by_variable_and_name() -> None:
    variable = Variable(np.full(2, 2.0), name="kernel")
    optimizer = SGD(learning_rate=0.5, momentum=0.5)
    optimizer.apply([np.ones(2)], [variable])
    velocity = optimizer.get_slot(variable, "velocity")
    assert velocity.tolist() == [-0.5, -0.5]
    assert optimizer.get_slot(variable.array, "velocity") is velocity
    velocity[...] = 0.0
    optimizer.apply([np.zeros(2)])
    assert variable.numpy().tolist() == [1.5, 1.5]
    with pytest.raises(ValueError, match="slot_name: expected one of 'velocity' .*received 'm'"):
        optimizer.get_slot(variable, "m")
    with pytest.raises(ValueError, match="unknown"):
        optimizer.get_slot(np.ones(2), "velocity")
    with pytest.raises(ValueError, match="expected a built optimizer; call build"):
        SGD(momentum=0.5).get_slot(variable, "velocity")


def test_a_slot_per_variable_is_a_number() -> None:
    optimizer, (a, _) = built(NovoGrad)
    v = optimizer.get_slot(a, "v")
    assert v.shape == ()
    assert v == pytest.approx(0.75)
    v[...] = 9.0
    assert optimizer._state.tables.groups[0].tensor[0].tolist().count(9.0) == 1


def test_added_slots_are_made_once() -> None:
    optimizer, (a, b) = built(SGD, momentum=0.5)
    plain = optimizer.add_slot(a, "fisher")
    assert plain.tolist() == [0, 0, 0]
    assert plain.dtype == a.dtype
    assert optimizer.add_slot(a, "fisher", "ones") is plain is optimizer.get_slot(a, "fisher")
    assert optimizer.add_slot(a, "velocity") is optimizer.get_slot(a, "velocity")
    assert optimizer.add_slot(b, "fisher", "ones").tolist() == [[1, 1], [1, 1]]
    assert optimizer.add_slot(b, "trace", shape=(4,)).shape == (4,)
    assert optimizer.add_slot(b, "scalar", 3.0).tolist() == 3.0
    copied = optimizer.add_slot(a, "start", a)
    assert copied.tolist() == a.tolist()
    assert not np.shares_memory(copied, a)
    drawn = optimizer.add_slot(a, "drawn", lambda shape, dtype: np.arange(3, dtype=dtype))
    assert drawn.tolist() == [0, 1, 2]
    names = ["velocity", "fisher", "trace", "scalar", "start", "drawn"]
    assert optimizer.get_slot_names() == names
    assert same(optimizer.weights[3:5], [plain, optimizer.get_slot(b, "fisher")])
    assert optimizer.variables[-1] is drawn
    optimizer.apply([np.ones(3), np.ones((2, 2), np.float32)])
    assert plain.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"slot_name": ""}, "slot_name: expected a non-empty printable string, received ''"),
        ({"slot_name": 3}, "slot_name: .*received 3"),
        ({"initializer": "glorot"}, "initializer: expected 'zeros', 'ones'.*received 'glorot'"),
        ({"initializer": np.ones(2), "shape": (3,)}, r"initializer: .*\(3,\), received \(2,\)"),
        ({"initializer": lambda shape, dtype: np.ones(9)}, r"initializer: .*received \(9,\)"),
        ({"initializer": [["a"]]}, "initializer: expected numbers"),
    ],
)
def test_slots_that_cannot_be_added(arguments: dict[str, Any], message: str) -> None:
    optimizer, (a, _) = built(SGD)
    with pytest.raises(ValueError, match=message):
        optimizer.add_slot(a, **{"slot_name": "s", **arguments})
    assert optimizer.get_slot_names() == []
    assert len(optimizer.variables) == 2


def test_weights_and_variables_can_be_added() -> None:
    optimizer, (_, b) = built(SGD)
    scale = optimizer.add_weight("scale", (2,), initializer="ones")
    assert scale.dtype == np.float32
    count = optimizer.add_variable((), dtype=np.int64)
    like = optimizer.add_variable_from_reference(Variable(b), initializer="ones")
    assert (like.shape, like.dtype, like.sum()) == (b.shape, b.dtype, 4)
    assert same(optimizer.variables[-3:], [scale, count, like])
    assert same(optimizer.weights[-3:], [scale, count, like])
    weights = optimizer.get_weights()
    scale[...] = 5.0
    optimizer.set_weights(weights)
    assert scale.tolist() == [1, 1]
    with pytest.raises(ValueError, match="name: expected a new name, received 'scale'"):
        optimizer.add_weight("scale")
    with pytest.raises(
        ValueError, match="dtype: expected a dtype of numbers, received <class 'object'>"
    ):
        optimizer.add_weight("other", (), object)
    with pytest.raises(ValueError, match="reference_variable: .*received str"):
        optimizer.add_variable_from_reference("w")


# --- Excluding --------------------------------------------------------------------------------

NAMES = ("dense/kernel", "dense/bias", "norm/gamma")


def decayed(optimizer: Any, variables: list[Variable]) -> list[bool]:
    """Which variables a step along a gradient of zero changes."""
    before = [v.numpy() for v in variables]
    optimizer.apply([np.zeros(2)] * len(variables), variables)
    return [bool(np.any(v.numpy() != old)) for v, old in zip(variables, before, strict=True)]


def three() -> list[Variable]:
    return [Variable(np.ones(2), name=name) for name in NAMES]


@pytest.mark.parametrize("early", [False, True])
@pytest.mark.parametrize("cls", [SGD, AdamW])
def test_variables_are_excluded_by_identity_or_name(cls: Any, early: bool) -> None:
    variables = three()
    cases: list[tuple[dict[str, Any], list[bool]]] = [
        ({"var_list": [variables[0]]}, [False, True, True]),
        ({"var_list": [variables[2].array]}, [True, True, False]),
        ({"var_names": ["bias", "gamma"]}, [True, False, False]),
        ({"var_names": "^dense"}, [False, False, True]),
        ({"var_list": variables[:1], "var_names": ["n.rm"]}, [False, True, False]),
        ({}, [True, True, True]),
    ]
    optimizer = cls(weight_decay=0.5)
    if not early:
        optimizer.build(variables)
    for arguments, expected in cases:
        if early:
            optimizer = cls(weight_decay=0.5)
        optimizer.exclude_from_weight_decay(**arguments)
        assert decayed(optimizer, variables) == expected, arguments
        optimizer.weight_decay = 0.25
        assert decayed(optimizer, variables) == expected, arguments


def test_a_decay_that_is_called_reaches_all_but_the_excluded() -> None:
    variables, rates = three(), iter([0.5, 0.0, 0.5])
    optimizer = SGD(learning_rate=1.0, weight_decay=lambda: next(rates))
    optimizer.exclude_from_weight_decay(variables[:1])
    assert decayed(optimizer, variables) == [False, True, True]
    assert decayed(optimizer, variables) == [False, False, False]
    assert decayed(optimizer, variables) == [False, True, True]
    assert variables[1].numpy().tolist() == [0.25, 0.25]


def test_excluded_variables_keep_every_bit() -> None:
    values = np.array([-0.0, 0.0, np.inf, -np.inf, 5e-324, 1.0])
    excluded, plain = values.copy(), values.copy()
    optimizer = SGD(learning_rate=0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay([excluded])
    for other, w in ((optimizer, excluded), (SGD(learning_rate=0.5), plain)):
        other.apply([np.zeros(6)], [w])
    assert excluded.tobytes() == plain.tobytes() == values.tobytes()


def test_exclusions_that_cannot_be_meant_are_refused() -> None:
    variables = three()
    optimizer = SGD(weight_decay=0.5)
    with pytest.raises(ValueError, match=re.escape("regular expressions, received '(': ")):
        optimizer.exclude_from_weight_decay(var_names=["("])
    optimizer.exclude_from_weight_decay([np.ones(2)])
    with pytest.raises(ValueError, match="unknown"):
        optimizer.build(variables)
    assert not optimizer.built
    optimizer.exclude_from_weight_decay()
    optimizer.build(variables)
    with pytest.raises(ValueError, match="unknown"):
        optimizer.exclude_from_weight_decay([np.ones(2)])
    arrays = SGD(weight_decay=0.5)
    arrays.build([np.ones(2)])
    with pytest.raises(ValueError, match=r"var_names: .*names, received arrays.*optgen\.Variable"):
        arrays.exclude_from_weight_decay(var_names=["bias"])
    assert decayed(optimizer, variables) == [True, True, True]


# --- In the form of TensorFlow ------------------------------------------------------------------


def test_state_has_values_by_numpy() -> None:
    optimizer, (a, _) = built(SGD, momentum=0.5, use_ema=True, gradient_accumulation_steps=2)
    optimizer.add_slot(a, "own")
    optimizer.add_weight("more")
    for array in [*optimizer.weights, *optimizer.variables]:
        values = array.numpy()
        assert not np.shares_memory(values, array)
        assert type(values) is (np.ndarray if array.ndim else array.dtype.type)
    assert all(type(array) is np.ndarray for array in optimizer.get_weights())
    assert optimizer.weights[0].numpy() == 1


def test_iterations_can_be_assigned() -> None:
    optimizer, _ = built(Adam, gradient_accumulation_steps=2)
    optimizer.iterations = 2**40
    assert optimizer.iterations.numpy() == 2**40
    assert optimizer.variables[0] == 2**41
    for value in (-1, 1.5, None, True):
        with pytest.raises(ValueError, match="iterations: expected an integer >= 0 and <= "):
            optimizer.iterations = value
    assert optimizer.iterations == 2**40


def test_a_learning_rate_that_is_refused_is_not_loaded() -> None:
    optimizer = SGD(0.5)
    optimizer.build([np.ones(3)])
    store: dict[str, Any] = {}
    optimizer.save_own_variables(store)
    with pytest.raises(
        ValueError, match=r"store\[1\], the learning rate: expected a finite number"
    ):
        optimizer.load_own_variables({**store, "0": np.array(7), "1": np.array(np.nan)})
    assert [float(array) for array in optimizer.variables] == [0.0, 0.5]
