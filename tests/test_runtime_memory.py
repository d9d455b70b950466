"""Whose memory a step may touch: what is refused, what is found again, what is left alone."""

from __future__ import annotations

import itertools

import numba
import numpy as np
import pytest
from numba import njit
from numba.core.runtime import _nrt_python, rtsys
from numpy.lib.stride_tricks import as_strided

from optgen.optimizers import common
from optgen.runtime import Hyperparameter, Mode, Optimizer, Slot
from optgen.runtime.arrays import address_of, overlaps_itself
from optgen.runtime.kernels import elements, write_back
from optgen.runtime.overlap import MemoryMap, first_overlap
from optgen.runtime.plan import (
    CHUNKS,
    chunk_length,
    cut_chunks,
    describe,
    make_group,
    number_blocks,
    spread,
)
from optgen.runtime.tables import tables_at
from tests.oracle import generated

COMMON = {
    "weight_decay": None,
    "clipnorm": None,
    "clipvalue": None,
    "global_clipnorm": None,
    "use_ema": True,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": 2,
}


class Counting(Optimizer):
    """An optimizer without a phase: it has state and checks, and counts its calls."""

    hyperparameters = (Hyperparameter("learning_rate", "float", 0.1),)
    slots = (Slot("m", "element"), Slot("v", "variable"), Slot("start", "element", "w"))
    accumulate = Mode("accumulate")
    rest = Mode("rest")
    finite = Mode("finite")
    mode = Mode("only", columns=("v",), element_slots=("m", "start"), variable_slots=("v",))

    def __init__(self, learning_rate=0.1):
        super().__init__({"learning_rate": learning_rate}, COMMON, "counting", {})

    def select_mode(self) -> Mode:
        return self.mode


def pair() -> list[np.ndarray]:
    return [np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(4)]


def gradients() -> list[np.ndarray]:
    return [np.ones((2, 3), np.float32), np.ones(4)]


def everything(optimizer: Optimizer, variables: list[np.ndarray]) -> list[bytes]:
    return [array.tobytes() for array in [*variables, *optimizer.variables]]


def refused_variables():
    z = np.zeros((4, 6))
    read_only = np.zeros(3)
    read_only.setflags(write=False)
    yield "twice", [z, z]
    yield "a row of another", [z, z[1:2]]
    yield "interleaved with common elements", [z[:, ::2], z[:, 2:]]
    yield "broadcast", [np.broadcast_to(np.zeros(3), (2, 3))]
    yield "stride 0", [as_strided(z, (3,), (0,), writeable=True)]
    yield "windows", [as_strided(z, (3, 3), (8, 8), writeable=True)]
    yield "read-only", [read_only]
    yield "half precision", [np.zeros(3, np.float16)]
    yield "integers", [np.zeros(3, np.int64)]
    yield "complex", [np.zeros(3, np.complex64)]
    yield "objects", [np.zeros(3, object)]
    yield "swapped bytes", [np.zeros(3, np.dtype(np.float32).newbyteorder())]
    yield "a list", [[1.0]]
    yield "a masked array", [np.ma.ones(3)]
    yield "none", []


@pytest.mark.parametrize("variables", [pytest.param(v, id=name) for name, v in refused_variables()])
def test_refused_at_build(variables):
    optimizer = Counting()
    with pytest.raises(ValueError, match="expected"):
        optimizer.build(variables)
    assert len(optimizer.variables) == 2


def test_neighbours_are_no_overlap():
    z = np.zeros((4, 6))
    assert first_overlap([("even", z[:, ::2]), ("odd", z[:, 1::2])]) is None
    assert first_overlap([("a", z[:, :4]), ("b", z[::-1, 3:])]) == ("a", "b")
    assert MemoryMap([("even", z[:, ::2])]).name_of_overlap(z[:, 1::2]) is None
    assert MemoryMap([("even", z[:, ::2])]).name_of_overlap(z[3]) == "even"
    assert not MemoryMap([("even", z[:, ::2])]).may_touch(0, 8)


