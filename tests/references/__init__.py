"""Hand-written NumPy references: the update rules and the common stages, independent of optgen."""
