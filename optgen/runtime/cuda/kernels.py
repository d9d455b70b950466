"""What generated CUDA kernels call: rows of the tables as arrays, and the ends of reductions.

A kernel's ``tables`` are integers; the first ones are addresses in device memory:

0. chunks, int64[chunks, 4]: variable, first element in C order, length, first block; those
   longer than SHORT come first;
1. rows, int64[n]: the variables that take part, empty ones included;
2. blocks, int64[variables, 2]: first block, number of blocks;
3. pointers, int64[variables, streams]: address of the variable, its gradient, its average, its
   accumulator, its element slots, each in C order;
4. tensor, float64[variables, columns]: one number per variable;
5. block sums, float64[blocks, reductions];
6. step, float64[numbers]: sums over all variables and what follows from them;
7. how many chunks, rows, variables, streams, columns, blocks, reductions, step numbers, and
   chunks longer than SHORT there are.

Variables are rows in the order of build, whatever their dtype.  The functions mean what those of
the same names in ``runtime/kernels.py`` mean, and add in the same order.

How chunks are given to threads: a loop without a reduction is launched with blocks of two
dimensions, WARP threads by up to TILES; each row of threads is a tile. A chunk longer than SHORT
gets a block of its own, whose tiles take a run of its elements each; the other chunks get a tile
each, so that small variables share blocks. Every tile has SHORT elements at most: however large and
small variables are mixed, no thread works much longer than the others, and a small one leaves less
than a warp idle. Since a block finds out by its index alone which of the two it is, one launch does
for all, and no table holds more rows than there are chunks of CHUNK elements; a row per tile would
be eight times as many. A loop with a reduction keeps a block for each chunk, because all threads
of a block add the sum of its elements in a fixed order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import float32, float64, uint64

from optgen.runtime.cuda.compilation import SIMULATED, device, inlined, kernel

if SIMULATED:
    from optgen.runtime.cuda.simulated import (
        cuda,
        exp,
        float64_table,
        if_given,
        int64_table,
        itemsize,
        log,
        maximum,
        minimum,
        rounded,
        sign,
        sqrt,
        tanh,
        vector,
    )
else:
    from optgen.runtime.cuda.compiled import (
        cuda,
        exp,
        float64_table,
        if_given,
        int64_table,
        itemsize,
        log,
        maximum,
        minimum,
        rounded,
        sign,
        sqrt,
        tanh,
        vector,
    )

__all__ = [
    "BLOCK",
    "LANES",
    "SHORT",
    "TILES",
    "WARP",
    "chunk_of_block",
    "chunk_of_tile",
    "chunk_sums",
    "copy_elements",
    "elements",
    "exp",
    "fold_blocks",
    "fold_blocks_maximum",
    "fold_lanes",
    "fold_lanes_maximum",
    "log",
    "maximum",
    "minimum",
    "number",
    "numbers",
    "optional_elements",
    "optional_number",
    "range_of_thread",
    "rounded",
    "row_of_thread",
    "sign",
    "sqrt",
    "square",
    "step_numbers",
    "sum_over_variables",
    "summed_number",
    "tanh",
]

CHUNKS, ROWS, BLOCKS, POINTERS, TENSOR, BLOCK_SUMS, STEP = range(7)
"""Which addresses stand where in the tables."""

CHUNK_COUNT, ROW_COUNT, VARIABLE_COUNT, STREAM_COUNT, TENSOR_COLUMNS = range(7, 12)
BLOCK_COUNT, REDUCTION_COUNT, STEP_COUNT, LONG_COUNT = range(12, 16)
"""Which counts stand where in the tables."""

BLOCK = 4096
"""Elements per partial sum of a reduction; chunks start at multiples of it."""

LANES = 256
"""Independent accumulators within a block."""

WARP = 4 if SIMULATED else 32
"""Threads of a tile: those that read memory together. The simulator has a thread of Python for each
and would spend most of its time with idle ones."""

TILES = 8
"""The most tiles of a block."""

SHORT = BLOCK // TILES
"""The most elements of a chunk that gets a tile: a tile's part of the longest chunk."""


@device
def square(x: Any) -> Any:
    """Return ``x * x``."""
    return x * x


@inlined
def _chunks(tables: Any) -> Any:
    return int64_table(tables[CHUNKS], tables[CHUNK_COUNT], 4)


@inlined
def numbers(tables: Any) -> Any:
    """Return the table of one number per variable, float64[variables, columns]."""
    return float64_table(tables[TENSOR], tables[VARIABLE_COUNT], tables[TENSOR_COLUMNS])


@inlined
def step_numbers(tables: Any) -> Any:
    """Return sums over all variables and what follows from them, float64[numbers]."""
    return vector(float64(0.0), tables[STEP], tables[STEP_COUNT])


