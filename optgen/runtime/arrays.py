"""Checks of the arrays that a caller hands over: variables at build, gradients at each call."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = np.ndarray[Any, np.dtype[Any]]
Table = NDArray[np.int64]
Key = tuple[int, tuple[int, ...], tuple[int, ...], np.dtype[Any]]

SUPPORTED = (np.dtype(np.float32), np.dtype(np.float64))


def address_of(array: Array) -> int:
    """Return the byte address of the first element."""
    address: int = array.__array_interface__["data"][0]
    return address


def memory_key(array: Array) -> Key:
    """Return what makes two array objects the same variable: where and how the elements lie."""
    return address_of(array), array.shape, array.strides, array.dtype


def byte_bounds(array: Array) -> tuple[int, int]:
    """Return the addresses of the first byte used and of the one behind the last.

    An array without elements has equal bounds.
    """
    low = high = address_of(array)
    if array.size == 0:
        return low, high
    for length, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            low += (length - 1) * stride
        else:
            high += (length - 1) * stride
    return low, high + array.itemsize


def overlaps_itself(array: Array) -> bool:
    """Say whether two elements of an array share memory, as in a broadcast view."""
    axes = sorted(
        (abs(stride), length)
        for length, stride in zip(array.shape, array.strides, strict=True)
        if length > 1
    )
    if array.size == 0:
        return False
    extent = array.itemsize
    for stride, length in axes:
        if stride < extent:
            break
        extent += stride * (length - 1)
    else:
        return False
    if axes[0][0] == 0:
        return True
    # Unusual strides: the addresses themselves decide.
    addresses = np.zeros((), np.int64)
    for stride, length in axes:
        addresses = np.add.outer(addresses, stride * np.arange(length, dtype=np.int64))
    gaps = np.diff(np.sort(addresses, axis=None))
    return bool(np.any(gaps < array.itemsize))


def check_variable(position: int, variable: object) -> Array:
    """Return a variable that an optimizer can update in place.

    Args:
        position: its index, for messages.
        variable: a writable float32 or float64 NumPy array of any shape, strides included.

    Raises:
        ValueError: if it is anything else or some of its elements share memory.
    """
    what = f"variable {position}"
    array = check_array(what, variable, is_variable=True)
    if not array.flags.writeable:
        raise ValueError(
            f"{what}: expected a writable array, because it is updated in place; "
            "received a read-only one. Pass the array that owns the values, or a copy."
        )
    if overlaps_itself(array):
        raise ValueError(
            f"{what}: expected elements that lie apart in memory, received shape {array.shape} "
            f"with strides {array.strides}, where elements overlap. Pass a copy."
        )
    return array


def check_writable(position: int, variable: Array) -> None:
    """Raise ValueError if a variable that could be written at build is read-only now."""
    if not variable.flags.writeable:
        raise ValueError(f"variable {position} has become read-only; make it writable.")


def check_array(what: str, value: object, is_variable: bool = False) -> Array:
    """Return a NumPy array of a supported dtype.

    Args:
        what: argument and index, for messages.
        value: what was given.
        is_variable: whether it is updated in place, so that a copy will not do.

    Raises:
        ValueError: if it is no NumPy array, or of a dtype other than native float32 and float64.
    """
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        kind = type(value)
        raise ValueError(
            f"{what}: expected a NumPy array of float32 or float64, "
            f"received {kind.__module__}.{kind.__qualname__}.{_advice(value, is_variable)}"
        )
    if value.dtype not in SUPPORTED:
        raise ValueError(
            f"{what}: expected dtype float32 or float64 in native byte order, "
            f"received {value.dtype.name} ({value.dtype.str})."
        )
    return value


def _advice(value: object, is_variable: bool) -> str:
    """Return a sentence that says how something else becomes a NumPy array; may be empty."""
    if hasattr(value, "detach"):
        return " Pass its detach().numpy(), which shares its memory."
    if is_variable:
        return " A variable is updated in place: pass a NumPy array that you keep."
    if isinstance(value, np.ma.MaskedArray):
        return " Fill it with filled()."
    return " Pass what numpy.asarray makes of it." if hasattr(value, "__array__") else ""


def check_gradient(position: int, gradient: object, variable: Array) -> Array:
    """Return the gradient of a variable as an array.

    Args:
        position: the variable's index at build, for messages.
        gradient: an array shaped like the variable, float32 or float64, read-only or strided if
            need be; for a variable of rank 0 also a Python float or a NumPy scalar.
        variable: the variable.

    Raises:
        ValueError: if it is anything else.
    """
    what = f"gradient of variable {position}"
    if isinstance(gradient, np.generic):
        gradient = np.asarray(gradient)
    elif isinstance(gradient, float) and variable.ndim == 0:
        gradient = np.asarray(gradient, variable.dtype)
    array = check_array(what, gradient)
    if array.shape != variable.shape:
        raise ValueError(
            f"{what}: expected the variable's shape {variable.shape}, received {array.shape}."
        )
    return array
