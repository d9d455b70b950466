"""One call on checked gradients: host scalars, launches, sums over all variables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from optgen.runtime.description import Mode, Phase, StageScalars
from optgen.runtime.launch import launch, may_run_in_parallel
from optgen.runtime.plan import Group, Selection
from optgen.runtime.settings import Settings
from optgen.runtime.state import Participants, State

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


def run(
    phases: Sequence[PreparedPhase],
    state: State,
    selections: Sequence[Selection],
    scalars: Scalars,
    average: int | None,
    accumulator: int | None,
    rehearsal: bool = False,
) -> list[tuple[str, float]]:
    """Launch prepared phases over a part of the variables.

    Args:
        phases: in order.
        state: the tables.
        selections: who takes part, per dtype group.
        scalars: the scalars of this call by name; sums and stage scalars are added.
        average: 1 to update averages, else None.
        accumulator: 1 to use or reset accumulators, else None.
        rehearsal: launch over nothing, which compiles what is not compiled yet.

    Returns:
        New values of step slots, for the caller to store.
    """
    new_values: list[tuple[str, float]] = []
    for prepared in phases:
        phase = prepared.phase
        for entry in prepared.scalars_before:
            results = entry.function(*[scalars[name] for name in entry.inputs])
            scalars.update(zip(entry.outputs, results, strict=True))
        values = phase.scalars(*[scalars[name] for name in phase.inputs])
        stages = tuple([None if n is None else scalars[n] for n in prepared.stage_names])
        for group, selection in zip(state.groups, selections, strict=True):
            if selection.rows.size:
                part = selection.rehearsal() if rehearsal else selection
                tables = (
                    part.chunks,
                    part.rows,
                    group.blocks,
                    group.pointers,
                    group.layout,
                    group.tensor,
                    group.block_sums,
                )
                arguments = (group.like, tables, values, stages, average, accumulator)
                launch(phase, selection.elements, arguments)
        for name, column in prepared.sums:
            total = 0.0 if rehearsal else _sum_over_variables(state.groups, selections, column)
            scalars[name] = total
        new_values += [(name, values[index]) for name, index in phase.step_slots]
    return new_values


def _sum_over_variables(
    groups: Sequence[Group], selections: Sequence[Selection], column: int
) -> float:
    """Add one number of every selected variable, in the order of build across dtypes."""
    addends: list[tuple[int, float]] = []
    for group, selection in zip(groups, selections, strict=True):
        numbers = group.tensor[selection.rows, column].tolist()
        positions = [group.positions[row] for row in selection.rows.tolist()]
        addends += zip(positions, numbers, strict=True)
    if len(groups) > 1:
        addends.sort(key=lambda addend: addend[0])
    total = 0.0
    # Not the builtin sum, which compensates rounding errors in some versions of Python.
    for _, number in addends:
        total += number
    return total


@dataclass(frozen=True)
class Program:
    """All phases that an optimizer can launch.

    Attributes:
        update: of its mode, for variables with a gradient.
        accumulate: for variables with a gradient in a call that only accumulates.
        rest: for variables without a gradient.
    """

    update: tuple[PreparedPhase, ...]
    accumulate: tuple[PreparedPhase, ...]
    rest: tuple[PreparedPhase, ...]


class Programs:
    """What an optimizer can launch, prepared when it is first needed.

    Args:
        mode: the mode of the optimizer.
        accumulate: the common stages of a call that only accumulates gradients.
        rest: the common stages of variables without a gradient.
        finite: the check for gradients that are not finite.
        stage_scalars: what common stages compute on the host.
        settings: which common stages are on.
    """

    def __init__(
        self,
        mode: Mode,
        accumulate: Mode,
        rest: Mode,
        finite: Mode,
        stage_scalars: Sequence[StageScalars],
        settings: Settings,
    ) -> None:
        self._modes = mode, accumulate, rest, finite
        self._stage_scalars = stage_scalars
        self._stages = settings.stages
        self._known = {*settings.values, "t", "iterations", "overwrite_now", *mode.step_slots}

    @cached_property
    def plain(self) -> Program:
        """With the common stages that the settings switch on."""
        return self._prepared(self._stages)

    @cached_property
    def scaled(self) -> Program:
        """With the division by a loss scale, too, which a call brings along."""
        return self._prepared(self._stages | {"loss_scale_factor"})

    @cached_property
    def finite_check(self) -> tuple[PreparedPhase, ...]:
        """The check for gradients that are not finite, before all stages."""
        return prepare(self._modes[3], (), frozenset(), ())

    def _prepared(self, stages: frozenset[str]) -> Program:
        mode, accumulate, rest, _ = self._modes
        scalars, known = self._stage_scalars, self._known
        accumulates, rests = "accumulator" in stages, stages & {"accumulator", "average"}
        return Program(
            prepare(mode, scalars, stages, {*known, "learning_rate"}),
            prepare(accumulate, scalars, stages, known) if accumulates else (),
            prepare(rest, scalars, stages, known) if rests else (),
        )


def scalars_of_call(settings: Settings, numbers: Scalars, iterations: int) -> Scalars:
    """Return the scalars that settings and the count of updates give, by name.

    Args:
        settings: which common stages are on.
        numbers: the values of hyperparameters and common arguments in this call.
        iterations: updates made before this call.
    """
    scalars = dict(numbers)
    scalars["iterations"] = float(iterations)
    scalars["t"] = float(iterations + 1)
    if "overwrite" in settings.stages:
        due = (iterations + 1) % settings.values["ema_overwrite_frequency"] == 0
        scalars["overwrite_now"] = 1.0 if due else 0.0
    return scalars


def are_finite(check: Sequence[PreparedPhase], state: State, participants: Participants) -> bool:
    """Say whether all gradients of a call are free of NaN and infinities; changes no state.

    Args:
        check: the prepared phases of the common mode that looks for them.
        state: the tables, with the gradients' addresses.
        participants: who has a gradient.
    """
    scalars: Scalars = {}
    run(check, state, participants.present, scalars, None, None)
    return scalars["nonfinite"] == 0.0


def run_call(
    program: Program,
    state: State,
    participants: Participants,
    scalars: Scalars,
    settings: Settings,
    updates: bool,
) -> None:
    """Launch everything that one call needs; the gradients' addresses are in the tables.

    Args:
        program: the phases.
        state: what they change.
        participants: who has a gradient.
        scalars: of this call, by name; results are added.
        settings: which common stages are on.
        updates: whether the call updates or only accumulates.
    """
    kind = (id(program), updates, may_run_in_parallel(), participants.large)
    if kind not in state.rehearsed:
        _launch_all(program, state, participants, dict(scalars), settings, updates, True)
        state.rehearsed.add(kind)
    new_values = _launch_all(program, state, participants, scalars, settings, updates, False)
    for name, value in new_values:
        state.step_slots[name][...] = value


def _launch_all(
    program: Program,
    state: State,
    participants: Participants,
    scalars: Scalars,
    settings: Settings,
    updates: bool,
    rehearsal: bool,
) -> list[tuple[str, float]]:
    """Launch what a call needs, or compile it, which is where launches can fail."""
    average = 1 if "average" in settings.stages else None
    accumulator = 1 if "accumulator" in settings.stages else None
    phases = program.update if updates else program.accumulate
    present, absent = participants.present, participants.absent
    new_values = run(phases, state, present, scalars, average, accumulator, rehearsal)
    if participants is not state.all_present:
        resets = accumulator if updates else None
        if average or resets:
            run(program.rest, state, absent, scalars, average, resets, rehearsal)
    return new_values