@device
def chunk_of_block(tables: Any) -> Any:
    """Return the chunk of a block of threads: variable, first element, length, first block."""
    chunks, chunk = _chunks(tables), cuda.blockIdx.x
    return chunks[chunk, 0], chunks[chunk, 1], chunks[chunk, 2], chunks[chunk, 3]


@device
def chunk_of_tile(tables: Any) -> Any:
    """Return what a tile works on: variable, first element, length.

    That is a short chunk, or a part of the long chunk of its block, which begins at a multiple of
    WARP. The length is 0 if nothing is left for the tile.
    """
    chunks, tile, count_of_long = _chunks(tables), cuda.threadIdx.y, tables[LONG_COUNT]
    chunk = cuda.blockIdx.x
    if chunk < count_of_long:
        part = (chunks[chunk, 2] + TILES * WARP - 1) // (TILES * WARP) * WARP
        start = min(tile * part, chunks[chunk, 2])
        length = min(part, chunks[chunk, 2] - start)
        return chunks[chunk, 0], chunks[chunk, 1] + start, length
    chunk = count_of_long + (chunk - count_of_long) * cuda.blockDim.y + tile
    if chunk < tables[CHUNK_COUNT]:
        return chunks[chunk, 0], chunks[chunk, 1], chunks[chunk, 2]
    return chunks[0, 0], chunks[0, 1], 0


@device
def range_of_thread(length: Any) -> Any:
    """Return the indices that a thread of a tile takes of ``length``: every one of WARP."""
    # Numba lets a signed index count from the end, which takes instructions for each element.
    return range(uint64(cuda.threadIdx.x), uint64(length), uint64(WARP))


@inlined
def elements(like: Any, tables: Any, chunk: Any, stream: Any) -> Any:
    """Return the elements of a chunk in one of its variable's arrays, as one dimension.

    Args:
        like: a number of the type of the elements.
        tables: the kernel's tables, see above.
        chunk: variable, first element and length, of ``chunk_of_block`` or ``chunk_of_tile``.
        stream: column of the table of pointers.
    """
    pointers = int64_table(tables[POINTERS], tables[VARIABLE_COUNT], tables[STREAM_COUNT])
    return vector(like, pointers[chunk[0], stream] + chunk[1] * itemsize(like), chunk[2])


@inlined
def optional_elements(like: Any, on: Any, tables: Any, chunk: Any, stream: Any) -> Any:
    """As ``elements``; None if ``on`` is None, known when the caller is compiled."""
    return if_given(on, elements(like, tables, chunk, stream))


@device
def number(tables: Any, chunk: Any, column: Any) -> Any:
    """Return one of the numbers, float64, of a chunk's variable."""
    return numbers(tables)[chunk[0], column]


@device
def optional_number(on: Any, tables: Any, chunk: Any, column: Any) -> Any:
    """As ``number``; None if ``on`` is None, known when the caller is compiled."""
    return if_given(on, number(tables, chunk, column))


@device
def summed_number(index: Any, tables: Any) -> Any:
    """Return one of the step numbers; None if ``index`` is None, known when compiled."""
    return if_given(index, 0.0 if index is None else step_numbers(tables)[index])


@device
def row_of_thread(tables: Any) -> Any:
    """Return the variable of a thread in a launch of one thread per variable, or -1."""
    index = cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
    if index >= tables[ROW_COUNT]:
        return -1
    return int64_table(tables[ROWS], tables[ROW_COUNT], 1)[index, 0]


@inlined
def chunk_sums(tables: Any, chunk: Any) -> Any:
    """Return the block sums of a chunk: float64[its blocks, reductions], to be written.

    Args:
        tables: the kernel's tables.
        chunk: what ``chunk_of_block`` returns.
    """
    count, reductions = (chunk[2] + BLOCK - 1) // BLOCK, tables[REDUCTION_COUNT]
    return float64_table(tables[BLOCK_SUMS] + chunk[3] * reductions * 8, count, reductions)


@device
def fold_lanes(lanes: Any) -> Any:
    """Return the sum of a block's accumulators, by halving, to every thread; overwrites them."""
    width = LANES // 2
    while width > 0:
        cuda.syncthreads()
        for lane in range(cuda.threadIdx.x, width, cuda.blockDim.x):
            lanes[lane] += lanes[lane + width]
        width //= 2
    cuda.syncthreads()
    total = lanes[0]
    # The next block of elements may overwrite it only when every thread has read it.
    cuda.syncthreads()
    return total


@device
def fold_lanes_maximum(lanes: Any) -> Any:
    """As ``fold_lanes``, but the largest, NaN if any is NaN."""
    width = LANES // 2
    while width > 0:
        cuda.syncthreads()
        for lane in range(cuda.threadIdx.x, width, cuda.blockDim.x):
            lanes[lane] = maximum(lanes[lane], lanes[lane + width])
        width //= 2
    cuda.syncthreads()
    largest = lanes[0]
    cuda.syncthreads()
    return largest


