"""How the cost of a step grows: with parameters, with variables, with threads; and its memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from optgen.bench.cases import Case, Model, model_named
from optgen.bench.peers import FLOOR, OURS, peers
from optgen.bench.peers.processors import available_processors
from optgen.bench.process import Process
from optgen.bench.results import Memory, Point
from optgen.bench.rounds import ENVIRONMENT, Plan, Progress, measure_case
from optgen.bench.steps import ADAPTIVE, FLOAT32_BYTES, Step, step_named
from optgen.bench.worker import FRESH

STEP = ADAPTIVE
PARAMETERS = (10**3, 10**4, 10**5, 10**6, 10**7, 10**8, 3 * 10**8)
VARIABLES = (1, 10, 10**2, 10**3, 10**4, 10**5)
OF_EACH_VARIABLE = 64
THREADS_MODEL = "resnet50"
MEMORY_PARAMETERS = 10**7

_QUICK = 10**4
"""The largest number of parameters or variables that a quick run measures."""


@dataclass(frozen=True)
class Place:
    """Where a step is measured.

    Attributes:
        axis: what varies: parameters, variables or threads.
        value: how many.
        case: the step over the variables.
        environment: of the processes.
    """

    axis: str
    value: int
    case: Case
    environment: dict[str, str]


def places(quick: bool) -> list[Place]:
    """Where to measure; only small ones for a quick run."""
    step = step_named(STEP)
    found = []
    for axis, values in (("parameters", PARAMETERS), ("variables", VARIABLES)):
        for value in values:
            if quick and value > _QUICK:
                continue
            shapes: tuple[tuple[int, ...], ...] = ((value,),)
            if axis == "variables":
                shapes = ((OF_EACH_VARIABLE,),) * value
            model = Model(f"{axis}-{value}", f"{value:,} {axis}", shapes)
            found.append(Place(axis, value, Case(model, step), ENVIRONMENT))
    case = Case(model_named("mlp" if quick else THREADS_MODEL), step)
    for threads in range(1, available_processors() + 1):
        environment = {**ENVIRONMENT, "NUMBA_NUM_THREADS": str(threads)}
        found.append(Place("threads", threads, case, environment))
    return found


def measure_places(
    places: list[Place], plan: Plan, progress: Callable[[Place], Progress]
) -> Iterator[Point]:
    """Measure our step and the memory floor at every place.

    Args:
        places: where.
        plan: how long; only fresh gradients are measured.
        progress: gives what is told how far a place is.
    """
    candidates = peers([OURS, FLOOR])
    short = replace(plan, gradients=(FRESH,))
    for place in places:
        told = progress(place)
        result = measure_case(place.case, candidates, short, told, place.environment)
        yield Point(place.axis, place.value, result)


def measure_memory(steps: Iterable[Step], quick: bool, patience: float) -> Iterator[Memory]:
    """Measure the memory of steps, each in a process of its own.

    Args:
        steps: which.
        quick: whether to take a small variable.
        patience: seconds after which a process is given up.

    Raises:
        WorkerError: if a process fails.
    """
    parameters = _QUICK if quick else MEMORY_PARAMETERS
    for step in steps:
        with Process(["-m", "optgen.bench.memory"], ENVIRONMENT) as process:
            process.send({"step": step.name, "parameters": parameters})
            found = process.receive(patience)
        yield Memory(
            step.title,
            parameters,
            float(FLOAT32_BYTES * step.state),
            found["state"] / parameters,
            found["in_step"],
            found["resident_growth"],
        )
