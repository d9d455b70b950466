"""The functions of a module of kernels, and what it imports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from optgen.backends.layout import ModeLayout, phase_names
from optgen.backends.names import are_confused
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
    phases: dict[str, PhaseText] = {}
    for mode in modes:
        for phase in mode.schedule.phases:
            name = names[mode.schedule.name, phase.name]
            phases.setdefault(name, PhaseText(mode, mode.phase(phase), name, "", dialect))
    found: dict[str, None] = {}
    for text in _with_variable_names(phases).values():
        found.update(dict.fromkeys(phase_functions(text)))
    return list(found)


def _with_variable_names(phases: Mapping[str, PhaseText]) -> dict[str, PhaseText]:
    """The phases by their kernels' names, with those of functions per variable.

    One that all phases of a name have is named after the phase alone.
    """
    users: dict[str, dict[str, list[str]]] = {}
    for name, text in phases.items():
        users.setdefault(text.phase.name, {}).setdefault(variable_function(text), []).append(name)
    named: dict[str, PhaseText] = {}
    for phase_name, contents in users.items():
        for kernels in contents.values():
            owner = phases[kernels[0]].mode.schedule.name
            stem = phase_name if len(contents) == 1 else f"{owner}_{phase_name}"
            others = phases.keys() - kernels
            taken = {text.variable_name for text in named.values()}
            while f"{stem}_variable" in taken or any(are_confused(stem, o) for o in others):
                stem = f"{owner}_{stem}"
            for name in kernels:
                named[name] = replace(phases[name], variable_name=f"{stem}_variable")
    return {name: named[name] for name in phases}


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
