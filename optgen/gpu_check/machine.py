"""What the results were taken on."""

from __future__ import annotations

import datetime
import importlib.metadata
import importlib.util
import platform

from numba import cuda

import optgen
from optgen.runtime.cuda.compilation import SIMULATED

PACKAGES = ("numba", "numba-cuda", "numpy", "torch")


def describe() -> dict[str, str]:
    """The day, the device, its driver and the versions of what runs on it."""
    found = {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "optgen": optgen.__version__,
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }
    if SIMULATED:
        return {**found, "device": "Numba's simulator"}
    device = cuda.get_current_device()
    name = device.name
    return {
        **found,
        "device": name.decode() if isinstance(name, bytes) else str(name),
        "compute capability": "{}.{}".format(*device.compute_capability),
        "driver": _driver(),
    }


def sentence() -> str:
    """The description, on one line."""
    return "; ".join(f"{key} {value}" for key, value in describe().items())


def has_torch() -> bool:
    """Whether torch is installed and can use the device."""
    if SIMULATED or importlib.util.find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _driver() -> str:
    major, minor = cuda.runtime.get_version()
    return f"for CUDA {major}.{minor}"
