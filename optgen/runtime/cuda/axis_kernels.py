"""What generated CUDA kernels call to combine and spread rows and columns.

The kernels of phases that read or write numbers per matrix, row, column or index have more entries
in their ``tables`` than ``kernels.py`` says.  A variable is a stack of matrices, which its last two
axes span; below rank 2 each of its numbers is a matrix of one row and one column.

16. numbers, float64[...]: all of them; those of one variable and column lie together, in C order;
17. starts, int64[variables, columns]: where they start;
18. shapes, int64[variables, 3]: matrices, rows of each, columns of each;
19. panel sums, float64[reductions, ...]: results for panels, for matrices of several;
20. panels, int64[variables, 3]: where a variable's results for panels start, panels of each of its
   matrices, rows of each panel;
21. lengths, int64[variables, 1 + axes]: how many axes, and their lengths; one of 1 at rank 0;
22. values, float64[arrays, elements]: what loops hand over to be combined;
23. places, int64[variables, 1]: where the elements of a variable start in each of these arrays;
24. pieces, int64[pieces, 3]: of the work of the launch, a block of threads for each: variable,
   first, one behind the last; what is counted depends on the kernel;
25. how many numbers, columns of starts, panel sums of a reduction, columns of lengths, elements,
   and pieces there are.

The functions mean what those of the same names in ``runtime/axis_kernels.py`` mean, and add in the
same order.  On the host a loop combines the elements of its chunk while a cache holds them; a
device has no place for what many blocks of threads have in common, so that a loop leaves the
elements in memory, and kernels of their own combine them:  rows by a block of threads for some
rows, columns by a thread for each column of a panel, panels by a thread for each column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float64, uint64

from optgen.runtime.cuda.compilation import device, inlined
from optgen.runtime.cuda.kernels import BLOCK, LANES, ROW_COUNT, ROWS, VARIABLE_COUNT, numbers
from optgen.runtime.cuda.primitives import cuda, int64_table, maximum, rounded, vector

NUMBERS, STARTS, SHAPES, PANEL_SUMS, PANELS, LENGTHS, VALUES, PLACES, PIECES = range(16, 25)
"""Which addresses stand where in the tables, behind those of every kernel."""

NUMBER_COUNT, COLUMN_COUNT, PANEL_COUNT, LENGTH_COUNT, ELEMENT_COUNT, PIECE_COUNT = range(25, 31)
"""Which counts stand where in the tables, behind these."""


@device
def combined(largest: Any, x: Any, y: Any) -> Any:
    """Return the larger of two numbers, or unless ``largest`` is true, which is known, the sum."""
    if largest:
        return maximum(x, y)
    return x + y


# Views -----------------------------------------------------------------------------------


@inlined
def axis_numbers(tables: Any) -> Any:
    """Return the numbers of all variables, float64[numbers]."""
    return vector(float64(0.0), tables[NUMBERS], tables[NUMBER_COUNT])


@device
def axis_start(tables: Any, variable: Any, column: Any) -> Any:
    """Return where the numbers of a variable in a column start among all."""
    return int64_table(tables[STARTS], tables[VARIABLE_COUNT], tables[COLUMN_COUNT])[
        variable, column
    ]


@device
def shape_of(tables: Any, variable: Any) -> Any:
    """Return how many matrices a variable has, and how many rows and columns each."""
    shapes = int64_table(tables[SHAPES], tables[VARIABLE_COUNT], 3)
    return shapes[variable, 0], shapes[variable, 1], shapes[variable, 2]


@device
def piece_of(tables: Any, index: Any) -> Any:
    """Return a piece of work: variable, first, one behind the last."""
    pieces = int64_table(tables[PIECES], tables[PIECE_COUNT], 3)
    return pieces[index, 0], pieces[index, 1], pieces[index, 2]


@device
def variable_of_block(tables: Any) -> Any:
    """Return the variable of a block of threads, in a launch of one for each."""
    return int64_table(tables[ROWS], tables[ROW_COUNT], 1)[cuda.blockIdx.x, 0]


@device
def range_of_block(length: Any) -> Any:
    """Return the indices that a thread takes of ``length`` that its block shares."""
    return range(cuda.threadIdx.x, length, cuda.blockDim.x)


@inlined
def _part(tables: Any, run: Any, column: Any, count: Any) -> Any:
    """Return the numbers of a run of matrices that have so many each."""
    variable, first, stop = piece_of(tables, run)
    start = axis_start(tables, variable, column) + first * count
    return vector(float64(0.0), tables[NUMBERS] + start * 8, (stop - first) * count)


@inlined
def axis_matrices(tables: Any, run: Any, column: Any) -> Any:
    """Return the numbers per matrix of a run of matrices, as a view."""
    return _part(tables, run, column, 1)


@inlined
def axis_rows(tables: Any, run: Any, column: Any) -> Any:
    """Return the numbers per row of a run of matrices, as a view."""
    return _part(tables, run, column, shape_of(tables, piece_of(tables, run)[0])[1])


@inlined
def axis_columns(tables: Any, run: Any, column: Any) -> Any:
    """Return the numbers per column of a run of matrices, as a view."""
    return _part(tables, run, column, shape_of(tables, piece_of(tables, run)[0])[2])


@device
def matrix_number(tables: Any, run: Any, column: Any) -> Any:
    """Return one of the numbers of the variable of a run of matrices."""
    return numbers(tables)[piece_of(tables, run)[0], column]


@device
def variable_number(tables: Any, variable: Any, column: Any) -> Any:
    """Return one of the numbers of a variable."""
    return numbers(tables)[variable, column]


@device
def sum_matrices(sums: Any, rows: Any) -> None:
    """Add the rows' numbers of each matrix, one after the other.

    A thread adds those of a matrix; if these are many, all threads of the block fetch them.
    """
    height = rows.size // sums.size
    if height <= LANES:
        for matrix in range_of_block(sums.size):
            total = 0.0
            for row in range(matrix * height, matrix * height + height):
                total += rows[row]
            sums[matrix] = total
    else:
        for matrix in range(sums.size):
            _sum_matrix(sums, rows, matrix, height)


@device
def _sum_matrix(sums: Any, rows: Any, matrix: Any, height: Any) -> None:
    fetched = cuda.shared.array(LANES, float64)
    total = 0.0
    for start in range(0, height, LANES):
        size = min(LANES, height - start)
        for lane in range_of_block(size):
            fetched[lane] = rows[matrix * height + start + lane]
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            for lane in range(size):
                total += fetched[lane]
        cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        sums[matrix] = total


# From numbers to elements ----------------------------------------------------------------


@device
def spread_matrices(like: Any, tables: Any, chunk: Any, column: Any) -> Any:
    """Return where ``number_of_row`` finds the numbers per matrix at the elements of a chunk."""
    _, rows, columns = shape_of(tables, chunk[0])
    return _spread(like, tables, chunk, column, rows * columns, 1)


@device
def spread_rows(like: Any, tables: Any, chunk: Any, column: Any) -> Any:
    """Return where ``number_of_row`` finds the numbers per row at the elements of a chunk."""
    return _spread(like, tables, chunk, column, shape_of(tables, chunk[0])[2], 1)


@device
def spread_columns(like: Any, tables: Any, chunk: Any, column: Any) -> Any:
    """Return where ``number_of_column`` finds the numbers per column at a chunk's elements."""
    _, rows, columns = shape_of(tables, chunk[0])
    return _spread(like, tables, chunk, column, rows * columns, columns)


