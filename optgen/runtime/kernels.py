"""What generated CPU kernels are compiled with and compiled against.

Generated kernels see variables through tables of addresses; see ``tables.py``.  The functions here
turn a row of those tables into one-dimensional arrays, bring scalars to the variables' dtype, and
finish reductions in an order that depends neither on the number of threads nor on the length of a
chunk.  They run in compiled code.

What is switched off is None where a driver is compiled, so that nothing is left of it: stages, and
the arguments ``average`` and ``accumulator``, which are 1 where these are on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import carray, float64, njit, types
from numba.core import cgutils
from numba.extending import intrinsic, overload
from numba.np.arrayobj import populate_array

from optgen.runtime.compilation import part_of_kernel

BLOCK = 4096
"""Elements per partial sum of a reduction; work is divided between chunks at multiples of it."""

LANES = 256
"""Independent accumulators within a block."""

_CACHE_LINE = 64
"""Bytes to which they are aligned, so that no vector of them lies in two lines."""

KIND, RANK, LENGTHS = range(3)
"""What stands where in a layout; behind the D lengths start the D byte strides."""

IN_PLACE, FROM_FLOAT32, FROM_FLOAT64 = range(3)
"""Kinds of a layout: elements are used where they lie, or gathered from that dtype."""


def _pointer_intrinsic(element: Any) -> Any:
    def pointer(typing_context: Any, address: Any) -> tuple[Any, Callable[..., Any]]:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

        return types.CPointer(element)(types.int64), generate

    pointer.__doc__ = f"A pointer to {element} elements at the int64 `address`."
    return intrinsic(pointer)


float32_at = _pointer_intrinsic(types.float32)
float64_at = _pointer_intrinsic(types.float64)


# Overloads are not strict because Numba would compare type hints with the implementations' none.


def pointer_at(like: Any, address: Any) -> Any:
    """Return a pointer to elements of the dtype of ``like`` at the int64 ``address``."""
    raise NotImplementedError("pointer_at runs in compiled code only")


@overload(pointer_at, strict=False)
def _compile_pointer_at(like: Any, address: Any) -> Callable[..., Any]:
    if like.dtype == types.float32:
        return lambda like, address: float32_at(address)
    return lambda like, address: float64_at(address)


def rounded(like: Any, x: Any) -> Any:
    """Return ``x`` in the dtype of ``like``; None for None, known when the caller is compiled."""
    raise NotImplementedError("rounded runs in compiled code only")


@overload(rounded, strict=False)
def _compile_rounded(like: Any, x: Any) -> Callable[..., Any]:
    if isinstance(x, types.NoneType):
        return lambda like, x: None
    real = like.dtype
    return lambda like, x: real(x)


@part_of_kernel
def square(x: Any) -> Any:
    """Return ``x * x``."""
    return x * x


def sign(x: Any) -> Any:
    """Return -1, +0.0 (for both zeros) or 1 in the dtype of ``x``; NaN for NaN."""
    raise NotImplementedError("sign runs in compiled code only")


@overload(sign, strict=False)
def _compile_sign(x: Any) -> Callable[..., Any]:
    real = x
    # Numba's np.sign keeps the sign of a zero; adding +0.0 clears it and changes nothing else.
    return lambda x: np.sign(x) + real(0.0)


@part_of_kernel
def _locate(layout: Any, variable: Any, stream: Any, position: Any) -> Any:
    """Find the element at ``position`` in C order: its byte offset, and how long its row goes on.

    Returns:
        The byte offset from the first element, the number of elements from this one to the end of
        the last axis, and the byte stride between them.
    """
    last = layout[variable, stream, RANK] - 1
    strides = LENGTHS + (layout.shape[2] - LENGTHS) // 2
    length = layout[variable, stream, LENGTHS + last]
    stride = layout[variable, stream, strides + last]
    outer = position // length
    column = position - outer * length
    byte_offset = column * stride
    for axis in range(last - 1, -1, -1):
        length_of_axis = layout[variable, stream, LENGTHS + axis]
        byte_offset += (outer % length_of_axis) * layout[variable, stream, strides + axis]
        outer //= length_of_axis
    return byte_offset, length - column, stride


@part_of_kernel
def _number_at(kind: Any, address: Any) -> Any:
    """Return a number as float64, which holds every float32, from where it is stored as a kind."""
    return float64(float32_at(address)[0]) if kind == FROM_FLOAT32 else float64_at(address)[0]


@part_of_kernel
def _gathered(like: Any, tables: Any, chunk: Any, stream: Any) -> Any:
    """Return the elements of a chunk, in C order, from a strided array."""
    chunks, pointers, layout = tables.chunks, tables.pointers, tables.layout
    variable, offset = chunks[chunk, 0], chunks[chunk, 1]
    out = np.empty(chunks[chunk, 2], like.dtype)
    real, kind = like.dtype.type, layout[variable, stream, KIND]
    done = 0
    while done < out.size:
        byte_offset, remaining, stride = _locate(layout, variable, stream, offset + done)
        address = pointers[variable, stream] + byte_offset
        count = min(remaining, out.size - done)
        for i in range(count):
            out[done + i] = real(_number_at(kind, address + i * stride))
        done += count
    return out


def _call_out_of_line(
    typing_context: Any, function: Any, arguments: Any
) -> tuple[Any, Callable[..., Any]]:
    """Call a compiled function that must not become a part of its caller.

    What few variables need would otherwise be optimised and translated once for each array of each
    kernel, which takes as long as the kernel itself.
    """
    wanted = function.get_call_type(typing_context, tuple(arguments), {})

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        compiled = function.dispatcher.get_compile_result(wanted)
        context.active_code_library.add_linking_library(compiled.library)
        callee = context.declare_function(builder.module, compiled.fndesc)
        status, result = context.call_conv.call_function(
            builder,
            callee,
            wanted.return_type,
            wanted.args,
            cgutils.unpack_tuple(builder, values[1]),
            attrs=("noinline",),
        )
        with builder.if_then(status.is_error, likely=False):
            context.call_conv.return_status_propagate(builder, status)
        return result

    return wanted.return_type(function, arguments), generate


_out_of_line: Any = intrinsic(_call_out_of_line)


@part_of_kernel
def elements(like: Any, tables: Any, chunk: Any, stream: Any) -> Any:
    """Return the elements of a chunk in one of its variable's arrays, as one dimension.

    Args:
        like: array of the wanted dtype.
        tables: the driver's tables.
        chunk: row of the table of chunks.
        stream: column of the table of pointers: 0 the variable, 1 its gradient, then state.

    Returns:
        A view, or for a variable or gradient that must be gathered, a fresh copy.
    """
    chunks, pointers = tables.chunks, tables.pointers
    variable, offset, length = chunks[chunk, 0], chunks[chunk, 1], chunks[chunk, 2]
    if stream < 2 and tables.layout[variable, stream, KIND] != IN_PLACE:
        return _out_of_line(_gathered, (like, tables, chunk, stream))
    return carray(pointer_at(like, pointers[variable, stream] + offset * like.itemsize), length)


def optional_elements(like: Any, on: Any, tables: Any, chunk: Any, stream: Any) -> Any:
    """As ``elements``; None if ``on`` is None, known when the caller is compiled."""
    raise NotImplementedError("optional_elements runs in compiled code only")


@overload(optional_elements, strict=False)
def _compile_optional_elements(
    like: Any, on: Any, tables: Any, chunk: Any, stream: Any
) -> Callable[..., Any]:
    if isinstance(on, types.NoneType):
        return lambda like, on, tables, chunk, stream: None
    return lambda like, on, tables, chunk, stream: elements(like, tables, chunk, stream)


@part_of_kernel
def number(tables: Any, chunk: Any, column: Any) -> Any:
    """Return one of the numbers, float64, of a chunk's variable."""
    return tables.tensor[tables.chunks[chunk, 0], column]


