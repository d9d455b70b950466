"""What generated optimizers import: their base class and the terms that describe them.

Needs NumPy, Numba and the standard library only.
"""

from optgen.runtime.description import Hyperparameter, Mode, Phase, Slot, StageScalars
from optgen.runtime.optimizer import Optimizer
from optgen.runtime.schedules import LearningRateSchedule

__all__ = [
    "Hyperparameter",
    "LearningRateSchedule",
    "Mode",
    "Optimizer",
    "Phase",
    "Slot",
    "StageScalars",
]
