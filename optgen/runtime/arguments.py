"""Checks of what a caller gives a constructor, or assigns to a hyperparameter later."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace

import numpy as np

from optgen.runtime.calls import as_arrays, takes_no_arguments
from optgen.runtime.description import Hyperparameter, Value
from optgen.runtime.schedules import LearningRateSchedule

COMMON = (
    Hyperparameter("weight_decay", "float", None, minimum=0.0, optional=True, per_variable=True),
    Hyperparameter("clipnorm", "float", None, minimum=0.0, exclusive_minimum=True, optional=True),
    Hyperparameter("clipvalue", "float", None, minimum=0.0, exclusive_minimum=True, optional=True),
    Hyperparameter(
        "global_clipnorm", "float", None, minimum=0.0, exclusive_minimum=True, optional=True
    ),
    Hyperparameter("use_ema", "bool", False),
    Hyperparameter("ema_momentum", "float", 0.99, minimum=0.0, maximum=1.0),
    Hyperparameter("ema_overwrite_frequency", "int", None, minimum=1, optional=True),
    Hyperparameter(
        "loss_scale_factor", "float", None, minimum=0.0, exclusive_minimum=True, optional=True
    ),
    Hyperparameter("gradient_accumulation_steps", "int", None, minimum=2, optional=True),
)
"""The arguments that all optimizers take, in the order of constructors."""

LEGACY = (Hyperparameter("decay", "float", 0.0, minimum=0.0),)
"""Arguments of older versions of Keras that all optimizers take as keywords."""

CLIP_ARGUMENTS = ("clipnorm", "clipvalue", "global_clipnorm")


def checked(hyperparameter: Hyperparameter, value: object) -> Value:
    """Return the value of a hyperparameter as a plain Python object.

    Args:
        hyperparameter: what it may be.
        value: what was given; NumPy scalars and, for a float, integers are fine.

    Returns:
        A float, int, bool or str; None if the hyperparameter is optional; a callable that stands
        for a float, or a schedule that stands for a learning rate, as it is.

    Raises:
        ValueError: if the value is of another type, NaN, infinite or out of range, or a callable
            that takes arguments.
    """
    if value is None and hyperparameter.optional:
        return None
    if callable(value) and hyperparameter.kind == "float":
        return _checked_callable(hyperparameter, value)
    if hyperparameter.name == "gradient_accumulation_steps" and _is_integer(value) and value == 0:
        return None
    converted = _CONVERSIONS[hyperparameter.kind](hyperparameter, value)
    if hyperparameter.kind in ("float", "int") and not _in_range(hyperparameter, converted):
        raise _refused(hyperparameter, value)
    return converted


def checked_arguments(
    owner: str,
    hyperparameters: Iterable[Hyperparameter],
    values: Mapping[str, object],
    unknown: Mapping[str, object],
) -> dict[str, Value]:
    """Return the checked values of all arguments of a constructor, in declaration order.

    Args:
        owner: name of the class, for messages.
        hyperparameters: all that the constructor takes.
        values: what was given, by name.
        unknown: keywords that no parameter took.

    Raises:
        ValueError: if a value is refused or a keyword is unknown.
    """
    hyperparameters = tuple(hyperparameters)
    if unknown:
        raise unknown_arguments(owner, [h.name for h in hyperparameters], unknown)
    return {h.name: checked(h, values[h.name]) for h in hyperparameters}


def unknown_arguments(owner: str, known: Iterable[str], unknown: Iterable[str]) -> ValueError:
    """Return the error for keywords that a constructor does not take.

    Args:
        owner: name of the class.
        known: what it takes.
        unknown: what was given.
    """
    names = ", ".join(repr(name) for name in unknown)
    allowed = ", ".join([*known, "name", "lr"])
    return ValueError(f"{owner} got unknown argument(s) {names}; it takes {allowed}.")


def check_clip_arguments(values: Mapping[str, Value], own: Container[str]) -> None:
    """Raise ValueError if more than one way of clipping gradients is set.

    Args:
        values: all arguments.
        own: the names that the optimizer declares itself, which mean what its equations say.
    """
    clips = [name for name in CLIP_ARGUMENTS if name not in own]
    given = [name for name in clips if values.get(name) is not None]
    if len(given) > 1:
        received = ", ".join(f"{name}={values[name]!r}" for name in given)
        raise ValueError(
            f"expected at most one of {', '.join(CLIP_ARGUMENTS)}, received {received}; "
            "leave the others None."
        )


def checked_name(name: object) -> str:
    """Return the optimizer's name; raise ValueError unless it is a non-empty string."""
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        raise ValueError(f"name: expected a non-empty printable string, received {name!r}.")
    return name


