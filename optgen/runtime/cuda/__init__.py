"""Optimizers on CUDA devices; imported when device arrays are given, and never before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from optgen.runtime.cuda.support import check_support

if TYPE_CHECKING:
    from optgen.runtime.cuda.memory import DeviceMemory


def memory_of(variables: Sequence[object]) -> DeviceMemory:
    """Return the memory of the device that variables are on.

    Raises:
        ImportError: if numba-cuda is missing.
        RuntimeError: if there is no toolkit, driver or device.
    """
    check_support()
    # What it imports needs numba-cuda already when it is imported.
    from optgen.runtime.cuda.memory import DeviceMemory

    return DeviceMemory(variables)
