"""What generated CPU kernels are compiled against to combine and spread rows and columns.

The tables are described in ``tables.py``.

Indices of inner loops are unsigned: a signed one may be negative, which keeps loops from being
vectorised.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import uint64

from optgen.runtime.compilation import part_of_kernel
from optgen.runtime.kernels import BLOCK, LANES, combined

# Views -----------------------------------------------------------------------------------


@part_of_kernel
def _part(tables: Any, run: Any, column: Any, count: Any) -> Any:
    """Return the numbers of a run of matrices that have so many each."""
    variable, first, stop = tables.runs[run, 0], tables.runs[run, 1], tables.runs[run, 2]
    start = tables.starts[variable, column]
    return tables.numbers[start + first * count : start + stop * count]


@part_of_kernel
def axis_matrices(tables: Any, run: Any, column: Any) -> Any:
    """Return the numbers per matrix of a run of matrices, as a view."""
    return _part(tables, run, column, 1)


@part_of_kernel
def axis_rows(tables: Any, run: Any, column: Any) -> Any:
    """Return the numbers per row of a run of matrices, as a view."""
    return _part(tables, run, column, tables.shapes[tables.runs[run, 0], 1])


@part_of_kernel
def axis_columns(tables: Any, run: Any, column: Any) -> Any:
    """Return the numbers per column of a run of matrices, as a view."""
    return _part(tables, run, column, tables.shapes[tables.runs[run, 0], 2])


@part_of_kernel
def matrix_number(tables: Any, run: Any, column: Any) -> Any:
    """Return one of the numbers of the variable of a run of matrices."""
    return tables.tensor[tables.runs[run, 0], column]


@part_of_kernel
def variable_number(tables: Any, variable: Any, column: Any) -> Any:
    """Return one of the numbers of a variable."""
    return tables.tensor[variable, column]


@part_of_kernel
def sum_matrices(sums: Any, rows: Any) -> None:
    """Add the rows' numbers of each matrix, one after the other."""
    height = rows.size // sums.size
    for matrix in range(sums.size):
        total = 0.0
        for row in range(matrix * height, matrix * height + height):
            total += rows[row]
        sums[matrix] = total


# From numbers to elements ----------------------------------------------------------------


@part_of_kernel
def spread_matrices(like: Any, tables: Any, chunk: Any, column: Any) -> Any:
    """Return the numbers per matrix at each element of a chunk, in the dtype of ``like``."""
    chunks = tables.chunks
    variable = chunks[chunk, 0]
    return _spread_runs(like, tables, chunks[chunk], column, tables.shapes[variable, 1:].prod())


@part_of_kernel
def spread_rows(like: Any, tables: Any, chunk: Any, column: Any) -> Any:
    """Return the numbers per row at each element of a chunk, in the dtype of ``like``."""
    chunks = tables.chunks
    variable = chunks[chunk, 0]
    return _spread_runs(like, tables, chunks[chunk], column, tables.shapes[variable, 2])


@part_of_kernel
def _spread_runs(like: Any, tables: Any, chunk: Any, column: Any, length: Any) -> Any:
    """Return numbers that belong to so many neighbouring elements each, at each of these."""
    variable, offset, count = chunk[0], chunk[1], chunk[2]
    numbers, start = tables.numbers, tables.starts[variable, column]
    out = np.empty(count, like.dtype)
    real = like.dtype.type
    if length == 1:
        origin = uint64(start + offset)
        for i in range(uint64(count)):
            out[i] = real(numbers[origin + i])
        return out
    place = start + offset // length
    done, stop = 0, min(length - offset % length, count)
    while done < count:
        value = real(numbers[place])
        for i in range(uint64(done), uint64(stop)):
            out[i] = value
        done, stop, place = stop, min(stop + length, count), place + 1
    return out


