"""What generated CPU kernels are compiled against for numbers per index of each axis.

The numbers of one axis lie after those of the axis before it.  The tables are described in
``tables.py``; a variable of rank 0 has one axis of length 1 there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optgen.runtime.axis_kernels import axis_columns, axis_rows
from optgen.runtime.compilation import part_of_kernel
from optgen.runtime.kernels import LENGTHS, RANK


@part_of_kernel
def _lengths(tables: Any, variable: Any) -> Any:
    """Return the lengths of a variable's axes, as a view."""
    layout = tables.layout
    return layout[variable, 0, LENGTHS : LENGTHS + layout[variable, 0, RANK]]


@part_of_kernel
def axis_indices(tables: Any, variable: Any, column: Any) -> Any:
    """Return the numbers per index of a variable, as a view."""
    start = tables.starts[variable, column]
    return tables.numbers[start : start + _lengths(tables, variable).sum()]


@part_of_kernel
def index_rows(run: Any, tables: Any, indices: Any, column: Any) -> None:
    """Find for each row of a run of matrices the smallest number of its indices.

    Args:
        run: row of the table of runs.
        tables: the driver's tables.
        indices: the column of the numbers per index.
        column: the column of the results.
    """
    variable, matrix = tables.runs[run, 0], tables.runs[run, 1]
    numbers, lengths = axis_indices(tables, variable, indices), _lengths(tables, variable)
    out, height = axis_rows(tables, run, column), tables.shapes[variable, 1]
    leading = lengths.size - 2
    if leading < 0:
        out[:] = numbers[matrix : matrix + out.size]
    if leading < 0 or out.size == 0:
        return
    own = lengths[:leading].sum()
    for first in range(0, out.size, height):
        smallest, outer, place = np.inf, matrix, own
        for axis in range(leading - 1, -1, -1):
            place -= lengths[axis]
            smallest = np.minimum(smallest, numbers[place + outer % lengths[axis]])
            outer //= lengths[axis]
        for row in range(height):
            out[first + row] = np.minimum(smallest, numbers[own + row])
        matrix += 1


@part_of_kernel
def index_columns(run: Any, tables: Any, indices: Any, column: Any) -> None:
    """Bring to each column of a run of matrices its number; arguments as for ``index_rows``."""
    variable, matrix = tables.runs[run, 0], tables.runs[run, 1]
    numbers, lengths = axis_indices(tables, variable, indices), _lengths(tables, variable)
    out, width = axis_columns(tables, run, column), tables.shapes[variable, 2]
    if lengths.size < 2:
        out[:] = numbers[matrix : matrix + out.size]
    if lengths.size < 2 or out.size == 0:
        return
    own = numbers[numbers.size - width :]
    for first in range(0, out.size, width):
        out[first : first + width] = own


@part_of_kernel
def index_maxima(
    variable: Any, tables: Any, row_maxima: Any, column_maxima: Any, column: Any
) -> None:
    """Find the largest number at each index of each axis of a variable.

    Args:
        variable: its row.
        tables: the driver's tables.
        row_maxima: where in the table of numbers those per row of its matrices are.
        column_maxima: where those per column are.
        column: where the results are.
    """
    numbers, lengths = tables.numbers, _lengths(tables, variable)
    of_rows = tables.starts[variable, row_maxima]
    of_columns = tables.starts[variable, column_maxima]
    out, leading = axis_indices(tables, variable, column), lengths.size - 2
    if leading < 0:
        out[:] = numbers[of_rows : of_rows + out.size]
        return
    out[:] = -np.inf
    own = lengths[:leading].sum()
    height, width = tables.shapes[variable, 1], tables.shapes[variable, 2]
    for matrix in range(tables.shapes[variable, 0]):
        largest = -np.inf
        for row in range(height):
            number = numbers[of_rows + matrix * height + row]
            out[own + row] = np.maximum(out[own + row], number)
            largest = np.maximum(largest, number)
        for i in range(width):
            number = numbers[of_columns + matrix * width + i]
            out[own + height + i] = np.maximum(out[own + height + i], number)
        outer, place = matrix, own
        for axis in range(leading - 1, -1, -1):
            place -= lengths[axis]
            index = place + outer % lengths[axis]
            out[index] = np.maximum(out[index], largest)
            outer //= lengths[axis]
