"""The memory floor: a parallel sweep over flat buffers that reads and writes each once.

This is all the memory that a step goes through, without arithmetic and without variables to tell
apart: while arrays are larger than the caches, no step over them can be faster.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numba
import numpy as np
from numba import njit, prange

from optgen.bench.candidate import Array
from optgen.bench.steps import Step

_PIECE = 4096
"""Elements that a thread takes at a time, as in generated kernels."""


@njit(error_model="numpy", cache=True)
def _sweep_piece(g: Any, w: Any, a: Any, b: Any, c: Any) -> None:
    """Move every buffer into the one before it, and the gradient into the last.

    The variable, which is replaced, joins the gradient by an exclusive or: otherwise the compiler
    would leave out reading it.
    """
    for i in range(w.size):
        last = g[i] ^ w[i]
        w[i] = a[i]
        if b is None:
            a[i] = last
        elif c is None:
            a[i] = b[i]
            b[i] = last
        else:
            a[i] = b[i]
            b[i] = c[i]
            c[i] = last


@njit(error_model="numpy", cache=True)
def _part(buffer: Any, start: int, stop: int) -> Any:
    return None if buffer is None else buffer[start:stop]


@njit(error_model="numpy", cache=True, parallel=True)
def _sweep(g: Any, w: Any, a: Any, b: Any, c: Any) -> None:
    for piece in prange((w.size + _PIECE - 1) // _PIECE):
        i = piece * _PIECE
        j = min(i + _PIECE, w.size)
        _sweep_piece(g[i:j], w[i:j], a[i:j], _part(b, i, j), _part(c, i, j))


@njit(error_model="numpy", cache=True)
def _read_piece(g: Any) -> int:
    found = np.int32(0)
    for i in range(g.size):
        found ^= g[i]
    return int(found)


@njit(error_model="numpy", cache=True, parallel=True)
def _read(g: Any, found: Any) -> None:
    for piece in prange(found.size):
        start = piece * _PIECE
        found[piece] = _read_piece(g[start : min(start + _PIECE, g.size)])


class Floor:
    """The sweeps of a step; a candidate without results."""

    packages: tuple[str, ...] = ("numba",)

    def __init__(self, step: Step, variables: list[Array]) -> None:
        size = sum(w.size for w in variables)
        self.threads = numba.get_num_threads()
        self.form = f"sweep over {2 + step.state} flat buffers: reads all, writes all but one"
        if step.norm_first:
            self.form += "; before it, a sweep that reads the gradients"
        # Filled, because untouched pages are all the same one.
        state = [np.full(size, i, np.int32) for i in range(1 + step.state)]
        self._buffers = (*state, *[None] * (4 - len(state)))
        self._norm_first = step.norm_first
        self._found = np.empty((size + _PIECE - 1) // _PIECE, np.int32)
        self._gradient = np.empty(0, np.int32)

    def fresh(self, arrays: Iterable[Array]) -> Any:
        gradient = np.empty(self._buffers[0].size, np.int32)  # type: ignore[union-attr]
        start = 0
        for array in arrays:
            gradient[start : start + array.size] = array.reshape(-1).view(np.int32)
            start += array.size
        return gradient

    def again(self) -> Any:
        return self._gradient.copy()

    def place(self, gradients: Any) -> None:
        self._gradient = gradients

    def step(self) -> None:
        if self._gradient.size <= _PIECE:
            # Starting threads for nothing would be no floor.
            if self._norm_first:
                self._found[0] = _read_piece(self._gradient)
            _sweep_piece(self._gradient, *self._buffers)
            return
        if self._norm_first:
            _read(self._gradient, self._found)
        _sweep(self._gradient, *self._buffers)

    def wait(self) -> None:
        """Nothing is running when a call has returned."""

    def results(self) -> list[Array]:
        return []


def make(step: Step, variables: list[Array], form: str) -> Floor:
    """The candidate of a step; it needs the sizes of the variables alone."""
    return Floor(step, variables)
