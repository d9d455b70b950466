"""How one chunk of one variable reaches the kernel of its phase."""

from __future__ import annotations

from collections.abc import Iterator

from optgen.backends.layout import Scalar
from optgen.backends.numba_text.phase import PhaseText, is_maximum
from optgen.backends.pytext import call
from optgen.ir.expr import Symbol
from optgen.ir.rate import COLUMN, MATRIX, ROW, TENSOR


def chunk_body(text: PhaseText) -> Iterator[str]:
    """Statements that make arrays and rounded scalars of a chunk, and call the kernel."""
    for stream in text.layout.streams:
        if stream.stage is None:
            get = f"elements(like, tables, chunk, {stream.column})"
        else:
            get = f"optional_elements(like, {stream.name}, tables, chunk, {stream.column})"
        yield f"    {stream.name} = {get}"
    for spread in text.layout.spreads:
        function = f"spread_{_SPREAD[spread.symbol.rate]}"
        yield f"    {spread.name} = {function}(like, tables, chunk, {spread.column})"
    for scalar in text.layout.loop:
        yield f"    {scalar.name} = rounded(like, {_source(text, scalar)})"
    if text.has_blocks:
        yield "    block_sums = chunk_sums(tables, chunk)"
    for name in text.values.values():
        yield f"    {name} = scratch(tables, chunk)"
    yield "    " + call(text.name, text.kernel_parameters, 1)
    yield from _combined(text)


def _combined(text: PhaseText) -> Iterator[str]:
    """Statements that combine what the kernel handed over by rows and by columns."""
    if not text.phase.reduces_axes:
        return
    positions = column_reductions(text)
    for line in text.phase.reductions:
        what = "maxima" if is_maximum(line) else "sums"
        arguments = [text.handed_over(line), "tables", "chunk"]
        arguments.append(str(text.mode.axes.column(line.target)))
        if line.target in positions:
            arguments.append(str(positions[line.target]))
        yield "    " + call(f"{what}_of_{_SPREAD[line.target.rate]}", arguments, 1)


def column_reductions(text: PhaseText) -> dict[Symbol, int]:
    """The results per column of a phase's loop, and where their panels are."""
    columns = [line.target for line in text.phase.reductions if line.target.rate == COLUMN]
    return {target: position for position, target in enumerate(columns)}


_SPREAD = {MATRIX: "matrices", ROW: "rows", COLUMN: "columns"}


def _source(text: PhaseText, scalar: Scalar) -> str:
    """Where a chunk finds a scalar of its loop."""
    if scalar.symbol.rate != TENSOR:
        return text.driver_source(scalar)
    column = text.column(scalar.symbol)
    if scalar.stage is None:
        return f"number(tables, chunk, {column})"
    position = text.layout.stages.index((scalar.stage, scalar.stage))
    return f"optional_number(stages[{position}], tables, chunk, {column})"
