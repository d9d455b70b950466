"""Other values of an argument, to see whether it matters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from optgen.ir.program import Hyperparameter
from optgen.testing.subject import drawn_float

SMALL_COUNTS = (1, 2, 3)


def alternatives(h: Hyperparameter, value: Any) -> list[Any]:
    """Values inside a hyperparameter's bounds that differ from the one that it has."""
    found = [other for other in _candidates(h, value) if other != value and _allowed(h, other)]
    return list(dict.fromkeys(found))


def _candidates(h: Hyperparameter, value: Any) -> Iterator[Any]:
    rng = np.random.default_rng(3)
    if h.kind == "bool":
        yield not value
    elif h.kind == "choice":
        yield from h.choices
    elif h.kind == "int":
        known = [x for x in (value, h.default) if x is not None]
        yield from (int(x) + step for x in known for step in (1, -1))
        yield from (int(bound) for bound in (h.minimum, h.maximum) if bound is not None)
        yield from SMALL_COUNTS
    else:
        yield from (drawn_float(h, rng) for _ in range(3))
        yield from (x for x in (h.default, h.minimum, h.maximum) if x is not None)
    if h.optional:
        yield None


def _allowed(h: Hyperparameter, value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return True
    return h.smallest <= value <= h.largest
