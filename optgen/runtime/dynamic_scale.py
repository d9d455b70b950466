"""A loss scale that grows until gradients overflow, and is halved where they do."""

from __future__ import annotations

import numpy as np

from optgen.runtime.arguments import checked
from optgen.runtime.arrays import Array
from optgen.runtime.description import Hyperparameter
from optgen.runtime.stateful import Checks, check_is_count
from optgen.runtime.variable import Tensor

_LARGEST, _SMALLEST = 2.0**127, 2.0**-126
"""The scale stays a normal number of float32, so that kernels never divide by 0 or infinity."""

INITIAL_SCALE = Hyperparameter(
    "initial_scale", "float", 2.0**15, minimum=_SMALLEST, maximum=_LARGEST
)
GROWTH_STEPS = Hyperparameter("dynamic_growth_steps", "int", 2000, minimum=1)


class DynamicScale:
    """The scale, and what decides about its next change.

    Args:
        initial: the first scale.
        growth_steps: calls without a skip until the scale is doubled.

    Attributes:
        initial: the first scale.
        growth_steps: calls without a skip until the scale is doubled.
        last_skipped: whether the last call was skipped.

    Raises:
        ValueError: if an argument is refused.
    """

    def __init__(self, initial: object, growth_steps: object) -> None:
        self.initial = _number(INITIAL_SCALE, initial)
        self.growth_steps: int = checked(GROWTH_STEPS, growth_steps)
        self._counter = np.array(0, np.int64).view(Tensor)
        self._scale = np.array(self.initial).view(Tensor)
        self._skipped = np.array(0, np.int64).view(Tensor)
        self.last_skipped = False

    @property
    def arrays(self) -> list[Array]:
        """Live arrays of rank 0: calls since a change, the scale, skipped calls."""
        return [self._counter, self._scale, self._skipped]

    @property
    def value(self) -> float:
        """By what the loss of the next call is multiplied.

        Raises:
            ValueError: if what was written into the array is refused.
        """
        _check_scale("dynamic scale", self._scale)
        return float(self._scale)

    def check(self) -> None:
        """Raise ValueError if what was written into the arrays is refused."""
        for key, check, array in zip(KEYS, CHECKS, self.arrays, strict=True):
            check(key, array)

    @property
    def skipped(self) -> int:
        """How many calls were skipped so far."""
        return int(self._skipped)

    def count(self, taken: bool) -> None:
        """Count a call that was taken or skipped, and change the scale if it is time."""
        self.last_skipped = not taken
        if not taken:
            self._skipped[...] += 1
            self._counter[...] = 0
            self._scale[...] = max(self.value * 0.5, _SMALLEST)
        elif self._counter >= self.growth_steps - 1:
            self._counter[...] = 0
            self._scale[...] = min(self.value * 2.0, _LARGEST)
        else:
            self._counter[...] += 1


def _check_scale(what: str, scale: Array) -> None:
    """Raise ValueError unless a scale is one that the optimizer could have had."""
    if not _SMALLEST <= float(scale) <= _LARGEST:
        raise ValueError(
            f"{what}: expected a scale from {_SMALLEST:g} to {_LARGEST:g}, received "
            f"{float(scale):g}."
        )


KEYS = ("step_counter", "scale", "skipped")
"""The names of the arrays in a file."""

CHECKS: Checks = (check_is_count, _check_scale, check_is_count)
"""What new values of the arrays must be."""


def _number(hyperparameter: Hyperparameter, value: object) -> float:
    try:
        number = checked(hyperparameter, None if callable(value) else value)
    except ValueError:
        low, high = hyperparameter.minimum, hyperparameter.maximum
        raise ValueError(
            f"{hyperparameter.name}: expected a number from {low:g} to {high:g}, "
            f"received {value!r}."
        ) from None
    return float(number)
