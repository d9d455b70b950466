"""The Numba CPU backend: vectorised kernels, and drivers that run them on one thread or all."""
