"""What generated CUDA kernels call for numbers per index of each axis.

The numbers of one axis lie after those of the axis before it.  The tables are described in
``axis_kernels.py``.  The functions mean what those of the same names in
``runtime/index_kernels.py`` mean; each thread of a block finds some of the results.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float64

from optgen.runtime.cuda.axis_kernels import (
    LENGTH_COUNT,
    LENGTHS,
    NUMBERS,
    axis_columns,
    axis_numbers,
    axis_rows,
    axis_start,
    piece_of,
    range_of_block,
    shape_of,
)
from optgen.runtime.cuda.compilation import device, inlined
from optgen.runtime.cuda.kernels import VARIABLE_COUNT
from optgen.runtime.cuda.primitives import int64_table, maximum, minimum, vector


@inlined
def _lengths(tables: Any) -> Any:
    """Return the table of the lengths of axes."""
    return int64_table(tables[LENGTHS], tables[VARIABLE_COUNT], tables[LENGTH_COUNT])


@device
def _rank(tables: Any, variable: Any) -> Any:
    return _lengths(tables)[variable, 0]


@device
def _before(tables: Any, variable: Any, axis: Any) -> Any:
    """Return how many indices the axes in front of one have."""
    lengths, count = _lengths(tables), 0
    for other in range(axis):
        count += lengths[variable, 1 + other]
    return count


@inlined
def axis_indices(tables: Any, variable: Any, column: Any) -> Any:
    """Return the numbers per index of a variable, as a view."""
    start = axis_start(tables, variable, column)
    count = _before(tables, variable, _rank(tables, variable))
    return vector(float64(0.0), tables[NUMBERS] + start * 8, count)


@device
def index_rows(run: Any, tables: Any, indices: Any, column: Any) -> None:
    """Find for each row of a run of matrices the smallest number of its indices.

    Args:
        run: row of the table of pieces.
        tables: the kernel's tables.
        indices: the column of the numbers per index.
        column: the column of the results.
    """
    variable, matrix, _ = piece_of(tables, run)
    numbers, start = axis_numbers(tables), axis_start(tables, variable, indices)
    out, lengths = axis_rows(tables, run, column), _lengths(tables)
    rows, leading = shape_of(tables, variable)[1], _rank(tables, variable) - 2
    own = start + _before(tables, variable, leading)
    for i in range_of_block(out.size):
        if leading < 0:
            out[i] = numbers[start + matrix + i]
        else:
            smallest, outer, place = np.inf, matrix + i // rows, own
            for axis in range(leading - 1, -1, -1):
                length = lengths[variable, 1 + axis]
                place -= length
                smallest = minimum(smallest, numbers[place + outer % length])
                outer //= length
            out[i] = minimum(smallest, numbers[own + i % rows])


@device
def index_columns(run: Any, tables: Any, indices: Any, column: Any) -> None:
    """Bring to each column of a run of matrices its number; arguments as for ``index_rows``."""
    variable, matrix, _ = piece_of(tables, run)
    numbers, start = axis_numbers(tables), axis_start(tables, variable, indices)
    out, columns = axis_columns(tables, run, column), shape_of(tables, variable)[2]
    rank = _rank(tables, variable)
    own = start + _before(tables, variable, rank - 1)
    for i in range_of_block(out.size):
        out[i] = numbers[start + matrix + i] if rank < 2 else numbers[own + i % columns]


@device
def index_maxima(
    variable: Any, tables: Any, row_maxima: Any, column_maxima: Any, column: Any
) -> None:
    """Find the largest number at each index of each axis of a variable.

    Args:
        variable: its row.
        tables: the kernel's tables.
        row_maxima: where in the table of numbers those per row of its matrices are.
        column_maxima: where those per column are.
        column: where the results are.
    """
    numbers, lengths = axis_numbers(tables), _lengths(tables)
    out, rank = axis_indices(tables, variable, column), _rank(tables, variable)
    of_rows = axis_start(tables, variable, row_maxima)
    of_columns = axis_start(tables, variable, column_maxima)
    matrices, height, width = shape_of(tables, variable)
    for i in range_of_block(out.size):
        if rank < 2:
            out[i] = numbers[of_rows + i]
        else:
            axis, index = 0, i
            while index >= lengths[variable, 1 + axis]:
                index -= lengths[variable, 1 + axis]
                axis += 1
            if axis == rank - 1:
                out[i] = _largest(numbers, of_columns + index, matrices, width, 1)
            elif axis == rank - 2:
                out[i] = _largest(numbers, of_rows + index, matrices, height, 1)
            else:
                inner = height
                for other in range(axis + 1, rank - 2):
                    inner *= lengths[variable, 1 + other]
                step = lengths[variable, 1 + axis] * inner
                count = matrices * height // max(step, 1)
                out[i] = _largest(numbers, of_rows + index * inner, count, step, inner)


@device
def _largest(numbers: Any, start: Any, count: Any, step: Any, neighbours: Any) -> Any:
    """Return the largest of several groups of neighbouring numbers; minus infinity of none."""
    largest = -np.inf
    for group in range(start, start + count * step, max(step, 1)):
        for place in range(group, group + neighbours):
            largest = maximum(largest, numbers[place])
    return largest
