"""The table of numbers per matrix, row, column and index that the phases of a mode share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from optgen.ir.expr import Apply, Kind, Ref, Symbol, symbols
from optgen.ir.program import Assign, Output, Phase, Schedule
from optgen.ir.rate import INDEX, Rate


@dataclass(frozen=True)
class AxisColumn:
    """Numbers of one kind.

    Attributes:
        name: a slot's name, or one that no slot has.
        rate: what they vary over.
        initial: what they are until a step computes them, slots apart.
    """

    name: str
    rate: Rate
    initial: float


@dataclass(frozen=True)
class AxisLayout:
    """Where the values of axis rates of a mode are kept.

    A slot's new numbers take the place of the old ones as they are computed, unless those are still
    needed then.

    Attributes:
        schedule: the mode.
        names: the name of each value in the generated text.
    """

    schedule: Schedule
    names: Mapping[Symbol, str]
    table: tuple[AxisColumn, ...] = ()

    @cached_property
    def columns(self) -> tuple[AxisColumn, ...]:
        """All columns of the table, which an evaluation shares with its mode."""
        return self.table or self.own

    @cached_property
    def own(self) -> tuple[AxisColumn, ...]:
        """What is kept: the slots, then what phases compute."""
        found = {
            slot.name: AxisColumn(slot.name, slot.rate, 0.0)
            for slot in self.schedule.slots
            if slot.rate.is_axis
        }
        for phase in self.schedule.phases:
            for line in (*phase.axis_lines, *phase.reductions):
                if line.target.rate.is_axis:
                    name = self._name(line.target)
                    found.setdefault(name, AxisColumn(name, line.target.rate, _initial(line)))
        return tuple(found.values())

    def column(self, symbol: Symbol) -> int:
        """The column of a value."""
        (found,) = (column for column in self.own if column.name == self._name(symbol))
        return self.columns.index(found)

    def stored_lines(self, phase: Phase) -> tuple[Assign, ...]:
        """The axis lines of a phase, and those that bring new numbers to where slots are kept."""
        copies = tuple(
            Assign(Symbol(output.name, Kind.SLOT, output.symbol.rate), Ref(output.symbol))
            for output in phase.axis_stores
            if output.symbol not in self._in_place
        )
        return (*phase.axis_lines, *copies)

    def _name(self, symbol: Symbol) -> str:
        if symbol in self._in_place or (symbol.kind is Kind.SLOT and symbol.version == 0):
            return symbol.name
        # No name of a spec has a blank, so these columns are distinct from the slots.
        own = self.names[symbol]
        return f"{symbol.name} next {own}" if symbol.kind is Kind.SLOT else own

    @cached_property
    def _in_place(self) -> frozenset[Symbol]:
        """The new values of slots that are computed where the old ones are."""
        return frozenset(
            output.symbol
            for phase in self.schedule.phases
            for output in phase.axis_stores
            if _replaces(output, phase.axis_lines)
        )


def _replaces(output: Output, lines: Sequence[Assign]) -> bool:
    """Whether no line needs a slot's old numbers once the new ones are computed among them."""
    old = Symbol(output.name, Kind.SLOT, output.symbol.rate)
    targets = [line.target for line in lines]
    if output.symbol not in targets:
        return False
    after = lines[targets.index(output.symbol) + 1 :]
    return all(old not in symbols(line.value) for line in after)


def _initial(line: Assign) -> float:
    """What the numbers of a line are where there are no elements."""
    reduces = isinstance(line.value, Apply) and line.value.intrinsic.reduces is not None
    return line.value.intrinsic.initial if reduces and isinstance(line.value, Apply) else 0.0


@dataclass(frozen=True)
class AxisSegment:
    """Neighbouring axis lines that one function computes.

    Attributes:
        lines: the lines; a single one if a function of the runtime computes it.
        per_variable: whether they run once per variable instead of over runs of its matrices.
        is_call: whether a function of the runtime computes them.
    """

    lines: tuple[Assign, ...]
    per_variable: bool
    is_call: bool


def segments(lines: Sequence[Assign]) -> Iterator[AxisSegment]:
    """Lines in order, those together that one function computes."""
    group: list[Assign] = []
    for line in lines:
        per_variable = line.target.rate == INDEX
        call = _is_call(line)
        if group and (call or (group[-1].target.rate == INDEX) != per_variable):
            yield _segment(group)
            group = []
        group.append(line)
        if call:
            yield AxisSegment((line,), per_variable, True)
            group = []
    if group:
        yield _segment(group)


def _segment(group: Sequence[Assign]) -> AxisSegment:
    return AxisSegment(tuple(group), group[0].target.rate == INDEX, False)


def _is_call(line: Assign) -> bool:
    """Whether a line leads from one kind of numbers to another in more than a sum of rows."""
    if not isinstance(line.value, Apply) or not line.value.intrinsic.changes_rate:
        return False
    return line.value.intrinsic.reduces is None
