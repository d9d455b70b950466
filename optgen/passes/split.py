"""Variant -> Schedule: cut a step into phases at its reductions.

A reduction is known only when a whole loop has ended, so a value that needs one belongs to a later
loop. Each reduction runs in the last loop that still comes before its first use: a loop that
exists only for a common stage can then be left out when the stage is off.  Elementwise values that
several loops need are computed again from memory, which no loop but the last one writes; so
nothing is ever applied twice.  To store a value for a later loop moves one array more in the first
loop and one in each later one that reads it; it pays off if a later loop then leaves out three
arrays that only this value needs, or two later ones two each.  In no mode of the project's specs
do they, with all common stages, one, two or none (``tests/test_recomputation.py`` counts): the
last loop reads what it updates anyway.  A result that is given back may need the last loop itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from optgen.ir.expr import Kind, Symbol, symbols
from optgen.ir.program import Assign, Load, Phase, Schedule, Variant
from optgen.ir.rate import ELEMENT, STEP, TENSOR, Rate


def split(variant: Variant) -> Schedule:
    """The phases of a variant whose reductions stand alone and whose lines are hoisted."""
    graph = _Graph.of(variant)
    wanted = [graph.ready[output.symbol] for output in variant.outputs]
    wanted += [graph.ready[result.symbol] - 1 for result in variant.results]
    last = max(wanted, default=0)
    placed = _place_reductions(graph, last)
    phases: list[Phase] = []
    for index in range(last + 1):
        phase = _phase(graph, placed, index, last, {phase.name for phase in phases})
        if phase is not None:
            phases.append(phase)
    step_stores = tuple(o for o in variant.outputs if o.symbol.rate <= STEP)
    closing = graph.slice((result.symbol for result in variant.results), STEP)
    return Schedule(
        variant.name, variant.slots, tuple(phases), step_stores, closing, variant.results
    )


@dataclass(frozen=True)
class _Graph:
    """Who defines what, and how many loops must have ended before it can be computed."""

    variant: Variant
    definition: dict[Symbol, Assign]
    ready: dict[Symbol, int]
    needed: dict[Symbol, frozenset[str] | None]

    @staticmethod
    def of(variant: Variant) -> _Graph:
        definition = {line.target: line for line in variant.lines}
        ready: dict[Symbol, int] = _Inputs()
        for line in variant.lines:
            loops = max((ready[used] for used in operands(line)), default=0)
            ready[line.target] = loops + 1 if line.reduces else loops
        for output in variant.outputs:
            ready.setdefault(output.symbol, 0)
        return _Graph(variant, definition, ready, _needed_by(variant))

    def slice(self, wanted: Iterable[Symbol], through: Rate) -> tuple[Assign, ...]:
        """The lines that compute the wanted symbols, in order of execution.

        Only values of the rate ``through`` are traced back to their operands (for STEP: and below);
        values of other rates and the results of reductions are taken as given.
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
    return symbol.rate <= STEP if rate == STEP else symbol.rate == rate


def _place_reductions(graph: _Graph, last: int) -> dict[Symbol, int]:
    """The loop in which each reduction runs: the latest one before its first use."""
    latest: dict[Symbol, int] = {result.symbol: last + 1 for result in graph.variant.results}
    latest |= {output.symbol: last for output in graph.variant.outputs}
    placed: dict[Symbol, int] = {}
    for line in reversed(graph.variant.lines):
        phase = latest.get(line.target)
        if phase is None:
            continue
        if line.reduces:
            phase -= 1
            placed[line.target] = phase
        for used in operands(line):
            latest[used] = min(latest.get(used, phase), phase)
    return placed


