"""Schedule -> the functions of a CPU module."""

from __future__ import annotations

from collections.abc import Sequence

from optgen.backends.artifact import Artifact, Source, header, templates
from optgen.backends.layout import ModeLayout
from optgen.backends.numba_cpu.launch import chunk_function, driver_function, unit_function
from optgen.backends.numba_text.axes import axis_functions
from optgen.backends.numba_text.dialect import AxisDialect, AxisLoop, Dialect, Lanes
from optgen.backends.numba_text.kernel import kernel_function
from optgen.backends.numba_text.module import import_line, module_functions
from optgen.backends.numba_text.phase import PhaseText
from optgen.backends.numba_text.variable import variable_function
from optgen.backends.pytext import names_used

AXIS_HELPERS = (
    "axis_columns",
    "axis_matrices",
    "axis_rows",
    "fold_panels",
    "fold_panels_maximum",
    "matrix_number",
    "maxima_of_columns",
    "maxima_of_rows",
    "scratch",
    "spread_columns",
    "spread_matrices",
    "spread_rows",
    "sum_matrices",
    "sums_of_columns",
    "sums_of_rows",
    "variable_number",
)

INDEX_HELPERS = ("axis_indices", "index_columns", "index_maxima", "index_rows")

DRIVER_HELPERS = ("borrowed", "for_each")

HELPERS = (
    "BLOCK",
    "LANES",
    "chunk_sums",
    "elements",
    "fold_blocks",
    "fold_blocks_maximum",
    "fold_lanes",
    "fold_lanes_maximum",
    "lanes_on_stack",
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
    texts = module_functions(modes, DIALECT, _phase_functions)
    text = (
        templates("optgen.backends.numba_cpu")
        .get_template("module.py.j2")
        .render(
            header=header(source, "CPU kernels"),
            title=title,
            imports=_imports("\n".join(texts)),
            functions=texts,
        )
    )
    return Artifact(f"{module}_cpu.py", text)


def _element_loop(array: str) -> list[str]:
    return [f"    for i in range({array}.size):"]


def _block_loop(array: str, lanes: Sequence[Lanes]) -> list[str]:
    return [
        "    for block in range(block_sums.shape[0]):",
        "        start = block * BLOCK",
        f"        stop = min(start + BLOCK, {array}.size)",
        *(f"        {each.name} = lanes_on_stack(stop - start)" for each in lanes),
        *(f"        {each.name}[:] = {each.initial}" for each in lanes),
        "        for row in range(start, stop, LANES):",
        "            first = uint64(row)",
        "            for lane in range(uint64(min(LANES, stop - row))):",
        "                i = first + lane",
    ]


def _loop_of_matrices(place: str, array: str, matrices: str, length: str) -> AxisLoop:
    return AxisLoop(
        (
            f"{length} = {array}.size // {matrices}.size",
            f"for matrix in range({matrices}.size):",
            f"    for {place} in range(matrix * {length}, matrix * {length} + {length}):",
        ),
        2,
    )


DIALECT = Dialect(
    "cpu",
    "kernel",
    _element_loop,
    _block_loop,
    lambda source: source,
    AxisDialect(
        spread=lambda name, rate: f"{name}[i]",
        scratch=lambda index: "scratch(tables, chunk)",
        loop=lambda place, array: AxisLoop((f"for {place} in range({array}.size):",), 1),
        loop_of_matrices=_loop_of_matrices,
    ),
)


def _phase_functions(text: PhaseText) -> list[str]:
    """A phase's functions, in the order in which they call each other."""
    found = [variable_function(text)] if text.has_variable_function else []
    for function in axis_functions(text):
        found += function.texts
    if text.layout.has_loop:
        found += [kernel_function(text), chunk_function(text)]
        if text.phase.reduces_axes:
            found.append(unit_function(text))
    return [*found, driver_function(text)]


def _imports(text: str) -> str:
    """The import lines that a text needs."""
    used = names_used(text)
    lines = []
    numba = [name for name in ("float64", "uint64") if name in used]
    if "np" in used:
        lines.append("import numpy as np")
    if numba:
        lines.append(f"from numba import {', '.join(numba)}")
    if lines:
        lines.append("")
    if used.intersection(AXIS_HELPERS):
        lines.append(import_line("optgen.runtime.axis_kernels", AXIS_HELPERS, used))
    lines.append("from optgen.runtime.compilation import driver, kernel")
    lines.append(import_line("optgen.runtime.drivers", DRIVER_HELPERS, used))
    if used.intersection(INDEX_HELPERS):
        lines.append(import_line("optgen.runtime.index_kernels", INDEX_HELPERS, used))
    lines.append(import_line("optgen.runtime.kernels", HELPERS, used))
    lines.append("from optgen.runtime.tables import tables_at")
    return "\n".join(lines)
