"""Where a reference keeps the numbers of an optimizer's slot."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from tests.references.rule import Array


def names_of(slot: str, rate: str, rank: int, kept: Collection[str]) -> list[str] | None:
    """The reference's slots that hold the numbers of an optimizer's slot, one after the other.

    Below rank 2 a reference keeps one array like the variable in place of rows and columns, and
    rows and columns in place of indices at rank 2.

    Args:
        slot: The optimizer's slot.
        rate: What it has one number per.
        rank: That of the variable.
        kept: The names of the slots that the reference keeps for the variable.

    Returns:
        The names; None if the reference keeps no such numbers.
    """
    names = [slot]
    if rate in ("row", "column") and rank < 2:
        names = [slot.rpartition("_")[0]]
    elif rate == "index" and rank == 2:
        names = [f"{slot}_row", f"{slot}_column"]
    elif rate == "index" and rank > 2:
        names = [f"{slot}_axes"]
    return names if set(names) <= set(kept) else None


def numbers_of(names: list[str], state: Callable[[str], Any]) -> Array:
    """All numbers of some slots, flat; ``state`` gives an array, or a tuple of them, by name."""
    found = [state(name) for name in names]
    arrays = [part for value in found for part in (value if isinstance(value, tuple) else [value])]
    return np.concatenate([np.ravel(np.asarray(array, np.float64)) for array in arrays])
