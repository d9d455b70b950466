"""Whether candidates take the same step: how far their variables moved, element by element."""

from __future__ import annotations

import numpy as np

RELATIVE = 2e-4
"""Of the largest move in a variable: more than float32 arithmetic in another order makes of it.

Leaving out a decay, a clip or the correction of a bias makes at least ten times as much.
"""

ROUNDINGS = 8
"""How many units in the last place of the largest element every element may be off."""

_UNIT = 2.0**-24


Samples = list[list[float]]


def difference(start: Samples, end: Samples, expected: Samples) -> str:
    """Say how a candidate's results differ from those expected.

    Args:
        start: sampled elements of each variable before the first step.
        end: the candidate's, after some steps; averages of the variables follow the variables.
        expected: the same, of ours.

    Returns:
        A sentence; empty if they are the same within the tolerance.
    """
    if [len(sample) for sample in end] != [len(sample) for sample in expected]:
        return "another step: its arrays are not those of ours"
    worst, place = 0.0, 0
    for index, (found, right) in enumerate(zip(end, expected, strict=True)):
        off = _distance(start[index % len(start)], found, right)
        # Not "off > worst", which NaN would pass.
        if not off <= worst:
            worst, place = off, index
    if worst <= 1.0:
        return ""
    kind = "average" if place >= len(start) else "variable"
    return (
        f"another step: {kind} {place % len(start)} is {worst:.3g} times as far "
        "from ours as rounding explains"
    )


def _distance(start: list[float], found: list[float], right: list[float]) -> float:
    """The largest error of an array, in multiples of what is allowed."""
    moved = np.abs(np.subtract(right, start)).max(initial=0.0)
    allowed = RELATIVE * moved + ROUNDINGS * _UNIT * np.abs(right).max(initial=0.0)
    error = np.abs(np.subtract(found, right)).max(initial=0.0)
    if error == 0.0:
        return 0.0
    return float(error / allowed) if allowed else float("inf")
