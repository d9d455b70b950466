"""The tables through which kernels see an optimizer's variables, built once at build."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from optgen.runtime.arrays import Array, Table, address_of
from optgen.runtime.axes import AxisSelection, AxisTables, make_axis_tables
from optgen.runtime.description import Mode, Phase
from optgen.runtime.kernels import (
    BLOCK,
    FROM_FLOAT32,
    FROM_FLOAT64,
    IN_PLACE,
    KIND,
    LENGTHS,
    RANK,
)
from optgen.runtime.tables import Description

CHUNKS = BLOCK, 4 * BLOCK
"""Elements of one piece of work: few, so that threads finish together, or more where there are so
many pieces that they do anyway, because each piece begins with a wait for memory."""

_MANY = 32
"""Pieces per thread from which they are the longer ones."""


@dataclass(frozen=True)
class Selection:
    """The part of a group that takes part in a launch.

    Attributes:
        like: empty array of the variables' dtype.
        rows: int64[n], rows of the variables.
        chunks: int64[m, 4]: row, offset in elements, length, index of the first block.
        elements: number of elements in all.
        fixed: the tables that all selections of the group have in common, by name.
        axes: the work on rows and columns; None if the mode has no numbers for these.
    """

    like: Array
    rows: Table
    chunks: Table
    elements: int
    fixed: Mapping[str, Array]
    axes: AxisSelection | None = None

    def rehearsal(self) -> Selection:
        """Return a selection of nothing that is launched in the same way."""
        axes = None if self.axes is None else self.axes.rehearsal()
        rows, chunks = self.rows[:0], self.chunks[:0]
        return Selection(self.like, rows, chunks, self.elements, self.fixed, axes)

    def tables(self, phase: Phase) -> Description:
        """Return the tables for a phase, whose driver gets their address."""
        return self._described if phase.panels is None else self._described_by_panels

    @cached_property
    def _described(self) -> Description:
        return self._description(self.chunks)

    @cached_property
    def _described_by_panels(self) -> Description:
        assert self.axes is not None
        return self._description(self.axes.chunks)

    def _description(self, chunks: Table) -> Description:
        tables = {**self.fixed, "rows": self.rows, "chunks": chunks}
        if self.axes is not None:
            tables |= {"runs": self.axes.runs, "units": self.axes.units}
        return Description(tables)


@dataclass(frozen=True)
class Participants:
    """Which variables have a gradient in a call, as the tables they are in select them.

    Attributes:
        present: those with a gradient.
        absent: those without.
        kind: calls of one program with equal kinds need the same compiled code.
    """

    present: Any
    absent: Any
    kind: Hashable


@dataclass(frozen=True)
class Group:
    """All variables of one dtype, as tables.

    Attributes:
        positions: int64[rows], index at build of the variable in each row.
        pointers: int64[rows, streams], addresses: variable, gradient, average, accumulator, the
            mode's element slots; 0 for what is off.
        layout: int64[rows, 2, 2 + 2 * D]: how variable and gradient lie in memory.
        tensor: float64[rows, columns], one number per variable; never replaced, since slots are
            views of it.
        everything: the selection of all rows.
        axes: the tables of numbers per row, column and index; None if the mode has none.
    """

    positions: Table
    pointers: Table
    layout: Table
    tensor: NDArray[np.float64]
    everything: Selection
    axes: AxisTables | None = None

    @property
    def like(self) -> Array:
        """Empty array of the variables' dtype."""
        return self.everything.like

    def select(self, takes_part: Callable[[int], bool]) -> Selection:
        """Return the selection of the variables whose position passes a test."""
        chosen = np.array(
            [takes_part(position) for position in self.positions.tolist()], dtype=np.bool_
        )
        chunks = self.everything.chunks
        chunks = chunks[chosen[chunks[:, 0]]]
        axes = None if self.axes is None else self.axes.everything.of(chosen)
        rows, elements = np.flatnonzero(chosen), int(chunks[:, 2].sum())
        return Selection(self.like, rows, chunks, elements, self.everything.fixed, axes)


