"""Values of hyperparameters as JSON, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from optgen.runtime.description import Value
from optgen.runtime.schedules import LearningRateSchedule, deserialize, serialize

FUNCTION = "function"
"""The ``class_name`` under which a callable stands in a configuration."""

_UNNAMED = (lambda: None).__name__


def name_of(function: Any) -> str:
    """Return the name by which a configuration knows a callable."""
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


def to_config(value: Value) -> Value:
    """Return a value as JSON holds it.

    A schedule becomes its class and arguments, a callable its name alone.
    """
    if isinstance(value, LearningRateSchedule):
        return serialize(value)
    if callable(value):
        return {"class_name": FUNCTION, "config": name_of(value)}
    return value


def from_config(name: str, value: Value, custom_objects: Mapping[str, Any]) -> Value:
    """Return the value behind what ``to_config`` made of it.

    Args:
        name: the argument, for messages.
        value: what the configuration holds; what is not of ``to_config`` stays as it is.
        custom_objects: callables, and classes of schedules, by name.

    Raises:
        ValueError: if a name is unknown.
    """
    if not isinstance(value, Mapping):
        return value
    if not is_function(value):
        return deserialize(value, custom_objects)
    function = str(value.get("config"))
    if function not in custom_objects:
        raise ValueError(
            f"{name}: the configuration holds a callable called {function!r}, which it cannot "
            f"contain; pass custom_objects={{{function!r}: ...}}."
        )
    return custom_objects[function]


def is_function(value: Value) -> bool:
    """Say whether a value of a configuration stands for a callable."""
    return isinstance(value, Mapping) and value.get("class_name") == FUNCTION


def check_function_names(config: Mapping[str, Value]) -> None:
    """Raise ValueError if several arguments hold functions without a name of their own."""
    unnamed = [
        name
        for name, value in config.items()
        if is_function(value) and value.get("config") == _UNNAMED
    ]
    if len(unnamed) > 1:
        raise ValueError(
            f"{' and '.join(unnamed)}: expected callables that their names tell apart, received "
            f"{len(unnamed)} that are called {_UNNAMED!r}. Define them with `def`, or put the "
            "callables into the configuration."
        )


def to_text(value: Value) -> str:
    """Return a value as it reads in a call of the constructor."""
    if callable(value) and not isinstance(value, LearningRateSchedule):
        return name_of(value)
    return repr(value)
