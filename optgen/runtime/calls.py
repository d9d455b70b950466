"""What a call brings along: gradients, variables, pairs of them, callables."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from optgen.runtime.device_arrays import interface_of
from optgen.runtime.variable import Variable


def as_list(what: str, items: Any) -> list[Any]:
    """Return a new list of gradients or variables; ValueError for anything but several.

    The list keeps its items alive, whatever a callable argument does to the caller's.
    """
    if isinstance(items, list | tuple):
        return list(items)
    if isinstance(items, np.ndarray | Variable) or interface_of(items) is not None:
        raise ValueError(
            f"{what}: expected a list of arrays, received one array of shape "
            f"{tuple(items.shape)}. Put it in a list."
        )
    if not isinstance(items, Iterable):
        raise ValueError(f"{what}: expected a list of arrays, received {type(items).__name__}.")
    return list(items)


def as_arrays(variables: Iterable[Any]) -> list[Any]:
    """Return variables with the array of a Variable in its place."""
    return [v.array if isinstance(v, Variable) else v for v in variables]


def names_of(variables: Iterable[Any]) -> tuple[str | None, ...]:
    """Return the names of variables; None for a plain array, which has none."""
    return tuple(v.name if isinstance(v, Variable) else None for v in variables)


def check_count(gradients: Sequence[object], variables: Sequence[object]) -> None:
    """Raise ValueError unless there are as many gradients as variables."""
    if len(gradients) != len(variables):
        raise ValueError(
            f"gradients: expected one (or None) for each of the {len(variables)} variables, "
            f"received {len(gradients)}."
        )


def as_pairs(grads_and_vars: Any) -> list[Any]:
    """Return a new list of what are to be pairs; TypeError for anything but several items.

    The list keeps its items alive, whatever a callable argument does to the caller's.
    """
    # Asking for the abstract class takes longer than making the list of a few pairs.
    if not hasattr(grads_and_vars, "__iter__"):
        raise TypeError(
            f"grads_and_vars: expected pairs of gradient and variable, received "
            f"{type(grads_and_vars).__name__}. Use zip(gradients, variables)."
        )
    return list(grads_and_vars)


def unzipped(pairs: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Return the gradients and the variables of pairs; TypeError if an item is not a pair."""
    gradients, variables = [], []
    for index, pair in enumerate(pairs):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise TypeError(
                f"grads_and_vars: expected pairs of gradient and variable, received "
                f"{type(pair).__name__} as item {index}. Use zip(gradients, variables)."
            )
        gradients.append(pair[0])
        variables.append(pair[1])
    return gradients, variables


def check_operation_name(name: object) -> None:
    """Raise ValueError unless the name of an operation is a string or None."""
    if name is not None and not isinstance(name, str):
        raise ValueError(f"name: expected a string or None, received {name!r}.")


def takes_no_arguments(function: Callable[..., object]) -> bool:
    """Say whether a callable can be called without arguments, as far as it tells."""
    try:
        inspect.signature(function).bind()
    except TypeError:
        return False
    except ValueError:
        pass  # some built-in functions do not tell their parameters
    return True
