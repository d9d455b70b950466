"""The Numba CPU backend: serial vectorised kernels, and drivers that run them in parallel."""
