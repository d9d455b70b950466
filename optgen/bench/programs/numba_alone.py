"""The least that a program with a parallel function of Numba does."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange


@njit(cache=True, parallel=True)
def double(array: Any) -> None:
    """Double an array in place."""
    for i in prange(array.size):
        array[i] *= 2.0


if __name__ == "__main__":
    double(np.ones(8))
    print("{}", flush=True)
