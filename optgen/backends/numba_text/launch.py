"""How one chunk of one variable reaches the kernel of its phase."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from optgen.backends.layout import Scalar
from optgen.backends.numba_text.phase import PhaseText, is_maximum
from optgen.backends.pytext import call
from optgen.ir.expr import Symbol
from optgen.ir.program import Assign
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
    for index, name in enumerate(text.values.values()):
        yield f"    {name} = {text.dialect.axes.scratch(index)}"
    yield "    " + call(text.name, text.kernel_parameters, 1)


def combining(text: PhaseText, line: Assign, arguments: Sequence[str]) -> str:
    """The call that combines what a loop handed over by rows or by columns.

    Args:
        text: the phase.
        line: the reduction.
        arguments: those that say what is combined.
    """
    what = "maxima" if is_maximum(line) else "sums"
    positions = column_reductions(text)
    places = [str(text.mode.axes.column(line.target))]
    if line.target in positions:
        places.append(str(positions[line.target]))
    return call(f"{what}_of_{_SPREAD[line.target.rate]}", [*arguments, *places], 1)


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