@device
def _spread(
    like: Any, tables: Any, chunk: Any, column: Any, length: Any, columns: Any
) -> tuple[Any, ...]:
    """Return what a number at an element of a chunk is found by.

    Args:
        like: a number of the type of the elements.
        tables: the kernel's tables.
        chunk: variable and first element.
        column: which numbers.
        length: how many neighbouring elements have one number, or the same several.
        columns: how many numbers these elements have.

    Returns:
        ``like``; address and count of all numbers; where the variable's start; the chunk's first
        element; ``length`` and ``columns``.
    """
    start = axis_start(tables, chunk[0], column)
    return like, tables[NUMBERS], tables[NUMBER_COUNT], start, chunk[1], length, columns


@device
def number_of_row(spread: Any, i: Any) -> Any:
    """Return the number of the row, or matrix, of element ``i`` of a chunk, in the dtype wanted."""
    like, address, count, start, offset, length, _ = spread
    place = uint64(start) + (uint64(offset) + uint64(i)) // uint64(length)
    return rounded(like, vector(float64(0.0), address, count)[place])


@device
def number_of_column(spread: Any, i: Any) -> Any:
    """Return the number of the column of element ``i`` of a chunk, in the dtype wanted."""
    like, address, count, start, offset, size, columns = spread
    position = uint64(offset) + uint64(i)
    matrix = position // uint64(size)
    place = uint64(start) + matrix * uint64(columns) + position % uint64(columns)
    return rounded(like, vector(float64(0.0), address, count)[place])


# From elements to numbers ----------------------------------------------------------------


@inlined
def scratch(tables: Any, chunk: Any, array: Any) -> Any:
    """Return what a chunk's loop hands over in one of the arrays of values, to be written."""
    place = int64_table(tables[PLACES], tables[VARIABLE_COUNT], 1)[chunk[0], 0]
    start = array * tables[ELEMENT_COUNT] + place + chunk[1]
    return vector(float64(0.0), tables[VALUES] + start * 8, chunk[2])


@inlined
def _values(tables: Any, variable: Any, array: Any) -> Any:
    """Return what loops handed over of a variable, and of those behind it."""
    place = int64_table(tables[PLACES], tables[VARIABLE_COUNT], 1)[variable, 0]
    count = tables[ELEMENT_COUNT]
    return vector(float64(0.0), tables[VALUES] + (array * count + place) * 8, count - place)


@device
def sums_of_rows(tables: Any, array: Any, column: Any) -> None:
    """Add up the elements of each row of a piece of rows, counted through all matrices.

    Args:
        tables: the kernel's tables.
        array: which of the arrays of values.
        column: where the results are.
    """
    _combine_rows(False, 0.0, tables, array, column)


