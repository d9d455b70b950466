"""What each line of a variant needs, as splitting it into phases sees it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from optgen.ir.expr import Symbol, symbols
from optgen.ir.program import Assign, Variant
from optgen.ir.rate import STEP, Rate


@dataclass(frozen=True)
class Graph:
    """Who defines what, and how many loops must have ended before it can be computed.

    Attributes:
        variant: the lines.
        definition: the line that defines each symbol.
        ready: how many loops must have ended before a symbol's value is known.
        needed: per symbol the stages whose lines need it; None if it is needed with all stages off.
    """

    variant: Variant
    definition: dict[Symbol, Assign]
    ready: dict[Symbol, int]
    needed: dict[Symbol, frozenset[str] | None]

    @staticmethod
    def of(variant: Variant) -> Graph:
        definition = {line.target: line for line in variant.lines}
        ready: dict[Symbol, int] = _Inputs()
        for line in variant.lines:
            loops = max((ready[used] for used in operands(line)), default=0)
            ready[line.target] = loops + 1 if line.reduces else loops
        for output in variant.outputs:
            ready.setdefault(output.symbol, 0)
        return Graph(variant, definition, ready, _needed_by(variant))

    def slice(self, wanted: Iterable[Symbol], through: Rate) -> tuple[Assign, ...]:
        """The lines that compute the wanted symbols, in order of execution.

        Only values of the rate ``through`` are traced back to their operands (for STEP: and below;
        for any of the axis rates: all of them); values of other rates and the results of reductions
        are taken as given.
        """
        needed: set[Symbol] = set()
        pending = list(wanted)
        while pending:
            symbol = pending.pop()
            line = self.definition.get(symbol)
            if symbol in needed or line is None or line.reduces or not _same(symbol, through):
                continue
            needed.add(symbol)
            pending.extend(operands(line))
        return tuple(line for line in self.variant.lines if line.target in needed)


class _Inputs(dict[Symbol, int]):
    """Symbols that no line defines are ready from the start."""

    def __missing__(self, symbol: Symbol) -> int:
        return 0


def operands(line: Assign) -> tuple[Symbol, ...]:
    """The symbols whose values a line needs."""
    used = symbols(line.value)
    return used if line.otherwise is None else (*used, line.otherwise)


def _same(symbol: Symbol, rate: Rate) -> bool:
    if rate.is_axis:
        return symbol.rate.is_axis
    return symbol.rate <= STEP if rate == STEP else symbol.rate == rate


def _needed_by(variant: Variant) -> dict[Symbol, frozenset[str] | None]:
    """Per symbol the stages whose lines need it; None if it is needed with all stages off too."""
    final = (*variant.outputs, *variant.results)
    needed: dict[Symbol, frozenset[str] | None] = {output.symbol: None for output in final}
    for line in reversed(variant.lines):
        if line.target not in needed:
            continue
        target = needed[line.target]
        own = target if line.stage is None else frozenset({line.stage})
        for used in symbols(line.value):
            needed[used] = union(needed.get(used, frozenset()), own)
        if line.otherwise is not None:
            needed[line.otherwise] = union(needed.get(line.otherwise, frozenset()), target)
    return needed


def union(left: frozenset[str] | None, right: frozenset[str] | None) -> frozenset[str] | None:
    """The stages that need a value, from two sets of them; None is everything."""
    return None if left is None or right is None else left | right
