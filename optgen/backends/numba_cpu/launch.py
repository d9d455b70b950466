"""What runs a phase's kernel: a function per chunk, and the driver that runs it for all."""

from __future__ import annotations

from collections.abc import Iterator

from optgen.backends.numba_text.axes import axis_functions
from optgen.backends.numba_text.launch import chunk_body, column_reductions, combining
from optgen.backends.numba_text.phase import DRIVER_ARGUMENTS, PhaseText, is_maximum
from optgen.backends.pytext import call, docstring


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


def unit_function(text: PhaseText) -> str:
    """The function that runs the chunks of a unit, whose rows and columns are combined in order."""
    chunk = call(f"{text.name}_chunk", ("chunk", *DRIVER_ARGUMENTS), 2)
    lines = [
        call(f"@kernel\ndef {text.name}_unit", ("unit", *DRIVER_ARGUMENTS), tail=":"),
        docstring([f"Run `{text.name}` over the chunks of one unit, one after the other."], 1),
        "    units = tables.units",
        "    for chunk in range(units[unit, 1], units[unit, 2]):",
        f"        {chunk}",
    ]
    return "\n".join(lines)


def driver_function(text: PhaseText) -> str:
    """The driver, which runs a phase over all variables of a dtype."""
    lines = [
        call(f"@driver\ndef {text.name}_driver", ("threads", *DRIVER_ARGUMENTS), tail=":"),
        docstring([f"Run `{text.name}` over all variables, on one thread or all."], 1),
        "    like, tables = borrowed(like), tables_at(tables)",
    ]
    if text.has_variable_function:
        sources = [text.driver_source(scalar) for scalar in text.layout.variable]
        lines.append("    for row in tables.rows:")
        lines.append("        " + call(text.variable_name, ["tables.tensor", "row", *sources], 2))
    for function in axis_functions(text):
        per_variable = function.segment.per_variable
        places = "tables.rows" if per_variable else "tables.runs.shape[0]"
        arguments = f"({', '.join(function.arguments)})"
        lines.append(_for_each(places, function.function, arguments))
    lines += _loop(text)
    return "\n".join(lines)


def _for_each(places: str, function: str, arguments: str) -> str:
    """The statement that calls a function for each of some places, on one thread or all."""
    return "    " + call("for_each", ("threads", places, function, arguments), 1)


def _loop(text: PhaseText) -> Iterator[str]:
    """The loop over chunks, or over panels of rows, and what finishes its reductions."""
    if text.layout.has_loop:
        yield f"    arguments = {', '.join(DRIVER_ARGUMENTS)}"
    if text.phase.reduces_axes:
        yield _for_each("tables.units.shape[0]", f"{text.name}_unit", "arguments")
        for line in text.phase.reductions:
            positions = column_reductions(text)
            if line.target in positions:
                fold = "fold_panels_maximum" if is_maximum(line) else "fold_panels"
                column = text.mode.axes.column(line.target)
                yield _for_each(
                    "tables.rows", fold, f"(tables, {column}, {positions[line.target]})"
                )
        return
    if text.layout.has_loop:
        yield _for_each("tables.chunks.shape[0]", f"{text.name}_chunk", "arguments")
    for index, line in enumerate(text.phase.reductions):
        fold = "fold_blocks_maximum" if is_maximum(line) else "fold_blocks"
        column = text.column(line.target)
        yield f"    {fold}(tables, {column}, {index})"
