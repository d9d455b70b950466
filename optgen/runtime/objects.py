"""Whether objects of this interpreter lie in memory as ``compiled_checks.py`` reads them.

NumPy promises the fields of arrays to extensions that were compiled once, and CPython the start of
every object.  Where items of lists and tuples lie may differ between versions, and other
interpreters, or a Python without its lock, have objects of another kind.  So all fields are held
against objects of which Python tells the same things in another way.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from optgen.runtime.arrays import Array
from optgen.runtime.compiled_checks import (
    AXES,
    DATA,
    DTYPE,
    FLAGS,
    LENGTH,
    LIST_ITEMS,
    SHAPE,
    STRIDES,
    TUPLE_ITEMS,
    TYPE,
)
from optgen.runtime.values import Tensor

_WORD = 8
_HEAD = 16
"""Bytes of an object before fields of its own: a count of references, and the type."""

_LOWEST_ADDRESS = 65_536
"""Systems keep the first pages free, so that lengths and small numbers are no addresses."""


@cache
def are_as_expected() -> bool:
    """Say whether compiled code may read the fields of lists, tuples and arrays."""
    return (
        sys.implementation.name == "cpython"
        and getattr(sys, "_is_gil_enabled", lambda: True)()
        and sys.byteorder == "little"
        and ctypes.sizeof(ctypes.c_void_p) == _WORD
        and object.__basicsize__ == _HEAD
        and np.ndarray.__basicsize__ > FLAGS * _WORD
        and list.__basicsize__ > LIST_ITEMS * _WORD
        and all(map(_sequences_agree, range(4)))
        and all(map(_array_agrees, _arrays()))
    )


def _words(address: int, count: int) -> list[int]:
    """Return words at an address; none where no object of Python can be."""
    if address < _LOWEST_ADDRESS or address % _WORD:
        return []
    return list((ctypes.c_int64 * count).from_address(address))


def _low_half(word: int) -> int:
    return word & 0xFFFFFFFF


def _sequences_agree(length: int) -> bool:
    """Compare what lists and tuples of a length say of themselves with their fields."""
    items = [object() for _ in range(length)]
    identities = [id(item) for item in items]
    pair = tuple(items)
    listed = _words(id(items), 1 + max(LENGTH, LIST_ITEMS))
    tupled = _words(id(pair), 1 + LENGTH)
    return (
        (listed[TYPE], listed[LENGTH]) == (id(list), length)
        and (not length or _words(listed[LIST_ITEMS], length) == identities)
        and (tupled[TYPE], tupled[LENGTH]) == (id(tuple), length)
        and _words(id(pair) + TUPLE_ITEMS * _WORD, length) == identities
    )


def _array_agrees(array: Array) -> bool:
    """Compare what an array says of itself with its fields."""
    fields = _words(id(array), FLAGS + 1)
    axes = array.ndim
    if (
        fields[TYPE] != id(type(array))
        or fields[DATA] != array.__array_interface__["data"][0]
        or fields[DTYPE] != id(array.dtype)
        or _low_half(fields[FLAGS]) != array.flags.num
        or _low_half(fields[AXES]) != axes
    ):
        return False
    # Lengths and strides are one piece of memory, or the addresses are something else.
    return axes == 0 or (
        fields[STRIDES] == fields[SHAPE] + axes * _WORD
        and _words(fields[SHAPE], 2 * axes) == [*array.shape, *array.strides]
    )


def _arrays() -> Iterator[Array]:
    """Arrays that differ in every field, and in every bit of the flags that is read."""
    dtypes: tuple[Any, ...] = (np.float32, np.float64, ">f4", np.int8, "f4,i8", object)
    for dtype in dtypes:
        block = np.zeros((3, 5, 7), dtype)
        yield from (block, block.T, block[::2, 1:, ::-3], block[0], block[0, 0], block[:0])
        yield np.zeros((), dtype)
    yield np.zeros((2,) * 9, np.float32)
    yield np.zeros((2, 3), np.float64, order="F")
    yield np.zeros(3, np.float32).view(Tensor)
    yield np.broadcast_to(np.float32(1.0), (2, 3))
    yield np.zeros(4 * 3 + 1, np.uint8)[1:].view(np.float32)
    read_only = np.zeros(3, np.float32)
    read_only.flags.writeable = False
    yield read_only
