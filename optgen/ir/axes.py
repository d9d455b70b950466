"""A variable as a stack of matrices, and what combines its rows, columns and indices.

The reference interpreter computes with these views.  The last two axes of a variable of rank 2 or
more span its matrices; of a variable of lower rank each number is a matrix of its own, of one row
and one column.  A value per matrix, row or column has as many axes as the stack, with length 1
where it does not vary, so that NumPy's broadcasting combines them.  A value per index is one flat
array, the numbers of one axis after those of the axis before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from optgen.ir.rate import COLUMN, INDEX, MATRIX, ROW, Rate

BLOCK = 4096
LANES = 256
SHORTEST_PANEL = 64

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
Combine = Callable[[Any, Any], Any]


def stacked(shape: Shape) -> tuple[int, int, int]:
    """How many matrices a variable of that shape has, and their numbers of rows and columns."""
    if len(shape) < 2:
        return math.prod(shape), 1, 1
    return math.prod(shape[:-2]), shape[-2], shape[-1]


def view_shape(rate: Rate, shape: Shape) -> Shape:
    """The shape of a value of an axis rate while it is computed with."""
    stack, rows, columns = stacked(shape)
    if rate == INDEX:
        return (sum(shape) if shape else 1,)
    return stack, rows if rate == ROW else 1, columns if rate == COLUMN else 1


def stored_shape(rate: Rate, shape: Shape) -> Shape:
    """The shape of a slot of an axis rate, as users see it."""
    if rate == INDEX:
        return view_shape(rate, shape)
    if len(shape) < 2:
        return shape
    return {ROW: shape[:-1], COLUMN: shape[:-2] + shape[-1:], MATRIX: shape[:-2]}[rate]


def spread(value: Array, shape: Shape) -> Array:
    """A value per matrix, row or column at each element of a variable."""
    return np.broadcast_to(value, stacked(shape)).reshape(shape)


def row_totals(elements: Array, combine: Combine, initial: float) -> Array:
    """One number per row of float64 elements: blocks of lanes folded by halves, then in order.

    A fold begins at the smallest power of two that covers a block: the lanes beyond it hold what
    they started from, which changes nothing.
    """
    stack, rows, columns = stacked(elements.shape)
    values = elements.reshape(-1, columns) if elements.size else np.empty((stack * rows, 0))
    totals = np.full(stack * rows, initial)
    for start in range(0, values.shape[1], BLOCK):
        block = values[:, start : start + BLOCK]
        width = min(LANES, 1 << (block.shape[1] - 1).bit_length())
        lanes = np.full((len(values), width), initial)
        for first in range(0, block.shape[1], width):
            piece = block[:, first : first + width]
            lanes[:, : piece.shape[1]] = combine(lanes[:, : piece.shape[1]], piece)
        while width > 1:
            width //= 2
            lanes = combine(lanes[:, :width], lanes[:, width : 2 * width])
        totals = combine(totals, lanes[:, 0])
    return np.asarray(totals).reshape(stack, rows, 1)


def panel_height(columns: int) -> int:
    """How many rows of a matrix are combined one after the other before panels are."""
    return max(SHORTEST_PANEL, BLOCK // max(columns, 1))


def column_totals(elements: Array, combine: Combine, initial: float) -> Array:
    """One number per column of float64 elements: row after row in each panel, then the panels."""
    stack, rows, columns = stacked(elements.shape)
    values = elements.reshape(stack, rows, columns)
    totals = np.full((stack, columns), initial)
    for start in range(0, rows, panel_height(columns)):
        panel = np.full((stack, columns), initial)
        for row in range(start, min(start + panel_height(columns), rows)):
            panel = combine(panel, values[:, row])
        totals = combine(totals, panel)
    return np.asarray(totals).reshape(stack, 1, columns)


def matrix_totals(numbers: Array, combine: Combine, initial: float) -> Array:
    """One number per matrix: its rows' numbers, one after the other."""
    totals = np.full((numbers.shape[0], 1, 1), initial)
    for row in range(numbers.shape[1]):
        totals = combine(totals, numbers[:, row : row + 1])
    return np.asarray(totals)


def index_maxima(rows: Array, columns: Array, shape: Shape) -> Array:
    """The largest number at each index of each axis, from those of the rows and of the columns."""
    if len(shape) < 2:
        return rows.reshape(-1)
    by_row = rows.reshape(shape[:-1])
    by_column = columns.reshape((*shape[:-2], shape[-1]))
    parts = [_maxima_along(by_row, axis) for axis in range(len(shape) - 1)]
    return np.concatenate([*parts, _maxima_along(by_column, len(shape) - 2)])


def _maxima_along(numbers: Array, axis: int) -> Array:
    others = tuple(other for other in range(numbers.ndim) if other != axis)
    return np.asarray(np.maximum.reduce(numbers, axis=others, initial=-np.inf))


def index_rows(indices: Array, shape: Shape) -> Array:
    """For each row the smallest number of its indices: those of all axes but the last."""
    if len(shape) < 2:
        return indices.reshape(-1, 1, 1)
    smallest = np.full(shape[:-1], np.inf)
    start = 0
    for axis, length in enumerate(shape[:-1]):
        along = [1] * (len(shape) - 1)
        along[axis] = length
        smallest = np.minimum(smallest, indices[start : start + length].reshape(along))
        start += length
    return smallest.reshape(view_shape(ROW, shape))


def index_columns(indices: Array, shape: Shape) -> Array:
    """For each column the number of its index along the last axis."""
    if len(shape) < 2:
        return indices.reshape(-1, 1, 1)
    last = indices[indices.size - shape[-1] :]
    return np.broadcast_to(last, view_shape(COLUMN, shape))