def _is_integer(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _to_float(hyperparameter: Hyperparameter, value: object) -> float:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    real = isinstance(value, float | np.floating) or _is_integer(value)
    try:
        number = float(value) if real else math.nan  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _refused(hyperparameter, value)
    return number


def _to_int(hyperparameter: Hyperparameter, value: object) -> int:
    if not _is_integer(value):
        raise _refused(hyperparameter, value)
    return int(value)  # type: ignore[call-overload, no-any-return]


def _to_bool(hyperparameter: Hyperparameter, value: object) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise _refused(hyperparameter, value)
    return bool(value)


def _to_choice(hyperparameter: Hyperparameter, value: object) -> str:
    if not isinstance(value, str) or value not in hyperparameter.choices:
        raise _refused(hyperparameter, value)
    return str(value)


_CONVERSIONS: dict[str, Callable[[Hyperparameter, object], Value]] = {
    "float": _to_float,
    "int": _to_int,
    "bool": _to_bool,
    "choice": _to_choice,
}


def _in_range(hyperparameter: Hyperparameter, value: float) -> bool:
    low, high = hyperparameter.minimum, hyperparameter.maximum
    if low is not None and (value <= low if hyperparameter.exclusive_minimum else value < low):
        return False
    if high is None:
        return True
    return value < high if hyperparameter.exclusive_maximum else value <= high


def _refused(hyperparameter: Hyperparameter, value: object) -> ValueError:
    return ValueError(
        f"{hyperparameter.name}: expected {_expectation(hyperparameter)}, received {value!r} "
        f"({type(value).__name__})."
    )


def _expectation(hyperparameter: Hyperparameter) -> str:
    """Say in words which values a hyperparameter takes."""
    if hyperparameter.kind == "bool":
        text = "True or False"
    elif hyperparameter.kind == "choice":
        text = "one of " + ", ".join(repr(choice) for choice in hyperparameter.choices)
    else:
        text = number_text(hyperparameter)
    if hyperparameter.kind != "float":
        return text + (" or None" if hyperparameter.optional else "")
    text += ", None" if hyperparameter.optional else ""
    text += ", a schedule" if hyperparameter.name == "learning_rate" else ""
    one = "such a number" if hyperparameter.optional else "one"
    return f"{text}, or a callable without arguments that returns {one}"


def number_text(hyperparameter: Hyperparameter) -> str:
    """Say in words which numbers a hyperparameter takes."""
    text = "an integer" if hyperparameter.kind == "int" else "a finite number"
    bounds = []
    if hyperparameter.minimum is not None:
        sign = ">" if hyperparameter.exclusive_minimum else ">="
        bounds.append(f"{sign} {hyperparameter.minimum:g}")
    if hyperparameter.maximum is not None:
        sign = "<" if hyperparameter.exclusive_maximum else "<="
        bounds.append(f"{sign} {hyperparameter.maximum:g}")
    return " ".join([text, " and ".join(bounds)]).rstrip()


def _checked_callable(hyperparameter: Hyperparameter, function: Callable[..., object]) -> Value:
    """Return what stands for a float; ValueError if it cannot be called without arguments."""
    name = hyperparameter.name
    if isinstance(function, LearningRateSchedule):
        if name == "learning_rate":
            return function
        raise ValueError(
            f"{name}: expected {_expectation(hyperparameter)}, received the schedule {function!r}, "
            "which needs the step; give `lambda: float(schedule(optimizer.iterations))`."
        )
    if not takes_no_arguments(function):
        raise ValueError(
            f"{name}: expected a number or a callable without arguments, received "
            f"{function!r}, which takes arguments. For a schedule of the step, give "
            "`lambda: float(schedule(optimizer.iterations))`."
        )
    return function


def called(hyperparameter: Hyperparameter, function: Callable[..., object], *step: int) -> float:
    """Return what a callable or a schedule gives now.

    Args:
        hyperparameter: what it stands for.
        function: the callable.
        step: for a schedule, the count of calls.

    Raises:
        ValueError: if it gives anything but a number that the hyperparameter may be.
    """
    (value,) = as_arrays([function(*step)])
    plain = replace(hyperparameter, optional=False)
    try:
        number = checked(plain, value)
    except ValueError:
        number = None
    if callable(value) or number is None:
        what = f"the schedule {function!r} to give" if step else "a callable that returns"
        where = f" at step {step[0]}" if step else ""
        raise ValueError(
            f"{hyperparameter.name}: expected {what} {number_text(plain)}, received {value!r} "
            f"({type(value).__name__}) from it{where}."
        )
    return float(number)


def split_legacy(
    unknown: Mapping[str, object], arguments: Container[str]
) -> tuple[dict[str, object], dict[str, object]]:
    """Divide keywords that no parameter took into those of older versions of Keras and others.

    Args:
        unknown: the keywords.
        arguments: the names of all arguments of the optimizer.

    Returns:
        Values for arguments, ``lr`` under the name ``learning_rate``; and what is really unknown.
    """
    aliases = {"lr": "learning_rate", **{h.name: h.name for h in LEGACY}}
    known = {aliases[n]: x for n, x in unknown.items() if aliases.get(n) in arguments}
    return known, {n: x for n, x in unknown.items() if aliases.get(n) not in arguments}


def not_zero(hyperparameter: Hyperparameter) -> float:
    """Return the number that a callable stands for when a mode is chosen.

    The default if that is not zero, else the largest value allowed, or one near a bound.
    """
    h = hyperparameter
    low = -math.inf if h.minimum is None else h.minimum
    high = math.inf if h.maximum is None else h.maximum
    middle = low / 2 + high / 2
    default = float(h.default or 0.0)
    candidates = (default, high, 1.0, low, middle, low + 1.0, high - 1.0, high / 2)
    return next((x for x in candidates if x and math.isfinite(x) and _in_range(h, x)), 1.0)
