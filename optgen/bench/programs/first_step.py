"""Importing an optimizer, whose class is the argument, and taking one step."""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np

from optgen.gpu_check.package import optimizer_class
from optgen.runtime import Optimizer

if __name__ == "__main__":
    variables = [np.ones((4, 3), np.float32), np.ones(3, np.float32)]
    gradients = [np.ones((4, 3), np.float32), np.ones(3, np.float32)]
    made: Callable[[], Optimizer] = optimizer_class(sys.argv[1])
    optimizer = made()
    optimizer.apply_gradients(zip(gradients, variables, strict=True))
    print("{}", flush=True)
