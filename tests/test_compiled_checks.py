"""Gradients that compiled code checks are taken, refused and located exactly as Python would."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optgen.optimizers import SGD, AdamW
from optgen.runtime import gradients as runtime_gradients
from optgen.runtime import objects
from optgen.runtime.compiled_checks import NOT_THESE_PAIRS, USUAL
from optgen.runtime.gradients import GradientReader
from optgen.runtime.values import Tensor
from optgen.runtime.variable import Variable

Array = np.ndarray[Any, Any]

BUFFER = 4096
"""Bytes of memory, in the middle of which a variable lies."""


class Subclass(np.ndarray[Any, Any]):
    """An array of a type that compiled code does not know."""


def variables() -> list[Array]:
    """Variables of both dtypes, of several ranks, with and without elements, one strided."""
    return [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.arange(4.0),
        np.array(3.0, np.float32),
        np.zeros((0, 3)),
        np.arange(20.0, dtype=np.float32)[::4],
        np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(2, 0, 1),
    ]


def readers(optimizer: Any) -> tuple[GradientReader, GradientReader]:
    """A reader that uses compiled code, and one that does not."""
    state = optimizer._state
    compiled, python = (GradientReader(state, state.tables) for _ in range(2))
    python._compiled = False
    assert compiled._compiled
    return compiled, python


def outcome(reader: GradientReader, given: Sequence[Any]) -> Any:
    """What a reader makes of gradients: a message, or who takes part and the tables."""
    for group in reader._tables.groups:
        group.pointers[:, 1] = 0
        group.layout[:, 1] = 0
    try:
        found = reader.read(list(given))
        reader.point_at(found)
    except ValueError as error:
        return str(error)
    for position, _, array in found.located:
        if array is not None and array is not given[position]:
            # An array that was made of a number, each time another one.
            index, row = reader._tables.places[position]
            reader._tables.groups[index].pointers[row, 1] = -1
    tables = []
    for group in reader._tables.groups:
        is_filled = group.everything.fixed["blocks"][:, 1] > 0
        addresses = np.where(is_filled, group.pointers[:, 1], 0).tolist()
        tables.append((addresses, group.layout[:, 1].copy()))
    kind = reader._latest is found
    reader._forget_layouts()
    return found.participants.kind, list(found.missing), str(tables), kind


DTYPES = ("f4", "f8", ">f4", ">f8", "f2", "i4", "i8", "c8", "?", "O", "f4,f4", "M8[s]", "S4")


@st.composite
def strange(draw: st.DrawFn, variable: Array, memory: Sequence[Array]) -> Any:
    """Something that is given as a gradient of a variable, mostly nearly right."""
    kind = draw(st.sampled_from(KINDS))
    if kind == "usual":
        return np.ones(variable.shape, variable.dtype)
    if kind == "other":
        others = (None, 1.0, 1, [1.0], "1", np.float32(1), np.float64(1), object(), (1.0,))
        return draw(st.sampled_from(others))
    if kind == "overlap":
        return draw(st.sampled_from(memory))
    shape = variable.shape
    if kind == "shape":
        shape = draw(st.sampled_from([(), (4,), (3, 4), (4, 3), (1, *shape), (*shape, 1), (0,)]))
    wrong = draw(st.sampled_from(DTYPES)) if kind == "dtype" else variable.dtype
    array = np.zeros(shape, wrong, order=draw(st.sampled_from("CF")))
    if kind == "strides" and array.ndim:
        wide = np.zeros([2 * length for length in shape], array.dtype)
        array = wide[tuple(slice(None, None, draw(st.sampled_from((2, -2)))) for _ in shape)]
    if kind == "broadcast":
        array = np.broadcast_to(np.zeros((), array.dtype), shape)
    if kind == "misaligned":
        odd = np.zeros(array.nbytes + 1, np.uint8)[1:]
        array = odd[: array.nbytes].view(array.dtype).reshape(shape)
    if kind == "dtype object":
        array = array.astype(np.dtype(array.dtype.str, metadata={"of": "nobody"}))
    if kind == "read-only":
        array.flags.writeable = False
    if kind == "subclass":
        views = (Subclass, Tensor, np.ma.MaskedArray, np.recarray)
        array = array.view(draw(st.sampled_from(views)))
    if kind == "variable":
        return Variable(np.zeros(shape, variable.dtype))
    return array


KINDS = (
    "usual", "other", "overlap", "shape", "dtype", "strides", "broadcast", "misaligned",
    "dtype object", "read-only", "subclass", "variable", "order",
)  # fmt: skip


@pytest.fixture(scope="module")
def built() -> Any:
    """An optimizer with slots and averages, and its readers."""
    optimizer = SGD(0.5, momentum=0.5, use_ema=True)
    optimizer.build(variables())
    return optimizer, readers(optimizer)


@given(data=st.data())
@settings(max_examples=600, deadline=None)
def test_python_and_compiled_code_agree(built: Any, data: st.DataObject) -> None:
    optimizer, (compiled, python) = built
    state = optimizer._state
    memory = [*state.variables, *state.averages, *state.slots["velocity"]]
    memory += [view for array in memory if array.ndim for view in (array[::-1], array[..., :1])]
    gradients = [np.ones(w.shape, w.dtype) for w in state.variables]
    for position in data.draw(st.sets(st.integers(0, len(gradients) - 1), max_size=3)):
        gradients[position] = data.draw(strange(state.variables[position], memory))
    assert outcome(compiled, gradients) == outcome(python, gradients)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_memory_in_common_is_noticed_to_the_byte(dtype: Any) -> None:
    """Gradients at every byte around variables at every byte, which need not be aligned."""
    memory = np.zeros(BUFFER, np.uint8)
    size = np.dtype(dtype).itemsize
    far = memory[2048 : 2048 + 3 * size].view(dtype)
    for low in range(1024, 1024 + size):
        high = low + 3 * size
        optimizer = SGD(0.5)
        optimizer.build([memory[low:high].view(dtype), far])
        compiled, python = readers(optimizer)
        for start in range(low - 4 * size, low + 4 * size):
            gradient = memory[start : start + 3 * size].view(dtype)
            found = outcome(compiled, [None, gradient])
            assert found == outcome(python, [None, gradient])
            apart = start + 3 * size <= low or start >= high
            assert ("overlaps variable 0" in found) is not apart, (low, start)
            # Python is not asked about neighbours, however close they are.
            assert bool(compiled._found[1] == USUAL) is (apart and start % size == 0)


def test_many_regions_are_searched(built: Any) -> None:
    """Each of many variables, the first and last bytes of each, and the gaps between them."""
    memory = np.zeros(3 * 64, np.float64)
    optimizer = SGD(0.5)
    optimizer.build([memory[3 * i : 3 * i + 2] for i in range(63)])
    compiled, _ = readers(optimizer)
    alone = [None] * 62
    for index in range(3 * 63 - 1):
        gradient = memory[index : index + 1]
        meets = index % 3 != 2
        wanted = "overlaps" if meets else "shape"
        message = outcome(compiled, [np.lib.stride_tricks.as_strided(gradient, (2,), (0,)), *alone])
        assert (wanted in message) or (not meets and isinstance(message, tuple)), index


def resized(w: Array) -> None:
    """Give a variable more memory, which NumPy refuses while it knows of other references."""
    w.resize((1000,), refcheck=False)


def reshaped(w: Array) -> None:
    """Give a variable another shape."""
    w.shape = (2, 2)


CHANGES: dict[str, tuple[Callable[[Array], None], str]] = {
    "resized": (resized, r"variable 1 was resized.* with shape \(4,\).*received shape \(1000,\)"),
    "reshaped": (reshaped, r"variable 1 was resized.* with shape \(4,\).*received shape \(2, 2\)"),
    "read-only": (lambda w: w.setflags(write=False), "variable 1 has become read-only"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("compiled", [True, False])
def test_a_variable_that_was_changed_is_refused(
    compiled: bool, change: Callable[[Array], None], message: str
) -> None:
    w = [np.ones(3, np.float32), np.ones(4, np.float32)]
    optimizer = SGD(0.5)
    optimizer.build(w)
    reader = readers(optimizer)[0 if compiled else 1]
    change(w[1])
    for gradients in ([np.ones(3), np.ones(4)], [np.ones(3, np.float32), None]):
        with pytest.raises(ValueError, match=message):
            reader.read(gradients)
    with pytest.raises(ValueError, match=message):
        optimizer.apply_gradients([(np.ones(3, np.float32), w[0]), (None, w[1])])
    assert np.array_equal(w[0], np.ones(3))


# Pairs ------------------------------------------------------------------------------------------


class Pair(tuple[Any, ...]):
    """A tuple of another type."""


def ways(g: Sequence[Any], w: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """The same pairs in every form in which a caller may give them."""
    yield "zip", zip(g, w, strict=True)
    yield "list", list(zip(g, w, strict=True))
    yield "generator", ((a, b) for a, b in zip(g, w, strict=True))
    yield "lists", [[a, b] for a, b in zip(g, w, strict=True)]
    yield "subclass", [Pair((a, b)) for a, b in zip(g, w, strict=True)]
    yield "views", zip(g, [v[...] for v in w], strict=True)
    yield "reversed", list(zip(g, w, strict=True))[::-1]
    yield "Variables", zip(g, [Variable(v, copy=False) for v in w], strict=True)


def test_every_form_of_pairs_does_the_same() -> None:
    shapes = ((3, 2), (), (5,))
    rng = np.random.default_rng(0)
    g = [np.asarray(rng.standard_normal(shape), np.float32) for shape in shapes]
    start = [np.asarray(rng.standard_normal(shape), np.float32) for shape in shapes]
    for name, _ in ways(g, start):
        w, expected = [v.copy() for v in start], [v.copy() for v in start]
        optimizer, twin = SGD(0.1, momentum=0.9), SGD(0.1, momentum=0.9)
        optimizer.build(w)
        for _ in range(3):
            assert optimizer.apply_gradients(dict(ways(g, w))[name]) == twin.iterations + 1
            twin.apply(g, expected)
        assert [v.tobytes() for v in w] == [v.tobytes() for v in expected], name


def test_variables_are_recognized_and_kept() -> None:
    """After a first call, Variables go the same way as their arrays, whose place they take."""
    w = [Variable(np.ones(3)), Variable(np.ones(4))]
    g = [np.ones(3), np.ones(4)]
    optimizer = SGD(0.5)
    optimizer.build(w)
    reader: Any = optimizer._reader
    assert reader._check(list(zip(g, w, strict=True)), True) == NOT_THESE_PAIRS
    optimizer.apply_gradients(zip(g, w, strict=True))
    for known in (w, [v.array for v in w]):
        assert reader._check(list(zip(g, known, strict=True)), True) == 0
    others = [Variable(v.array, copy=False) for v in w]
    optimizer.apply_gradients(zip(g, others, strict=True))
    del others
    gc.collect()
    strangers = [Variable(np.ones(n)) for n in (3, 4) * 50]
    with pytest.raises(ValueError, match="unknown"):
        optimizer.apply_gradients(zip(g, strangers[:2], strict=True))


def test_gradients_are_kept_alive_and_a_nested_call_does_not_replace_them() -> None:
    """A callable argument empties the caller's list, and begins calls that are refused."""
    pairs: list[Any] = []
    w = [np.ones(1000), np.ones(1000)]

    def rate() -> float:
        if pairs:
            pairs.clear()
            gc.collect()
            garbage.extend(np.full(1000, np.nan) for _ in range(100))
            with pytest.raises(ValueError, match="shape"):
                optimizer.apply([np.full(1000, np.nan), np.ones(3)])
            with pytest.raises(ValueError, match="shape"):
                optimizer.apply_gradients(
                    [(np.full(1000, np.nan), w[0]), (np.full(999, np.nan), w[1])]
                )
        return 0.5

    garbage: list[Array] = []
    optimizer = SGD(rate)
    optimizer.build(w)
    for unusual in (False, True):
        second = np.full(1000, 4.0, np.float32) if unusual else np.full(1000, 4.0)
        pairs += [(np.full(1000, 2.0), w[0]), (second, w[1])]
        before = [v.copy() for v in w]
        optimizer.apply_gradients(pairs)
        assert np.array_equal(w[0], before[0] - 1.0)
        assert np.array_equal(w[1], before[1] - 2.0)


