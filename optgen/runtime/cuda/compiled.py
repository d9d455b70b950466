"""What kernels are compiled against: memory at an address, and functions of one element.

``simulated.py`` defines the same names for Numba's simulator.  All of them run in compiled code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numba import cuda
from numba.cuda import types
from numba.cuda.extending import intrinsic, overload
from numba.cuda.np.arrayobj import make_array, populate_array

from optgen.runtime.cuda.compilation import device

__all__ = [
    "cuda",
    "exp",
    "float64_table",
    "if_given",
    "int64_table",
    "itemsize",
    "log",
    "maximum",
    "minimum",
    "rounded",
    "sign",
    "sqrt",
    "tanh",
    "vector",
]

# Overloads are not strict because Numba would compare type hints with the implementations' none.


def _array(context: Any, builder: Any, array: Any, address: Any, shape: list[Any]) -> Any:
    """Return a C-ordered array over memory that someone else owns."""
    made = make_array(array)(context, builder)
    itemsize = context.get_abi_sizeof(context.get_data_type(array.dtype))
    strides = [context.get_constant(types.intp, itemsize)]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    data = builder.inttoptr(address, context.get_data_type(array.dtype).as_pointer())
    populate_array(made, data, shape, strides, context.get_constant(types.intp, itemsize), None)
    return made._getvalue()


@intrinsic
def vector(typing_context: Any, like: Any, address: Any, length: Any) -> tuple[Any, Any]:
    """Return ``length`` elements of the type of ``like`` at the int64 ``address``."""
    array = types.Array(like, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _array(context, builder, array, arguments[1], [arguments[2]])

    return array(like, types.int64, types.int64), generate


@intrinsic
def if_given(typing_context: Any, on: Any, x: Any) -> tuple[Any, Any]:
    """Return ``x``; None if ``on`` is None, known when the caller is compiled."""
    given = not isinstance(on, types.NoneType)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return arguments[1] if given else context.get_dummy_value()

    return (x if given else types.none)(on, x), generate


def _table_intrinsic(element: Any) -> Any:
    def table(typing_context: Any, address: Any, rows: Any, columns: Any) -> tuple[Any, Any]:
        array = types.Array(element, 2, "C")

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _array(context, builder, array, arguments[0], list(arguments[1:]))

        return array(types.int64, types.int64, types.int64), generate

    table.__doc__ = f"A table of {element} with so many rows and columns at an int64 address."
    return intrinsic(table)


int64_table = _table_intrinsic(types.int64)
float64_table = _table_intrinsic(types.float64)


def itemsize(like: Any) -> Any:
    """Return how many bytes a number of the type of ``like`` takes."""
    raise NotImplementedError("itemsize runs in compiled code only")


@overload(itemsize, strict=False)
def _compile_itemsize(like: Any) -> Callable[..., Any]:
    size = like.bitwidth // 8
    return lambda like: size


def rounded(like: Any, x: Any) -> Any:
    """Return ``x`` in the type of ``like``; None for None, known when the caller is compiled."""
    raise NotImplementedError("rounded runs in compiled code only")


@overload(rounded, strict=False)
def _compile_rounded(like: Any, x: Any) -> Callable[..., Any]:
    if isinstance(x, types.NoneType):
        return lambda like, x: None
    real = like
    return lambda like, x: real(x)


@device
def minimum(x: Any, y: Any) -> Any:
    """Return the smaller of two values; NaN if either is NaN, which ``min`` would drop."""
    return x if x <= y or x != x else y


@device
def maximum(x: Any, y: Any) -> Any:
    """Return the larger of two values; NaN if either is NaN, which ``max`` would drop."""
    return x if x >= y or x != x else y


@device
def sign(x: Any) -> Any:
    """Return -1, +0.0 (for both zeros) or 1 in the type of ``x``; NaN for NaN."""
    zero, one = rounded(x, 0.0), rounded(x, 1.0)
    if x > zero:
        return one
    if x < zero:
        return -one
    return zero if x == zero else x


@device
def sqrt(x: Any) -> Any:
    """Return the correctly rounded square root of ``x``."""
    return math.sqrt(x)


@device
def exp(x: Any) -> Any:
    """Return e to the power ``x``."""
    return math.exp(x)


@device
def log(x: Any) -> Any:
    """Return the natural logarithm of ``x``."""
    return math.log(x)


@device
def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent of ``x``."""
    return math.tanh(x)
