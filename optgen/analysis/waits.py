"""Why a phase cannot run together with the one before it: what it waits for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from optgen.analysis.liveness import LivePhase
from optgen.ir.expr import Apply, Symbol, symbols
from optgen.ir.intrinsics import Reduction
from optgen.ir.program import Assign
from optgen.ir.rate import ELEMENT


@dataclass(frozen=True)
class Wait:
    """A value that is known only when an earlier loop has ended, and who needs it.

    Attributes:
        reduction: the line that reduces elements to one number.
        phase: the earlier phase, whose loop computes it.
        over_all_variables: whether it is combined over all variables before it is used.
        lines: from the reduction's first use to the line that needs it in the loop, or to the state
            that is stored from it.
    """

    reduction: Assign
    phase: str
    over_all_variables: bool
    lines: tuple[Assign, ...]


def waits(phases: tuple[LivePhase, ...], index: int) -> Iterator[Wait]:
    """What a phase waits for: each result of an earlier loop that it needs itself.

    Args:
        phases: the phases of a mode that run.
        index: the number of the phase.
    """
    later = phases[index]
    for earlier in phases[:index]:
        for reduction in earlier.phase.reductions:
            if reduction.target in later.used:
                chain = _chain(reduction.target, later)
                yield Wait(reduction, earlier.phase.name, any(map(_over_all, chain)), chain)


def _chain(start: Symbol, phase: LivePhase) -> tuple[Assign, ...]:
    """The shortest way from a value to the loop; to the last line that it reaches if to none."""
    way: dict[Symbol, tuple[Assign, ...]] = {start: ()}
    longest: tuple[Assign, ...] = ()
    reached: list[tuple[Assign, ...]] = []
    for line in phase.lines:
        ways = [way[used] for used in symbols(line.value) if used in way]
        if not ways:
            continue
        chain = (*min(ways, key=len), line)
        way[line.target] = longest = chain
        if line.target.rate == ELEMENT or line.reduces:
            reached.append(chain)
    return min(reached, key=len, default=longest)


def _over_all(line: Assign) -> bool:
    value = line.value
    return isinstance(value, Apply) and value.intrinsic.reduces is Reduction.ALL_VARIABLES
