"""Runs of optimizers that cannot be installed beside the others, recorded once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.references.comparison import Arguments

TWO_STARTS = ((1.0, -2.0, 0.05), (0.5,))
"""Variables that a run starts with: one with a small element, and one of a single element."""

FOUR_STEPS = (
    ((0.3, -0.4, 1.2), (2.0,)),
    ((0.1, 0.2, -0.2), (-1.0,)),
    ((0.6, 0.0, 0.8), (0.5,)),
    ((1.5, -1.0, 0.5), (3.0,)),
)
"""Gradients of four steps; their norms fall and rise, which separates AMSGrad."""


@dataclass(frozen=True)
class RecordedRun:
    """What variables became.

    Attributes:
        arguments: The optimizer's, under our names.
        start: The variables before the first step.
        gradients: Those of every step.
        expected: The variables after the last step.
    """

    arguments: Arguments
    start: Any
    gradients: Any
    expected: Any
