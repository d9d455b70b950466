"""The Numba CUDA backend."""
