"""Combinations of common arguments, which are part of the package."""

from __future__ import annotations

from optgen.testing.pairwise import (
    COMMON_CHOICES,
    covering_arguments,
    covering_rows,
    pairs_of,
)

__all__ = ["COMMON_CHOICES", "covering_arguments", "covering_rows", "pairs_of"]
