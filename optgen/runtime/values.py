"""Tensors, the snapshots of values, and the arrays that Variables start with."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from optgen.runtime.arrays import SUPPORTED, Array, overlaps_itself


class Tensor(np.ndarray[Any, np.dtype[Any]]):
    """An array with ``numpy()`` that stays a Tensor in arithmetic, results of rank 0 too.

    Snapshots of values are Tensors, and so are the arrays of an optimizer's state.
    """

    def numpy(self) -> Any:
        """Return the values as a new NumPy array; at rank 0 as a NumPy scalar."""
        return plain_copy(self)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return np.asarray(array).view(Tensor)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return _as_tensor(super().__array_function__(function, types, args, kwargs))

    def __getitem__(self, index: Any) -> Any:
        item = super().__getitem__(index)
        return item if isinstance(index, tuple) and not index else _as_tensor(item)

    def dot(self, other: Any, out: Any = None) -> Any:
        """Return the dot product, as ``numpy.dot`` does."""
        return _as_tensor(super().dot(other, out))

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        """Return the sum along a diagonal, as ``numpy.trace`` does."""
        return _as_tensor(super().trace(*args, **kwargs))


def plain_copy(array: Array) -> Any:
    """Return the values of an array as a new NumPy array; at rank 0 as a NumPy scalar."""
    return np.array(array, copy=True, subok=False) if array.ndim else array[()]


def _as_tensor(result: Any) -> Any:
    """Return a Tensor for a floating or complex result; anything else as it is."""
    if isinstance(result, np.inexact):
        return np.asarray(result).view(Tensor)
    if type(result) is np.ndarray and issubclass(result.dtype.type, np.inexact):
        return result.view(Tensor)
    return result


def checked_dtype(dtype: Any) -> np.dtype[Any]:
    """Return float32 or float64; ValueError for anything else."""
    for supported in SUPPORTED:
        with contextlib.suppress(TypeError):
            if np.dtype(dtype) == supported:
                return supported
    raise ValueError(f"dtype: expected float32 or float64, received {dtype!r}.")


def copied(value: Any, received: object, dtype: np.dtype[Any] | None) -> Array:
    """Return a new array of float32 or float64, in the order of C, for a Variable.

    Args:
        value: the values as an array.
        received: what they were given as; nested lists of Python numbers make float32.
        dtype: what to convert them to.

    Raises:
        ValueError: if they are no real numbers, or integers without a dtype.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError("initial_value: expected no mask; fill a masked array with filled().")
    if dtype is None:
        numbers = _is_python_numbers(received)
        dtype = np.dtype(np.float32) if numbers else value.dtype.newbyteorder("=")
    if value.dtype.kind not in "biuf" or dtype not in SUPPORTED:
        raise ValueError(
            "initial_value: expected float32 or float64, or numbers and a dtype, received dtype "
            f"{value.dtype}. Optimizers update floating point alone: pass dtype='float32' or "
            "'float64' to convert real numbers."
        )
    return np.array(value, dtype, copy=True, order="C", subok=False)


def shared(value: object, dtype: np.dtype[Any] | None) -> Array:
    """Return an array as it is, whose memory a Variable is to share.

    Raises:
        ValueError: if it is no writable NumPy array of native float32 or float64, of the dtype
            that is asked for, whose elements lie apart in memory.
    """
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        raise ValueError(
            "initial_value: expected a NumPy array to share with copy=False, received "
            f"{type(value).__name__}. Leave copy out."
        )
    if value.dtype not in SUPPORTED or (dtype is not None and dtype != value.dtype):
        expected = "float32 or float64 in native byte order" if dtype is None else str(dtype)
        raise ValueError(
            f"initial_value: expected {expected} to share with copy=False, received "
            f"{value.dtype} ({value.dtype.str}). Leave copy out."
        )
    if not value.flags.writeable or overlaps_itself(value):
        problem = "overlapping elements" if value.flags.writeable else "a read-only one"
        raise ValueError(
            "initial_value: expected a writable array whose elements lie apart, because a "
            f"Variable with copy=False is updated in place; received {problem}. Leave copy out."
        )
    return value


def _is_python_numbers(value: object) -> bool:
    """Say whether a value is a Python number, or lists of them however deep."""
    if isinstance(value, list | tuple):
        return all(map(_is_python_numbers, value))
    return isinstance(value, int | float) and not isinstance(value, bool | np.generic)
