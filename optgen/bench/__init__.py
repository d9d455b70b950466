"""How fast steps are: beside other libraries, and beside the memory that a step goes through.

Each candidate runs in a process of its own (``worker.py``), which imports NumPy and what it
measures; everything else here runs in the process that asks.
"""