@pytest.mark.parametrize("shape", [(3, 3), (2, 2, 2), (4, 1, 3), (0, 3)])
def test_self_overlap_is_decided_exactly(shape):
    z = np.zeros(64, np.float32)
    for strides in np.ndindex(*([6] * len(shape))):
        view = as_strided(z, shape, [4 * stride for stride in strides])
        addresses = [sum(i * s for i, s in zip(p, strides, strict=True)) for p in np.ndindex(shape)]
        assert overlaps_itself(view) == (len(set(addresses)) < len(addresses)), strides


def test_gradients_that_overlap_state_are_refused():
    optimizer, variables = Counting(), pair()
    optimizer.apply(gradients(), variables)
    before = everything(optimizer, variables)
    state = [variables[1], *(a for a in optimizer.variables if a.shape == (4,))]
    assert len(state) == 5
    for array in state:
        for view in (array, array[::-1]):
            with pytest.raises(ValueError, match="overlaps"):
                optimizer.apply([gradients()[0], view])
    assert everything(optimizer, variables) == before


def bad_gradients():
    yield "shape", np.ones(3)
    yield "rank", np.ones((4, 1))
    yield "half precision", np.ones(4, np.float16)
    yield "integers", np.ones(4, np.int32)
    yield "complex", np.ones(4, np.complex128)
    yield "swapped bytes", np.ones(4, np.dtype(np.float64).newbyteorder())
    yield "a list", [1.0, 1.0, 1.0, 1.0]
    yield "a number for a vector", 1.0


@pytest.mark.parametrize("bad", [pytest.param(g, id=name) for name, g in bad_gradients()])
def test_a_failed_call_changes_nothing(bad):
    optimizer, variables = Counting(), pair()
    with pytest.raises(ValueError, match="gradient of variable 1"):
        optimizer.apply([gradients()[0], bad], variables)
    assert len(optimizer.variables) == 2
    optimizer.apply(gradients(), variables)
    before = everything(optimizer, variables)
    with pytest.raises(ValueError, match="gradient of variable 1"):
        optimizer.apply([gradients()[0], bad], variables)
    assert everything(optimizer, variables) == before


def test_a_failing_learning_rate_changes_nothing():
    def rate():
        calls.append(None)
        if len(calls) == 4:
            raise RuntimeError("no learning rate today")
        return 0.1 if len(calls) < 5 else float("nan")

    calls = []
    optimizer, variables = Counting(rate), pair()
    for _ in range(3):
        optimizer.apply(gradients(), variables)
    assert len(calls) == 3, "asked for once per call"
    before = everything(optimizer, variables)
    for error in (RuntimeError, ValueError):
        with pytest.raises(error, match="learning.rate"):
            optimizer.apply(gradients(), variables)
    assert everything(optimizer, variables) == before


def test_variables_are_known_by_object_or_by_memory():
    optimizer, variables = Counting(), [*pair(), np.zeros(0), np.zeros(0)]
    everyone = [*gradients(), np.zeros(0), np.zeros(0)]
    optimizer.apply(everyone, variables)
    optimizer.apply(everyone[::-1], [w[...] for w in variables[::-1]])
    assert optimizer.iterations == 1
    for others in (pair(), [variables[0].T, variables[1]], [variables[1], variables[1][...]]):
        with pytest.raises(ValueError, match="expected"):
            optimizer.apply(gradients(), others)


def test_state_starts_as_described_and_is_live():
    optimizer, variables = Counting(), pair()
    optimizer.build(variables)
    arrays = optimizer.variables
    averages, accumulators, slots = arrays[2:4], arrays[4:6], arrays[6:]
    shapes = [(2, 3), (), (2, 3), (4,), (), (4,)]
    assert [slot.shape for slot in slots] == shapes
    for w, average, accumulator in zip(variables, averages, accumulators, strict=True):
        assert np.array_equal(average, w)
        assert not np.any(accumulator)
        assert average.dtype == accumulator.dtype == w.dtype
    optimizer.apply(gradients())
    assert arrays[0] == 1
    assert all(a is b for a, b in zip(arrays, optimizer.variables, strict=True))


@njit
def _round_trip(like, tables):
    tables = tables_at(tables)
    for chunk in range(tables.chunks.shape[0]):
        w = elements(like, tables, chunk, 0)
        g = elements(like, tables, chunk, 1)
        for i in range(w.size):
            w[i] = w[i] + g[i]
        write_back(like, tables, chunk, w)


