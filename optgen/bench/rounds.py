"""Measuring a case: every candidate in a process of its own, taking turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from optgen.bench.cases import Case
from optgen.bench.machine import available_memory
from optgen.bench.parity import difference
from optgen.bench.peers import FLOOR, OURS, Peer
from optgen.bench.process import Process, WorkerError, worker
from optgen.bench.results import CaseResult, Measured
from optgen.bench.steps import FLOAT32_BYTES
from optgen.bench.worker import FRESH, SAME

ENVIRONMENT = {"JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}

_PAUSE = 0.005
"""Seconds between turns, in which threads of the last one that wait busily go to sleep."""

_GRADIENT_SETS = 2
"""Those in use, and the fresh ones."""

_PROCESS_BYTES = 400 << 20
"""What a library needs for itself, about."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How long measurements take.

    Attributes:
        rounds: how often every candidate has its turn.
        seconds: how long a turn takes, about; a single step may take longer.
        gradients: which are measured, fresh and same.
        patience: seconds after which a candidate that gives no answer is given up.
    """

    rounds: int = 7
    seconds: float = 0.15
    gradients: tuple[str, ...] = (FRESH, SAME)
    patience: float = 600.0


def measure_case(
    case: Case,
    peers: Sequence[Peer],
    plan: Plan,
    progress: Progress,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> CaseResult:
    """Measure one case.

    Args:
        case: what to measure.
        peers: the candidates, ours first; those that have no such step are left out.
        plan: how long.
        progress: is told what happens, once for the preparation and once per round.
        environment: variables of the candidates' processes.

    Returns:
        What was measured. A candidate that cannot take part, fails on the way or takes another step
        has a note that says so.
    """
    peers = [peer for peer in peers if case.step.name in peer.steps]
    found, able = _sorted_out(case, peers)
    with ExitStack() as stack:
        processes: dict[str, Process] = {}
        for peer in able:
            processes[peer.name] = stack.enter_context(worker(peer, environment))
            found[peer.name] = replace(found[peer.name], command=processes[peer.name].command)
        progress("preparing")
        _prepare(case, processes, found, plan)
        for index in range(plan.rounds):
            progress(f"round {index + 1}")
            _take_turns(processes, found, plan, index)
    return CaseResult(
        case.model.title,
        case.step.title,
        (case.model.name, case.step.name),
        len(case.model.shapes),
        case.model.parameters,
        case.bytes,
        [found[peer.name] for peer in peers],
    )


def _sorted_out(case: Case, peers: Iterable[Peer]) -> tuple[dict[str, Measured], list[Peer]]:
    """The candidates by name, with a note where one takes no part, and those that do."""
    found: dict[str, Measured] = {}
    able = []
    left = available_memory()
    for peer in peers:
        note = peer.missing()
        arrays = 1 + case.step.state + _GRADIENT_SETS + peer.memory
        needed = _PROCESS_BYTES + arrays * FLOAT32_BYTES * case.model.parameters
        if not note and needed > left:
            note = (
                f"needs about {needed / 2**30:.1f} GiB beside the others, "
                f"of which {max(0, left) / 2**30:.1f} GiB are free: choose fewer by --candidate"
            )
        if not note:
            left -= needed
            able.append(peer)
        found[peer.name] = Measured(peer.name, peer.title, note)
    return found, able


def _prepare(
    case: Case, processes: dict[str, Process], found: dict[str, Measured], plan: Plan
) -> None:
    """Make every candidate ready, at the same time, and compare their steps with ours."""
    asked = {"prepare": {"shapes": case.model.shapes, "step": case.step.name}}
    answers: dict[str, dict[str, Any]] = {}
    with_each(processes, found, lambda name, process: process.send(asked))

    def receive(name: str, process: Process) -> None:
        answers[name] = process.receive(plan.patience)

    with_each(processes, found, receive)
    ours = answers.get(OURS)
    for name in processes:
        answer = answers[name]
        note = ""
        if ours is None:
            note = "not compared, as there is nothing of ours to compare with"
        elif name != FLOOR:
            note = difference(ours["start"], answer["end"], ours["end"])
        found[name] = replace(
            found[name],
            note=note,
            form=answer["form"],
            threads=answer["threads"],
            versions=answer["versions"],
            seconds={gradients: [] for gradients in plan.gradients},
        )


def with_each(
    processes: dict[str, Process],
    found: dict[str, Measured],
    action: Callable[[str, Process], None],
) -> None:
    """Do something with every process; one that fails is noted and leaves."""
    for name, process in list(processes.items()):
        try:
            action(name, process)
        except WorkerError as error:
            found[name] = replace(found[name], note=f"failed: {error}", seconds={})
            processes.pop(name).stop()


def _take_turns(
    processes: dict[str, Process], found: dict[str, Measured], plan: Plan, index: int
) -> None:
    """One round: every candidate measures for a while; the first is another one each time."""
    for gradients in plan.gradients:
        asked = {"measure": {"gradients": gradients, "seconds": plan.seconds}}
        names = list(processes)
        first = index % max(1, len(names))
        turns = {name: processes[name] for name in [*names[first:], *names[:first]]}

        def measure(
            name: str, process: Process, gradients: str = gradients, asked: Any = asked
        ) -> None:
            time.sleep(_PAUSE)
            process.send(asked)
            found[name].seconds[gradients].append(process.receive(plan.patience)["seconds"])

        with_each(turns, found, measure)
        for name in processes.keys() - turns.keys():
            del processes[name]
