"""The numbers per matrix, row, column and index of all variables on a device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optgen.runtime.arrays import Array, Table
from optgen.runtime.axes import initial_numbers, panels_of, runs_of, stacked, stored_shape
from optgen.runtime.cuda.copies import device_address
from optgen.runtime.cuda.kernels import BLOCK, LANES
from optgen.runtime.cuda.launch import threads_for
from optgen.runtime.description import Mode

if TYPE_CHECKING:
    from optgen.runtime.cuda.memory import DeviceMemory

KINDS = ("runs", "rows", "columns", "panels")
"""Kinds of pieces of work: runs of matrices; rows; columns of all panels; columns of matrices."""


@dataclass(frozen=True)
class Pieces:
    """The pieces of one kind that take part in a launch.

    Attributes:
        address: of int64[count, 3] on the device.
        count: how many there are.
        threads: how many threads work on each.
    """

    address: int
    count: int
    threads: int


class DeviceAxes:
    """The tables of ``axis_kernels.py``.

    Args:
        memory: the device, which is the current one.
        mode: which numbers there are.
        layouts: the variables.

    Attributes:
        pieces: for each of ``KINDS``, int64[n, 3]: variable, first, one behind the last.
        threads_per_variable: of a kernel that has a block of threads for each variable.
    """

    def __init__(self, memory: DeviceMemory, mode: Mode, layouts: Sequence[Array]) -> None:
        self._memory = memory
        self._columns = [name for name, _, _ in mode.axes]
        self._rates = [rate for _, rate, _ in mode.axes]
        self._shapes = [layout.shape for layout in layouts]
        numbers, self._starts = initial_numbers(self._shapes, mode)
        stacks = np.array([stacked(shape) for shape in self._shapes], np.int64)
        panels, length = panels_of(stacks)
        reductions = max(phase.panels or 0 for phase in mode.phases)
        arrays = max(phase.values for phase in mode.phases)
        sizes = stacks.prod(axis=1)
        lengths = _lengths(self._shapes)
        self.pieces: tuple[Table, ...] = _pieces(stacks, panels[:, 1])
        self._work = _work(self.pieces, stacks)
        self.threads_per_variable = threads_for(int(lengths[:, 1:].sum(axis=1).max()))
        self._numbers = memory.placed(_not_empty(numbers))
        self._placed = [
            memory.placed(table)
            for table in (
                self._starts,
                stacks,
                np.zeros(max(1, reductions * length)),
                panels,
                lengths,
                np.zeros(max(1, arrays * int(sizes.sum()))),
                np.cumsum(sizes) - sizes,
            )
        ]
        addresses = [device_address(array) for array in (self._numbers, *self._placed)]
        columns, elements = len(self._columns), int(sizes.sum())
        self._addresses = tuple(addresses)
        self._counts = (numbers.size, columns, length, lengths.shape[1], elements)

    def entries(self, pieces: Pieces | None) -> tuple[int, ...]:
        """Return the last entries of a kernel's tables; ``pieces`` are those of its launch."""
        address, count = (0, 0) if pieces is None else (pieces.address, pieces.count)
        return (*self._addresses, address, *self._counts, count)

    def chosen(self, mask: Array) -> tuple[Table, ...]:
        """Return the pieces of the variables of a mask, for each kind."""
        return tuple(pieces[mask[pieces[:, 0]]] for pieces in self.pieces)

    def at(self, addresses: Sequence[int], tables: Sequence[Table]) -> dict[str, Pieces]:
        """Return pieces of each kind that are at an address on the device and in a table here."""
        return {
            kind: Pieces(address, len(table), threads)
            for kind, address, table, threads in zip(
                KINDS, addresses, tables, self._work, strict=True
            )
        }

    def slot(self, position: int, name: str) -> Any:
        """Return the numbers of a variable as a live array in the shape that users see."""
        column = self._columns.index(name)
        shape = stored_shape(self._rates[column], self._shapes[position])
        start, count = int(self._starts[position, column]), math.prod(shape)
        if not count:
            return self._memory.placed(np.zeros(shape))
        return self._numbers[start : start + count].reshape(shape)


def _not_empty(array: Array) -> Array:
    """Return an array, or one number in place of none, so that there is an address."""
    return array if array.size else np.zeros(1)


def _lengths(shapes: Sequence[tuple[int, ...]]) -> Table:
    """Return how many axes each variable has, and their lengths; at rank 0 one of length 1."""
    known = [shape or (1,) for shape in shapes]
    table = np.zeros((len(known), 1 + max(map(len, known))), np.int64)
    for row, shape in enumerate(known):
        table[row, : 1 + len(shape)] = len(shape), *shape
    return table


def _pieces(stacks: Table, panels: Table) -> tuple[Table, ...]:
    """Return the pieces of each of ``KINDS``.

    Args:
        stacks: int64[variables, 3]: matrices, rows and columns of each.
        panels: int64[variables]: how many a matrix has.
    """
    matrices, rows, columns = stacks.T
    filled = stacks.prod(axis=1) > 0
    per_row = np.maximum(1, BLOCK // np.maximum(columns, 1))
    lanes = np.full(len(stacks), LANES)
    return (
        runs_of(stacks, BLOCK),
        _cut(np.where(filled, matrices * rows, 0), per_row),
        _cut(np.where(filled, matrices * panels * columns, 0), lanes),
        _cut(np.where(filled & (panels > 1), matrices * columns, 0), lanes),
    )


def _cut(counts: Table, lengths: Table) -> Table:
    """Return pieces of so many each: variable, first, one behind the last."""
    rows = [
        np.stack([np.full(len(first), v), first, np.minimum(first + step, count)], axis=1)
        for v, (count, step) in enumerate(zip(counts.tolist(), lengths.tolist(), strict=True))
        for first in [np.arange(0, count, step, dtype=np.int64)]
    ]
    return np.concatenate(rows).astype(np.int64)


def _work(pieces: Sequence[Table], stacks: Table) -> tuple[int, ...]:
    """Return how many threads work on each piece of a kind: one per number, or per element."""
    found = []
    for kind, table in zip(KINDS, pieces, strict=True):
        counts, shapes = table[:, 2] - table[:, 1], stacks[table[:, 0]]
        each = {"runs": shapes[:, 1:].max(axis=1), "rows": shapes[:, 2]}.get(kind, 1)
        found.append(threads_for(int((counts * each).max(initial=1))))
    return tuple(found)
