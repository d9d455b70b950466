"""optgen: one spec of an optimizer, every implementation proven equal."""

__version__ = "0.1.0"
