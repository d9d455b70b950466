"""Programs whose start is measured, each run as a file by a Python of its own."""