def test_a_callable_that_changes_gradients_is_noticed() -> None:
    gradient = np.ones(3)

    def rate() -> float:
        with pytest.raises(ValueError, match="shape"):
            optimizer.apply([np.ones(4)])
        gradient.resize((2,), refcheck=False)
        return 0.5

    w = np.ones(3)
    optimizer = SGD(rate)
    optimizer.build([w])
    with pytest.raises(ValueError, match="stay as they are during a call"):
        optimizer.apply([gradient])
    assert np.array_equal(w, np.ones(3))


# Where objects lie otherwise ---------------------------------------------------------------------

FIELDS = (
    "TYPE LENGTH LIST_ITEMS TUPLE_ITEMS DATA AXES SHAPE STRIDES DTYPE FLAGS".split()
)  # fmt: skip


@pytest.fixture
def unknown_layout() -> Iterator[None]:
    """Ask again how objects lie in memory, during a test and after it."""
    objects.are_as_expected.cache_clear()
    yield
    objects.are_as_expected.cache_clear()


def test_objects_lie_as_expected_here() -> None:
    """Or nothing is fast; on other interpreters this test does not hold."""
    assert objects.are_as_expected() is (sys.implementation.name == "cpython")


@pytest.mark.usefixtures("unknown_layout")
@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("by", [-1, 1])
def test_a_field_at_another_place_is_noticed(
    field: str, by: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, field, getattr(objects, field) + by)
    assert not objects.are_as_expected()


