"""Variant -> Schedule: cut a step into phases at its reductions.

A reduction is known only when a whole loop has ended, so a value that needs one belongs to a later
loop. Each reduction runs in the last loop that still comes before its first use: a loop that
exists only for a common stage can then be left out when the stage is off.  Elementwise values that
several loops need are computed again from memory, which no loop but the last one writes; so
nothing is ever applied twice.  To store a value for a later loop moves one array more in the first
loop and one in each later one that reads it; it pays off if a later loop then leaves out three
arrays that only this value needs, or two later ones two each.  In no mode of the project's specs
do they, with all common stages, one, two or none (``tests/test_recomputation.py`` counts): the
last loop reads what it updates anyway.  Only a mean gradient of several calls would save a rule of
three loops one array or two, and would need room for one as large as the variable.  A result that
is given back may need the last loop itself.

A loop that combines rows or columns combines nothing else: where both kinds of reductions belong
between the same loops, there are two.  The last loop may combine rows and columns of what it
stores, if only slots of axis rates need them; these are then stored after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from optgen.ir.expr import Kind, Symbol
from optgen.ir.functions import Reduction
from optgen.ir.program import Assign, Load, Output, Phase, Schedule, Variant
from optgen.ir.rate import ELEMENT, STEP, TENSOR
from optgen.passes.axes import AxisLines, axis_lines
from optgen.passes.graph import Graph, operands, union

STORE_SLOTS = "store_slots"
"""The phase that only stores slots, after the last loop."""


def split(variant: Variant) -> Schedule:
    """The phases of a variant whose reductions stand alone and whose lines are hoisted."""
    graph = Graph.of(variant)
    last, placed = _place_reductions(graph)
    loops = list(_loops(graph, placed, last))
    if any(output.symbol.rate.is_axis for output in variant.outputs):
        loops.append(_Loop(last + 1, (), (), (), ()))
    planned = list(axis_lines(graph, loops, placed))
    if loops and planned[-1].stores and loops[-1].index > last:
        # Numbers per variable are stored in the last phase of all, which may need old ones.
        *before, update, _ = loops
        rest = tuple(output for output in update.outputs if output not in update.stores)
        update = replace(update, outputs=update.stores)
        loops = [*before, update, _Loop(last + 1, (), (), (), rest)]
    phases: list[Phase] = []
    for loop, axes in zip(loops, planned, strict=True):
        if not loop.is_empty or axes.stores:
            phases.append(_phase(graph, loop, axes, last, {phase.name for phase in phases}))
    step_stores = tuple(o for o in variant.outputs if o.symbol.rate <= STEP)
    closing = graph.slice((result.symbol for result in variant.results), STEP)
    return Schedule(
        variant.name, variant.slots, tuple(phases), step_stores, closing, variant.results
    )


@dataclass(frozen=True)
class _Loop:
    """One loop over elements; the last one may have nothing to do but to come last.

    Attributes:
        index: how many loops, or pairs of them, come before it.
        reductions: what it combines.
        stores: the elementwise values that it stores.
        lines: its lines, reductions included.
        outputs: all that is stored in its phase, whatever the rate, axis rates apart.
        stages: the stages that alone make it necessary; None if it always is.
    """

    index: int
    reductions: tuple[Assign, ...]
    stores: tuple[Output, ...]
    lines: tuple[Assign, ...]
    outputs: tuple[Output, ...]
    stages: tuple[str, ...] | None = None

    @property
    def used(self) -> tuple[Symbol, ...]:
        """The symbols whose values the loop needs, its own included."""
        stored = (output.symbol for output in self.stores)
        return (*stored, *(symbol for line in self.lines for symbol in operands(line)))

    @property
    def is_empty(self) -> bool:
        """Whether a phase of this loop would do nothing, axis rates apart."""
        variable = any(output.symbol.rate == TENSOR for output in self.outputs)
        return not (self.stores or self.reductions or variable)


def _place_reductions(graph: Graph) -> tuple[int, dict[Symbol, int]]:
    """The last loop, and the loop of each reduction: the latest one before its first use."""
    variant = graph.variant
    axes = [graph.ready[o.symbol] - 1 for o in variant.outputs if o.symbol.rate.is_axis]
    wanted = [graph.ready[o.symbol] for o in variant.outputs if not o.symbol.rate.is_axis]
    wanted += [graph.ready[result.symbol] - 1 for result in variant.results]
    last = max([*wanted, *axes], default=0)
    placed = _placed(graph, last, last + 1)
    final = [line for line in variant.lines if placed.get(line.target) == last]
    if len({line.reduction is Reduction.VARIABLE for line in final}) < 2:
        return last, placed
    last = max([*wanted, *(ready + 1 for ready in axes)], default=0)
    return last, _placed(graph, last, last)


def _placed(graph: Graph, last: int, axes: int) -> dict[Symbol, int]:
    """The loop of each reduction.

    Args:
        graph: the lines.
        last: the loop before which everything that is stored must be known, axis rates apart.
        axes: the same for slots of axis rates.
    """
    latest: dict[Symbol, int] = {result.symbol: last + 1 for result in graph.variant.results}
    latest |= {o.symbol: axes if o.symbol.rate.is_axis else last for o in graph.variant.outputs}
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


def _loops(graph: Graph, placed: dict[Symbol, int], last: int) -> Iterator[_Loop]:
    """The loops in order: where both kinds of reductions fall together, rows and columns first."""
    lines, outputs = graph.variant.lines, graph.variant.outputs
    for index in range(last + 1):
        reductions = [line for line in lines if placed.get(line.target) == index]
        flat = [line for line in reductions if line.reduction is Reduction.VARIABLE]
        axes = [line for line in reductions if line not in flat]
        kinds = [flat or axes] if index == last else [axes, flat]
        final = tuple(o for o in outputs if not o.symbol.rate.is_axis) if index == last else ()
        stores = tuple(output for output in final if output.symbol.rate == ELEMENT)
        for kind in kinds:
            wanted = [output.symbol for output in stores]
            wanted += [symbol for line in kind for symbol in operands(line)]
            elements = {line.target for line in graph.slice(wanted, ELEMENT)}
            own = tuple(line for line in lines if line.target in elements or line in kind)
            if own or final:
                updates = index == last and bool(outputs)
                stages = _stages(graph, tuple(kind), updates)
                yield _Loop(index, tuple(kind), stores, own, final, stages)


def _phase(graph: Graph, loop: _Loop, axes: AxisLines, last: int, taken: set[str]) -> Phase:
    """The phase of a loop: what has to be computed before it, and what is read and stored."""
    used = loop.used
    variable_outputs = tuple(o for o in loop.outputs if o.symbol.rate == TENSOR)
    variable_wanted = [*used, *(output.symbol for output in variable_outputs)]
    variable_wanted += [symbol for line in axes.lines for symbol in operands(line)]
    variable_wanted += [output.symbol for output in axes.stores]
    variable_lines = graph.slice(variable_wanted, TENSOR)
    step_wanted = [*variable_wanted, *(s for line in variable_lines for s in operands(line))]
    step_wanted += [output.symbol for output in loop.outputs if output.symbol.rate <= STEP]
    updates = loop.index == last and bool(graph.variant.outputs)
    name = STORE_SLOTS
    if loop.index <= last:
        name = _name(loop.reductions, loop.stages, updates, taken)
    return Phase(
        name=name,
        stages=loop.stages,
        step_lines=graph.slice(step_wanted, STEP),
        variable_lines=variable_lines,
        variable_stores=variable_outputs,
        loads=tuple(_loads(graph.variant, used)),
        lines=loop.lines,
        stores=loop.stores,
        axis_lines=axes.lines,
        axis_stores=axes.stores,
    )


def _loads(variant: Variant, used: Iterable[Symbol]) -> Iterator[Load]:
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


def _stages(graph: Graph, reductions: tuple[Assign, ...], updates: bool) -> tuple[str, ...] | None:
    """The stages that alone make a phase necessary; None if it always is."""
    if updates:
        return None
    found: frozenset[str] | None = frozenset()
    for line in reductions:
        found = union(found, graph.needed[line.target])
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