@device
def fold_blocks(tables: Any, column: Any, reduction: Any) -> None:
    """Add the block sums of the variable of a block of threads in index order.

    The threads fetch; the first one adds. An empty variable has 0.0.

    Args:
        tables: the kernel's tables.
        column: which number of the variable receives the sum.
        reduction: column of the block sums.
    """
    fetched = cuda.shared.array(LANES, float64)
    row = int64_table(tables[ROWS], tables[ROW_COUNT], 1)[cuda.blockIdx.x, 0]
    blocks = int64_table(tables[BLOCKS], tables[VARIABLE_COUNT], 2)
    block_sums = float64_table(tables[BLOCK_SUMS], tables[BLOCK_COUNT], tables[REDUCTION_COUNT])
    first, count = blocks[row, 0], blocks[row, 1]
    total = 0.0
    for start in range(0, count, LANES):
        size = min(LANES, count - start)
        for lane in range(cuda.threadIdx.x, size, cuda.blockDim.x):
            fetched[lane] = block_sums[first + start + lane, reduction]
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            for lane in range(size):
                total += fetched[lane]
        cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        numbers(tables)[row, column] = total


@device
def fold_blocks_maximum(tables: Any, column: Any, reduction: Any) -> None:
    """As ``fold_blocks``, but the largest; minus infinity for an empty variable."""
    if cuda.threadIdx.x == 0:
        row = int64_table(tables[ROWS], tables[ROW_COUNT], 1)[cuda.blockIdx.x, 0]
        blocks = int64_table(tables[BLOCKS], tables[VARIABLE_COUNT], 2)
        block_sums = float64_table(tables[BLOCK_SUMS], tables[BLOCK_COUNT], tables[REDUCTION_COUNT])
        largest = -np.inf
        for block in range(blocks[row, 0], blocks[row, 0] + blocks[row, 1]):
            largest = maximum(largest, block_sums[block, reduction])
        numbers(tables)[row, column] = largest


@kernel
def sum_over_variables(tables: Any, order: Any, count: Any, column: Any, index: Any) -> None:
    """Add a number of several variables, in the order given, by one block of threads.

    Args:
        tables: the kernel's tables.
        order: address of int64[count], the variables.
        count: how many.
        column: which of their numbers.
        index: which step number receives the sum.
    """
    fetched = cuda.shared.array(LANES, float64)
    rows = int64_table(order, count, 1)
    tensor = numbers(tables)
    total = 0.0
    for start in range(0, count, LANES):
        size = min(LANES, count - start)
        for lane in range(cuda.threadIdx.x, size, cuda.blockDim.x):
            fetched[lane] = tensor[rows[start + lane, 0], column]
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            for lane in range(size):
                total += fetched[lane]
        cuda.syncthreads()
    if cuda.threadIdx.x == 0:
        step_numbers(tables)[index] = total


@kernel
def copy_elements(copies: Any, chunks: Any, axes: Any, count: Any, rows: Any) -> None:
    """Copy arrays between strided layouts and dtypes, a block of threads for each chunk.

    Args:
        copies: address of int64[rows, 5 + 3 * axes], an array each: addresses of source and
            destination, bytes per element of source and destination, number of axes; lengths of
            the axes, byte strides of the source, byte strides of the destination.
        chunks: address of int64[count, 3]: array, first element in C order, length.
        axes: the largest number of axes.
        count: how many chunks there are.
        rows: how many arrays there are.
    """
    table = int64_table(copies, rows, 5 + 3 * axes)
    pieces = int64_table(chunks, count, 3)
    row, first, length = (
        pieces[cuda.blockIdx.x, 0],
        pieces[cuda.blockIdx.x, 1],
        pieces[cuda.blockIdx.x, 2],
    )
    for i in range(first + cuda.threadIdx.x, first + length, cuda.blockDim.x):
        outer, source, destination = i, table[row, 0], table[row, 1]
        for axis in range(table[row, 4] - 1, -1, -1):
            size = table[row, 5 + axis]
            source += (outer % size) * table[row, 5 + axes + axis]
            destination += (outer % size) * table[row, 5 + 2 * axes + axis]
            outer //= size
        if table[row, 2] == 4 and table[row, 3] == 4:
            vector(float32(0.0), destination, 1)[0] = vector(float32(0.0), source, 1)[0]
        elif table[row, 2] == 4:
            vector(float64(0.0), destination, 1)[0] = float64(vector(float32(0.0), source, 1)[0])
        elif table[row, 3] == 4:
            vector(float32(0.0), destination, 1)[0] = float32(vector(float64(0.0), source, 1)[0])
        else:
            vector(float64(0.0), destination, 1)[0] = vector(float64(0.0), source, 1)[0]
