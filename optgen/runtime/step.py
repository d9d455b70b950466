"""One call on checked gradients: which phases are launched over which variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from optgen.runtime.description import Mode, StageScalars
from optgen.runtime.notice import noticed
from optgen.runtime.phases import PreparedPhase, Scalars, prepare
from optgen.runtime.plan import Participants
from optgen.runtime.settings import Settings
from optgen.runtime.state import State


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
        self._mode, self._accumulate, self._rest, self._finite = mode, accumulate, rest, finite
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
        return prepare(self._finite, (), frozenset(), ())

    def _prepared(self, stages: frozenset[str]) -> Program:
        scalars, known = self._stage_scalars, self._known
        accumulates, rests = "accumulator" in stages, stages & {"accumulator", "average"}
        return Program(
            prepare(self._mode, scalars, stages, {*known, "learning_rate"}),
            prepare(self._accumulate, scalars, stages, known) if accumulates else (),
            prepare(self._rest, scalars, stages, known) if rests else (),
        )


def add_counts(scalars: Scalars, settings: Settings, iterations: int) -> None:
    """Add the scalars that follow from the count of updates.

    Args:
        scalars: the values of hyperparameters and common arguments in this call.
        settings: which common stages are on.
        iterations: updates made before this call.
    """
    scalars["iterations"] = float(iterations)
    scalars["t"] = float(iterations + 1)
    if "overwrite" in settings.stages:
        due = (iterations + 1) % settings.values["ema_overwrite_frequency"] == 0
        scalars["overwrite_now"] = 1.0 if due else 0.0


def are_finite(check: Sequence[PreparedPhase], state: State, participants: Participants) -> bool:
    """Say whether all gradients of a call are free of NaN and infinities; changes no state.

    Args:
        check: the prepared phases of the common mode that looks for them.
        state: the tables, with the gradients' addresses.
        participants: who has a gradient.
    """
    scalars: Scalars = {}
    state.tables.run(check, participants.present, scalars, None, None)
    return state.tables.summed(scalars, "nonfinite") == 0.0


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
    kind = (id(program), updates, participants.kind)
    if kind not in state.rehearsed:
        with noticed("compiling kernels, which the next start finds in Numba's cache"):
            _launch_all(program, state, participants, dict(scalars), settings, updates, True)
        state.rehearsed.add(kind)
    new_values = _launch_all(program, state, participants, scalars, settings, updates, False)
    state.tables.finish()
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
    run = state.tables.run
    new_values = run(phases, present, scalars, average, accumulator, rehearsal)
    if participants is not state.all_present:
        resets = accumulator if updates else None
        if average or resets:
            run(program.rest, absent, scalars, average, resets, rehearsal)
    return new_values
