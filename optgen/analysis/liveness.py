"""Which lines of a phase do anything while some of the common stages are on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from optgen.ir.expr import Symbol, symbols
from optgen.ir.program import Assign, Load, Output, Phase, Schedule


@dataclass(frozen=True)
class LivePhase:
    """A phase without what is off.

    Attributes:
        phase: the whole phase.
        lines: the lines that run and whose values are used, in order: scalars first, then the loop.
        loads: the arrays that the loop needs.
        stores: the arrays that the loop changes.
        used: every symbol whose value is needed.
    """

    phase: Phase
    lines: tuple[Assign, ...]
    loads: tuple[Load, ...]
    stores: tuple[Output, ...]
    used: frozenset[Symbol]

    @property
    def loop(self) -> tuple[Assign, ...]:
        """The lines that run once per element."""
        own = set(self.phase.lines)
        return tuple(line for line in self.lines if line in own)

    @property
    def step_lines(self) -> tuple[Assign, ...]:
        """The lines that run once per step."""
        own = set(self.phase.step_lines)
        return tuple(line for line in self.lines if line in own)

    @property
    def variable_lines(self) -> tuple[Assign, ...]:
        """The lines that run once per variable."""
        own = set(self.phase.variable_lines)
        return tuple(line for line in self.lines if line in own)

    @property
    def axis_lines(self) -> tuple[Assign, ...]:
        """The lines that run once per matrix, row, column or index."""
        own = set(self.phase.axis_lines)
        return tuple(line for line in self.lines if line in own)


def live_phases(schedule: Schedule, stages: Collection[str]) -> tuple[LivePhase, ...]:
    """The phases that run while exactly these stages are on."""
    running = [
        phase
        for phase in schedule.phases
        if phase.stages is None or any(stage in stages for stage in phase.stages)
    ]
    final = running[-1:]
    return tuple(
        _live(phase, stages, schedule.step_stores if phase in final else ()) for phase in running
    )


def _live(phase: Phase, stages: Collection[str], step_stores: tuple[Output, ...]) -> LivePhase:
    stores = tuple(output for output in phase.stores if _on(output.stage, stages))
    kept = (*stores, *phase.variable_stores, *phase.axis_stores, *step_stores)
    used = {output.symbol for output in kept if _on(output.stage, stages)}
    used |= {line.target for line in phase.reductions if _on(line.stage, stages)}
    lines: list[Assign] = []
    scalars = (*phase.step_lines, *phase.variable_lines, *phase.axis_lines)
    # A later phase may need a value of an axis rate, which is kept.
    used |= {line.target for line in phase.axis_lines}
    for line in reversed((*scalars, *phase.lines)):
        if line.target not in used:
            continue
        if _on(line.stage, stages):
            lines.append(line)
            used |= set(symbols(line.value))
        elif line.otherwise is not None:
            used.add(line.otherwise)
    loads = tuple(load for load in phase.loads if load.symbol in used and _on(load.stage, stages))
    return LivePhase(phase, tuple(reversed(lines)), loads, stores, frozenset(used))


def _on(stage: str | None, stages: Collection[str]) -> bool:
    return stage is None or stage in stages