def make_group(
    positions: Sequence[int],
    variables: Sequence[Array],
    streams: Sequence[Sequence[Array | None]],
    mode: Mode,
) -> Group:
    """Build the tables of one dtype.

    Args:
        positions: index of each variable among all that are built.
        variables: arrays of one dtype.
        streams: for each variable its average, accumulator and element slots; None for an average
            or accumulator that is off.
        mode: which numbers there are per variable, per block, per row and column.
    """
    columns = len(mode.columns)
    reductions = max((phase.reductions for phase in mode.phases), default=0)
    axis_tables = make_axis_tables(variables, mode, CHUNKS[0]) if mode.axes else None
    dtype = variables[0].dtype
    blocks = number_blocks(variables)
    pointers = np.array(
        [
            [address_of(variable), 0, *(0 if a is None else address_of(a) for a in arrays)]
            for variable, arrays in zip(variables, streams, strict=True)
        ],
        dtype=np.int64,
    )
    axes = max(1, *(variable.ndim for variable in variables))
    layout = np.zeros((len(variables), 2, LENGTHS + 2 * axes), np.int64)
    for row, variable in enumerate(variables):
        describe(layout[row, 0], variable, dtype)
    tensor = np.zeros((len(variables), max(1, columns)))
    fixed: dict[str, Array] = {
        "blocks": blocks,
        "pointers": pointers,
        "layout": layout,
        "tensor": tensor,
        "block_sums": np.zeros((int(blocks[:, 1].sum()), max(1, reductions))),
        **({} if axis_tables is None else axis_tables.fixed),
    }
    length = CHUNKS[0] if mode.axes else chunk_length(sum(variable.size for variable in variables))
    chunks = spread(cut_chunks(variables, blocks, length), length)
    everything = Selection(
        np.empty(0, dtype),
        np.arange(len(variables), dtype=np.int64),
        chunks,
        int(chunks[:, 2].sum()),
        fixed,
        None if axis_tables is None else axis_tables.everything,
    )
    return Group(
        positions=np.array(positions, np.int64),
        pointers=pointers,
        layout=layout,
        tensor=tensor,
        everything=everything,
        axes=axis_tables,
    )


def chunk_length(elements: int) -> int:
    """Return the length of the pieces of work into which so many elements are cut."""
    short, long = CHUNKS
    return long if elements >= _MANY * numba.get_num_threads() * long else short


def number_blocks(variables: Iterable[Array]) -> Table:
    """Return the first block and the number of blocks of each variable."""
    counts = np.array([-(-variable.size // BLOCK) for variable in variables], np.int64)
    return np.stack([np.cumsum(counts) - counts, counts], axis=1)


def cut_chunks(variables: Iterable[Array], blocks: Table, length: int) -> Table:
    """Return the pieces of work, of a multiple of a block; none for empty variables."""
    rows = [
        (row, offset, min(length, variable.size - offset), blocks[row, 0] + offset // BLOCK)
        for row, variable in enumerate(variables)
        for offset in range(0, variable.size, length)
    ]
    return np.array(rows, np.int64).reshape(-1, 4)


def spread(chunks: Table, length: int) -> Table:
    """Return pieces of work with the short ones evenly between the others, in order otherwise.

    Each thread takes a run of as many pieces as any other, so it should find as many short ones.

    Args:
        chunks: the pieces.
        length: that of all but the short ones.
    """
    is_short = chunks[:, 2] < length
    places = np.empty(len(chunks))
    for part in (is_short, ~is_short):
        count = int(part.sum())
        places[part] = (np.arange(count) + 0.5) / max(1, count)
    return chunks[np.argsort(places, kind="stable")]


def describe(layout: Table, array: Array, dtype: np.dtype[np.floating]) -> None:
    """Write how an array lies in memory.

    Args:
        layout: int64[2 + 2 * D], receives kind, number of axes, D lengths, D byte strides. An
            array of rank 0 is written as one axis of length 1.
        array: variable or gradient.
        dtype: the dtype of the group.
    """
    if array.dtype == dtype and array.flags.c_contiguous and array.flags.aligned:
        layout[KIND] = IN_PLACE
    else:
        layout[KIND] = FROM_FLOAT32 if array.dtype == np.float32 else FROM_FLOAT64
    shape, strides = (array.shape, array.strides) if array.ndim else ((1,), (0,))
    first_stride = LENGTHS + (layout.size - LENGTHS) // 2
    layout[RANK] = len(shape)
    layout[LENGTHS : LENGTHS + len(shape)] = shape
    layout[first_stride : first_stride + len(strides)] = strides
