"""How generated CUDA functions are compiled: with IEEE division, without fastmath, cached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import cuda
from numba.core import config

from optgen.runtime.notice import warn_of_no_cache

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
    try:
        return cuda.jit(function, cache=True, extensions=[_NoneArguments])
    except RuntimeError:
        # Numba finds no folder that it may write into.
        warn_of_no_cache()
        return cuda.jit(function, extensions=[_NoneArguments])


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


def kernel_if(*stages: int) -> Callable[[Callable[..., Any]], Any]:
    """As ``kernel``, for one that does nothing unless a common stage is on.

    Args:
        *stages: its argument ``stages`` has something other than None at one of these indices if
            there is something to do.
    """

    def compile_kernel(function: Callable[..., Any]) -> Any:
        compiled = kernel(function)
        compiled.needs_one_of = stages
        return compiled

    return compile_kernel


def has_work(kernel: Any, stages: tuple[Any, ...]) -> bool:
    """Say whether a kernel does anything for these ``stages``."""
    indices = getattr(kernel, "needs_one_of", None)
    return indices is None or any(stages[index] is not None for index in indices)
