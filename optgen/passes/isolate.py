"""Give every reduction a line of its own, so that phases can be cut between them.

The same holds for the other functions that lead from one rate to another.

Two reductions of the same values are one line.
"""

from __future__ import annotations

from dataclasses import replace

from optgen.ir.expr import Apply, Expr, Kind, Ref, Symbol, rewrite, symbols
from optgen.ir.program import Assign, Variant
from optgen.passes.naming import fresh


def isolate(variant: Variant) -> Variant:
    """The variant with each reduction moved out of the expression around it."""
    lines: list[Assign] = []
    taken = {line.target.name for line in variant.lines} | {slot.name for slot in variant.slots}
    known: dict[tuple[Expr, str | None], Symbol] = {}
    # Values that exist only while a stage is on; a reduction of anything else serves all stages.
    conditional: set[Symbol] = set()

    def reduction_line(value: Apply, line: Assign) -> Symbol:
        inner = Apply(value.function, tuple(extract(arg, line) for arg in value.args))
        stage = line.stage if any(s in conditional for s in symbols(inner)) else None
        if (inner, stage) in known:
            return known[inner, stage]
        name = fresh(inner, line.target.name, taken)
        taken.add(name)
        symbol = Symbol(name, Kind.LOCAL, inner.rate, version=1)
        lines.append(Assign(symbol, inner, stage, None, line.text))
        known[inner, stage] = symbol
        return symbol

    def extract(value: Expr, line: Assign) -> Expr:
        def out(part: Expr) -> Expr | None:
            if isinstance(part, Apply) and part.intrinsic.changes_rate:
                return Ref(reduction_line(part, line))
            return None

        return rewrite(value, out)

    for line in variant.lines:
        value = line.value
        if _stands_alone(line):
            assert isinstance(value, Apply)
            value = Apply(value.function, tuple(extract(arg, line) for arg in value.args))
            known.setdefault((value, line.stage), line.target)
        else:
            value = extract(value, line)
        lines.append(replace(line, value=value))
        if line.stage is not None and line.otherwise is None:
            conditional.add(line.target)
    return replace(variant, lines=tuple(lines))


def _stands_alone(line: Assign) -> bool:
    """Whether a line already is nothing but a reduction that names its result."""
    alone = isinstance(line.value, Apply) and line.value.intrinsic.changes_rate
    return alone and line.target.kind is Kind.LOCAL and line.otherwise is None
