"""What runs a phase's kernel: a function per chunk, and a serial and a parallel driver."""

from __future__ import annotations

from collections.abc import Iterator

from optgen.backends.numba_text.axes import axis_functions
from optgen.backends.numba_text.launch import chunk_body, column_reductions, combining
from optgen.backends.numba_text.phase import DRIVER_ARGUMENTS, PhaseText, is_maximum
from optgen.backends.pytext import call, docstring

TABLES = "chunks, rows, blocks, pointers, layout, tensor, block_sums"
AXES = "numbers, starts, shapes, panel_sums, panels, runs, units"


def chunk_function(text: PhaseText) -> str:
    """The function that brings addresses to arrays, and scalars to the variable's dtype."""
    lines = [
        call(f"@kernel\ndef {text.name}_chunk", ("chunk", *DRIVER_ARGUMENTS), tail=":"),
        docstring([f"Run `{text.name}` over one chunk of one variable."], 1),
    ]
    lines += chunk_body(text)
    if text.phase.reduces_axes:
        for line in text.phase.reductions:
            arguments = [text.handed_over(line), "tables", "chunk"]
            lines.append("    " + combining(text, line, arguments))
    if any(output.name == "w" for output in text.phase.stores):
        lines.append("    write_back(like, tables, chunk, w)")
    return "\n".join(lines)


def driver_function(text: PhaseText, kind: str, decorator: str, loop: str) -> str:
    """A driver, which runs a phase over all variables of a dtype.

    Args:
        text: the phase.
        kind: ``serial`` or ``parallel``.
        decorator: what compiles it.
        loop: the range over chunks.
    """
    how = "one after the other" if kind == "serial" else "in parallel"
    axes = text.layout.needs_axes
    lines = [
        call(f"@{decorator}\ndef {text.name}_{kind}", DRIVER_ARGUMENTS, tail=":"),
        docstring([f"Run `{text.name}` over all variables, its chunks {how}."], 1),
        "    like, tables = borrowed(like), borrowed(tables)",
        f"    {TABLES} = tables{'[:7]' if axes else ''}",
    ]
    if axes:
        lines.append(f"    {AXES} = tables[7:]")
    if text.has_variable_function:
        sources = [text.driver_source(scalar) for scalar in text.layout.variable]
        lines.append("    for row in rows:")
        lines.append("        " + call(text.variable_name, ["tensor", "row", *sources], 2))
    for function in axis_functions(text):
        if function.segment.per_variable:
            lines.append(f"    for index in {loop}(rows.size):")
            lines.append("        " + function.call("rows[index]"))
        else:
            lines.append(f"    for run in {loop}(runs.shape[0]):")
            lines.append("        " + function.call("run"))
    lines += _loop(text, loop)
    return "\n".join(lines)


def _loop(text: PhaseText, loop: str) -> Iterator[str]:
    """The loop over chunks, or over panels of rows, and what finishes its reductions."""
    chunk = call(f"{text.name}_chunk", ("chunk", *DRIVER_ARGUMENTS), 2)
    if text.phase.reduces_axes:
        chunk = call(f"{text.name}_chunk", ("chunk", *DRIVER_ARGUMENTS), 3)
        yield f"    for unit in {loop}(units.shape[0]):"
        yield "        for chunk in range(units[unit, 1], units[unit, 2]):"
        yield f"            {chunk}"
        for line in text.phase.reductions:
            positions = column_reductions(text)
            if line.target in positions:
                fold = "fold_panels_maximum" if is_maximum(line) else "fold_panels"
                column = text.mode.axes.column(line.target)
                yield f"    for index in {loop}(rows.size):"
                yield f"        {fold}(tables, rows[index], {column}, {positions[line.target]})"
        return
    if text.layout.has_loop:
        yield f"    for chunk in {loop}(chunks.shape[0]):"
        yield f"        {chunk}"
    for index, line in enumerate(text.phase.reductions):
        fold = "fold_blocks_maximum" if is_maximum(line) else "fold_blocks"
        column = text.column(line.target)
        yield f"    {fold}(rows, blocks, block_sums, tensor, {column}, {index})"
