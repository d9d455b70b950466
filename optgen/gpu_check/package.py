"""The generated package, and what there is in it to check."""

from __future__ import annotations

import functools
import importlib.util
import itertools
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from optgen.runtime import Hyperparameter, Mode, Optimizer

Arguments = dict[str, Any]

MOST_CHANGES = 4
"""How many hyperparameters at most differ from their defaults to select a mode."""


@functools.cache
def package() -> ModuleType:
    """The package of generated optimizers: the installed one, else that of a checkout."""
    installed = importlib.util.find_spec("optgen.optimizers") is not None
    return importlib.import_module("optgen.optimizers" if installed else "generated")


def optimizer_class(name: str) -> type[Optimizer]:
    """A generated class."""
    found: type[Optimizer] = getattr(package(), name)
    return found


def class_names() -> list[str]:
    """The names of all generated classes."""
    return list(package().__all__)


@functools.cache
def selecting(name: str) -> dict[str, Arguments]:
    """For each mode of a class, hyperparameters that select it.

    Raises:
        LookupError: if none are found for some mode.
    """
    kind = optimizer_class(name)
    module = importlib.import_module(kind.__module__)
    # What computes the values for an evaluation is no mode of a step.
    evaluations = {mode.name for mode in kind.evaluations}
    modes = {mode.name for mode in vars(module).values() if isinstance(mode, Mode)} - evaluations
    found: dict[str, Arguments] = {}
    for arguments in _candidates(kind.hyperparameters):
        if found.keys() == modes:
            return found
        try:
            mode = kind(**arguments).select_mode()
        except ValueError:
            continue
        found.setdefault(mode.name, arguments)
    if found.keys() != modes:
        missing = ", ".join(sorted(modes - found.keys()))
        raise LookupError(
            f"expected hyperparameters for each mode of {name}, found none: {missing}"
        )
    return found


def _candidates(hyperparameters: tuple[Hyperparameter, ...]) -> Iterator[Arguments]:
    """Hyperparameters that differ from the defaults, fewest changes first."""
    values = {h.name: [v for v in _values(h) if v != h.default] for h in hyperparameters}
    for count in range(MOST_CHANGES + 1):
        for names in itertools.combinations(values, count):
            for chosen in itertools.product(*(values[name] for name in names)):
                yield dict(zip(names, chosen, strict=True))


def _values(h: Hyperparameter) -> list[Any]:
    """Values of a hyperparameter that conditions tell apart."""
    if h.kind == "bool":
        return [False, True]
    if h.kind == "choice":
        return list(h.choices)
    numbers: list[Any] = [0, 1, 2] if h.kind == "int" else [0.0, 0.25]
    last = numbers[-1]
    if h.minimum is not None and (h.minimum > last or (h.exclusive_minimum and h.minimum == last)):
        numbers = [h.minimum + 1]
    return [None, *numbers] if h.optional else numbers