@device
def maxima_of_rows(tables: Any, array: Any, column: Any) -> None:
    """As ``sums_of_rows``, but the largest element."""
    _combine_rows(True, -np.inf, tables, array, column)


@device
def _combine_rows(largest: Any, initial: Any, tables: Any, array: Any, column: Any) -> None:
    """Combine rows: as many lanes for each as cover its columns, so that several fit at once."""
    lanes = cuda.shared.array(LANES, float64)
    variable, first, stop = piece_of(tables, cuda.blockIdx.x)
    columns = shape_of(tables, variable)[2]
    values, out = _values(tables, variable, array), axis_numbers(tables)
    origin = axis_start(tables, variable, column)
    width = LANES
    while width // 2 >= columns:
        width //= 2
    for row in range(first, stop, LANES // width):
        for start in range(0, columns, BLOCK):
            for lane in range_of_block(LANES):
                lanes[lane] = initial
                own = row + lane // width
                if own < stop:
                    end = own * columns + min(start + BLOCK, columns)
                    for i in range(own * columns + start + lane % width, end, width):
                        lanes[lane] = combined(largest, lanes[lane], values[i])
            _fold_rows(largest, lanes, width)
            for place in range_of_block(LANES // width):
                if row + place < stop:
                    total = initial if start == 0 else out[origin + row + place]
                    total = combined(largest, total, lanes[place * width])
                    out[origin + row + place] = total
            cuda.syncthreads()


@device
def _fold_rows(largest: Any, lanes: Any, width: Any) -> None:
    """Fold neighbouring lanes by halves, so many together, for every thread to see."""
    half = width // 2
    while half > 0:
        cuda.syncthreads()
        for lane in range_of_block(LANES):
            if lane % width < half:
                lanes[lane] = combined(largest, lanes[lane], lanes[lane + half])
        half //= 2
    cuda.syncthreads()


@device
def sums_of_columns(tables: Any, array: Any, column: Any, reduction: Any) -> None:
    """Add up the elements of columns of panels, row after row, a thread for each.

    A piece counts the columns of all panels of all matrices.

    Args:
        tables: the kernel's tables.
        array: which of the arrays of values.
        column: where the results are, for matrices of one panel.
        reduction: row of the panel sums, for others.
    """
    _combine_columns(False, 0.0, tables, array, column, reduction)


@device
def maxima_of_columns(tables: Any, array: Any, column: Any, reduction: Any) -> None:
    """As ``sums_of_columns``, but the largest element."""
    _combine_columns(True, -np.inf, tables, array, column, reduction)


@device
def _combine_columns(
    largest: Any, initial: Any, tables: Any, array: Any, column: Any, reduction: Any
) -> None:
    variable, first, stop = piece_of(tables, cuda.blockIdx.x)
    _, rows, columns = shape_of(tables, variable)
    panels = int64_table(tables[PANELS], tables[VARIABLE_COUNT], 3)
    begin, count, height = panels[variable, 0], panels[variable, 1], panels[variable, 2]
    values = _values(tables, variable, array)
    for result in range(first + cuda.threadIdx.x, stop, cuda.blockDim.x):
        matrix, row = result // columns // count, result // columns % count * height
        start = (matrix * rows + row) * columns + result % columns
        end = start + min(height, rows - row) * columns
        total = initial
        for i in range(start, end, columns):
            total = combined(largest, total, values[i])
        if count > 1:
            _panel_sums(tables, reduction)[begin + result] = total
        else:
            axis_numbers(tables)[axis_start(tables, variable, column) + result] = total


@inlined
def _panel_sums(tables: Any, reduction: Any) -> Any:
    """Return the results of a reduction for panels."""
    count = tables[PANEL_COUNT]
    return vector(float64(0.0), tables[PANEL_SUMS] + reduction * count * 8, count)


@device
def fold_panels(tables: Any, column: Any, reduction: Any) -> None:
    """Add the panels of each column of a piece of columns, counted through all matrices."""
    _combine_panels(False, 0.0, tables, column, reduction)


@device
def fold_panels_maximum(tables: Any, column: Any, reduction: Any) -> None:
    """As ``fold_panels``, but the largest."""
    _combine_panels(True, -np.inf, tables, column, reduction)


@device
def _combine_panels(largest: Any, initial: Any, tables: Any, column: Any, reduction: Any) -> None:
    variable, first, stop = piece_of(tables, cuda.blockIdx.x)
    columns = shape_of(tables, variable)[2]
    panels = int64_table(tables[PANELS], tables[VARIABLE_COUNT], 3)
    begin, count = panels[variable, 0], panels[variable, 1]
    sums, out = _panel_sums(tables, reduction), axis_numbers(tables)
    start = axis_start(tables, variable, column)
    for result in range(first + cuda.threadIdx.x, stop, cuda.blockDim.x):
        place = begin + result // columns * count * columns + result % columns
        total = initial
        for panel in range(count):
            total = combined(largest, total, sums[place + panel * columns])
        out[start + result] = total
