"""The functions of a module of kernels, and what it imports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from optgen.backends.layout import ModeLayout, phase_names
from optgen.backends.numba_text.dialect import Dialect
from optgen.backends.numba_text.phase import PhaseText
from optgen.backends.numba_text.variable import variable_function
from optgen.backends.pytext import LINE_LENGTH


def module_functions(
    modes: Sequence[ModeLayout],
    dialect: Dialect,
    phase_functions: Callable[[PhaseText], list[str]],
) -> list[str]:
    """The functions of all phases, those that several modes share once.

    Args:
        modes: the optimizer's modes.
        dialect: how they are written.
        phase_functions: a phase's functions, in the order in which they call each other.
    """
    names = phase_names(modes)
    per_variable: dict[str, dict[str, str]] = {}
    phases: dict[str, PhaseText] = {}
    for mode in modes:
        for phase in mode.schedule.phases:
            name = names[mode.schedule.name, phase.name]
            if name not in phases:
                phases[name] = PhaseText(mode, mode.phase(phase), name, "", dialect)
                content = variable_function(phases[name])
                owners = per_variable.setdefault(phase.name, {})
                owners.setdefault(content, mode.schedule.name)
    found: dict[str, None] = {}
    for text in phases.values():
        owners = per_variable[text.phase.name]
        owner = owners[variable_function(text)]
        prefix = "" if len(owners) == 1 else f"{owner}_"
        named = replace(text, variable_name=f"{prefix}{text.phase.name}_variable")
        found.update(dict.fromkeys(phase_functions(named)))
    return list(found)


def import_line(module: str, helpers: Sequence[str], used: set[str]) -> str:
    """The import of those helpers of a module that are used, in the order of import sorters."""
    names = [name for name in sorted(helpers, key=_import_order) if name in used]
    head = f"from {module} import {', '.join(names)}"
    if len(head) > LINE_LENGTH:
        body = "".join(f"    {name},\n" for name in names)
        head = f"from {module} import (\n{body})"
    return head


def _import_order(name: str) -> tuple[bool, str]:
    """Constants first, then functions."""
    return (not name.isupper(), name)