def layouts(dtype):
    block = np.arange(30000.0).astype(dtype).reshape(30, 40, 25)
    packed = np.zeros(8 * 10 + 1, np.uint8)[1:].view(dtype)
    yield block.transpose(2, 0, 1)
    yield np.flip(block.copy(), (0, 2))
    yield block.copy()[::2, 3:7, ::-3]
    yield np.array(3.0, dtype)
    yield packed
    yield np.zeros((3, 0, 2), dtype)
    yield np.zeros((1, 1), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("gradient_dtype", [np.float32, np.float64])
def test_strided_arrays_are_gathered_and_scattered(dtype, gradient_dtype):
    random = np.random.default_rng(0)
    variables = list(layouts(dtype))
    given = [np.array(random.standard_normal(w.shape), order="F") for w in variables]
    given = [g.astype(gradient_dtype, order="A") for g in given]
    expected = [w + g.astype(dtype) for w, g in zip(variables, given, strict=True)]
    streams = [(None, None)] * len(variables)
    group = make_group(range(len(variables)), variables, streams, Mode("plain"))
    for row, g in enumerate(given):
        group.pointers[row, 1] = address_of(g)
        describe(group.layout[row, 1], g, np.dtype(dtype))
    _round_trip(group.like, group.everything.tables(common.FINITE_MODE.phases[0]).address)
    for w, e in zip(variables, expected, strict=True):
        assert np.array_equal(w, e)


def test_pieces_are_long_where_every_thread_has_many() -> None:
    short, long = CHUNKS
    many = 32 * numba.get_num_threads() * long
    assert [chunk_length(n) for n in (0, many - 1, many, 10 * many)] == [short, short, long, long]
    variable = np.empty(many, np.float32)
    group = make_group([0], [variable], [()], Mode("plain"))
    assert group.everything.chunks[:, 2].tolist() == [long] * (many // long)


@pytest.mark.parametrize("parts", [2, 3, 8])
@pytest.mark.parametrize(
    "sizes",
    [(100_352, 128, 1280, 10), (128, 64) * 30 + (300_000,), (3,) * 50, (0, 1 << 20), (0,)],
    ids=str,
)
@pytest.mark.parametrize("length", CHUNKS)
def test_short_pieces_come_evenly_between_the_others(
    sizes: tuple[int, ...], parts: int, length: int
) -> None:
    """Runs of as many pieces differ by little more than one of them."""
    variables = [np.empty(size, np.float32) for size in sizes]
    pieces = cut_chunks(variables, number_blocks(variables), length)
    order = spread(pieces, length)
    assert sorted(order.tolist()) == pieces.tolist()
    for same in (order[:, 2] == length, order[:, 2] < length):
        assert order[same].tolist() == sorted(order[same].tolist())
    # As a parallel loop divides them: numbers of pieces differ by one at most.
    borders = [len(order) * part // parts for part in range(parts + 1)]
    runs = [order[a:b, 2].sum() for a, b in itertools.pairwise(borders)]
    assert max(runs) - min(runs) <= 2 * length


@pytest.mark.parametrize("size", [300, 90_000], ids=["one-thread", "threads"])
@pytest.mark.parametrize("spec", ["adam", "novograd", "adafactor"])
def test_what_kernels_allocate_is_freed_when_a_step_ends(spec: str, size: int) -> None:
    """Gathered elements, and numbers that are spread over rows, have memory of their own."""
    variables = [np.zeros((2, size // 2), np.float32), np.zeros((size // 5, 5)).T]
    gradients = [np.ones((size // 2, 2)).T, np.ones((5, size // 5), np.float32)]
    optimizer = generated(spec)(clipnorm=1.0)
    optimizer.apply(gradients, variables)
    _nrt_python.memsys_enable_stats()
    try:
        before = rtsys.get_allocation_stats()
        for _ in range(3):
            optimizer.apply(gradients)
        after = rtsys.get_allocation_stats()
    finally:
        _nrt_python.memsys_disable_stats()
    assert after.mi_alloc > before.mi_alloc
    assert after.mi_alloc - before.mi_alloc == after.mi_free - before.mi_free
    assert after.alloc - before.alloc == after.free - before.free
