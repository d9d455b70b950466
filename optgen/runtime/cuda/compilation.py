"""How generated CUDA functions are compiled: with IEEE division, without fastmath, cached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import cuda
from numba.core import config

SIMULATED = bool(config.ENABLE_CUDASIM)
"""Whether Numba's simulator runs kernels as Python threads instead of a device."""


class _NoneArguments:
    """Lets a kernel take None, which it knows from its type: an unused pointer is passed."""

    @staticmethod
    def prepare_args(ty: Any, value: Any, stream: Any, retr: Any) -> tuple[Any, Any]:
        if value is None:
            from numba.cuda import types

            return types.uint64, 0
        return ty, value


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel, which is launched with a grid; its arguments may be None."""
    if SIMULATED:
        return cuda.jit(function)
    return cuda.jit(function, cache=True, extensions=[_NoneArguments])


def device(function: Callable[..., Any]) -> Any:
    """Compile a function that kernels call."""
    if SIMULATED:
        return cuda.jit(function, device=True)
    return cuda.jit(function, device=True, forceinline=True)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function that returns an array, which only a part of its caller may do."""
    if SIMULATED:
        return cuda.jit(function, device=True)
    return cuda.jit(function, device=True, inline="always")
