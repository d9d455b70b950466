"""State in the pages of TensorFlow, row by row: counts, weights and slots.

See ``test_seed_documents.py``. The pages share most of it, so that checks are made of SGD and of
NovoGrad.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optgen import Variable
from optgen.optimizers import SGD, NovoGrad
from tests.document_rows import (
    GRADIENTS,
    Check,
    Class,
    Rows,
    RowsOfClass,
    built,
    cases,
    half_square,
    is_count,
    near,
    of,
    signature_of,
    with_slots,
)


def iterations_count_steps(cls: Class) -> None:
    optimizer = cls()
    assert is_count(optimizer.iterations, 0)
    w = Variable(1.0)
    for _ in range(3):
        optimizer.minimize(half_square(w), [w])
    assert is_count(optimizer.iterations, 3)


def weights_in_order(cls: Class) -> None:
    optimizer, (a, b) = built(cls)
    slots = [optimizer.get_slot(w, name) for name in optimizer.get_slot_names() for w in (a, b)]
    count, *others = optimizer.weights
    assert (count, count.dtype) == (1, np.int64)
    assert list(map(id, others)) == list(map(id, slots))
    assert len(others) == {SGD: 2, NovoGrad: 4}[cls]


def weights_end_with_averages_and_accumulators(cls: Class) -> None:
    optimizer, variables = built(cls, use_ema=True, gradient_accumulation_steps=2)
    averages, accumulators = optimizer.weights[-4:-2], optimizer.weights[-2:]
    assert [array.tolist() for array in averages] == [w.tolist() for w in variables]
    assert [array.tolist() for array in accumulators] == [g.tolist() for g in GRADIENTS]


# --- Slots and further variables --------------------------------------------------------------


def add_slot_adds(cls: Class) -> None:
    optimizer, (a, _) = built(cls)
    slot = optimizer.add_slot(a, "shadow")
    assert slot.shape == a.shape
    assert not slot.any()
    assert optimizer.get_slot(a, "shadow") is slot
    assert optimizer.get_slot_names()[-1] == "shadow"
    assert any(array is slot for array in optimizer.weights)


def add_slot_is_idempotent(cls: Class) -> None:
    optimizer, (a, _) = built(cls)
    slot = optimizer.add_slot(a, "shadow", initializer="ones")
    count = len(optimizer.weights)
    assert optimizer.add_slot(a, "shadow", initializer="zeros") is slot
    assert slot.tolist() == [1.0, 1.0]
    assert len(optimizer.weights) == count


def add_slot_initializer(cls: Class) -> None:
    def threes(shape: tuple[int, ...], dtype: Any) -> Any:
        return np.full(shape, 3.0, dtype)

    optimizer, (a, _) = built(cls)
    assert optimizer.add_slot(a, "named", initializer="ones").tolist() == [1.0, 1.0]
    assert optimizer.add_slot(a, "called", initializer=threes).tolist() == [3.0, 3.0]
    assert optimizer.add_slot(a, "copied", initializer=a).tolist() == a.tolist()


def add_slot_shape(cls: Class) -> None:
    optimizer, (a, _) = built(cls)
    assert optimizer.add_slot(a, "default").shape == (2,)
    assert optimizer.add_slot(a, "wide", initializer="ones", shape=[2, 3]).shape == (2, 3)


def get_slot_finds(cls: Class) -> None:
    optimizer, (a, b) = built(cls)
    # The first step: SGD's velocity holds the learning rate, NovoGrad's moment does not.
    name, factor = {SGD: ("velocity", -0.1), NovoGrad: ("m", 1.0 / (1.0 + 1e-7))}[cls]
    for w, gradient in zip((a, b), GRADIENTS, strict=True):
        assert optimizer.get_slot(w, name) == near(factor * gradient)


def get_slot_names_lists(cls: Class) -> None:
    optimizer, _ = built(cls)
    assert optimizer.get_slot_names() == {SGD: ["velocity"], NovoGrad: ["m", "v"]}[cls]


def add_weight_adds(cls: Class) -> None:
    optimizer, _ = built(cls)
    weight = optimizer.add_weight(
        "shadow",
        [2, 3],
        dtype="float64",
        initializer="ones",
        trainable=False,
        synchronization="AUTO",
        aggregation="NONE",
    )
    assert weight.dtype == np.float64
    assert weight.tolist() == [[1.0] * 3] * 2
    assert optimizer.weights[-1] is weight
    zeros = optimizer.add_weight("default", [2])
    assert (zeros.dtype, zeros.tolist()) == (np.float32, [0.0, 0.0])


def signature_of_add_weight(cls: Class) -> None:
    ours = signature_of(cls, "add_weight")
    ignored = {"trainable": None, "synchronization": None, "aggregation": None}
    printed = {"dtype": None, "initializer": "zeros", **ignored}
    assert list(ours) == ["name", "shape", *printed]
    assert {name: ours[name] for name in printed} == printed


# --- Weights ----------------------------------------------------------------------------------


def trained() -> tuple[SGD, list[Variable]]:
    """An optimizer after one step of a dense layer of 20 inputs and 10 units."""
    opt = SGD(momentum=0.9)
    layer = [Variable(np.zeros([20, 10], np.float32)), Variable(np.ones([10], np.float32))]
    kernel, bias = layer
    data = np.arange(100).reshape(5, 20)
    labels = np.zeros(5)
    opt.minimize(lambda: np.mean((data @ kernel + bias - labels[:, None]) ** 2), layer)
    return opt, layer


def example_of_get_weights() -> None:
    opt, (kernel, bias) = trained()
    assert len(opt.get_weights()) == 3
    count, *velocities = opt.get_weights()
    assert count == 1
    # From zero, the first velocity is the first step.
    assert velocities[0].tolist() == kernel.tolist()
    np.testing.assert_allclose(velocities[1], bias.numpy() - 1.0, rtol=1e-4)


def example_of_set_weights() -> None:
    opt, (kernel, bias) = trained()
    new_weights = [np.array(10), np.ones([20, 10]), np.zeros([10])]
    opt.set_weights(new_weights)
    assert is_count(opt.iterations, 10)
    before = kernel.numpy(), bias.numpy()
    opt.apply_gradients([(np.zeros([20, 10], np.float32), kernel), (np.ones(10), bias)])
    np.testing.assert_allclose(kernel.numpy() - before[0], np.full([20, 10], 0.9), rtol=1e-4)
    np.testing.assert_allclose(bias.numpy() - before[1], np.full(10, -0.01), rtol=1e-4)
    assert is_count(opt.iterations, 11)


def get_weights_copies(cls: Class) -> None:
    optimizer, _ = built(cls)
    found = optimizer.get_weights()
    assert all(type(array) is np.ndarray for array in found)
    assert (found[0], found[0].dtype) == (1, np.int64)
    assert [array.tolist() for array in found] == [array.tolist() for array in optimizer.weights]
    found[1][...] = 7.0
    assert not (optimizer.weights[1] == 7.0).any()


def set_weights_resumes(cls: Class) -> None:
    optimizer, variables = built(cls)
    again = with_slots(cls)
    copies = [Variable(w.numpy()) for w in variables]
    again.build(copies)
    again.set_weights(optimizer.get_weights())
    for _ in range(3):
        optimizer.minimize(half_square(*variables), variables)
        again.minimize(half_square(*copies), copies)
    assert [w.tolist() for w in copies] == [w.tolist() for w in variables]
    saved = [array.tolist() for array in optimizer.get_weights()]
    assert [array.tolist() for array in again.get_weights()] == saved
    assert is_count(again.iterations, 4)


def variables_may_be_called(cls: Class) -> None:
    optimizer, _ = built(cls)
    for listed in (optimizer.variables, optimizer.weights):
        assert [id(array) for array in listed()] == [id(array) for array in listed]
    own = {id(array) for array in optimizer.weights}
    assert own < {id(array) for array in optimizer.variables()}


# --- The tables -------------------------------------------------------------------------------

OF_TF2_PAGE: RowsOfClass = [
    ("iterations", "number of steps so far", iterations_count_steps),
    ("weights", "its variables in the order of their making", weights_in_order),
    ("add-slot", "adds a slot for a variable", add_slot_adds),
]

OF_TF20_PAGE: RowsOfClass = [
    ("iterations", "number of steps so far", iterations_count_steps),
    ("weights", "its variables in the order of their making", weights_in_order),
    ("signature-add_weight", "names; enumerations are None here", signature_of_add_weight),
    ("add-slot", "adds a slot for a variable", add_slot_adds),
    ("add-slot-initializer", "by name, callable or values", add_slot_initializer),
    ("add-weight", "adds a variable", add_weight_adds),
    ("get-slot", "a slot by variable and name", get_slot_finds),
    ("get-slot-names", "a list of names", get_slot_names_lists),
    ("get-weights", "the state as NumPy arrays", get_weights_copies),
    ("set-weights", "takes over a state", set_weights_resumes),
    ("variables", "a method; here a list as well", variables_may_be_called),
]

OF_NOVOGRAD_PAGE: RowsOfClass = [
    ("iterations", "number of steps so far", iterations_count_steps),
    ("weights", "its variables in the order of their making", weights_in_order),
    (
        "weights-of-later-arguments",
        "nothing; averages and accumulators come last",
        weights_end_with_averages_and_accumulators,
    ),
    ("add-slot", "adds a slot for a variable and returns it", add_slot_adds),
    ("add-slot-again", "belongs to the optimizer, which makes it once", add_slot_is_idempotent),
    ("add-slot-initializer", "by name, callable or values", add_slot_initializer),
    ("add-slot-shape", "that of the variable if none is given", add_slot_shape),
    ("get-slot-names", "a list of names", get_slot_names_lists),
    ("get-weights", "arrays, the count first", get_weights_copies),
    ("get-weights-order", "then slots as they were made", weights_in_order),
    ("get-weights-loads", "into an optimizer of the same kind", set_weights_resumes),
    ("set-weights", "takes over a state, the count first", set_weights_resumes),
    ("variables", "a method; here a list as well", variables_may_be_called),
]

EXAMPLES: Rows = [
    ("get-weights-example", "RMSprop has three, as does momentum", example_of_get_weights),
    ("set-weights-example", "10 is the count afterwards", example_of_set_weights),
]


@cases(
    {
        "tf2": of(SGD, OF_TF2_PAGE),
        "tf20": of(SGD, OF_TF20_PAGE),
        "novograd": [*of(NovoGrad, OF_NOVOGRAD_PAGE), *EXAMPLES],
    }
)
def test_class_does_what_the_document_says(document: str, says: str, check: Check) -> None:
    check()
