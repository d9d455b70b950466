"""Checks of what the constructors of schedules take, and of the step that a schedule is given."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Step = float | np.integer[Any] | np.floating[Any] | NDArray[Any]
"""A count of calls: a Python or NumPy number, or an array of rank 0."""

Check = Callable[[str, object], Any]
"""Takes the name of an argument and what was given for it; returns the value as a plain Python
object, or raises ValueError."""


def refused(argument: str, expected: str, value: object) -> ValueError:
    """Return the error for a value that an argument does not take."""
    return ValueError(
        f"{argument}: expected {expected}, received {value!r} ({type(value).__name__})."
    )


def check_arguments(schedule: object, **checks: Check) -> None:
    """Replace the fields of a frozen dataclass by their checked values.

    Args:
        schedule: the instance, in its `__post_init__`.
        checks: by field.

    Raises:
        ValueError: naming the class, the argument, what was received and what is expected.
    """
    for name, check in checks.items():
        value = check(f"{type(schedule).__name__}.{name}", getattr(schedule, name))
        object.__setattr__(schedule, name, value)


def checked_step(step: Step) -> float:
    """Return the step as a Python int, or as a float if it is not of an integer type.

    Raises:
        ValueError: unless it is a finite number that is not negative.
    """
    scalar = step[()] if isinstance(step, np.ndarray) else step
    number = _finite(scalar)
    if number is None or number < 0:
        raise refused("step", "the count of calls so far, a finite number >= 0", step)
    return number


# Checks of arguments ---------------------------------------------------------------------------


def number(
    at_least: float = -math.inf, above: float = -math.inf, at_most: float = math.inf
) -> Check:
    """Return the check of a finite number, which becomes a float.

    Args:
        at_least: smallest value.
        above: bound that the value must exceed.
        at_most: largest value.
    """
    check = _real("a finite number", at_least, above, at_most)
    return lambda argument, value: float(check(argument, value))


def steps(at_least: float = -math.inf, above: float = -math.inf) -> Check:
    """Return the check of a duration in steps: a finite number, whose type is kept."""
    return _real("a finite number of steps", at_least, above, math.inf)


def count(at_least: int, at_most: float = math.inf) -> Check:
    """Return the check of an integer."""
    expected = _bounded("an integer", at_least, -math.inf, at_most)

    def check(argument: str, value: object) -> int:
        found = _finite(value)
        if not isinstance(found, int) or not at_least <= found <= at_most:
            raise refused(argument, expected, value)
        return found

    return check


def choice(*allowed: str) -> Check:
    """Return the check of a string that is one of a few."""

    def check(argument: str, value: object) -> str:
        if not isinstance(value, str) or value not in allowed:
            raise refused(argument, "one of " + ", ".join(map(repr, allowed)), value)
        return value

    return check


def flag(argument: str, value: object) -> bool:
    """Return True or False; ValueError for anything else."""
    if not isinstance(value, bool | np.bool_):
        raise refused(argument, "True or False", value)
    return bool(value)


def optional_number(argument: str, value: object) -> float | None:
    """Return a float or None; ValueError for anything but a finite number or None."""
    found = _finite(value)
    if found is None and value is not None:
        raise refused(argument, "a finite number or None", value)
    return None if found is None else float(found)


def optional_name(argument: str, value: object) -> str | None:
    """Return a string or None; ValueError for anything else."""
    if value is not None and not isinstance(value, str):
        raise refused(argument, "a string or None", value)
    return value


def numbers(argument: str, value: object) -> tuple[float, ...]:
    """Return a list of numbers as floats; ValueError for anything else."""
    return tuple(float(item) for item in _list(argument, value))


def increasing(argument: str, value: object) -> tuple[float, ...]:
    """Return a list of numbers, the type of each kept; ValueError unless each exceeds the last."""
    found = _list(argument, value)
    if any(low >= high for low, high in itertools.pairwise(found)):
        raise refused(argument, "numbers in strictly increasing order", value)
    return found


def _real(words: str, at_least: float, above: float, at_most: float) -> Check:
    expected = _bounded(words, at_least, above, at_most)

    def check(argument: str, value: object) -> float:
        found = _finite(value)
        if found is None or not at_least <= found <= at_most or found <= above:
            raise refused(argument, expected, value)
        return found

    return check


def _list(argument: str, value: object) -> tuple[float, ...]:
    if isinstance(value, np.ndarray) and value.ndim == 1:
        value = list(value)
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise refused(argument, "a list of finite numbers", value)
    found = []
    for index, item in enumerate(value):
        plain = _finite(item)
        if plain is None:
            raise refused(f"{argument}[{index}]", "a finite number", item)
        found.append(plain)
    return tuple(found)


def _finite(value: object) -> float | None:
    """Return a finite number as a Python int or float, as its type is; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | np.integer):
        found: float = int(value)
    elif isinstance(value, float | np.floating):
        found = float(value)
    else:
        return None
    try:
        return found if math.isfinite(found) else None
    except OverflowError:  # an integer beyond the range of floats
        return None


def _bounded(words: str, at_least: float, above: float, at_most: float) -> str:
    """Say in words which numbers an argument takes."""
    bounds = [
        f"{sign} {bound:g}"
        for sign, bound in ((">=", at_least), (">", above), ("<=", at_most))
        if math.isfinite(bound)
    ]
    return " ".join([words, " and ".join(bounds)]).rstrip()
