"""The interface between a phase's kernels and whoever launches them.

Which column of the pointer table holds which array, which column of the per-variable table which
number, and which scalar travels in which position: decided here once, for every backend.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from optgen.backends.axis_layout import AxisColumn, AxisLayout
from optgen.backends.names import are_confused, distinct_names, parameter_name
from optgen.ir.expr import Apply, Kind, Symbol, symbols
from optgen.ir.functions import Reduction
from optgen.ir.program import Assign, Phase, Schedule, Slot
from optgen.ir.rate import ELEMENT, STEP, TENSOR, Rate

# Variable, gradient and the slots of the common stages have the same column for every optimizer.
FIXED_STREAMS = ("w", "g", "average", "accumulator")


@dataclass(frozen=True)
class Scalar:
    """A number that enters a loop or a per-variable function.

    Attributes:
        symbol: its value.
        name: its name in the generated text.
        stage: the stage without which it is None; None if it is always there.
    """

    symbol: Symbol
    name: str
    stage: str | None

    @property
    def key(self) -> str:
        """The name by which the runtime knows it."""
        return self.symbol.name if self.symbol.version == 0 else self.name


@dataclass(frozen=True)
class Stream:
    """An array that a loop reads or writes.

    Attributes:
        name: its name in the generated text.
        memory: ``w``, ``g`` or a slot's name.
        column: its column in the pointer table.
        stage: the stage without which it is None.
    """

    name: str
    memory: str
    column: int
    stage: str | None


@dataclass(frozen=True)
class Spread:
    """Numbers per matrix, row or column that a loop reads, each at all of its elements.

    Attributes:
        symbol: the numbers.
        name: the name of the array that they are spread into.
        column: their column in the axis table.
    """

    symbol: Symbol
    name: str
    column: int


@dataclass(frozen=True)
class PhaseLayout:
    """Everything that crosses the border of one phase's functions.

    Attributes:
        phase: the phase.
        streams: the arrays of the loop.
        loop: the scalars of the loop.
        variable: the STEP scalars of the per-variable function.
        scalars: the symbols of the driver's ``scalars`` tuple.
        stages: the (stage, name) pairs of the driver's ``stages`` tuple.
        spreads: the numbers of axis rates that the loop reads.
    """

    phase: Phase
    streams: tuple[Stream, ...]
    loop: tuple[Scalar, ...]
    variable: tuple[Scalar, ...]
    scalars: tuple[Symbol, ...]
    stages: tuple[tuple[str, str], ...]
    spreads: tuple[Spread, ...] = ()

    @property
    def needs_axes(self) -> bool:
        """Whether its functions read or write numbers of axis rates."""
        return bool(self.spreads or self.phase.axis_lines or self.phase.axis_stores) or (
            self.phase.reduces_axes
        )

    @property
    def has_loop(self) -> bool:
        """Whether there is anything to do per element."""
        return bool(self.phase.reductions or self.phase.stores)


@dataclass(frozen=True)
class ModeLayout:
    """The tables and phases of one mode.

    Attributes:
        schedule: the mode.
        table: the columns of the table of per-variable numbers; empty until all modes are known.
    """

    schedule: Schedule
    table: tuple[str, ...] = ()
    axis_table: tuple[AxisColumn, ...] = ()

    @cached_property
    def names(self) -> dict[Symbol, str]:
        """The name of every STEP and TENSOR value in the generated text."""
        found: dict[Symbol, None] = {}
        for line in self.schedule.lines():
            found |= dict.fromkeys((*symbols(line.value), line.target))
        for phase in self.schedule.phases:
            found |= dict.fromkeys(output.symbol for output in phase.variable_stores)
            found |= dict.fromkeys(output.symbol for output in phase.axis_stores)
        plain = {symbol.name for symbol in found} | {slot.name for slot in self.schedule.slots}
        return distinct_names((s for s in found if s.rate != ELEMENT), plain | {"w", "g"})

    @cached_property
    def axes(self) -> AxisLayout:
        """Where numbers of axis rates are kept."""
        return AxisLayout(self.schedule, self.names, self.axis_table)

    @cached_property
    def stream_names(self) -> dict[str, str]:
        """The name of every array in the generated text."""
        names: dict[str, str] = {}
        for memory in self.streams:
            names[memory] = parameter_name(memory, {*self.names.values(), *names.values()})
        return names

    @cached_property
    def element_slots(self) -> tuple[Slot, ...]:
        """The author's elementwise slots, in the order of their pointer columns."""
        return tuple(
            slot
            for slot in self.schedule.slots
            if slot.rate == ELEMENT and slot.name not in FIXED_STREAMS
        )

    @cached_property
    def streams(self) -> dict[str, int]:
        """The pointer column of each array."""
        names = (*FIXED_STREAMS, *(slot.name for slot in self.element_slots))
        return {name: column for column, name in enumerate(names)}

    @cached_property
    def own_columns(self) -> tuple[tuple[str, ...], ...]:
        """The per-variable numbers that this mode needs: inputs, stages' values, slots, others."""
        inputs: dict[str, None] = {}
        staged: dict[str, None] = {}
        others: dict[str, None] = {}
        slots = tuple(slot.name for slot in self.schedule.slots if slot.rate == TENSOR)
        for symbol in self.names:
            if symbol.rate == TENSOR and symbol.version == 0 and symbol.kind is not Kind.SLOT:
                inputs.setdefault(symbol.name)
        for phase in self.schedule.phases:
            group = staged if phase.stages is not None else others
            for symbol in self._kept(phase):
                group.setdefault(self.column_name(symbol, phase))
        return tuple(inputs), tuple(staged), slots, tuple(others)

    @cached_property
    def columns(self) -> dict[str, int]:
        """The column of each per-variable number in the table that all modes share."""
        return {name: column for column, name in enumerate(self.table)}

    def column_name(self, symbol: Symbol, phase: Phase) -> str:
        """The name of the column that holds a per-variable value once ``phase`` has begun."""
        if symbol.kind is not Kind.SLOT:
            return symbol.name if symbol.version == 0 else self.names[symbol]
        stored = {output.name: output.symbol for output in phase.variable_stores}
        in_memory = stored.get(symbol.name, replace(symbol, version=0))
        if symbol == in_memory:
            return symbol.name
        # No name of a spec has a blank, so these columns are distinct from all others.
        return f"{symbol.name} {'before' if symbol.version == 0 else 'next'}" + (
            f" {self.names[symbol]}" if symbol.version > 0 else ""
        )

    def _kept(self, phase: Phase) -> Iterable[Symbol]:
        """The per-variable values that leave the phase's per-variable function or its loop."""
        yield from self.entering(phase)
        for line in phase.reductions:
            if line.target.rate == TENSOR:
                yield line.target

    def entering(self, phase: Phase) -> tuple[Symbol, ...]:
        """The per-variable values that the phase's axis lines and its loop use."""
        used: dict[Symbol, None] = {}
        for line in (*phase.axis_lines, *phase.lines):
            for symbol in symbols(line.value):
                if symbol.rate == TENSOR:
                    used.setdefault(symbol)
        for output in phase.stores:
            if output.symbol.rate == TENSOR:
                used.setdefault(output.symbol)
        return tuple(used)

    def identity(self, phase: Phase) -> object:
        """What a phase's text depends on: equal identities give equal kernels."""
        touched: dict[str, None] = {}
        axes: dict[Symbol, None] = {}
        for line in (*phase.variable_lines, *self.axes.stored_lines(phase), *phase.lines):
            for symbol in (*symbols(line.value), line.target):
                if symbol.rate == TENSOR:
                    touched.setdefault(self.column_name(symbol, phase))
                if symbol.rate.is_axis:
                    axes.setdefault(symbol)
        columns = tuple((name, self.columns.get(name)) for name in touched)
        axis_columns = tuple(self.axes.column(symbol) for symbol in axes)
        return replace(phase, step_lines=()), self.phase(phase), columns, axis_columns

    @cached_property
    def _phases(self) -> dict[str, PhaseLayout]:
        return {phase.name: self._laid_out(phase) for phase in self.schedule.phases}

    def phase(self, phase: Phase) -> PhaseLayout:
        """The layout of one of the mode's phases."""
        return self._phases[phase.name]

    def _laid_out(self, phase: Phase) -> PhaseLayout:
        loop = self._scalars(phase.lines, TENSOR)
        needs_variable = bool(phase.variable_lines or phase.variable_stores)
        variable = self._scalars(phase.variable_lines, STEP) if needs_variable else ()
        variable += _switches(phase.variable_lines, variable)
        always: dict[Symbol, None] = {}
        staged: dict[tuple[str, str], None] = {}
        for scalar in (*loop, *variable, *self._scalars(phase.axis_lines, STEP)):
            if scalar.stage is not None:
                step = scalar.symbol.rate <= STEP
                staged.setdefault((scalar.stage, scalar.key if step else scalar.stage))
            elif scalar.symbol.rate <= STEP:
                always.setdefault(scalar.symbol)
        return PhaseLayout(
            phase,
            self._phase_streams(phase),
            loop,
            variable,
            tuple(always),
            tuple(staged),
            self._spreads(phase),
        )

    def _spreads(self, phase: Phase) -> tuple[Spread, ...]:
        """The numbers of axis rates that a phase's loop reads."""
        used = dict.fromkeys(symbol for line in phase.lines for symbol in symbols(line.value))
        return tuple(
            Spread(symbol, self.names[symbol], self.axes.column(symbol))
            for symbol in used
            if symbol.rate.is_axis
        )

    def _scalars(self, lines: Iterable[Assign], limit: Rate) -> tuple[Scalar, ...]:
        """The scalars up to a rate that lines use but do not compute; those of one stage last."""
        lines = tuple(lines)
        computed = {line.target for line in lines}
        users: dict[Symbol, set[str | None]] = {}
        for line in lines:
            for symbol in symbols(line.value):
                if symbol.rate <= limit and symbol not in computed:
                    users.setdefault(symbol, set()).add(line.stage)
        found = []
        for symbol, stages in users.items():
            stage = next(iter(stages)) if len(stages) == 1 else None
            found.append(Scalar(symbol, self.names[symbol], stage))
        return tuple(sorted(found, key=lambda scalar: scalar.stage is not None))

    def _phase_streams(self, phase: Phase) -> tuple[Stream, ...]:
        stages = {load.name: load.stage for load in phase.loads}
        for output in phase.stores:
            stages.setdefault(output.name, output.stage if output.name != "w" else None)
        # A loop takes its length and dtype from an array that is always there.
        if "w" in stages or None not in stages.values():
            stages["w"] = None
        return tuple(
            Stream(self.stream_names[memory], memory, column, stages[memory])
            for memory, column in self.streams.items()
            if memory in stages
        )


