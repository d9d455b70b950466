"""SM3, as pytorch_optimizer computes it."""

from __future__ import annotations

import numpy as np

from tests.references.rule import Array, Slot, SlottedRule


class SM3(SlottedRule):
    """Adagrad whose sums of squares are bounded by one number for each index of each axis.

    The bound of an element is the smallest number of the indices it has, one along every axis;
    the number of an index is the largest new bound along it. A scalar or a vector so keeps one sum
    per element, and a variable of rank 3 one array of numbers for each of its three axes. With
    `beta`, the bound decays before the square is added with weight `1 - beta`, but the numbers
    never fall, except that of a scalar. The momentum is a mean of steps, so the learning rate is
    outside of it.
    Source: pytorch_optimizer 4.1.0, `SM3`; Anil et al., 2019, algorithm SM3-II.

    Args:
        learning_rate: Step size.
        momentum: Decay of the mean step; 0 means no mean at all.
        beta: Decay of the bounds; 0 means that they are sums.
        epsilon: Added to the bound, under the root.

    Attributes:
        slots: Below rank 2 `(index, "v")`, shaped like the variable; at rank 2 `(index, "v_row")`
            and `(index, "v_column")`, one number per row and per column; above it
            `(index, "v_axes")`, a tuple of one array per axis, as long as the axis. With momentum
            `(index, "momentum_buffer")`, shaped like the variable.
    """

    def __init__(
        self,
        learning_rate: float = 0.1,
        momentum: float = 0.0,
        beta: float = 0.0,
        epsilon: float = 1e-30,
    ) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.beta = beta
        self.epsilon = epsilon

    def initial_slots(self, w: Array) -> dict[str, Slot]:
        slots: dict[str, Slot] = named(tuple(np.zeros(size) for size in w.shape or [()]), w.ndim)
        if self.momentum > 0:
            slots["momentum_buffer"] = np.zeros_like(w)
        return slots

    def update(self, index: int, w: Array, g: Array, t: int) -> Array:
        numbers = self._numbers(index, w.ndim)
        bound = numbers[0] if w.ndim < 2 else along(numbers[0], 0, w.ndim)
        for axis in range(1, w.ndim):
            bound = np.minimum(bound, along(numbers[axis], axis, w.ndim))
        if self.beta > 0:
            bound = self.beta * bound
        bound = bound + (1 - self.beta) * g * g

        largest = [bound.max(axis=others(axis, w.ndim)) for axis in range(w.ndim)] or [bound]
        if self.beta > 0 and w.ndim > 0:
            largest = [np.maximum(*pair) for pair in zip(numbers, largest, strict=True)]
        for name, slot in named(tuple(largest), w.ndim).items():
            self.slots[index, name] = slot

        step = g / np.sqrt(bound + self.epsilon)
        if self.momentum > 0:
            mean = self.slots[index, "momentum_buffer"]
            step = mean + (step - mean) * (1 - self.momentum)
            self.slots[index, "momentum_buffer"] = step
        return w - self.learning_rate * step

    def _numbers(self, index: int, rank: int) -> tuple[Array, ...]:
        """Return the numbers along every axis of a variable of that rank."""
        if rank > 2:
            return self.slots[index, "v_axes"]
        names = ["v_row", "v_column"] if rank == 2 else ["v"]
        return tuple(self.slots[index, name] for name in names)


def named(numbers: tuple[Array, ...], rank: int) -> dict[str, Slot]:
    """Return the numbers along the axes of a variable of that rank as slots."""
    if rank > 2:
        return {"v_axes": numbers}
    return dict(zip(["v_row", "v_column"] if rank == 2 else ["v"], numbers, strict=True))


def others(axis: int, rank: int) -> tuple[int, ...]:
    """Return all axes but one."""
    return tuple(other for other in range(rank) if other != axis)


def along(numbers: Array, axis: int, rank: int) -> Array:
    """Return the numbers along one axis, shaped so that they broadcast over the other axes."""
    return np.expand_dims(numbers, others(axis, rank))
