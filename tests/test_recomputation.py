"""Later loops compute values again from memory: for no spec would storing one move fewer bytes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import pytest

from optgen.driver import compile_text
from optgen.ir.expr import Symbol
from optgen.ir.program import Assign, Phase, Schedule
from optgen.ir.rate import ELEMENT
from optgen.passes.split import operands
from tests.oracle import compiled, spec_names

MOST_OF_ACCUMULATION = 2
"""Arrays that a stored mean gradient would save a rule of three loops, at the cost of one array
more in memory, which matters more to whoever accumulates gradients."""

WRITE = 1
READ = 1


def used_by(line: Assign, stages: frozenset[str]) -> tuple[Symbol, ...]:
    """What a line needs while some stages are on: the others leave a value as it is."""
    if line.stage is None or line.stage in stages:
        return operands(line)
    return () if line.otherwise is None else (line.otherwise,)


def loaded(phase: Phase, stages: frozenset[str], kept: Symbol | None) -> set[str]:
    """The arrays that a phase reads if ``kept`` is given."""
    definition = {line.target: line for line in phase.lines}
    on = [x for x in phase.stores if x.stage is None or x.stage in stages]
    pending = [output.symbol for output in on]
    pending += [s for line in phase.reductions for s in used_by(line, stages)]
    seen: set[Symbol] = set()
    while pending:
        symbol = pending.pop()
        if symbol in seen or symbol == kept:
            continue
        seen.add(symbol)
        if symbol in definition:
            pending += used_by(definition[symbol], stages)
    return {load.name for load in phase.loads if load.symbol in seen}


def gains(schedule: Schedule, stages: frozenset[str]) -> Iterator[tuple[Symbol, int]]:
    """For each value of several loops, how many fewer arrays move if it is stored in the first."""
    phases = [p for p in schedule.phases if p.stages is None or not stages.isdisjoint(p.stages)]
    loops: dict[Symbol, list[Phase]] = {}
    for phase in phases:
        for line in phase.lines:
            if line.target.rate == ELEMENT:
                loops.setdefault(line.target, []).append(phase)
    for value, (_, *later) in loops.items():
        saved = [len(loaded(p, stages, None)) - len(loaded(p, stages, value)) for p in later]
        # A later loop takes the stored value only where that is fewer arrays.
        yield value, sum(max(0, count - READ) for count in saved) - WRITE


def combinations(schedule: Schedule) -> Iterator[frozenset[str]]:
    names = {line.stage for p in schedule.phases for line in p.lines if line.stage is not None}
    every: Iterable[str] = sorted(names)
    for count in (0, 1, 2, len(names)):
        yield from map(frozenset, itertools.combinations(every, count))


@pytest.mark.parametrize("spec", spec_names())
def test_storing_a_value_for_later_loops_moves_no_fewer_bytes(spec: str) -> None:
    better = [
        (schedule.name, sorted(stages), value.name, gain)
        for schedule in [mode.schedule for mode in compiled(spec).modes]
        for stages in combinations(schedule)
        for value, gain in gains(schedule, stages)
        if gain > (MOST_OF_ACCUMULATION if "accumulator" in stages else 0)
    ]
    assert better == [], "the pass that splits should store these values"


SEVERAL_INPUTS = b'''
name = "SeveralInputs"
summary = "A value of four arrays that two loops need."
update = """
x = (a - b) * (c - g)
a = x
b = -x
c = 2 * x
w = w - learning_rate * x / sqrt(sum(x * x))
"""

[hyperparameters]
learning_rate = { default = 0.1, doc = "The learning rate." }

[slots]
a = { doc = "Taken from a value of the step.", initial = "w" }
b = { doc = "Taken from a value of the step.", initial = "w" }
c = { doc = "Taken from a value of the step.", initial = "w" }
'''


def test_a_value_of_many_arrays_would_be_noticed() -> None:
    (mode,) = compile_text(SEVERAL_INPUTS, "several_inputs.toml").modes
    found = {value.name: gain for value, gain in gains(mode.schedule, frozenset())}
    # Three slots and the gradient are read again, instead of a value that is written and read.
    assert found["x"] == 4 - READ - WRITE
