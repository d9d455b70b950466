"""The memory of a step, measured in a process of its own: ``python -m optgen.bench.memory``.

It reads a line of JSON, {"step": "...", "parameters": 1000000}, and answers with another one.
"""

from __future__ import annotations

import json
import sys
import tracemalloc
from typing import Any

from optgen.bench.candidate import gradient_values, start_values
from optgen.bench.peers.ours import Ours
from optgen.bench.steps import step_named

_STEPS = 3


def measure(step: str, parameters: int) -> dict[str, int]:
    """Build an optimizer over a variable and take some steps.

    Args:
        step: the name of the step.
        parameters: of the variable.

    Returns:
        ``state``, the bytes that building allocated; ``in_step``, the most that was allocated at
        the same time while steps ran; ``resident_growth``, by how many bytes the peak of the
        process's memory grew meanwhile.
    """
    shapes = [(parameters,)]
    # A step over something else first, so that machine code is not counted.
    _candidate(step, [(8,)]).step()
    variables, gradients = start_values(shapes), list(gradient_values(shapes))
    tracemalloc.start()
    candidate = Ours(step_named(step), variables)
    candidate.place(gradients)
    state, _ = tracemalloc.get_traced_memory()
    candidate.step()
    peak_before = _peak()
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(_STEPS):
        candidate.step()
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "state": state,
        "in_step": highest - before,
        "resident_growth": _peak() - peak_before,
    }


def _candidate(step: str, shapes: list[tuple[int, ...]]) -> Ours:
    candidate = Ours(step_named(step), start_values(shapes))
    candidate.place(list(gradient_values(shapes)))
    return candidate


def _peak() -> int:
    """The most memory that this process has had so far, in bytes."""
    # Not on every system, and only this process needs it.
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def main() -> None:
    """Answer one request."""
    request: dict[str, Any] = json.loads(sys.stdin.readline())
    print(json.dumps(measure(**request)), flush=True)


if __name__ == "__main__":
    main()
