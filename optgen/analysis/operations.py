"""Floating-point operations by kind, as far as their time differs on real machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from optgen.ir.expr import Apply, Number, walk
from optgen.ir.program import Assign

OPERATION_KINDS = ("add", "multiply", "divide", "sqrt", "compare", "other")
"""The kinds; `compare` are comparisons and selections, `other` all that is none of the others."""

# A function without an entry, such as a new one, is one operation of the kind `other`.
_KINDS: Mapping[str, tuple[str, ...]] = {
    "add": ("add",),
    "subtract": ("add",),
    "multiply": ("multiply",),
    "square": ("multiply",),
    "divide": ("divide",),
    "sqrt": ("sqrt",),
    "less": ("compare",),
    "less_equal": ("compare",),
    "greater": ("compare",),
    "greater_equal": ("compare",),
    "equal": ("compare",),
    "not_equal": ("compare",),
    "where": ("compare",),
    "minimum": ("compare",),
    "maximum": ("compare",),
    "clip": ("compare", "compare"),
    "sum": ("add",),
    "sum_of_squares": ("multiply", "add"),
    "max": ("compare",),
    "row_sum": ("add",),
    "row_max": ("compare",),
    "column_sum": ("add",),
    "column_max": ("compare",),
}


def count_operations(lines: Iterable[Assign]) -> dict[str, int]:
    """How many operations of each kind some lines do each time they run.

    A reduction counts what it does with one element.  The sign of a number that stands in the text
    is no operation.

    Returns:
        A count for every kind of ``OPERATION_KINDS``, zeros included.
    """
    counts: Counter[str] = Counter()
    for line in lines:
        for part in walk(line.value):
            signed = isinstance(part, Apply) and isinstance(part.args[0], Number)
            if isinstance(part, Apply) and not (signed and part.function == "negative"):
                counts.update(_KINDS.get(part.function, ("other",)))
    return {kind: counts[kind] for kind in OPERATION_KINDS}
