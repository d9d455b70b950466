"""Copies to a device, and between arrays on it that lie in different ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import cuda

from optgen.runtime.arrays import Array, address_of, memory_key
from optgen.runtime.cuda.kernels import BLOCK, copy_elements
from optgen.runtime.cuda.launch import launch, threads_for
from optgen.runtime.device_arrays import interface_of

Pair = tuple[Array, Array]
"""Layouts of a destination and a source, of equal shapes."""


def device_address(array: object) -> int:
    """Return the address of the first element of a device array."""
    interface = interface_of(array)
    address: int = 0 if interface is None else interface["data"][0]
    return address


class Uploaded:
    """A small table on a device, copied there only if it is not what is there already."""

    def __init__(self) -> None:
        self._sent: Array | None = None
        self._buffer: Any = None

    def address(self, table: Array, stream: Any) -> int:
        """Return the device address of a table of at least one number.

        Args:
            table: what kernels on the stream are to see; it may change afterwards.
            stream: where the copy takes its turn.
        """
        if self._sent is None or not np.array_equal(self._sent, table):
            if self._buffer is None or self._buffer.size != table.size:
                self._buffer = cuda.device_array(table.size, table.dtype)
            # The copy may still be under way when this returns: it is from an array of its own.
            self._sent = table.copy()
            self._buffer.copy_to_device(self._sent.ravel(), stream=stream)
        return device_address(self._buffer)


class Copies:
    """A launch that copies some arrays into others, whatever their strides and dtypes."""

    def __init__(self) -> None:
        self._rows = Uploaded()
        self._pieces = Uploaded()
        self._known: list[object] = []
        self._tables: tuple[Array, Array] | None = None

    def run(self, pairs: Sequence[Pair], stream: Any) -> None:
        """Copy the second array of each pair into the first, on a stream."""
        pairs = [pair for pair in pairs if pair[0].size]
        if not pairs:
            return
        known: list[object] = [memory_key(layout) for pair in pairs for layout in pair]
        if self._tables is None or self._known != known:
            self._tables, self._known = _tables(pairs), known
        rows, pieces = self._tables
        axes = (rows.shape[1] - 5) // 3
        arguments = (
            self._rows.address(rows, stream),
            self._pieces.address(pieces, stream),
            axes,
            len(pieces),
            len(rows),
        )
        threads = threads_for(int(pieces[:, 2].max()))
        launch(copy_elements, len(pieces), threads, stream, arguments)


def _tables(pairs: Sequence[Pair]) -> tuple[Array, Array]:
    """Return the tables of ``copy_elements``: what to copy, and in which pieces."""
    axes = max(target.ndim for target, _ in pairs)
    rows = np.zeros((len(pairs), 5 + 3 * axes), np.int64)
    pieces = []
    for index, (target, source) in enumerate(pairs):
        ndim = target.ndim
        row = rows[index]
        row[:5] = address_of(source), address_of(target), source.itemsize, target.itemsize, ndim
        row[5 : 5 + ndim] = target.shape
        row[5 + axes : 5 + axes + ndim] = source.strides
        row[5 + 2 * axes : 5 + 2 * axes + ndim] = target.strides
        starts = range(0, target.size, BLOCK)
        pieces += [(index, first, min(BLOCK, target.size - first)) for first in starts]
    return rows, np.array(pieces, np.int64)
