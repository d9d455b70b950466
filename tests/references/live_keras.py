"""Loading the installed Keras 3 as a float64 NumPy peer."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

import pytest


def load_keras() -> ModuleType:
    """Return Keras 3 on its NumPy backend, computing in float64.

    The backend is fixed by the first import of Keras in a process, so it is chosen in the
    environment before that import; a process that already runs another backend skips the test.

    Two settings together give float64. The float type is the one Keras keeps the learning rate
    in. The type promotion table, outside TensorFlow, sends every float64 result to float32,
    also between float64 operands; its entry for float64 is replaced by float64 itself.

    Returns:
        The `keras` module.
    """
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "numpy"
    keras: ModuleType = pytest.importorskip(
        "keras",
        reason="Keras 3 (with jax, which its NumPy backend imports) is not installed",
        exc_type=ImportError,
    )
    backend = keras.config.backend()
    if backend != "numpy":
        pytest.skip(f"Keras was imported with the {backend} backend before this test")

    keras.config.set_floatx("float64")
    promotion = importlib.import_module("keras.src.backend.common.dtypes")
    promotion.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    promoted = keras.backend.result_type("float64", float)
    if promoted != "float64":
        raise RuntimeError(f"Keras {keras.__version__} computes float64 operands in {promoted}")
    return keras
