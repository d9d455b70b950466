"""Move every subexpression to the rate it varies at.

The largest subexpressions of a line that vary less than the line itself become lines of their own,
which later run once per step or once per variable instead of once per element.  This changes no
result: such a subexpression is computed in float64 and rounded once where it meets elements,
hoisted or not.
"""

from __future__ import annotations

from dataclasses import replace

from optgen.ir.expr import Apply, Expr, Kind, Number, Ref, Symbol, rewrite
from optgen.ir.program import Assign, Variant
from optgen.ir.rate import ELEMENT, STEP, TENSOR, Rate, join
from optgen.passes.naming import fresh


def hoist(variant: Variant) -> Variant:
    """The variant whose operands are of their line's rate, or plain names and numbers."""
    lines: list[Assign] = []
    taken = {line.target.name for line in variant.lines} | {slot.name for slot in variant.slots}
    known: dict[tuple[Expr, str | None], Symbol] = {}

    def hoisted(part: Expr, line: Assign) -> Symbol:
        for stage in (None, line.stage):
            if (part, stage) in known:
                return known[part, stage]
        name = fresh(part, line.target.name, taken)
        taken.add(name)
        rate = join(part.rate, STEP)
        value = lower_operands(part, rate, line)
        symbol = Symbol(name, Kind.LOCAL, rate, version=1, truth=part.truth)
        lines.append(Assign(symbol, value, line.stage, None, line.text))
        known[part, line.stage] = symbol
        return symbol

    def lower_operands(value: Expr, rate: Rate, line: Assign) -> Expr:
        if rate <= STEP:
            return value

        def out(part: Expr) -> Expr | None:
            if part is value or is_atom(part) or not part.rate < rate:
                return None
            return Ref(hoisted(part, line))

        if value.rate < rate and not is_atom(value):
            return Ref(hoisted(value, line))
        return rewrite(value, out)

    def argument(value: Apply, arg: Expr, line: Assign) -> Expr:
        # What combines elements does so inside the loop that computes them.
        in_place = value.intrinsic.takes in ((ELEMENT,), (TENSOR,))
        if in_place or is_atom(arg):
            return lower_operands(arg, arg.rate, line)
        return Ref(hoisted(arg, line))

    for line in variant.lines:
        value = line.value
        if isinstance(value, Apply) and value.intrinsic.changes_rate:
            value = Apply(value.function, tuple(argument(value, arg, line) for arg in value.args))
        else:
            value = lower_operands(line.value, line.target.rate, line)
        lines.append(replace(line, value=value))
    return replace(variant, lines=tuple(lines))


def is_atom(expr: Expr) -> bool:
    """Whether an expression costs nothing where it stands: a name or a signed number."""
    if isinstance(expr, Apply) and expr.function == "negative":
        return isinstance(expr.args[0], Number)
    return isinstance(expr, Ref | Number)
