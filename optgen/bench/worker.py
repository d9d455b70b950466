"""The process of one candidate: ``python -m optgen.bench.worker MODULE [FORM]``.

It reads requests and writes answers, a line of JSON each:

    {"prepare": {"shapes": [[4, 3], [3]], "step": "..."}}
        -> {"form": "...", "threads": 2, "versions": {}, "start": [[0.1]], "end": [[0.2]]}
    {"measure": {"gradients": "fresh", "seconds": 0.1}}
        -> {"seconds": 1.2e-05, "steps": 8000}

The answer to a request that fails is {"error": "..."}. The end of the input ends the process.
"""

from __future__ import annotations

import gc
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterable
from importlib import import_module, metadata
from typing import Any, TextIO

import numpy as np

from optgen.bench.candidate import SCALES, Candidate, gradient_values, sampled, start_values
from optgen.bench.steps import FLOAT32_BYTES, step_named

FRESH = "fresh"
SAME = "same"

_FRESH_BYTES = 64 << 20
_FRESH_SETS = 8
"""Sets of gradients, at most, that are made before the steps that use them."""

_WARM_SECONDS = 0.01
"""How long steps run, at least, before they are timed: other processes had the caches before."""

Answer = dict[str, Any]


class Worker:
    """What the requests of one process refer to.

    Args:
        make: makes the candidate of a step over variables.
        form: which of the forms that ``make`` knows.
    """

    def __init__(self, make: Callable[..., Candidate], form: str) -> None:
        self._make = make
        self._form = form
        self._candidate: Candidate
        self._sets = 1

    def answer(self, request: dict[str, Any]) -> Answer:
        """Do what one request asks.

        Raises:
            ValueError: if it asks for something else than ``prepare`` or ``measure``.
        """
        ((asked, arguments),) = request.items()
        if asked == "prepare":
            return self._prepare(**arguments)
        if asked == "measure":
            return self._measure(**arguments)
        raise ValueError(f"expected the request prepare or measure, received {asked!r}")

    def _prepare(self, shapes: list[list[int]], step: str) -> Answer:
        """Make the candidate, and take the steps by which candidates are compared."""
        bytes_of_a_set = FLOAT32_BYTES * sum(map(math.prod, shapes))
        self._sets = max(1, min(_FRESH_SETS, _FRESH_BYTES // max(1, bytes_of_a_set)))
        variables = start_values(shapes)
        start = sampled(variables)
        candidate = self._make(step_named(step), variables, self._form)
        del variables
        for scale in SCALES:
            factor = np.float32(scale)
            candidate.place(candidate.fresh(g * factor for g in gradient_values(shapes)))
            candidate.step()
            candidate.wait()
        end = sampled(candidate.results())
        candidate.place(candidate.fresh(gradient_values(shapes)))
        self._candidate = candidate
        return {
            "form": candidate.form,
            "threads": candidate.threads,
            "versions": {name: metadata.version(name) for name in candidate.packages},
            "start": start,
            "end": end,
        }

    def _measure(self, gradients: str, seconds: float) -> Answer:
        """Take steps for about so many seconds, and return the mean time of one."""
        timed = {FRESH: self._fresh_steps, SAME: self._same_steps}[gradients]
        gc.collect()
        gc.disable()
        try:
            _run(timed, _WARM_SECONDS)
            spent, steps = _run(timed, seconds)
        finally:
            gc.enable()
        return {"seconds": spent / steps, "steps": steps}

    def _same_steps(self, count: int) -> tuple[float, int]:
        """Time steps that all use the gradients that are placed."""
        candidate = self._candidate
        candidate.wait()
        start = time.perf_counter()
        for _ in range(count):
            candidate.step()
        candidate.wait()
        return time.perf_counter() - start, count

    def _fresh_steps(self, count: int) -> tuple[float, int]:
        """Time steps each of which uses gradients in new memory; making them is not timed."""
        candidate = self._candidate
        sets = [candidate.again() for _ in range(min(count, self._sets))]
        spent = 0.0
        for gradients in sets:
            candidate.place(gradients)
            start = time.perf_counter()
            candidate.step()
            candidate.wait()
            spent += time.perf_counter() - start
        return spent, len(sets)


def _run(timed: Callable[[int], tuple[float, int]], seconds: float) -> tuple[float, int]:
    """Take steps, twice as many each time, until they have taken so many seconds together."""
    spent, steps, count = 0.0, 0, 1
    while spent < seconds:
        more, taken = timed(count)
        spent, steps = spent + more, steps + taken
        left = (seconds - spent) / (spent / steps)
        count = max(1, min(2 * count, math.ceil(left)))
    return spent, steps


def serve(worker: Worker, requests: Iterable[str], answers: TextIO) -> None:
    """Answer requests until there are no more.

    Args:
        worker: what answers them.
        requests: lines of JSON.
        answers: where lines of JSON go.
    """
    for line in requests:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:  # Whatever a library raises is the answer, not the end.
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Serve standard input; what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    module, *form = sys.argv[1:]
    try:
        make = import_module(module).make
    except Exception as error:  # An installed library may still fail to load.
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers, flush=True)
        return
    serve(Worker(make, "".join(form)), sys.stdin, answers)


if __name__ == "__main__":
    main()
