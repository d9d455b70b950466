"""Learning-rate schedules, for the `learning_rate` of an optimizer.

A schedule is called with the count of calls so far, which starts at 0, and returns the learning
rate of that call. The six of Keras 3 have its arguments, defaults and numbers; `LinearWarmup`,
`OneCycle` and `WarmupStableDecay` are further ones that are in wide use. A schedule of your own is
a subclass of `LearningRateSchedule`.

    >>> schedule = LinearWarmup(CosineDecay(0.1, decay_steps=100), warmup_steps=10)
    >>> [schedule(step) for step in (0, 5, 10, 60, 110)]
    [0.0, 0.05, 0.1, 0.05, 0.0]
    >>> deserialize(serialize(schedule)) == schedule
    True
"""

from optgen.runtime.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    LearningRateSchedule,
    LinearWarmup,
    OneCycle,
    PiecewiseConstantDecay,
    PolynomialDecay,
    WarmupStableDecay,
    deserialize,
    serialize,
)

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
