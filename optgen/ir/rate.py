"""Rates: what a value varies over.

The rate of a value is the one attribute from which the compiler derives what to check, what to
hoist out of a loop, where to split a step into phases, and where each value is computed and kept.

The rates form a lattice::

    CONST < STEP < TENSOR < MATRIX < ROW, COLUMN < ELEMENT
                   TENSOR < INDEX                < ELEMENT

``CONST`` is fixed in the text, ``STEP`` changes from one step to the next, ``TENSOR`` from one
variable to the next, ``ELEMENT`` from one element to the next.

Between a variable and its elements stand parts of it.  A variable of rank 2 or more is a stack of
matrices, which its last two axes span; ``MATRIX`` changes from one of these to the next, ``ROW``
and ``COLUMN`` along one of their axes.  ``INDEX`` is one number for each index of each axis.  There
is no rate for "axis number k": variables of one optimizer differ in how many axes they have, and a
rule that factors moments means the last two whatever that number is.  A row's number and a column's
join to ``ELEMENT``; an ``INDEX`` value has no place in any of the others until it is brought there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce


@dataclass(frozen=True, slots=True)
class Rate:
    """One point of the lattice.

    Attributes:
        level: 0 for CONST to 5 for ELEMENT.
        axis: ``row``, ``column`` or ``index`` where a level has several rates, otherwise empty.
    """

    level: int
    axis: str = ""

    def __le__(self, other: Rate) -> bool:
        return join(self, other) == other

    def __lt__(self, other: Rate) -> bool:
        return self != other and self <= other

    def __str__(self) -> str:
        return self.axis or _NAMES[self.level]

    @property
    def is_axis(self) -> bool:
        """Whether the value varies over parts of a variable that are more than single elements."""
        return TENSOR.level < self.level < ELEMENT.level

    def describe(self) -> str:
        """The rate in the words of a spec's author, such as ``one number per variable``."""
        return _DESCRIPTIONS[str(self)]


_NAMES = ("const", "step", "tensor", "matrix", "axis", "element")
_DESCRIPTIONS = {
    "const": "a constant",
    "step": "one number per step",
    "tensor": "one number per variable",
    "matrix": "one number per matrix",
    "row": "one number per row",
    "column": "one number per column",
    "index": "one number per index",
    "element": "one number per element",
}

CONST = Rate(0)
STEP = Rate(1)
TENSOR = Rate(2)
MATRIX = Rate(3)
ROW = Rate(4, "row")
COLUMN = Rate(4, "column")
INDEX = Rate(4, "index")
ELEMENT = Rate(5)


def join(left: Rate, right: Rate) -> Rate:
    """The smallest rate that both rates fit in."""
    if left == right:
        return left
    if left.level == right.level or not are_combinable((left, right)):
        return ELEMENT
    return left if left.level > right.level else right


def join_all(rates: Iterable[Rate]) -> Rate:
    """The join of any number of rates; CONST for none."""
    return reduce(join, rates, CONST)


def are_combinable(rates: Iterable[Rate]) -> bool:
    """Whether values of these rates may be arguments of one operation.

    A number per index belongs to an axis, not to a place in the variable, so it combines with
    nothing that varies within a variable but others of its kind.
    """
    within = {rate for rate in rates if rate.level > TENSOR.level}
    return INDEX not in within or len(within) == 1