def _phase(
    graph: _Graph, placed: dict[Symbol, int], index: int, last: int, taken: set[str]
) -> Phase | None:
    """Phase number ``index``, or None if nothing is left to do in it."""
    outputs = graph.variant.outputs if index == last else ()
    stores = tuple(output for output in outputs if output.symbol.rate == ELEMENT)
    reductions = tuple(line for line in graph.variant.lines if placed.get(line.target) == index)
    wanted = [output.symbol for output in stores]
    wanted += [symbol for line in reductions for symbol in operands(line)]
    elements = {line.target for line in graph.slice(wanted, ELEMENT)}
    lines = tuple(
        line for line in graph.variant.lines if line.target in elements or line in reductions
    )
    variable_outputs = tuple(output for output in outputs if output.symbol.rate == TENSOR)
    used = [*wanted, *(symbol for line in lines for symbol in operands(line))]
    variable_wanted = [*used, *(output.symbol for output in variable_outputs)]
    variable_lines = graph.slice(variable_wanted, TENSOR)
    step_wanted = [*variable_wanted, *(s for line in variable_lines for s in operands(line))]
    step_wanted += [output.symbol for output in outputs if output.symbol.rate <= STEP]
    step_lines = graph.slice(step_wanted, STEP)
    if not (stores or reductions or variable_outputs):
        return None
    stages = _stages(graph, reductions, bool(outputs))
    return Phase(
        name=_name(reductions, stages, bool(outputs), taken),
        stages=stages,
        step_lines=step_lines,
        variable_lines=variable_lines,
        variable_stores=variable_outputs,
        loads=tuple(_loads(graph.variant, lines, used)),
        lines=lines,
        stores=stores,
    )


def _loads(variant: Variant, lines: tuple[Assign, ...], used: Iterable[Symbol]) -> Iterator[Load]:
    """What a loop reads from memory: the variable, the gradient, then slots in their order."""
    inputs = {symbol.name: symbol for symbol in used if symbol.rate == ELEMENT and _stored(symbol)}
    order = ("w", "g", *(slot.name for slot in variant.slots))
    owners = _owners(variant)
    for name in order:
        if name in inputs:
            yield Load(name, inputs[name], owners.get(name))


def _stored(symbol: Symbol) -> bool:
    return symbol.version == 0 and symbol.kind in (Kind.VARIABLE, Kind.GRADIENT, Kind.SLOT)


def _owners(variant: Variant) -> dict[str, str]:
    """The stage that keeps each of the slots that the author's equations do not touch."""
    owners: dict[str, str] = {}
    for line in variant.lines:
        for name in {line.target.name, *(symbol.name for symbol in operands(line))}:
            if line.stage is None:
                owners[name] = ""
            elif owners.get(name) != "":
                owners.setdefault(name, line.stage)
    return {
        slot.name: owners[slot.name] for slot in variant.slots if owners.get(slot.name, "") != ""
    }


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
            needed[used] = _union(needed.get(used, frozenset()), own)
        if line.otherwise is not None:
            needed[line.otherwise] = _union(needed.get(line.otherwise, frozenset()), target)
    return needed


def _union(left: frozenset[str] | None, right: frozenset[str] | None) -> frozenset[str] | None:
    return None if left is None or right is None else left | right


def _stages(graph: _Graph, reductions: tuple[Assign, ...], updates: bool) -> tuple[str, ...] | None:
    """The stages that alone make a phase necessary; None if it always is."""
    if updates:
        return None
    found: frozenset[str] | None = frozenset()
    for line in reductions:
        found = _union(found, graph.needed[line.target])
    if found is None:
        return None
    order = [line.stage for line in graph.variant.lines if line.stage in found]
    return tuple(stage for stage in dict.fromkeys(order) if stage is not None)


def _name(
    reductions: tuple[Assign, ...],
    stages: tuple[str, ...] | None,
    updates: bool,
    taken: set[str],
) -> str:
    """What the phase does, in words that no other phase of the mode has."""
    if updates:
        return "update"
    name = f"reduce_{reductions[0].target.name}" if stages is None else "gradient_norm"
    while name in taken:
        name = f"{name}_again"
    return name
