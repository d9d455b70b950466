"""What the references of the catalogue share: slots that exist from the start."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Slot = Array | float | tuple[Array, ...]


class SlottedRule(ABC):
    """An update rule whose slots are made, with their initial values, before the first step.

    Attributes:
        learning_rate: Step size; may be assigned between steps.
        slots: The state, keyed `(index, name)` with the position of the variable; what the whole
            optimizer has once is keyed `(None, name)`.
    """

    learning_rate: float

    def __init__(self) -> None:
        self.slots: dict[tuple[int | None, str], Slot] = {}

    def build(self, variables: Sequence[Array]) -> None:
        """Make all slots.

        Args:
            variables: The variables before the first step, in their order.
        """
        self.slots = {(None, name): slot for name, slot in self.initial_step_slots().items()}
        for index, w in enumerate(variables):
            for name, slot in self.initial_slots(w).items():
                self.slots[index, name] = slot

    @abstractmethod
    def initial_slots(self, w: Array) -> Mapping[str, Slot]:
        """Return the slots of the variable `w` before the first step, by name."""

    def initial_step_slots(self) -> Mapping[str, float]:
        """Return the slots of the whole optimizer before the first step, by name."""
        return {}

    def begin_step(self, t: int) -> None:  # noqa: B027 - most rules have nothing to do here
        """Update the slots of the whole optimizer, before any variable is updated.

        Args:
            t: The step, counted from 1.
        """

    @abstractmethod
    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        """Return the variable after one step, and update its slots.

        Args:
            index: Position of the variable, the key of its slots.
            w: The variable, any shape.
            g: Its gradient, the same shape.
            t: The step, counted from 1.

        Returns:
            The new variable, shaped like `w`.
        """
