"""Generated CUDA kernels -> PTX, with numba-cuda and without a device."""

from __future__ import annotations

import importlib.util
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

from optgen.backends.numba_cuda.signatures import LIKE, Signature, Type

Capability = tuple[int, int]

INSTALL = "install it with: pip install 'optgen[cuda]'"


class CudaMissingError(RuntimeError):
    """Something that compiling for a device needs is not there; the message says what to do."""


def compile_text(
    text: str, signatures: dict[str, Signature], like: str, capability: Capability
) -> dict[str, str]:
    """The PTX of some kernels of a generated module.

    Args:
        text: the module.
        signatures: the signature of each kernel wanted.
        like: ``float32`` or ``float64``, the type of the elements.
        capability: the compute capability, such as ``(9, 0)``.

    Returns:
        The PTX of each kernel by name, in which it goes by that name.

    Raises:
        CudaMissingError: if numba-cuda or the CUDA toolkit is not installed.
    """
    require_compiler()
    with tempfile.TemporaryDirectory() as folder:
        module = _imported(text, Path(folder))
        return {
            name: compile_kernel(getattr(module, name), signature, like, capability)
            for name, signature in signatures.items()
        }


def compile_kernel(kernel: Any, signature: Signature, like: str, capability: Capability) -> str:
    """The PTX of a kernel; the arguments are those of `compile_text`."""
    from numba import cuda

    function = kernel.py_func
    types = tuple(_numba_type(part, like) for part in signature)
    with _capability_of_callees(capability):
        ptx, _ = cuda.compile_ptx(function, types, cc=capability)
    return _readable(ptx, function.__name__)


def require_compiler() -> None:
    """Make sure that kernels can be compiled here.

    Raises:
        CudaMissingError: if numba-cuda or the CUDA toolkit is not installed, or the simulator
            stands in for it.
    """
    if importlib.util.find_spec("numba_cuda") is None:
        raise CudaMissingError(f"compiling for CUDA needs numba-cuda, which is missing; {INSTALL}")
    from numba.core import config

    if config.ENABLE_CUDASIM:
        raise CudaMissingError(
            "compiling for CUDA needs Numba itself, but its simulator is on; "
            "unset NUMBA_ENABLE_CUDASIM"
        )
    from cuda.pathfinder import DynamicLibNotFoundError, load_nvidia_dynamic_lib

    try:
        load_nvidia_dynamic_lib("nvvm")
    except DynamicLibNotFoundError:
        raise CudaMissingError(
            f"compiling for CUDA needs libnvvm of the CUDA toolkit, which is missing; {INSTALL}"
        ) from None


def _imported(text: str, folder: Path) -> ModuleType:
    path = folder / "kernels.py"
    path.write_text(text, "utf-8")
    spec = importlib.util.spec_from_file_location(f"kernels_in_{folder.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _numba_type(part: Type, like: str) -> Any:
    """A type of a signature as Numba knows it."""
    from numba.cuda import types

    if part is None:
        return types.none
    if isinstance(part, tuple):
        return types.Tuple.from_types([_numba_type(entry, like) for entry in part])
    return getattr(types, like if part == LIKE else part)


@contextmanager
def _capability_of_callees(capability: Capability) -> Iterator[None]:
    """Compile called functions for a capability.

    Numba asks the current device for it, whatever capability their caller is compiled for.
    """
    device = SimpleNamespace(compute_capability=capability)
    with mock.patch("numba.cuda.dispatcher.get_current_device", return_value=device):
        yield


def _readable(ptx: str, name: str) -> str:
    """PTX in which the kernel goes by its name, without the banner and Numba's environments."""
    (mangled,) = re.findall(r"\.visible \.entry (\w+)\(", ptx)
    lines = ptx[ptx.index(".version") :].splitlines()
    kept = (line for line in lines if "NumbaEnv" not in line)
    return "\n".join(kept).replace(mangled, name).strip() + "\n"
