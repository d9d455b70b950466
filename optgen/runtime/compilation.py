"""How generated functions are compiled and cached."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from numba import njit, types
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
from numba.core.ccallback import CFunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.sigutils import normalize_signature

from optgen.runtime.notice import warn_of_no_cache


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


COMPILED_IN = (
    "compilation.py",
    "tables.py",
    "kernels.py",
    "axis_kernels.py",
    "index_kernels.py",
    "drivers.py",
)
"""The files of the runtime whose functions become parts of those of others."""


@cache
def _digest() -> str:
    """Return a digest of the files that are compiled in; not all of them need be there."""
    files = [Path(__file__).with_name(name) for name in COMPILED_IN]
    found = hashlib.sha256()
    for file in files:
        found.update(file.read_bytes() if file.exists() else b"")
    return found.hexdigest()


class _Cache(FunctionCache):
    """Numba's cache, which is out of date after a change of the runtime as well."""

    _impl_class = _CacheFiles

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        # Numba looks at the file of the function alone.
        stamp = self._impl.locator.get_source_stamp(), _digest()
        name = self._impl.filename_base
        self._cache_file = IndexDataCacheFile(self._cache_path, name, stamp)

    def _load_overload(self, signature: Any, target_context: Any) -> Any:
        # Two processes that add to one cache at once may put the code of one signature where its
        # index says another; an argument that is None there is not looked at.
        found = super()._load_overload(signature, target_context)
        wanted, _ = normalize_signature(signature)
        return found if found is None or found.signature.args == wanted else None


def _use_cache(compiled: Any, function: Callable[..., Any]) -> None:
    try:
        compiled._cache = _Cache(function)
    except RuntimeError:
        # Numba finds no folder that it may write into.
        warn_of_no_cache()


def driver(function: Callable[..., Any]) -> Any:
    """Compile a function that Python calls: IEEE division, no fastmath, cached on disk."""
    # The first call compiles; defining a function, and so importing its module, does not.
    compiled: Any = njit(error_model="numpy")(function)
    _use_cache(compiled, function)
    add = compiled.add_overload

    def add_with_environments(result: Any) -> None:
        # Those of parts are set by nobody else; what prints or raises needs them.
        for environment in result._find_referenced_environments():
            result.codegen.set_env(environment.env_name, environment)
        add(result)

    compiled.add_overload = add_with_environments
    return compiled


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a generated function that compiled code alone calls, always inlined.

    Arrays of a function that is called are dozens of words to hand over, which takes longer than
    the elements of a small variable.
    """
    return part_of_kernel(function, forceinline=True)


def callback(arguments: Any, result: Any, function: Callable[..., Any]) -> Any:
    """Compile a function with ``prange`` loops that compiled code calls by its address, cached."""
    compiled: Any = CFunc(function, (arguments, result), {}, {"parallel": True})
    _use_cache(compiled, function)
    compiled.compile()
    return compiled


class _PartLibrary(JITCodeLibrary):
    """The code of a part of kernels, which is not optimised or made machine code by itself.

    It becomes part of its callers, and is optimised with them. Numba would do so for each part
    first, which took a third of the time of a first step.
    """

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


class _PartPipeline(Compiler):
    def __init__(self, typing_context: Any, target_context: Any, library: Any, *more: Any) -> None:
        library = library or _PartLibrary(target_context.codegen(), "part of a kernel")
        super().__init__(typing_context, target_context, library, *more)


def _without_entries(flags: Any) -> Any:
    """Set the flags by which Numba makes nothing that Python or C could call; return them."""
    flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
    return flags


def part_of_kernel(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function that compiled code alone calls, once for all constants that it is given.

    The cache entries of its callers hold the result, so that it has none, and what Numba shows of
    its code is not optimised.  If Python calls it, it is compiled once more, on its own.
    """
    options |= {"error_model": "numpy", "pipeline_class": _PartPipeline}
    compiled: Any = njit(**options)(function)
    of_literals = compiled.get_call_template

    def of_types(arguments: Any, keywords: Any) -> Any:
        return of_literals([types.unliteral(argument) for argument in arguments], keywords)

    @cache
    def alone() -> Any:
        return njit(error_model="numpy")(function)

    def remember(result: Any) -> None:
        # The key of its implementation is usually what Python calls, which it lacks.
        found = result._replace(entry_point=object())
        found.target_context.insert_user_function(found.entry_point, found.fndesc, [found.library])
        compiled.overloads[tuple(found.signature.args)] = found

    compiled._compiler._customize_flags = _without_entries
    compiled.get_call_template = of_types
    compiled.add_overload = remember
    compiled._compile_for_args = lambda *arguments: alone()
    return compiled
