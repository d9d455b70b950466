"""Learning rates that follow the count of calls.

Needs NumPy and the standard library only.
"""

from optgen.runtime.schedules.base import LearningRateSchedule, deserialize, serialize
from optgen.runtime.schedules.cosine import CosineDecay, CosineDecayRestarts
from optgen.runtime.schedules.decay import (
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)
from optgen.runtime.schedules.warmup import LinearWarmup, OneCycle, WarmupStableDecay

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "InverseTimeDecay",
    "LearningRateSchedule",
    "LinearWarmup",
    "OneCycle",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
    "WarmupStableDecay",
    "deserialize",
    "serialize",
]
