"""What CPU and CUDA kernels have in common: everything but the index preamble and the launch."""
