"""What `optgen bench` does: measuring all that is asked, with a progress bar.

Where the bar would not be seen, in a log, there is a line for each thing that is measured.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from optgen.bench.cases import Case, cases
from optgen.bench.machine import machine, today, versions
from optgen.bench.peers import peers
from optgen.bench.results import CaseResult, Memory, Point, Report, Start
from optgen.bench.rounds import Plan, measure_case
from optgen.bench.scaling import Place, measure_memory, measure_places, places
from optgen.bench.start import measure_start
from optgen.bench.steps import STEPS
from optgen.commands.console import errors

_USUAL = Plan()
_QUICK = Plan(rounds=3, seconds=0.02)
_STARTS, _COLD_STARTS = 15, 3
_QUICK_STARTS, _QUICK_COLD_STARTS = 2, 1

_BEFORE_THE_FIRST = -1
"""Where a bar begins that moves when the next thing begins."""


@dataclass(frozen=True)
class Asked:
    """What to measure: names of models, steps and candidates, which parts, and how long.

    Names are empty for the usual ones.
    """

    models: tuple[str, ...]
    steps: tuple[str, ...]
    candidates: tuple[str, ...]
    beside_others: bool
    scaling: bool
    start: bool
    quick: bool
    rounds: int | None
    seconds: float | None

    @property
    def plan(self) -> Plan:
        """How long measurements take."""
        plan = _QUICK if self.quick else _USUAL
        return replace(
            plan,
            rounds=plan.rounds if self.rounds is None else self.rounds,
            seconds=plan.seconds if self.seconds is None else self.seconds,
        )


def run(asked: Asked) -> Report:
    """Measure what is asked.

    Raises:
        ValueError: if a name is unknown.
        WorkerError: if a process of our own fails.
    """
    chosen = cases(list(asked.models), list(asked.steps), asked.quick)
    report = Report(today(), _command(), machine(), versions())
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    quiet = not errors.is_terminal
    with Progress(
        *columns, TimeElapsedColumn(), console=errors, transient=True, disable=quiet
    ) as bar:
        if asked.beside_others:
            report = replace(report, cases=_cases(asked, chosen, bar))
        if asked.scaling:
            report = replace(report, points=_points(asked, bar), memory=_memory(asked, bar))
        if asked.start:
            report = replace(report, start=_start(asked, bar))
    return report


def _command() -> str:
    """What was typed, to be typed again."""
    return shlex.join(["optgen", *sys.argv[1:]])


def _cases(asked: Asked, chosen: list[Case], bar: Progress) -> list[CaseResult]:
    plan, found = asked.plan, []
    candidates = peers(list(asked.candidates))
    task = bar.add_task("steps", total=len(chosen) * (plan.rounds + 1), completed=_BEFORE_THE_FIRST)
    for case in chosen:
        where = f"{case.model.title}, {case.step.title}"
        told = _teller(bar, task, where)
        found.append(measure_case(case, candidates, plan, told))
    return found


def _points(asked: Asked, bar: Progress) -> list[Point]:
    chosen = places(asked.quick)
    task = bar.add_task(
        "scaling", total=len(chosen) * (asked.plan.rounds + 1), completed=_BEFORE_THE_FIRST
    )

    def progress(place: Place) -> Callable[[str], None]:
        return _teller(bar, task, f"{place.value:,} {place.axis}")

    return list(measure_places(chosen, asked.plan, progress))


def _memory(asked: Asked, bar: Progress) -> list[Memory]:
    task = bar.add_task("memory", total=len(STEPS))
    _announce(bar, "memory")
    measured = measure_memory(STEPS, asked.quick, asked.plan.patience)
    return list(bar.track(measured, task_id=task))


def _start(asked: Asked, bar: Progress) -> Start:
    starts = _QUICK_STARTS if asked.quick else _STARTS
    cold = _QUICK_COLD_STARTS if asked.quick else _COLD_STARTS
    task = bar.add_task("start", total=starts + cold + 1, completed=_BEFORE_THE_FIRST)
    return measure_start(starts, cold, _teller(bar, task, "start"))


def _announce(bar: Progress, where: str) -> None:
    if bar.disable:
        errors.print(escape(f"measuring {where}"))


def _teller(bar: Progress, task: TaskID, where: str) -> Callable[[str], None]:
    """What is told when something begins: it moves the bar by what went before."""
    _announce(bar, where)

    def tell(what: str) -> None:
        bar.update(task, description=escape(f"{where}: {what}"), advance=1)

    return tell
