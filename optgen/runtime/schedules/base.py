"""What a schedule is, and how it becomes JSON and comes back."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Self, TypeVar

Classes = Mapping[str, type["LearningRateSchedule"]]


class LearningRateSchedule:
    """A learning rate that depends on the count of calls so far.

    A schedule of your own is a subclass that implements `__call__`, and `get_config` if it is to
    be serialized or compared; a dataclass needs no `get_config`. Give `from_config` or
    `deserialize` the class in `custom_objects` to restore it.

    The schedules of optgen cannot be changed after construction. They compute in float64, as
    Python floats, and refuse negative steps, where Keras follows the formula.

        >>> class InverseSquareRoot(LearningRateSchedule):
        ...     def __init__(self, scale):
        ...         self.scale = scale
        ...
        ...     def __call__(self, step):
        ...         return self.scale / (1 + step) ** 0.5
        ...
        ...     def get_config(self):
        ...         return {"scale": self.scale}
        >>> schedule = InverseSquareRoot(0.5)
        >>> schedule
        InverseSquareRoot(scale=0.5)
        >>> schedule(24)
        0.1
        >>> deserialize(serialize(schedule), {"InverseSquareRoot": InverseSquareRoot}) == schedule
        True
    """

    def __call__(self, step: int) -> float:
        """Return the learning rate of one call.

        Args:
            step: how many calls there were before; 0 at the first, and also counting those whose
                gradients an optimizer only accumulates. The schedules of optgen take any finite
                number >= 0, also from NumPy.

        Raises:
            ValueError: if a schedule of optgen is given something else.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not implement `__call__(self, step)`, which returns the "
            "learning rate."
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor by name, as values that JSON can hold."""
        if not is_dataclass(self):
            raise NotImplementedError(
                f"{type(self).__name__} does not implement `get_config(self)`, which returns the "
                "arguments of the constructor by name."
            )
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Classes | None = None) -> Self:
        """Return a new schedule.

        Args:
            config: what `get_config` returned.
            custom_objects: classes by name, for schedules inside that optgen does not define.

        Raises:
            ValueError: if an argument is refused, or a schedule inside is of an unknown class.
        """
        arguments = _restored(config, custom_objects)
        try:
            inspect.signature(cls).bind(**arguments)
        except TypeError as error:
            raise ValueError(f"{cls.__name__}: {error}.") from None
        return cls(**arguments)

    def __repr__(self) -> str:
        config = self._config()
        if config is None:
            return super().__repr__()
        arguments = ", ".join(f"{name}={value!r}" for name, value in config.items())
        return f"{type(self).__name__}({arguments})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LearningRateSchedule) or type(self) is not type(other):
            return NotImplemented
        config = self._config()
        return self is other or (config is not None and config == other._config())

    def __hash__(self) -> int:
        config = self._config()
        return id(self) if config is None else hash((type(self), _hashable(config)))

    def _config(self) -> dict[str, Any] | None:
        """Return the config, or None from a class that has none and so compares by identity."""
        try:
            return self.get_config()
        except NotImplementedError:
            return None


S = TypeVar("S", bound=LearningRateSchedule)

_BUILT_IN: dict[str, type[LearningRateSchedule]] = {}


def built_in(cls: type[S]) -> type[S]:
    """Let `deserialize` find a class by its name; for the schedules of optgen."""
    _BUILT_IN[cls.__name__] = cls
    return cls


def serialize(schedule: LearningRateSchedule) -> dict[str, Any]:
    """Return a schedule as a dict that JSON can hold.

    Returns:
        `{"class_name": ..., "config": ...}`, with schedules inside of the same form.

    Raises:
        ValueError: if it is not a schedule.
    """
    if not isinstance(schedule, LearningRateSchedule):
        raise ValueError(
            f"schedule: expected a LearningRateSchedule of optgen.schedules, received "
            f"{schedule!r} ({type(schedule).__name__})."
        )
    return {"class_name": type(schedule).__name__, "config": _plain(schedule.get_config())}


def deserialize(
    config: Mapping[str, Any], custom_objects: Classes | None = None
) -> LearningRateSchedule:
    """Return a new schedule.

    Args:
        config: what `serialize` returned, or Keras' function of that name.
        custom_objects: classes by name, for schedules that optgen does not define; they come
            before those that it defines.

    Raises:
        ValueError: if the class is unknown or one of its arguments is refused.
    """
    if not _is_serialized(config):
        raise ValueError(
            "config: expected what `serialize` returns, "
            f"{{'class_name': ..., 'config': {{...}}}}, received {config!r}."
        )
    name = config["class_name"]
    known = {**_BUILT_IN, **(custom_objects or {})}
    if name not in known:
        raise _unknown(name, known)
    cls = known[name]
    if not isinstance(cls, type) or not issubclass(cls, LearningRateSchedule):
        raise ValueError(
            f"custom_objects[{name!r}]: expected a subclass of LearningRateSchedule, received "
            f"{cls!r}."
        )
    # Schedules inside are restored here, for classes whose `from_config` takes the config alone.
    return cls.from_config(_restored(config["config"], custom_objects))


def _unknown(name: str, known: Classes) -> ValueError:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return ValueError(
        f"class_name: expected one of {', '.join(sorted(known))}, received {name!r}{hint} For a "
        f"schedule of your own, give its class: custom_objects={{{name!r}: {name}}}."
    )


def _is_serialized(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and isinstance(value.get("class_name"), str)
        and isinstance(value.get("config"), Mapping)
    )


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: lists for tuples, serialized schedules."""
    if isinstance(value, LearningRateSchedule):
        return serialize(value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _restored(value: Any, custom_objects: Classes | None) -> Any:
    """Return a value with the schedules in it restored."""
    if _is_serialized(value):
        return deserialize(value, custom_objects)
    if isinstance(value, Mapping):
        return {name: _restored(item, custom_objects) for name, item in value.items()}
    if isinstance(value, list):
        return [_restored(item, custom_objects) for item in value]
    return value


def _hashable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return frozenset((name, _hashable(item)) for name, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(_hashable(item) for item in value)
    return value