def _switches(lines: Iterable[Assign], scalars: tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """A scalar for each stage of some lines that has none among these, to know it is on."""
    stages = dict.fromkeys(line.stage for line in lines if line.stage is not None)
    shown = {scalar.stage for scalar in scalars}
    return tuple(
        Scalar(Symbol(stage, Kind.HYPERPARAMETER, STEP), f"{stage}_stage", stage)
        for stage in stages
        if stage not in shown
    )


def layouts(schedules: Iterable[Schedule], first: Iterable[str] = ()) -> tuple[ModeLayout, ...]:
    """The layouts of an optimizer's modes, with one order of columns for all of them.

    Phases that several modes have in common then read the same columns, and share a kernel.

    Args:
        schedules: the modes.
        first: the columns that come before their own, for kernels that run over the tables of
            every optimizer.
    """
    modes = tuple(ModeLayout(schedule) for schedule in schedules)
    groups = zip(*(mode.own_columns for mode in modes), strict=True)
    table = dict.fromkeys(first)
    table |= dict.fromkeys(name for group in groups for names in group for name in names)
    return tuple(replace(mode, table=tuple(table)) for mode in modes)


def sharing_axes(mode: ModeLayout, evaluation: ModeLayout) -> tuple[ModeLayout, ModeLayout]:
    """The layouts of a mode and of its evaluation, with one table of numbers of axis rates."""
    table = tuple(dict.fromkeys((*mode.axes.own, *evaluation.axes.own)))
    return replace(mode, axis_table=table), replace(evaluation, axis_table=table)


def phase_names(modes: Iterable[ModeLayout]) -> dict[tuple[str, str], str]:
    """The name of the kernel of each (mode, phase).

    Phases that are equal in every respect share one kernel; one that all modes share, or that
    belongs to an optimizer's only mode, is named after the phase alone.
    """
    modes = tuple(modes)
    groups: dict[tuple[str, object], list[str]] = {}
    for mode in modes:
        for phase in mode.schedule.phases:
            groups.setdefault((phase.name, mode.identity(phase)), []).append(mode.schedule.name)
    names: dict[tuple[str, str], str] = {}
    for (phase_name, _), members in groups.items():
        having = [m for m in modes if any(p.name == phase_name for p in m.schedule.phases)]
        shared = len(members) == len(having)
        name = phase_name if shared else f"{members[0]}_{phase_name}"
        while any(are_confused(name, other) for other in names.values()):
            name = f"{members[0]}_{name}"
        names.update({(member, phase_name): name for member in members})
    return names


def sums_over_variables(schedule: Schedule) -> tuple[tuple[str | None, Symbol, Symbol], ...]:
    """The sums over all variables: stage, result, and the per-variable value that is summed."""
    found: dict[Symbol, tuple[str | None, Symbol, Symbol]] = {}
    for line in schedule.lines():
        value = line.value
        if isinstance(value, Apply) and value.intrinsic.reduces is Reduction.ALL_VARIABLES:
            (summed,) = symbols(value)
            found[line.target] = (line.stage, line.target, summed)
    # The runtime takes the sums itself; anything else would need a function after the last phase.
    computed = {result.symbol for result in schedule.results} - found.keys()
    assert not computed, "a result that is no sum over variables"
    return tuple(found.values())


def summed_values(schedule: Schedule) -> frozenset[Symbol]:
    """The STEP values that are sums over all variables, or follow from such sums."""
    found: set[Symbol] = set()
    for line in schedule.lines():
        sums = isinstance(line.value, Apply) and line.value.intrinsic.reduces
        if sums is Reduction.ALL_VARIABLES or found & set(symbols(line.value)):
            if line.target.rate <= STEP:
                found.add(line.target)
    return frozenset(found)
