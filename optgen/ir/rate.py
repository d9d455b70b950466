"""Rates: what a value varies over.

The rate of a value is the one attribute from which the compiler derives what to check, what to
hoist out of a loop, where to split a step into phases, and where each value is computed and kept.

The rates form a lattice::

    CONST < STEP < TENSOR < AXIS(k) < ELEMENT

``CONST`` is fixed in the text, ``STEP`` changes from one step to the next, ``TENSOR`` from one
variable to the next, ``AXIS(k)`` along one axis of a variable, ``ELEMENT`` from one element to the
next.  Two different axes join to ``ELEMENT``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce


@dataclass(frozen=True, slots=True)
class Rate:
    """One point of the lattice.

    Attributes:
        level: 0 for CONST to 4 for ELEMENT.
        axis: the axis of an AXIS rate, otherwise None.
    """

    level: int
    axis: int | None = None

    def __le__(self, other: Rate) -> bool:
        return join(self, other) == other

    def __lt__(self, other: Rate) -> bool:
        return self != other and self <= other

    def __str__(self) -> str:
        name = _NAMES[self.level]
        return name if self.axis is None else f"{name}({self.axis})"

    def describe(self) -> str:
        """The rate in the words of a spec's author, such as ``one number per variable``."""
        words = _DESCRIPTIONS[self.level]
        return words if self.axis is None else f"{words} {self.axis}"


_NAMES = ("const", "step", "tensor", "axis", "element")
_DESCRIPTIONS = (
    "a constant",
    "one number per step",
    "one number per variable",
    "one number per index of axis",
    "one number per element",
)

CONST = Rate(0)
STEP = Rate(1)
TENSOR = Rate(2)
ELEMENT = Rate(4)


def axis(index: int) -> Rate:
    """The rate of a value that varies along one axis of a variable."""
    return Rate(3, index)


def join(left: Rate, right: Rate) -> Rate:
    """The smallest rate that both rates fit in."""
    if left.level == right.level and left.axis != right.axis:
        return ELEMENT
    return left if left.level >= right.level else right


def join_all(rates: Iterable[Rate]) -> Rate:
    """The join of any number of rates; CONST for none."""
    return reduce(join, rates, CONST)
