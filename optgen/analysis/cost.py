"""The cost of one step of a mode, per parameter and per variable."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from optgen.analysis.liveness import LivePhase, live_phases
from optgen.analysis.operations import OPERATION_KINDS, count_operations
from optgen.analysis.waits import Wait, waits
from optgen.ir.program import Assign, Schedule, Slot
from optgen.ir.rate import ELEMENT, STEP, TENSOR, Rate

NUMBER_BYTES = 8
"""Bytes of each number of a slot that has none per element: a float64."""


@dataclass(frozen=True)
class PhaseCost:
    """What one launch does for each parameter.

    Attributes:
        name: the phase in words.
        reads: the arrays that its loop reads: ``w``, ``g`` and slots.
        writes: the arrays that its loop writes.
        operations: floating-point operations of each kind.
        step_lines: the values computed once per step before the launch.
        variable_lines: the values computed once per variable before its loop.
        axis_lines: the values computed once per matrix, row, column or index before its loop.
        waits: what it needs from the loops of earlier phases; empty for the first one.
    """

    name: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    operations: dict[str, int]
    step_lines: tuple[Assign, ...]
    variable_lines: tuple[Assign, ...]
    axis_lines: tuple[Assign, ...]
    waits: tuple[Wait, ...]

    def bytes_moved(self, itemsize: int) -> int:
        """Bytes read and written per parameter.

        Args:
            itemsize: bytes of one element of the variable.
        """
        return itemsize * (len(self.reads) + len(self.writes))


@dataclass(frozen=True)
class Cost:
    """What one step of a mode costs while some common stages are on.

    Attributes:
        mode: the mode.
        stages: the stages that are on.
        slots: the state that exists then.
        phases: the launches, in order.
    """

    mode: str
    stages: frozenset[str]
    slots: tuple[Slot, ...]
    phases: tuple[PhaseCost, ...]

    def bytes_moved(self, itemsize: int) -> int:
        """Bytes read and written per parameter and step, all phases together.

        The gradient is taken to be of the variable's dtype.

        Args:
            itemsize: bytes of one element of the variable.
        """
        return sum(phase.bytes_moved(itemsize) for phase in self.phases)

    def state_per_parameter(self, itemsize: int) -> int:
        """Bytes of state kept per parameter."""
        return itemsize * sum(slot.rate == ELEMENT for slot in self.slots)

    @property
    def state_per_variable(self) -> int:
        """Bytes of state kept per variable, besides those per parameter."""
        return self.state_per(TENSOR)

    def state_per(self, rate: Rate) -> int:
        """Bytes of state kept for each number of a rate below that of elements."""
        return NUMBER_BYTES * sum(slot.rate == rate for slot in self.slots)

    @property
    def state_in_all(self) -> int:
        """Bytes of state kept once for the whole optimizer."""
        return NUMBER_BYTES * sum(slot.rate <= STEP for slot in self.slots)

    @property
    def operations(self) -> dict[str, int]:
        """Floating-point operations of each kind per parameter, all phases together."""
        return {
            kind: sum(phase.operations[kind] for phase in self.phases) for kind in OPERATION_KINDS
        }

    @property
    def gradient_passes(self) -> int:
        """How many of the phases read all gradients."""
        return sum("g" in phase.reads for phase in self.phases)


def cost_of(schedule: Schedule, stages: Collection[str] = ()) -> Cost:
    """Count what a step of a mode costs.

    Args:
        schedule: the mode.
        stages: the common stages that are on.
    """
    live = live_phases(schedule, stages)
    phases = tuple(_phase(live, index) for index in range(len(live)))
    slots = tuple(slot for slot in schedule.slots if _exists(slot, schedule, stages))
    return Cost(schedule.name, frozenset(stages), slots, phases)


def _phase(phases: tuple[LivePhase, ...], index: int) -> PhaseCost:
    live = phases[index]
    return PhaseCost(
        live.phase.name,
        tuple(load.name for load in live.loads),
        tuple(output.name for output in live.stores),
        count_operations(live.loop),
        live.step_lines,
        live.variable_lines,
        live.axis_lines,
        tuple(waits(phases, index)),
    )


def _exists(slot: Slot, schedule: Schedule, stages: Collection[str]) -> bool:
    """Whether a slot is kept: the author's always, a stage's while the stage is on."""
    owners = {
        output.stage
        for phase in schedule.phases
        for output in phase.stores
        if output.name == slot.name
    }
    return None in owners or not owners or any(owner in stages for owner in owners)
