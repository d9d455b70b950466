"""The stream that a caller's library is using, on which an optimizer works as well."""

from __future__ import annotations

import functools
import sys
from typing import Any

from numba import cuda

from optgen.runtime.cuda.compilation import SIMULATED
from optgen.runtime.device_arrays import interface_of


def stream_pointer(variable: object, device: int) -> int:
    """Return the handle of the stream that the library of an array is using at the moment.

    Libraries are asked only if they are loaded, which they are if the array is theirs.

    Args:
        variable: a device array of torch, CuPy or any other library. What others write into the
            array's interface counts; without it, that is the default stream.
        device: the device of the array.
    """
    libraries = {base.__module__.partition(".")[0] for base in type(variable).__mro__}
    if "torch" in libraries:
        pointer: int = sys.modules["torch"].cuda.current_stream(device).cuda_stream
    elif "cupy" in libraries:
        pointer = sys.modules["cupy"].cuda.get_current_stream().ptr
    else:
        interface = interface_of(variable)
        pointer = 0 if interface is None else interface.get("stream") or 0
    return pointer


@functools.lru_cache(maxsize=256)
def stream_of(pointer: int, device: int) -> Any:
    """Return Numba's stream for a handle, always the same; the simulator has none.

    Args:
        pointer: the handle.
        device: the device that it belongs to, whose context is the current one.
    """
    return 0 if SIMULATED else cuda.external_stream(pointer)
