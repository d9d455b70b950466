"""Checks and measures generated optimizers on a CUDA device: `python -m optgen.gpu_check`.

Needs numba-cuda, NumPy and what is generated, and not the compiler. Speed is compared with that
of torch where it is installed.
"""
