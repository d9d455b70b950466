"""The phases of a mode, prepared for the common stages that are on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from optgen.runtime.description import Mode, Phase, StageScalars

Scalars = dict[str, float]


@dataclass(frozen=True)
class PreparedPhase:
    """A phase with everything decided that depends only on which common stages are on.

    Attributes:
        phase: the phase.
        scalars_before: the stages' scalars to compute first.
        stage_names: the name behind each entry of the driver's ``stages``; None for a stage
            that is off.
        sums: name and column of the sums over all variables to take afterwards.
    """

    phase: Phase
    scalars_before: tuple[StageScalars, ...]
    stage_names: tuple[str | None, ...]
    sums: tuple[tuple[str, int], ...]

    @cached_property
    def _places(self) -> tuple[tuple[int, str], ...]:
        return tuple((i, name) for i, name in enumerate(self.stage_names) if name is not None)

    @cached_property
    def _all_off(self) -> tuple[None, ...]:
        return (None,) * len(self.stage_names)

    def stages(self, scalars: Scalars) -> tuple[float | None, ...]:
        """Return the driver's ``stages``, given the scalars of a call."""
        if not self._places:
            return self._all_off
        values: list[float | None] = list(self._all_off)
        for place, name in self._places:
            values[place] = scalars[name]
        return tuple(values)


def prepare(
    mode: Mode,
    stage_scalars: Iterable[StageScalars],
    stages: frozenset[str],
    known: Iterable[str],
) -> tuple[PreparedPhase, ...]:
    """Return the phases of a mode that are launched while these stages are on.

    Args:
        mode: the phases.
        stage_scalars: what stages compute on the host; each is placed before the first phase at
            which all of its inputs are known.
        stages: the stages that are on.
        known: names of scalars that are known from the start.
    """
    names = set(known)
    pending = [entry for entry in stage_scalars if entry.stage in stages]
    prepared = []
    for phase in mode.phases:
        if phase.stages is not None and stages.isdisjoint(phase.stages):
            continue
        ready: list[StageScalars] = []
        while found := [e for e in pending if e not in ready and names.issuperset(e.inputs)]:
            ready += found
            names.update(name for entry in found for name in entry.outputs)
        pending = [entry for entry in pending if entry not in ready]
        sums = tuple(
            (name, mode.columns.index(column))
            for stage, name, column in phase.sums_over_variables
            if stage is None or stage in stages
        )
        names.update(name for name, _ in sums)
        prepared.append(
            PreparedPhase(
                phase,
                tuple(ready),
                tuple(name if stage in stages else None for stage, name in phase.stage_scalars),
                sums,
            )
        )
    return tuple(prepared)
