"""How generated functions are compiled and cached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit, types
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.ccallback import CFunc


class _CacheFiles(CompileResultCacheImpl):
    """Numba's cache files, named after the module as it was imported.

    Cached code refers to its module by name, and generated modules have two: that of the
    installed package, and that of their folder in a checkout.  Each gets files of its own.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._module = function.__module__
        super().__init__(function)

    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        name = fullname.rpartition(".")[2]
        return str(super().get_filename_base(f"{self._module}.{name}", abiflags))


class _Cache(FunctionCache):
    _impl_class = _CacheFiles


def driver(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls: IEEE division, no fastmath, cached on disk."""
    # The first call compiles; defining a function, and so importing its module, does not.
    compiled: Any = njit(error_model="numpy")(function)
    compiled._cache = _Cache(function)
    return compiled


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a generated function that compiled code alone calls, as a part of its callers.

    Tables are dozens of words to hand over, and arrays whose owners would be counted, which takes
    longer than the elements of a small variable.
    """
    return part_of_kernel(function, forceinline=True)


def callback(arguments: Any, result: Any, function: Callable[..., Any]) -> Any:
    """Compile a function with ``prange`` loops that compiled code calls by its address, cached."""
    compiled: Any = CFunc(function, (arguments, result), {}, {"parallel": True})
    compiled._cache = _Cache(function)
    compiled.compile()
    return compiled


def part_of_kernel(function: Callable[..., Any], **more: Any) -> Any:
    """Compile a function that compiled code alone calls, once for all constants that it is given.

    It is compiled into generated kernels, whose cache entry holds the result, so that it needs no
    entry of its own. Nor does it need one for Python or C, which must not call it. All of this is
    time that the first step takes: rules with rows and columns took twice as long to compile.
    """
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **more}
    compiled: Any = njit(error_model="numpy", **options)(function)
    of_literals = compiled.get_call_template

    def of_types(arguments: Any, keywords: Any) -> Any:
        return of_literals([types.unliteral(argument) for argument in arguments], keywords)

    def remember(result: Any) -> None:
        compiled.overloads[tuple(result.signature.args)] = result

    compiled.get_call_template = of_types
    compiled.add_overload = remember
    # What Python calls has a way in, and is compiled on its own.
    compiled._compile_for_args = lambda *arguments: njit(error_model="numpy")(function)
    return compiled
