"""Whether everything is there that kernels on a CUDA device need, and if not, what is missing."""

from __future__ import annotations

import functools
from importlib.util import find_spec

from numba.core import config

_INSTALL = (
    "pip install 'numba-cuda[cu13]' (or [cu12], whichever CUDA version `nvidia-smi` says that the "
    "driver supports)"
)


@functools.cache
def check_support() -> None:
    """Raise an error that says what to install, unless kernels can run.

    Raises:
        ImportError: if the package numba-cuda is missing.
        RuntimeError: if there is no driver, no device, or no toolkit.
    """
    if config.ENABLE_CUDASIM:
        return
    if find_spec("numba_cuda") is None:
        raise ImportError(
            "device arrays need the package numba-cuda, which is not installed; install it with "
            f"{_INSTALL}, or pass NumPy arrays."
        )
    from numba import cuda

    error = cuda.cuda_error()
    if error is None and cuda.is_available() and len(cuda.gpus):
        return
    if error is not None:
        # Numba asks for the driver here, and says in several lines what went wrong.
        said = " ".join(str(error).split())
        missing = f"a working NVIDIA driver, which was not found ({said}); install or update it"
    elif len(cuda.gpus) == 0:
        missing = "a CUDA device, of which the driver finds none; check CUDA_VISIBLE_DEVICES"
    else:
        missing = f"the CUDA toolkit (NVVM, NVRTC), which was not found; install it with {_INSTALL}"
    raise RuntimeError(f"device arrays need {missing}, or pass NumPy arrays.")
