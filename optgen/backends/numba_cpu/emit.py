"""Schedule -> the functions of a CPU module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from optgen.backends.artifact import Artifact, Source, header, templates
from optgen.backends.layout import ModeLayout, phase_names
from optgen.backends.numba_cpu.kernel import kernel_function
from optgen.backends.numba_cpu.launch import chunk_function, driver_function
from optgen.backends.numba_cpu.phase import PhaseText
from optgen.backends.numba_cpu.variable import variable_function
from optgen.backends.pytext import LINE_LENGTH, names_used

HELPERS = (
    "BLOCK",
    "LANES",
    "chunk_sums",
    "elements",
    "fold_blocks",
    "fold_blocks_maximum",
    "fold_lanes",
    "fold_lanes_maximum",
    "number",
    "optional_elements",
    "optional_number",
    "rounded",
    "sign",
    "square",
    "write_back",
)


def emit_module(
    module: str, title: str, modes: Sequence[ModeLayout], source: Source | None
) -> Artifact:
    """The CPU module of an optimizer.

    Args:
        module: the name of the optimizer's module.
        title: the module's docstring, one line.
        modes: the optimizer's modes.
        source: the spec it comes from.
    """
    texts = _functions(modes)
    text = (
        templates("optgen.backends.numba_cpu")
        .get_template("module.py.j2")
        .render(
            header=header(source, "CPU kernels", compiled=True),
            title=title,
            imports=_imports("\n".join(texts)),
            functions=texts,
        )
    )
    return Artifact(f"{module}_cpu.py", text)


def _functions(modes: Sequence[ModeLayout]) -> list[str]:
    """The functions of all phases, those that several modes share once."""
    names = phase_names(modes)
    per_variable: dict[str, dict[str, str]] = {}
    phases: dict[str, PhaseText] = {}
    for mode in modes:
        for phase in mode.schedule.phases:
            name = names[mode.schedule.name, phase.name]
            if name not in phases:
                phases[name] = PhaseText(mode, mode.phase(phase), name, "")
                content = variable_function(phases[name])
                owners = per_variable.setdefault(phase.name, {})
                owners.setdefault(content, mode.schedule.name)
    found: dict[str, None] = {}
    for text in phases.values():
        owners = per_variable[text.phase.name]
        owner = owners[variable_function(text)]
        prefix = "" if len(owners) == 1 else f"{owner}_"
        named = replace(text, variable_name=f"{prefix}{text.phase.name}_variable")
        found.update(dict.fromkeys(_phase_functions(named)))
    return list(found)


def _phase_functions(text: PhaseText) -> list[str]:
    """A phase's functions, in the order in which they call each other."""
    found = [variable_function(text)] if text.has_variable_function else []
    if text.layout.has_loop:
        found += [kernel_function(text), chunk_function(text)]
    found.append(driver_function(text, "serial", "kernel", "range"))
    found.append(driver_function(text, "parallel", "parallel_kernel", "prange"))
    return found


def _imports(text: str) -> str:
    """The import lines that a text needs."""
    used = names_used(text)
    lines = []
    numba = [name for name in ("float64", "prange", "uint64") if name in used]
    if "np" in used:
        lines.append("import numpy as np")
    lines.append(f"from numba import {', '.join(numba)}")
    lines += ["", "from optgen.runtime.compilation import kernel, parallel_kernel"]
    helpers = [name for name in sorted(HELPERS, key=_import_order) if name in used]
    head = f"from optgen.runtime.kernels import {', '.join(helpers)}"
    if len(head) > LINE_LENGTH:
        body = "".join(f"    {name},\n" for name in helpers)
        head = f"from optgen.runtime.kernels import (\n{body})"
    return "\n".join([*lines, head])


def _import_order(name: str) -> tuple[bool, str]:
    """Constants first, then functions, as import sorters have it."""
    return (not name.isupper(), name)