@pytest.mark.usefixtures("unknown_layout")
@pytest.mark.parametrize(
    ("owner", "name", "value"),
    [
        (sys.implementation, "name", "pypy"),
        (sys, "byteorder", "big"),
        (sys, "_is_gil_enabled", lambda: False),
        (objects, "_HEAD", 32),
        (objects, "_WORD", 4),
    ],
)
def test_other_interpreters_take_the_slow_way_to_the_same_bytes(
    owner: Any, name: str, value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optimizers that are built while objects lie elsewhere never enter compiled checks."""
    expected = stepped()
    objects.are_as_expected.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, value, raising=False)
        assert not objects.are_as_expected()
        patch.setattr(runtime_gradients, "check_gradients", None)
        assert stepped() == expected
        with pytest.raises(ValueError, match="gradient of variable 0: expected the variable's"):
            SGD().apply([np.ones(3)], [np.ones(4)])


def stepped() -> list[bytes]:
    """Variables and state after some steps of every kind of gradient."""
    w = [np.ones((3, 4), np.float32), np.ones(4), np.array(2.0)]
    optimizer = AdamW(0.1, weight_decay=0.1, global_clipnorm=1.0, use_ema=True)
    optimizer.build(w)
    usual = [np.full(v.shape, 0.5, v.dtype) for v in w]
    optimizer.apply_gradients(zip(usual, w, strict=True))
    optimizer.apply([usual[0].astype(np.float64), usual[1][::-1], 0.25])
    with pytest.warns(UserWarning, match="no gradient"):
        optimizer.apply([None, *usual[1:]])
    optimizer.apply(usual)
    return [array.tobytes() for array in [*w, *optimizer.variables]]


def test_what_is_usual_is_left_to_compiled_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is no reason to look at the others, and neither is one that is strange."""
    w = [np.ones((3, 4), np.float32), np.ones(4), np.array(2.0)]
    optimizer = SGD()
    optimizer.build(w)
    looked: list[int] = []
    reader: Any = optimizer._reader
    locate = reader._locate
    monkeypatch.setattr(reader, "_locate", lambda i, g: (looked.append(i), locate(i, g))[1])
    usual = [np.ones(v.shape, v.dtype) for v in w]
    reader.read(usual)
    reader.read([None, *usual[1:]])
    assert looked == []
    reader.read([None, np.ones(4, np.float32), usual[2]])
    assert looked == [1]
    assert reader._found[2] == USUAL


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("swapped", [True, False])
def test_changes_that_leave_as_many_unusual_gradients_are_noticed(
    compiled: bool, swapped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One becomes usual while another becomes unusual; without compiled code all are looked at."""
    monkeypatch.setattr(objects, "are_as_expected", lambda: compiled)
    first, second = np.ones((2, 3)), np.ones((2, 3))
    second.setflags(align=False)

    def rate() -> float:
        if optimizer.iterations == 1:
            if swapped:
                second.setflags(align=True)
            first.resize((1, 1), refcheck=False)
        return 0.5

    w = [np.ones((2, 3)), np.ones((2, 3))]
    optimizer = SGD(rate)
    optimizer.build(w)
    optimizer.apply([first, second])
    before = [v.copy() for v in w]
    with pytest.raises(ValueError, match=r"stay as they are during a call.*variable 0.*shape"):
        optimizer.apply([first, second])
    assert all(map(np.array_equal, w, before))


class Late(float):
    """A gradient that begins another call when it is asked whether it lies on a device."""

    begin: Callable[[], None]

    @property
    def __cuda_array_interface__(self) -> Any:
        self.begin()
        raise AttributeError


def test_a_gradient_that_begins_another_call_is_refused() -> None:
    w = [np.ones(3), np.array(1.0)]
    optimizer = SGD(0.5)
    optimizer.build(w)

    def begin() -> None:
        with pytest.raises(ValueError, match="shape"):
            optimizer.apply([np.full(3, np.nan), np.ones(4)])

    late = Late(1.0)
    late.begin = begin
    before = [v.copy() for v in w]
    with pytest.raises(ValueError, match="has begun another call"):
        optimizer.apply([np.ones(3), late])
    assert all(map(np.array_equal, w, before))
