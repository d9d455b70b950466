"""The tables of numbers per matrix, row, column and index of variables, built once at build.

What stands in them is said in ``tables.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optgen.runtime.arrays import Array, Table
from optgen.runtime.description import Mode
from optgen.runtime.kernels import BLOCK

Shape = tuple[int, ...]

SHORTEST_PANEL = 64
"""Rows of a panel at least; columns are combined row after row within one."""


@dataclass(frozen=True)
class AxisSelection:
    """The part of the work on rows and columns that takes part in a launch.

    Attributes:
        runs: int64[n, 3]: variable, first matrix, matrix behind the last.
        units: int64[m, 3]: variable, first chunk, chunk behind the last.
        chunks: int64[k, 4]: the chunks of all units, those of others included.
    """

    runs: Table
    units: Table
    chunks: Table

    def of(self, chosen: NDArray[np.bool_]) -> AxisSelection:
        """Return the part for variables that are chosen."""
        runs, units = chosen[self.runs[:, 0]], chosen[self.units[:, 0]]
        return AxisSelection(self.runs[runs], self.units[units], self.chunks)

    def rehearsal(self) -> AxisSelection:
        """Return a selection of nothing."""
        return AxisSelection(self.runs[:0], self.units[:0], self.chunks)


@dataclass(frozen=True)
class AxisTables:
    """The numbers per matrix, row, column and index of all variables of one dtype.

    Attributes:
        names: the names of the columns.
        rates: their rates.
        shapes_of_variables: the shapes of the variables.
        fixed: the tables that all selections have in common, by name.
        everything: the selection of all variables.
    """

    names: tuple[str, ...]
    rates: tuple[str, ...]
    shapes_of_variables: tuple[Shape, ...]
    fixed: Mapping[str, Array]
    everything: AxisSelection

    def slot(self, row: int, name: str) -> Array:
        """Return the numbers of a variable in the shape that users see, as a view."""
        column = self.names.index(name)
        shape = stored_shape(self.rates[column], self.shapes_of_variables[row])
        start = int(self.fixed["starts"][row, column])
        return self.fixed["numbers"][start : start + math.prod(shape)].reshape(shape)


def stacked(shape: Shape) -> tuple[int, int, int]:
    """Return how many matrices a variable of a shape has, and their rows and columns."""
    if len(shape) < 2:
        return math.prod(shape), 1, 1
    return math.prod(shape[:-2]), shape[-2], shape[-1]


def stored_shape(rate: str, shape: Shape) -> Shape:
    """Return the shape of the numbers of a rate of a variable.

    Args:
        rate: ``"matrix"``, ``"row"``, ``"column"`` or ``"index"``.
        shape: the variable's shape.
    """
    if rate == "index":
        return (sum(shape) if shape else 1,)
    if len(shape) < 2:
        return shape
    return {"row": shape[:-1], "column": (*shape[:-2], shape[-1]), "matrix": shape[:-2]}[rate]


def initial_numbers(shapes: Sequence[Shape], mode: Mode) -> tuple[NDArray[np.float64], Table]:
    """Return all numbers of variables as they are at first, and where those of a column start.

    Args:
        shapes: those of the variables.
        mode: which numbers there are.

    Returns:
        float64[numbers] and int64[variables, columns].
    """
    _, rates, initial = zip(*mode.axes, strict=True)
    counts = np.array(
        [[math.prod(stored_shape(rate, shape)) for rate in rates] for shape in shapes], np.int64
    )
    starts = (np.cumsum(counts.reshape(-1)) - counts.reshape(-1)).reshape(counts.shape)
    numbers = np.repeat(np.tile(np.array(initial, np.float64), len(shapes)), counts.reshape(-1))
    return numbers, starts


def panels_of(stacks: Table) -> tuple[Table, int]:
    """Return the table of panels, and how many numbers per column of a panel are kept in all."""
    height = np.maximum(SHORTEST_PANEL, BLOCK // np.maximum(stacks[:, 2], 1))
    count = -(-stacks[:, 1] // height)
    kept = np.where(count > 1, stacks[:, 0] * count * stacks[:, 2], 0)
    return np.stack([np.cumsum(kept) - kept, count, height], axis=1), int(kept.sum())


def runs_of(stacks: Table, chunk: int) -> Table:
    """Return the pieces of work on numbers: as many matrices as have a chunk of elements."""
    rows: list[tuple[int, int, int]] = []
    for variable, (stack, height, width) in enumerate(stacks.tolist()):
        step = max(1, chunk // max(1, height * width))
        rows += [(variable, m, min(m + step, stack)) for m in range(0, stack, step)]
    return np.array(rows, np.int64).reshape(-1, 3)


def make_axis_tables(variables: Sequence[Array], mode: Mode, chunk: int) -> AxisTables:
    """Build the tables.

    Args:
        variables: arrays of one dtype.
        mode: which numbers there are.
        chunk: elements of one piece of work, about.
    """
    names, rates, _ = zip(*mode.axes, strict=True)
    shapes = tuple(variable.shape for variable in variables)
    numbers, starts = initial_numbers(shapes, mode)
    stacks = np.array([stacked(shape) for shape in shapes], np.int64)
    panels, length = panels_of(stacks)
    reductions = max((phase.panels or 0 for phase in mode.phases), default=0)
    chunks, units = _cut(stacks, panels[:, 2], chunk)
    return AxisTables(
        names,
        rates,
        shapes,
        {
            "numbers": numbers,
            "starts": starts,
            "shapes": stacks,
            "panel_sums": np.zeros((reductions, length)),
            "panels": panels,
        },
        AxisSelection(runs_of(stacks, chunk), units, chunks),
    )


def _cut(stacks: Table, heights: Table, chunk: int) -> tuple[Table, Table]:
    """Return the chunks of work on whole rows, and the units that they make up."""
    chunks: list[tuple[int, int, int, int]] = []
    units: list[tuple[int, int, int]] = []
    for variable, (stack, rows, columns) in enumerate(stacks.tolist()):
        for start, stop in _units(stack, rows, columns, int(heights[variable]), chunk):
            first = len(chunks)
            chunks += [
                (variable, offset, length, 0)
                for offset, length in _pieces(start * columns, stop * columns, columns, chunk)
            ]
            units.append((variable, first, len(chunks)))
    return np.array(chunks, np.int64).reshape(-1, 4), np.array(units, np.int64).reshape(-1, 3)


def _units(
    stack: int, rows: int, columns: int, height: int, chunk: int
) -> Iterator[tuple[int, int]]:
    """Give the rows of each unit, counted through all matrices: of matrices, or panels of one."""
    size = rows * columns
    if size == 0:
        return
    if size <= chunk:
        step = chunk // size * rows
        yield from ((r, min(r + step, stack * rows)) for r in range(0, stack * rows, step))
        return
    step = height * max(1, chunk // (height * columns))
    for matrix in range(0, stack * rows, rows):
        for row in range(0, rows, step):
            yield matrix + row, matrix + min(row + step, rows)


def _pieces(start: int, stop: int, columns: int, chunk: int) -> Iterator[tuple[int, int]]:
    """Give offset and length of the chunks of a unit: whole rows, or parts of long ones."""
    if columns <= chunk:
        length = chunk // columns * columns
        yield from ((i, min(length, stop - i)) for i in range(start, stop, length))
        return
    for row in range(start, stop, columns):
        for offset in range(row, row + columns, chunk):
            yield offset, min(chunk, row + columns - offset)
