"""What runs a phase's kernel: a function per chunk, and a serial and a parallel driver."""

from __future__ import annotations

from optgen.backends.numba_text.launch import chunk_body
from optgen.backends.numba_text.phase import DRIVER_ARGUMENTS, PhaseText, is_maximum
from optgen.backends.pytext import call, docstring

TABLES = "chunks, rows, blocks, pointers, layout, tensor, block_sums"


def chunk_function(text: PhaseText) -> str:
    """The function that brings addresses to arrays, and scalars to the variable's dtype."""
    lines = [
        call(f"@kernel\ndef {text.name}_chunk", ("chunk", *DRIVER_ARGUMENTS), tail=":"),
        docstring([f"Run `{text.name}` over one chunk of one variable."], 1),
    ]
    lines += chunk_body(text)
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
    lines = [
        call(f"@{decorator}\ndef {text.name}_{kind}", DRIVER_ARGUMENTS, tail=":"),
        docstring([f"Run `{text.name}` over all variables, its chunks {how}."], 1),
        "    like, tables = borrowed(like), borrowed(tables)",
        f"    {TABLES} = tables",
    ]
    if text.has_variable_function:
        sources = [text.driver_source(scalar) for scalar in text.layout.variable]
        lines.append("    for row in rows:")
        lines.append("        " + call(text.variable_name, ["tensor", "row", *sources], 2))
    if text.layout.has_loop:
        lines.append(f"    for chunk in {loop}(chunks.shape[0]):")
        lines.append("        " + call(f"{text.name}_chunk", ("chunk", *DRIVER_ARGUMENTS), 2))
    for index, line in enumerate(text.phase.reductions):
        fold = "fold_blocks_maximum" if is_maximum(line) else "fold_blocks"
        column = text.column(line.target)
        lines.append(f"    {fold}(rows, blocks, block_sums, tensor, {column}, {index})")
    return "\n".join(lines)
