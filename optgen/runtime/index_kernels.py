"""What generated CPU kernels are compiled against for numbers per index of each axis.

The numbers of one axis lie after those of the axis before it.  The tables are described in
``axis_kernels.py``; a variable of rank 0 has one axis of length 1 there.

Numba's cache does not notice a change in this file, either.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from optgen.runtime.axis_kernels import (
    NUMBERS,
    RUNS,
    SHAPES,
    STARTS,
    axis_columns,
    axis_indices,
    axis_rows,
)
from optgen.runtime.compilation import part_of_kernel
from optgen.runtime.kernels import LAYOUT


@part_of_kernel
def index_rows(tables: Any, run: Any, indices: Any, column: Any) -> None:
    """Find for each row of a run of matrices the smallest number of its indices.

    Args:
        tables: the driver's tables.
        run: row of the table of runs.
        indices: the column of the numbers per index.
        column: the column of the results.
    """
    layout = tables[LAYOUT]
    variable, matrix = tables[RUNS][run, 0], tables[RUNS][run, 1]
    numbers, start = tables[NUMBERS], tables[STARTS][variable, indices]
    out, rows = axis_rows(tables, run, column), tables[SHAPES][variable, 1]
    leading = layout[variable, 0, 1] - 2
    if leading < 0:
        for i in range(out.size):
            out[i] = numbers[start + matrix + i]
    if leading < 0 or out.size == 0:
        return
    own = start
    for axis in range(leading):
        own += layout[variable, 0, 2 + axis]
    for first in range(0, out.size, rows):
        smallest, outer, place = np.inf, matrix, own
        for axis in range(leading - 1, -1, -1):
            length = layout[variable, 0, 2 + axis]
            place -= length
            smallest = np.minimum(smallest, numbers[place + outer % length])
            outer //= length
        for row in range(rows):
            out[first + row] = np.minimum(smallest, numbers[own + row])
        matrix += 1


@part_of_kernel
def index_columns(tables: Any, run: Any, indices: Any, column: Any) -> None:
    """Bring to each column of a run of matrices its number; arguments as for ``index_rows``."""
    layout = tables[LAYOUT]
    variable, matrix = tables[RUNS][run, 0], tables[RUNS][run, 1]
    numbers, start = tables[NUMBERS], tables[STARTS][variable, indices]
    out, columns = axis_columns(tables, run, column), tables[SHAPES][variable, 2]
    rank = layout[variable, 0, 1]
    if rank < 2:
        for i in range(out.size):
            out[i] = numbers[start + matrix + i]
    if rank < 2 or out.size == 0:
        return
    for axis in range(rank - 1):
        start += layout[variable, 0, 2 + axis]
    for first in range(0, out.size, columns):
        for i in range(columns):
            out[first + i] = numbers[start + i]


@part_of_kernel
def index_maxima(tables: Any, variable: Any, rows: Any, columns: Any, column: Any) -> None:
    """Find the largest number at each index of each axis of a variable.

    Args:
        tables: the driver's tables.
        variable: its row.
        rows: the column of the largest numbers per row.
        columns: the column of the largest numbers per column.
        column: the column of the results.
    """
    layout = tables[LAYOUT]
    numbers, out = tables[NUMBERS], axis_indices(tables, variable, column)
    of_rows, of_columns = tables[STARTS][variable, rows], tables[STARTS][variable, columns]
    leading = layout[variable, 0, 1] - 2
    if leading < 0:
        for i in range(out.size):
            out[i] = numbers[of_rows + i]
        return
    out[:] = -np.inf
    own = 0
    for axis in range(leading):
        own += layout[variable, 0, 2 + axis]
    height, width = tables[SHAPES][variable, 1], tables[SHAPES][variable, 2]
    for matrix in range(tables[SHAPES][variable, 0]):
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
            length = layout[variable, 0, 2 + axis]
            place -= length
            index = place + outer % length
            out[index] = np.maximum(out[index], largest)
            outer //= length
