"""The values of an optimizer's arguments, and what follows from them alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from optgen.runtime.arguments import (
    CLIP_ARGUMENTS,
    called,
    check_clip_arguments,
    checked,
    checked_arguments,
    number_text,
)
from optgen.runtime.arrays import Array
from optgen.runtime.description import Hyperparameter, Value
from optgen.runtime.schedules import LearningRateSchedule
from optgen.runtime.values import Tensor

# Changing one of these would change what the state so far means.
_FIXED = ("use_ema", "gradient_accumulation_steps")


class Settings(NamedTuple):
    """Checked values of all arguments but the learning rate.

    Attributes:
        values: by name, in the order of the constructor.
        constants: those that are numbers, as floats, for equations.
        callables: the names of those that are callables without arguments.
        stages: the common stages that they switch on.
    """

    values: dict[str, Value]
    constants: dict[str, float]
    callables: tuple[str, ...]
    stages: frozenset[str]

    def numbers_now(
        self, arguments: Mapping[str, Hyperparameter], names: Iterable[str]
    ) -> list[float]:
        """Return what arguments that are numbers or callables are now; callables are called.

        Args:
            arguments: descriptions by name.
            names: which ones.

        Raises:
            ValueError: if a callable gives anything but a number that it may stand for.
        """
        found = ((arguments[name], self.values[name]) for name in names)
        return [called(h, value) if callable(value) else float(value) for h, value in found]


def make_settings(values: dict[str, Value], own: Mapping[str, Hyperparameter]) -> Settings:
    """Return settings for checked values.

    Args:
        values: by name.
        own: the hyperparameters that the optimizer declares; a common argument among them is the
            optimizer's own business and switches no stage on.
    """
    numbers = {n: float(x) for n, x in values.items() if isinstance(x, float | int)}
    callables = tuple(name for name, value in values.items() if callable(value))
    return Settings(values, numbers, callables, _stages(values, own))


def _stages(values: Mapping[str, Value], own: Mapping[str, Hyperparameter]) -> frozenset[str]:
    on = {
        name
        for name in ("loss_scale_factor", *CLIP_ARGUMENTS, "weight_decay")
        if name not in own and values[name] is not None
    }
    if values["gradient_accumulation_steps"] is not None:
        on.add("accumulator")
    if values["use_ema"]:
        on.add("average")
        if values["ema_overwrite_frequency"] is not None:
            on.add("overwrite")
    return frozenset(on)


def changed_settings(
    settings: Settings,
    name: str,
    value: object,
    arguments: Mapping[str, Hyperparameter],
    own: Mapping[str, Hyperparameter],
) -> Settings:
    """Return settings with one value changed.

    Raises:
        ValueError: if the value is refused, or would switch a common stage on or off.
    """
    old = settings.values
    values = {**old, name: checked(arguments[name], value)}
    check_clip_arguments(values, own)
    new = make_settings(values, own)
    if new.stages != settings.stages or (name in _FIXED and values[name] != old[name]):
        raise needs_new_optimizer(name, old[name], values[name])
    return new


def needs_new_optimizer(name: str, old: Value, new: Value) -> ValueError:
    """Return the error for a change that the kernels and state of an optimizer do not allow."""
    return ValueError(
        f"{name}: cannot change from {old!r} to {new!r}, because the kernels and state of this "
        "optimizer depend on it; construct a new one."
    )


class LearningRate:
    """A learning rate: a number in an array of the optimizer's state, a schedule or a callable.

    Args:
        hyperparameter: what it may be.
        value: a checked number, schedule, or callable without arguments.

    Attributes:
        array: float64 array of rank 0 with the number.
        function: the schedule or callable, or None.
    """

    def __init__(self, hyperparameter: Hyperparameter, value: Value) -> None:
        self._hyperparameter = hyperparameter
        self._checked: float | None = None
        self.array: Array = np.array(0.0).view(Tensor)
        self.function: Callable[..., object] | None = None
        self.assign(value)

    def assign(self, value: object) -> None:
        """Replace what it was by a number, a schedule or a callable; ValueError if refused."""
        new = checked(self._hyperparameter, value)
        if callable(new):
            self.function = new
        else:
            self.function = None
            self.array[...] = new

    def now(self, calls: int) -> float:
        """Return the number, or what the schedule or callable gives; ValueError if refused.

        Args:
            calls: how many calls have been counted so far, which is the step of a schedule.
        """
        if self.function is None:
            number = float(self.array)
            if number != self._checked:
                # The array is in the hands of users, too.
                self._checked = checked(self._hyperparameter, number)
            return number
        if isinstance(self.function, LearningRateSchedule):
            return called(self._hyperparameter, self.function, calls)
        return called(self._hyperparameter, self.function)

    def check(self, what: str, value: Array) -> None:
        """Raise ValueError, which says what it is, unless its array may have a value."""
        try:
            checked(self._hyperparameter, float(value))
        except ValueError:
            raise ValueError(
                f"{what}, the learning rate: expected {number_text(self._hyperparameter)}, "
                f"received {value}."
            ) from None

    @property
    def value(self) -> Value:
        """What the constructor takes."""
        return float(self.array) if self.function is None else self.function


def checked_settings(
    owner: str,
    arguments: Mapping[str, Hyperparameter],
    own: Mapping[str, Hyperparameter],
    given: Mapping[str, object],
    unknown: Mapping[str, object],
) -> tuple[Settings, LearningRate | None]:
    """Check the arguments of a constructor.

    Args:
        owner: name of the class, for messages.
        arguments: all that the constructor takes.
        own: those that the optimizer declares.
        given: values by name.
        unknown: keywords that no parameter took.

    Returns:
        The settings, and the learning rate of an optimizer that has one.

    Raises:
        ValueError: naming the argument, what was received and what is expected.
    """
    values = checked_arguments(owner, arguments.values(), given, unknown)
    check_clip_arguments(values, own)
    learning_rate = None
    if "learning_rate" in values:
        learning_rate = LearningRate(arguments["learning_rate"], values.pop("learning_rate"))
    return make_settings(values, own), learning_rate