def optional_number(on: Any, tables: Any, chunk: Any, column: Any) -> Any:
    """As ``number``; None if ``on`` is None, known when the caller is compiled."""
    raise NotImplementedError("optional_number runs in compiled code only")


@overload(optional_number, strict=False)
def _compile_optional_number(on: Any, tables: Any, chunk: Any, column: Any) -> Callable[..., Any]:
    if isinstance(on, types.NoneType):
        return lambda on, tables, chunk, column: None
    return lambda on, tables, chunk, column: number(tables, chunk, column)


@part_of_kernel
def chunk_sums(tables: Any, chunk: Any) -> Any:
    """Return the block sums of a chunk: float64[its blocks, reductions], to be written."""
    first = tables.chunks[chunk, 3]
    count = (tables.chunks[chunk, 2] + BLOCK - 1) // BLOCK
    return tables.block_sums[first : first + count]


@part_of_kernel
def write_back(like: Any, tables: Any, chunk: Any, w: Any) -> None:
    """Scatter what ``elements`` gathered of a variable back into it; nothing for a view."""
    if tables.layout[tables.chunks[chunk, 0], 0, KIND] != IN_PLACE:
        _out_of_line(_scatter, (like, tables, chunk, w))


@part_of_kernel
def _scatter(like: Any, tables: Any, chunk: Any, w: Any) -> None:
    """Write elements of a chunk in C order into its variable, a strided array."""
    chunks, pointers, layout = tables.chunks, tables.pointers, tables.layout
    variable, offset = chunks[chunk, 0], chunks[chunk, 1]
    done = 0
    while done < w.size:
        byte_offset, remaining, stride = _locate(layout, variable, 0, offset + done)
        address = pointers[variable, 0] + byte_offset
        count = min(remaining, w.size - done)
        for i in range(count):
            pointer_at(like, address + i * stride)[0] = w[done + i]
        done += count


