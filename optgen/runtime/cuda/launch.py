"""Launches of CUDA kernels: their sizes, and their compilation before anything is written."""

from __future__ import annotations

import functools
import importlib
import warnings
from typing import Any

from optgen.runtime.cuda.compilation import SIMULATED
from optgen.runtime.cuda.kernels import LANES, TILES, WARP

Threads = int | tuple[int, int]
"""The threads of a block: how many, or the lengths of two axes."""


def threads_for(items: int) -> int:
    """Return how many threads a block has that is to work on so many items at once."""
    return min(LANES, 1 << max(0, items - 1).bit_length())


def tiled_grid(count: int, count_of_long: int) -> tuple[int, tuple[int, int]]:
    """Return the blocks, and their threads, of a launch that gives tiles to chunks.

    Args:
        count: how many chunks there are.
        count_of_long: how many of them get a block of their own, see ``kernels.py``.
    """
    shared = count - count_of_long
    tiles = TILES if count_of_long else 1 << max(0, min(shared, TILES) - 1).bit_length()
    return count_of_long + -(-shared // tiles), (WARP, tiles)


@functools.cache
def kernel_of(path: str, part: str) -> Any:
    """Return a kernel of a phase or stage, or None if it has none for this part of its work.

    Args:
        path: ``package.module.stem``, as descriptions give it.
        part: ``"variables"``, ``"chunks"``, ``"fold"`` or ``"step"``.
    """
    module, _, stem = path.rpartition(".")
    return getattr(importlib.import_module(module), f"{stem}_{part}", None)


def launch(
    kernel: Any, blocks: int, threads: Threads, stream: Any, arguments: tuple[Any, ...]
) -> None:
    """Run a kernel on a stream, without waiting for it; a grid without blocks is no launch."""
    if blocks:
        _configured(kernel, blocks, threads, stream)(*arguments)


def compile_for(kernel: Any, arguments: tuple[Any, ...]) -> None:
    """Compile a kernel for the types of some arguments and load it, unless that is done."""
    if not SIMULATED:
        kernel.compile(tuple(kernel.typeof_pyval(argument) for argument in arguments))


def _configure(kernel: Any, blocks: int, threads: Threads, stream: Any) -> Any:
    with warnings.catch_warnings():
        # Numba warns of grids that do not fill a device, as those of small models do not.
        warnings.filterwarnings("ignore", message="Grid size")
        return kernel[blocks, threads, stream]


# A simulated kernel is configured in place, so that each launch has to.
_configured = _configure if SIMULATED else functools.lru_cache(maxsize=1024)(_configure)
