"""What every candidate can do, and the numbers that all of them start from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Shape = Sequence[int]

_SPREAD = np.float32(0.05)
"""The size of the variables, about that of a model that is trained."""

_SAMPLED = 8
"""Elements of a variable, at most, that results are compared at."""

_SEED = 20
SCALES = (1.0, 3.0, 0.5)
"""What gradients are multiplied by in the steps that are compared.

They differ, so that a rule which ignores the size of gradients shows whether they were clipped.
"""


class Candidate(Protocol):
    """One way to take a step, over variables of its own.

    Attributes:
        form: how the library is used, as a user would write it.
        threads: how many threads it has.
        packages: the distributions whose versions say what was measured.
    """

    form: str
    threads: int
    packages: tuple[str, ...]

    def fresh(self, arrays: Iterable[Array]) -> Any:
        """Copy gradients into new memory, ready to be read by a step."""

    def again(self) -> Any:
        """Copy the gradients that are placed into new memory, ready to be read by a step."""

    def place(self, gradients: Any) -> None:
        """Hand over what the next step uses, as the library's differentiation would."""

    def step(self) -> None:
        """Take one step; it may still be running afterwards."""

    def wait(self) -> None:
        """Wait until no step is running."""

    def results(self) -> list[Array]:
        """The variables and, if the step keeps them, their averages, all in the order of shapes."""


def start_values(shapes: Iterable[Shape]) -> list[Array]:
    """The variables that every candidate starts with."""
    rng = np.random.default_rng(_SEED)
    return [rng.standard_normal(tuple(shape), np.float32) * _SPREAD for shape in shapes]


def gradient_values(shapes: Iterable[Shape]) -> Iterator[Array]:
    """Gradients whose elements are between 1/2 and 1, of either sign.

    None is so small that a step hangs on how it is rounded.
    """
    rng = np.random.default_rng(_SEED + 1)
    half = np.float32(0.5)
    for shape in shapes:
        g = rng.random(tuple(shape), np.float32) - half
        g += np.copysign(half, g)
        yield g


def sampled(arrays: Iterable[Array]) -> list[list[float]]:
    """Some elements of each array, the first and the last among them."""
    found = []
    for array in arrays:
        flat = array.reshape(-1)
        places = np.linspace(0, flat.size - 1, min(_SAMPLED, flat.size)).astype(np.int64)
        found.append([float(x) for x in flat[places]])
    return found