def _number_of_lanes(count: int) -> int:
    """Return the smallest power of two that is not below ``count``, at most LANES."""
    number = LANES
    while number // 2 >= count:
        number //= 2
    return number


@intrinsic
def lanes_on_stack(typing_context: Any, count: Any) -> tuple[Any, Callable[..., Any]]:
    """Return the accumulators of a block of ``count`` elements, float64, to be set.

    They are as many as the elements use, rounded up to a power of two so that they can be halved.
    More of them would add 0.0 to sums, which are never -0.0, and minus infinity to maxima: they
    would change no bit.  They last until the calling function returns.
    """
    array_type = types.Array(types.float64, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = context.compile_internal(
            builder, _number_of_lanes, types.intp(types.intp), arguments
        )
        real = context.get_value_type(types.float64)
        stride = context.get_constant(types.intp, context.get_abi_sizeof(real))
        array = context.make_array(array_type)(context, builder)
        memory = cgutils.alloca_once(builder, real, LANES)
        memory.align = _CACHE_LINE
        populate_array(array, memory, [number], [stride], stride, None)
        return array._getvalue()

    return array_type(types.intp), generate


def combined(largest: Any, x: Any, y: Any) -> Any:
    """Return ``x + y`` if ``largest`` is None, known when the caller is compiled, else the larger.

    A function as an argument would keep Numba from caching its callers.
    """
    raise NotImplementedError("combined runs in compiled code only")


@overload(combined, strict=False)
def _compile_combined(largest: Any, x: Any, y: Any) -> Callable[..., Any]:
    if isinstance(largest, types.NoneType):
        return lambda largest, x, y: x + y
    return lambda largest, x, y: np.maximum(x, y)


@part_of_kernel
def fold_lanes(lanes: Any) -> Any:
    """Return the sum of a block's accumulators, a power of two, by halving; overwrites them."""
    return _halved(None, lanes, LANES) if lanes.size == LANES else _halved(None, lanes, lanes.size)


@part_of_kernel
def fold_lanes_maximum(lanes: Any) -> Any:
    """As ``fold_lanes``, but the largest, NaN if any is NaN."""
    return _halved(1, lanes, LANES) if lanes.size == LANES else _halved(1, lanes, lanes.size)


# Long variables have all lanes: a constant, for which the compiler unrolls everything.
@njit(error_model="numpy")
def _halved(largest: Any, lanes: Any, count: Any) -> Any:
    width = count // 2
    while width > 0:
        for lane in range(width):
            lanes[lane] = combined(largest, lanes[lane], lanes[lane + width])
        width //= 2
    return lanes[0]


@part_of_kernel
def fold_blocks(tables: Any, column: Any, reduction: Any) -> None:
    """Add the block sums of each variable in index order; 0.0 for an empty variable.

    Args:
        tables: those of the launch.
        column: where the result goes, in the table of one number per variable.
        reduction: column of the block sums.
    """
    _fold_blocks(None, 0.0, tables, column, reduction)


@part_of_kernel
def fold_blocks_maximum(tables: Any, column: Any, reduction: Any) -> None:
    """As ``fold_blocks``, but the largest; minus infinity for an empty variable."""
    _fold_blocks(1, -np.inf, tables, column, reduction)


@part_of_kernel
def _fold_blocks(largest: Any, initial: Any, tables: Any, column: Any, reduction: Any) -> None:
    rows, blocks, block_sums = tables.rows, tables.blocks, tables.block_sums
    for index in range(rows.size):
        row = rows[index]
        first = blocks[row, 0]
        result = initial
        for block in range(first, first + blocks[row, 1]):
            result = combined(largest, result, block_sums[block, reduction])
        tables.tensor[row, column] = result
