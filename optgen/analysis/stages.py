"""Which common stages may be on together."""

from __future__ import annotations

from collections.abc import Sequence

from optgen.ir.program import Stage


def required_stages(stage: Stage, stages: Sequence[Stage]) -> tuple[str, ...]:
    """The earlier stages without which a stage has no state to work on."""
    earlier = stages[: list(stages).index(stage)]
    own = {slot.name for slot in stage.slots}
    return tuple(s.name for s in earlier if own & {slot.name for slot in s.slots})


def all_compatible(stages: Sequence[Stage]) -> tuple[str, ...]:
    """As many stages as may be on together; of those that exclude each other, the first."""
    on: list[str] = []
    for stage in stages:
        if not set(stage.excludes) & set(on):
            on.append(stage.name)
    return tuple(on)


def stage_sets(stages: Sequence[Stage]) -> tuple[tuple[str, ...], ...]:
    """Nothing, each stage with those that it requires, and as many as go together."""
    single = [(*required_stages(stage, stages), stage.name) for stage in stages]
    return tuple(dict.fromkeys([(), *single, all_compatible(stages)]))