@part_of_kernel
def spread_columns(like: Any, tables: Any, chunk: Any, column: Any) -> Any:
    """Return the numbers per column at each element of a chunk, in the dtype of ``like``."""
    chunks = tables.chunks
    variable, offset, count = chunks[chunk, 0], chunks[chunk, 1], chunks[chunk, 2]
    numbers, start = tables.numbers, tables.starts[variable, column]
    rows, columns = tables.shapes[variable, 1], tables.shapes[variable, 2]
    out = np.empty(count, like.dtype)
    real = like.dtype.type
    if rows == 1:
        origin = uint64(start + offset)
        for i in range(uint64(count)):
            out[i] = real(numbers[origin + i])
        return out
    matrix = offset // (rows * columns)
    row = (offset - matrix * rows * columns) // columns
    first = offset % columns
    done = 0
    while done < count:
        length = min(columns - first, count - done)
        source, target = uint64(start + matrix * columns + first), uint64(done)
        for i in range(uint64(length)):
            out[target + i] = real(numbers[source + i])
        done += length
        first = 0
        row += 1
        if row == rows:
            row, matrix = 0, matrix + 1
    return out


# From elements to numbers ----------------------------------------------------------------


@part_of_kernel
def scratch(tables: Any, chunk: Any) -> Any:
    """Return float64 numbers for the elements of a chunk, to be written."""
    return np.empty(tables.chunks[chunk, 2])


@part_of_kernel
def sums_of_rows(values: Any, tables: Any, chunk: Any, column: Any) -> None:
    """Add up the elements of each row of a chunk; of a part of a row, to those before it."""
    _combine_rows(None, 0.0, values, tables, chunk, column)


@part_of_kernel
def maxima_of_rows(values: Any, tables: Any, chunk: Any, column: Any) -> None:
    """As ``sums_of_rows``, but the largest element."""
    _combine_rows(1, -np.inf, values, tables, chunk, column)


@part_of_kernel
def _combine_rows(
    largest: Any, initial: Any, values: Any, tables: Any, chunk: Any, column: Any
) -> None:
    chunks = tables.chunks
    variable, offset, count = chunks[chunk, 0], chunks[chunk, 1], chunks[chunk, 2]
    numbers, columns = tables.numbers, tables.shapes[variable, 2]
    place = tables.starts[variable, column] + offset // columns
    if columns == 1:
        origin = uint64(place)
        for i in range(uint64(count)):
            numbers[origin + i] = combined(largest, initial, values[i])
        return
    if columns <= 4:
        _combine_short_rows(largest, initial, values, columns, numbers[place:])
        return
    width = LANES
    while width // 2 >= columns:
        width //= 2
    lanes = np.empty(LANES)
    first = offset % columns
    done = 0
    while done < count:
        length = min(columns - first, count - done)
        total = initial if first == 0 else numbers[place]
        for start in range(done, done + length, BLOCK):
            stop = min(start + BLOCK, done + length)
            total = combined(
                largest, total, _combine_block(largest, initial, values, start, stop, lanes, width)
            )
        numbers[place] = total
        done += length
        first = 0
        place += 1


