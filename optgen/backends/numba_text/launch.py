"""How one chunk of one variable reaches the kernel of its phase."""

from __future__ import annotations

from collections.abc import Iterator

from optgen.backends.layout import Scalar
from optgen.backends.numba_text.phase import PhaseText
from optgen.backends.pytext import call
from optgen.ir.rate import TENSOR


def chunk_body(text: PhaseText) -> Iterator[str]:
    """Statements that make arrays and rounded scalars of a chunk, and call the kernel."""
    for stream in text.layout.streams:
        if stream.stage is None:
            get = f"elements(like, tables, chunk, {stream.column})"
        else:
            get = f"optional_elements(like, {stream.name}, tables, chunk, {stream.column})"
        yield f"    {stream.name} = {get}"
    for scalar in text.layout.loop:
        yield f"    {scalar.name} = rounded(like, {_source(text, scalar)})"
    if text.phase.reductions:
        yield "    block_sums = chunk_sums(tables, chunk)"
    yield "    " + call(text.name, text.kernel_parameters, 1)


def _source(text: PhaseText, scalar: Scalar) -> str:
    """Where a chunk finds a scalar of its loop."""
    if scalar.symbol.rate != TENSOR:
        return text.driver_source(scalar)
    column = text.column(scalar.symbol)
    if scalar.stage is None:
        return f"number(tables, chunk, {column})"
    position = text.layout.stages.index((scalar.stage, scalar.stage))
    return f"optional_number(stages[{position}], tables, chunk, {column})"
