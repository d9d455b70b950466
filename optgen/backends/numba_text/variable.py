"""The per-variable function of a phase: what is one number per variable, in float64."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from optgen.backends.numba_text.phase import PhaseText, by_stage, equations, joined
from optgen.backends.pytext import Style, call, docstring, fitted, indented
from optgen.ir.expr import Symbol, symbols
from optgen.ir.rate import TENSOR


def variable_function(text: PhaseText) -> str:
    """The function that computes and stores one variable's numbers before the loop."""
    parameters = ["tensor", "row", *(scalar.name for scalar in text.layout.variable)]
    lines = [
        call(text.dialect.function(text.variable_name), parameters, tail=":"),
        docstring(equations(text.phase.variable_lines), 1),
    ]
    paragraphs = [list(_loads(text)), list(_compute(text)), list(_stores(text))]
    return "\n".join([*lines, *indented(joined(paragraphs), 1)])


def _loads(text: PhaseText) -> Iterator[str]:
    """Statements that read what earlier phases and steps left in the table."""
    computed = {line.target for line in text.phase.variable_lines}
    used = {s: None for line in text.phase.variable_lines for s in symbols(line.value)}
    for symbol in dict.fromkeys((*used, *_overwritten(text))):
        if symbol.rate == TENSOR and symbol not in computed:
            # At this point the table still holds what the step began with.
            column = text.mode.columns[symbol.name] if symbol.version == 0 else text.column(symbol)
            yield f"{text.mode.names[symbol]} = tensor[row, {column}]"


def _compute(text: PhaseText) -> Iterator[str]:
    style = Style(text.dialect.spelling, lambda symbol: text.mode.names[symbol])
    taken = [*text.mode.names.values()]
    for stage, group in by_stage(text.phase.variable_lines):
        depth = 1 if stage is None else 2
        statements = [
            statement
            for line in group
            for statement in fitted(text.mode.names[line.target], line.value, style, depth, taken)
        ]
        if stage is None:
            yield from statements
            continue
        witness = next(s.name for s in text.layout.variable if s.stage == stage)
        yield f"if {witness} is not None:"
        yield from indented([*statements, *_keep(text, (line.target for line in group))], 1)


def _stores(text: PhaseText) -> Iterator[str]:
    """Statements that write slots, and what the loop needs."""
    stored = [output.symbol for output in text.phase.variable_stores]
    computed = [line.target for line in text.phase.variable_lines if line.stage is None]
    yield from _keep(text, dict.fromkeys((*stored, *computed, *_overwritten(text))))


def keeps_numbers(text: PhaseText) -> bool:
    """Whether the function stores numbers whatever stages are on."""
    return bool(text.phase.variable_stores or _overwritten(text))


def _overwritten(text: PhaseText) -> tuple[Symbol, ...]:
    """Slots' old values that the loop needs although the new ones are stored before it."""
    return tuple(
        symbol
        for symbol in text.mode.entering(text.phase)
        if symbol.version == 0 and text.mode.column_name(symbol, text.phase) != symbol.name
    )


def _keep(text: PhaseText, values: Iterable[Symbol]) -> Iterator[str]:
    """Statements that write per-variable values to the table, where the loop finds them."""
    wanted = set(text.mode.entering(text.phase))
    wanted |= {output.symbol for output in text.phase.variable_stores}
    for symbol in values:
        if symbol in wanted:
            yield f"tensor[row, {text.column(symbol)}] = {text.mode.names[symbol]}"
