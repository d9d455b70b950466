"""How long it takes from the start of a process to the end of its first step."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from optgen.bench.process import Process
from optgen.bench.programs import numba_alone
from optgen.bench.results import Start, Times
from optgen.bench.rounds import Progress
from optgen.bench.scaling import STEP
from optgen.bench.steps import step_named

_FIRST_STEP = ["-m", "optgen.bench.programs.first_step", step_named(STEP).optimizer]
_NUMBA_ALONE = [str(Path(numba_alone.__file__))]
_PATIENCE = 300.0

# Libraries have their bytecode, and so has optgen once it is installed, whatever the environment.
_BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}


def measure_start(rounds: int, cold_rounds: int, progress: Progress) -> Start:
    """Measure starts, in turns, with caches of their own.

    Args:
        rounds: how often each program starts with its machine code in the cache.
        cold_rounds: how often a first step starts with an empty cache.
        progress: is told what happens, once for each start that is cold and once for each round.

    Raises:
        WorkerError: if a program fails.
    """
    first_step: Times = []
    alone: Times = []
    cold: Times = []
    for index in range(cold_rounds):
        progress(f"cold start {index + 1}")
        with tempfile.TemporaryDirectory(prefix="optgen-bench-") as cache:
            cold.append(_seconds(_FIRST_STEP, cache))
    with tempfile.TemporaryDirectory(prefix="optgen-bench-") as cache:
        progress("filling the cache")
        for program in (_FIRST_STEP, _NUMBA_ALONE):
            _seconds(program, cache)
        for index in range(rounds):
            progress(f"start {index + 1}")
            turns = [(_FIRST_STEP, first_step), (_NUMBA_ALONE, alone)]
            for program, times in turns if index % 2 == 0 else reversed(turns):
                times.append(_seconds(program, cache))
    return Start(first_step, alone, cold)


def _seconds(program: list[str], cache: str) -> float:
    """From the start of a process until it says that it is done."""
    start = time.perf_counter()
    with Process(program, {"NUMBA_CACHE_DIR": cache, **_BYTECODE}) as process:
        process.receive(_PATIENCE)
        return time.perf_counter() - start
