"""Where values of axis rates are computed and stored.

They are computed once, in the first phase whose loop needs them, and kept; a slot is stored in the
first phase from which on nothing needs its old numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from optgen.ir.expr import Kind, Symbol
from optgen.ir.program import Assign, Output
from optgen.ir.rate import ROW
from optgen.passes.graph import Graph, operands


@dataclass(frozen=True)
class AxisLines:
    """What one phase does between its per-variable lines and its loop.

    Attributes:
        lines: the values that it computes.
        stores: the slots that it stores afterwards.
    """

    lines: tuple[Assign, ...]
    stores: tuple[Output, ...]


class Loop(Protocol):
    """A loop over elements."""

    @property
    def index(self) -> int:
        """How many loops, or pairs of them, come before it."""

    @property
    def used(self) -> tuple[Symbol, ...]:
        """The symbols whose values the loop needs."""

    @property
    def stages(self) -> tuple[str, ...] | None:
        """The stages that alone make it necessary; None if it always is."""


def axis_lines(
    graph: Graph, loops: Sequence[Loop], placed: Mapping[Symbol, int]
) -> Iterator[AxisLines]:
    """What the phase of each loop computes and stores; nothing is left after the last one.

    Args:
        graph: the lines.
        loops: in order; the last one reads no slot of an axis rate if any is stored.
        placed: the loop of each reduction.
    """
    known_from = _known_from(graph, placed)
    pending = [o for o in graph.variant.outputs if o.symbol.rate.is_axis]
    known: set[Symbol] = set()
    for position, loop in enumerate(loops):
        if loop.stages is not None:
            # A phase that may be left out computes nothing for others.
            lines = [line for line in graph.slice(loop.used, ROW) if line.target not in known]
            yield AxisLines(tuple(lines), ())
            continue
        later = {symbol for other in loops[position:] for symbol in other.used}
        ready = [o for o in pending if known_from.get(o.symbol, 0) <= loop.index]
        stores = [o for o in ready if _old(o) not in later]
        while True:
            wanted = [*loop.used, *(output.symbol for output in stores)]
            lines = [line for line in graph.slice(wanted, ROW) if line.target not in known]
            computed = {*known, *(line.target for line in lines)}
            left = _left(graph, loops[position:], pending, computed)
            kept = [o for o in stores if _old(o) not in left]
            if kept == stores:
                break
            stores = kept
        known = computed
        pending = [output for output in pending if output not in stores]
        yield AxisLines(tuple(lines), tuple(stores))
    assert not pending, f"slots that are never stored: {pending}"


def _known_from(graph: Graph, placed: Mapping[Symbol, int]) -> dict[Symbol, int]:
    """The first phase in which each value can be computed, with reductions where they are."""
    found: dict[Symbol, int] = {}
    for line in graph.variant.lines:
        if line.target in placed:
            found[line.target] = placed[line.target] + 1
        else:
            found[line.target] = max((found.get(used, 0) for used in operands(line)), default=0)
    return found


def _old(output: Output) -> Symbol:
    """The value of a slot before the step."""
    return Symbol(output.name, Kind.SLOT, output.symbol.rate)


def _left(
    graph: Graph, loops: Sequence[Loop], pending: Sequence[Output], computed: set[Symbol]
) -> set[Symbol]:
    """The symbols that lines need which later phases are still to compute."""
    wanted = [*(symbol for loop in loops for symbol in loop.used), *(o.symbol for o in pending)]
    lines = [line for line in graph.slice(wanted, ROW) if line.target not in computed]
    return {symbol for line in lines for symbol in operands(line)}
