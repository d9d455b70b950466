"""Functions of two variables on which the ways of optimizers can be seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STEPS = 150
LEARNING_RATES = tuple(float(f"{10 ** (k / 4):.2g}") for k in range(-16, 5))
"""From 0.0001 to 10, four to a decade."""

FAR = 1e3
"""A way that gets this far from the origin is lost."""


@dataclass(frozen=True)
class Landscape:
    """A function to be minimized.

    Attributes:
        name: used in file names.
        title: what it is called.
        formula: the function, in LaTeX.
        value: its value at x and y, which may be arrays.
        gradient: its gradient at a point.
        start: where ways begin.
        minimum: where it is least, and zero.
        limits: the part that is drawn: x from, to, y from, to.
    """

    name: str
    title: str
    formula: str
    value: Callable[[Any, Any], Any]
    gradient: Callable[[Array], Array]
    start: tuple[float, float]
    minimum: tuple[float, float]
    limits: tuple[float, float, float, float]


def _rosenbrock(x: Any, y: Any) -> Any:
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def _rosenbrock_gradient(w: Array) -> Array:
    x, y = w
    valley = y - x * x
    return np.array([-2 * (1 - x) - 400 * x * valley, 200 * valley])


_BEALE = ((1.5, 1), (2.25, 2), (2.625, 3))


def _beale(x: Any, y: Any) -> Any:
    return sum((constant - x + x * y**power) ** 2 for constant, power in _BEALE)


def _beale_gradient(w: Array) -> Array:
    x, y = w
    gradient = np.zeros(2)
    for constant, power in _BEALE:
        residual = constant - x + x * y**power
        gradient += 2 * residual * np.array([y**power - 1, power * x * y ** (power - 1)])
    return gradient


def _quadratic(x: Any, y: Any) -> Any:
    return (x * x + 50 * y * y) / 2


def _quadratic_gradient(w: Array) -> Array:
    return np.array([1.0, 50.0]) * w


LANDSCAPES = (
    Landscape(
        "rosenbrock",
        "Rosenbrock's function",
        r"(1 - x)^2 + 100 \left(y - x^2\right)^2",
        _rosenbrock,
        _rosenbrock_gradient,
        (-1.2, 1.0),
        (1.0, 1.0),
        (-1.8, 1.8, -0.8, 2.2),
    ),
    Landscape(
        "beale",
        "Beale's function",
        r"\sum_{k=1}^{3} \left(c_k - x + x y^k\right)^2$ with $c = 1.5, 2.25, 2.625",
        _beale,
        _beale_gradient,
        (0.5, -1.5),
        (3.0, 0.5),
        (-0.2, 4.6, -2.0, 1.6),
    ),
    Landscape(
        "quadratic",
        "An ill-conditioned quadratic",
        r"\frac{x^2 + 50 \, y^2}{2}",
        _quadratic,
        _quadratic_gradient,
        (-4.0, 1.0),
        (0.0, 0.0),
        (-4.6, 1.6, -1.5, 1.5),
    ),
)


@dataclass(frozen=True)
class Way:
    """What an optimizer did on a landscape.

    Attributes:
        learning_rate: the one that it was given.
        points: the start and the point after each step, one a row.
        value: the mean of the function's values on the way; infinity for a way that is lost.
    """

    learning_rate: float
    points: Array
    value: float


def walk(
    make: Callable[..., Any],
    arguments: Mapping[str, Any],
    learning_rate: float,
    landscape: Landscape,
    steps: int = STEPS,
) -> Way:
    """Return the way of an optimizer from the start of a landscape.

    Args:
        make: its class.
        arguments: its arguments but the learning rate.
        learning_rate: the learning rate.
        landscape: the function.
        steps: how many steps it takes.
    """
    optimizer = make(**{**arguments, "learning_rate": learning_rate})
    w = np.array(landscape.start)
    optimizer.build([w])
    points = [w.copy()]
    for _ in range(steps):
        optimizer.apply([landscape.gradient(w)])
        if not np.abs(w).max() < FAR:
            return Way(learning_rate, np.array(points), np.inf)
        points.append(w.copy())
    return Way(
        learning_rate, np.array(points), float(landscape.value(*np.transpose(points)).mean())
    )


def best_way(
    make: Callable[..., Any],
    arguments: Mapping[str, Any],
    landscape: Landscape,
    learning_rates: Sequence[float] = LEARNING_RATES,
) -> Way:
    """Return the way with the learning rate whose mean value is least; the first of equals."""
    ways = (walk(make, arguments, rate, landscape) for rate in learning_rates)
    return min(ways, key=lambda way: way.value)
