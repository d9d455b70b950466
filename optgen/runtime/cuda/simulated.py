"""The names of ``compiled.py`` for Numba's simulator, where device memory is host memory."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np
from numba import njit
from numba.cuda.simulator.kernel import _get_kernel_context
from numba.cuda.simulator.kernelapi import FakeCUDAShared
from numba.np.numpy_support import as_dtype

from optgen.runtime.arrays import Array

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


def _array_of_line(self: Any, shape: int, dtype: Any) -> Array:
    """Return the shared array of the calling line, which all threads of a launch have in common.

    The simulator's own method looks for the array and then makes it, so that two threads that come
    at once may get one each, and do not see what the other one writes.
    """
    line = sys._getframe(1)
    place = line.f_code.co_filename, line.f_lineno
    found: Array = self._allocations.setdefault(place, np.empty(shape, as_dtype(dtype)))
    return found


FakeCUDAShared.array = _array_of_line


class _Cuda:
    """What ``numba.cuda`` is inside a kernel.

    The simulator replaces the name ``cuda`` in the module of a function while that runs, and puts
    it back when the first thread leaves; with an object of our own it finds nothing to replace.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(_get_kernel_context(), name)


cuda = _Cuda()


def _memory(address: int, count: int, dtype: Any) -> Array:
    size = count * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_char * size).from_address(int(address)), dtype)


def vector(like: Any, address: int, length: int) -> Array:
    """Return ``length`` elements of the type of ``like`` at an address."""
    return _memory(address, int(length), like.dtype)


def if_given(on: Any, x: Any) -> Any:
    """Return ``x``; None if ``on`` is None."""
    return None if on is None else x


def int64_table(address: int, rows: int, columns: int) -> Array:
    """Return a table of int64 at an address."""
    return _memory(address, rows * columns, np.int64).reshape(rows, columns)


def float64_table(address: int, rows: int, columns: int) -> Array:
    """Return a table of float64 at an address."""
    return _memory(address, rows * columns, np.float64).reshape(rows, columns)


def itemsize(like: Any) -> int:
    """Return how many bytes a number of the type of ``like`` takes."""
    size: int = like.dtype.itemsize
    return size


def rounded(like: Any, x: Any) -> Any:
    """Return ``x`` in the type of ``like``; None for None."""
    return None if x is None else type(like)(x)


minimum, maximum, sqrt = np.minimum, np.maximum, np.sqrt

# Compiled, because NumPy has functions of its own, whose last bits are not those of the host.
_exp = njit(lambda x: np.exp(x))
_log = njit(lambda x: np.log(x))
_tanh = njit(lambda x: np.tanh(x))


def exp(x: Any) -> Any:
    """Return the exponential of ``x`` in its type."""
    return type(x)(_exp(x))


def log(x: Any) -> Any:
    """Return the natural logarithm of ``x`` in its type."""
    return type(x)(_log(x))


def tanh(x: Any) -> Any:
    """Return the hyperbolic tangent of ``x`` in its type."""
    return type(x)(_tanh(x))


def sign(x: Any) -> Any:
    """Return -1, +0.0 (for both zeros) or 1 in the type of ``x``; NaN for NaN."""
    return np.sign(x) + type(x)(0.0)