@part_of_kernel
def _combine_short_rows(largest: Any, initial: Any, values: Any, columns: Any, out: Any) -> None:
    """Combine rows of two to four elements: four lanes, without an array for them."""
    for row in range(uint64(values.size // columns)):
        start = row * uint64(columns)
        first = combined(largest, initial, values[start])
        second = combined(largest, initial, values[start + uint64(1)])
        third, fourth = initial, initial
        if columns > 2:
            third = combined(largest, initial, values[start + uint64(2)])
        if columns > 3:
            fourth = combined(largest, initial, values[start + uint64(3)])
        halves = combined(largest, first, third), combined(largest, second, fourth)
        out[row] = combined(largest, initial, combined(largest, halves[0], halves[1]))


@part_of_kernel
def _combine_block(
    largest: Any, initial: Any, values: Any, start: Any, stop: Any, lanes: Any, width: Any
) -> Any:
    """Return what lanes, which cover the elements or are ``LANES``, combine; folded by halves."""
    for lane in range(width):
        lanes[lane] = initial
    for first in range(start, stop, width):
        origin = uint64(first)
        for lane in range(uint64(min(width, stop - first))):
            lanes[lane] = combined(largest, lanes[lane], values[origin + lane])
    while width > 1:
        width //= 2
        for lane in range(width):
            lanes[lane] = combined(largest, lanes[lane], lanes[lane + width])
    return lanes[0]


@part_of_kernel
def sums_of_columns(values: Any, tables: Any, chunk: Any, column: Any, reduction: Any) -> None:
    """Add up the elements of each column of each panel of a chunk, to those of the rows before.

    Args:
        values: float64, the elements of the chunk.
        tables: the driver's tables.
        chunk: row of the table of chunks.
        column: where the results are, for matrices of one panel.
        reduction: row of the panel sums, for others.
    """
    _combine_columns(None, 0.0, values, tables, chunk, column, reduction)


@part_of_kernel
def maxima_of_columns(values: Any, tables: Any, chunk: Any, column: Any, reduction: Any) -> None:
    """As ``sums_of_columns``, but the largest element."""
    _combine_columns(1, -np.inf, values, tables, chunk, column, reduction)


@part_of_kernel
def _combine_columns(
    largest: Any, initial: Any, values: Any, tables: Any, chunk: Any, column: Any, reduction: Any
) -> None:
    chunks = tables.chunks
    variable, offset, count = chunks[chunk, 0], chunks[chunk, 1], chunks[chunk, 2]
    rows, columns = tables.shapes[variable, 1], tables.shapes[variable, 2]
    panels, height = tables.panels[variable, 1], tables.panels[variable, 2]
    target, start = tables.numbers, tables.starts[variable, column]
    if panels > 1:
        target, start = tables.panel_sums[reduction], tables.panels[variable, 0]
    if rows == 1:
        origin = uint64(start + offset)
        for i in range(uint64(count)):
            target[origin + i] = combined(largest, initial, values[i])
        return
    matrix = offset // (rows * columns)
    row = (offset - matrix * rows * columns) // columns
    first = offset % columns
    in_panel = row % height
    start += (matrix * panels + row // height) * columns
    done = 0
    while done < count:
        length = min(columns - first, count - done)
        place, source = uint64(start + first), uint64(done)
        if in_panel == 0:
            for i in range(uint64(length)):
                target[place + i] = combined(largest, initial, values[source + i])
        else:
            for i in range(uint64(length)):
                target[place + i] = combined(largest, target[place + i], values[source + i])
        done += length
        first = 0
        row += 1
        in_panel += 1
        if row == rows:
            row, in_panel, start = 0, 0, start + columns
        elif in_panel == height:
            in_panel, start = 0, start + columns


@part_of_kernel
def fold_panels(variable: Any, tables: Any, column: Any, reduction: Any) -> None:
    """Add the panels of each matrix of a variable in index order, if it has several."""
    _combine_panels(None, 0.0, variable, tables, column, reduction)


@part_of_kernel
def fold_panels_maximum(variable: Any, tables: Any, column: Any, reduction: Any) -> None:
    """As ``fold_panels``, but the largest."""
    _combine_panels(1, -np.inf, variable, tables, column, reduction)


@part_of_kernel
def _combine_panels(
    largest: Any, initial: Any, variable: Any, tables: Any, column: Any, reduction: Any
) -> None:
    panels, source = tables.panels[variable, 1], tables.panels[variable, 0]
    if panels < 2:
        return
    numbers, start = tables.numbers, tables.starts[variable, column]
    sums, columns = tables.panel_sums[reduction], tables.shapes[variable, 2]
    for matrix in range(tables.shapes[variable, 0]):
        place = uint64(start + matrix * columns)
        for i in range(uint64(columns)):
            numbers[place + i] = initial
        for panel in range(matrix * panels, matrix * panels + panels):
            origin = uint64(source + panel * columns)
            for i in range(uint64(columns)):
                numbers[place + i] = combined(largest, numbers[place + i], sums[origin + i])
