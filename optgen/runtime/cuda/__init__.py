"""Optimizers on CUDA devices; imported when device arrays are given, and never before."""
