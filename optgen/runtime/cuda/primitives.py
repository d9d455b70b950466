"""What kernels of rows and columns are made of, compiled or for Numba's simulator."""

from __future__ import annotations

from optgen.runtime.cuda.compilation import SIMULATED

if SIMULATED:
    from optgen.runtime.cuda.simulated import cuda, int64_table, maximum, minimum, rounded, vector
else:
    from optgen.runtime.cuda.compiled import cuda, int64_table, maximum, minimum, rounded, vector

__all__ = ["cuda", "int64_table", "maximum", "minimum", "rounded", "vector"]
