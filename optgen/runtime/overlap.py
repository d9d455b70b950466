"""Which arrays share memory: asked of gradients at every step, so answered by bisection."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Any

import numpy as np

from optgen.runtime.arrays import Array, byte_bounds

Named = tuple[str, Array]

# Deciding whether two strided views share an element can take exponential time. Views of models
# are decided in a few steps; for anything beyond this bound the answer is "they do".
_MOST_WORK: Any = 1_000_000


def share_elements(first: Array, second: Array) -> bool:
    """Say whether two arrays have a byte in common, not only overlapping bounds."""
    try:
        return bool(np.shares_memory(first, second, max_work=_MOST_WORK))
    except np.exceptions.TooHardError:
        return True


def first_overlap(arrays: Iterable[Named]) -> tuple[str, str] | None:
    """Return the names of two arrays that share memory, or None if all lie apart."""
    earlier: list[tuple[int, Named]] = []
    for low, high, named in sorted(
        ((*byte_bounds(array), (name, array)) for name, array in arrays if array.size),
        key=lambda entry: entry[:2],
    ):
        earlier = [(end, other) for end, other in earlier if end > low]
        for _, other in earlier:
            if share_elements(other[1], named[1]):
                return other[0], named[0]
        earlier.append((high, named))
    return None


class MemoryMap:
    """The memory of an optimizer's variables and state, for questions about other arrays.

    Attributes:
        starts: first byte of each region, ascending; regions do not overlap.
        ends: the byte behind each region.
    """

    def __init__(self, arrays: Iterable[Named]) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self._regions: list[list[Named]] = []
        bounds = [(*byte_bounds(array), (name, array)) for name, array in arrays if array.size]
        for low, high, named in sorted(bounds, key=lambda entry: entry[:2]):
            if self.ends and low < self.ends[-1]:
                self.ends[-1] = max(self.ends[-1], high)
                self._regions[-1].append(named)
            else:
                self.starts.append(low)
                self.ends.append(high)
                self._regions.append([named])

    def may_touch(self, low: int, high: int) -> bool:
        """Say whether the bytes from ``low`` up to ``high`` meet a region."""
        index = bisect_right(self.ends, low)
        return index < len(self.starts) and self.starts[index] < high

    def name_of_overlap(self, array: Array) -> str | None:
        """Return the name of an array here that shares memory with the given one, or None."""
        low, high = byte_bounds(array)
        index = bisect_right(self.ends, low)
        while low < high and index < len(self.starts) and self.starts[index] < high:
            for name, other in self._regions[index]:
                if share_elements(array, other):
                    return name
            index += 1
        return None
