"""What a step costs beside its kernels, counted instead of timed: calls, launches and memory."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import optgen.runtime.host as runtime_host
from optgen.optimizers import SGD, Adam, AdamW
from optgen.runtime import launch as runtime_launch
from optgen.runtime.variable import Variable
from tests.generated_classes import everything_on
from tests.oracle import generated, spec_names

Array = np.ndarray[Any, Any]

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "SGD": lambda: SGD(0.01, momentum=0.9, nesterov=True),
    "Adam": Adam,
    "composite": lambda: AdamW(0.001, weight_decay=0.1, global_clipnorm=1.0, use_ema=True),
    "everything": lambda: everything_on("adam", gradient_accumulation_steps=2),
}
ALL_OPTIMIZERS = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def pairs_of_arrays(optimizer: Any, g: list[Any], w: list[Any]) -> None:
    """The call of a training loop."""
    optimizer.apply_gradients(zip(g, w, strict=True))


def gradients_alone(optimizer: Any, g: list[Any], w: list[Any]) -> None:
    """The shortest call."""
    optimizer.apply(g)


WAYS = {"apply_gradients": pairs_of_arrays, "apply": gradients_alone}
ALL_WAYS = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def calls_during(function: Callable[[], object]) -> int:
    """How many functions Python calls, its own and those of extensions."""
    count = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def built(make: Callable[[], Any], count: int, variable: Callable[[Array], Any]) -> Any:
    """An optimizer after two calls, with its variables and new gradients of both dtypes."""
    arrays = [np.ones(3, (np.float32, np.float64)[i % 2]) for i in range(count)]
    w = [variable(array) for array in arrays]
    optimizer = make()
    optimizer.build(w)
    for _ in range(2):
        optimizer.apply_gradients(zip([np.ones_like(a) for a in arrays], w, strict=True))
    return optimizer, [np.full_like(a, 2.0) for a in arrays], w


@ALL_OPTIMIZERS
@ALL_WAYS
@pytest.mark.parametrize("variable", [np.asarray, Variable], ids=["arrays", "Variables"])
@pytest.mark.parametrize("missing", [0, 1])
@pytest.mark.filterwarnings("ignore:.*no gradient:UserWarning")
def test_python_makes_as_many_calls_for_any_number_of_variables(
    make: Callable[[], Any],
    way: Callable[[Any, list[Any], list[Any]], None],
    variable: Callable[[Array], Any],
    missing: int,
) -> None:
    counts = set()
    for count in (4, 400):
        optimizer, g, w = built(make, count, variable)
        g[:missing] = [None] * missing
        if missing:
            # Warns, and learns who takes part: in a call that accumulates, and in one that updates.
            for _ in range(2):
                way(optimizer, g, w)
        counts.add(calls_during(lambda: way(optimizer, g, w)))  # noqa: B023
    assert len(counts) == 1, counts
    assert counts.pop() < 200


def test_calls_are_counted() -> None:
    """Work per variable would be noticed."""
    assert calls_during(lambda: [abs(x) for x in range(100)]) >= 100
    assert calls_during(lambda: [(lambda: x)() for x in range(100)]) >= 100
    optimizer, g, w = built(Adam, 400, np.asarray)
    optimizer._reader._compiled = False
    assert calls_during(lambda: optimizer.apply(g)) > 400


@pytest.mark.parametrize("spec", spec_names())
@pytest.mark.parametrize("count", [1, 50])
def test_a_step_launches_each_phase_once(
    spec: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    launches: list[str] = []

    def launch(phase: Any, *arguments: Any) -> None:
        launches.append(phase.name)
        runtime_launch.launch(phase, *arguments)

    monkeypatch.setattr(runtime_host, "launch", launch)
    w = [np.ones(5, np.float32) for _ in range(count)]
    g = [np.ones(5, np.float32) for _ in range(count)]
    optimizer = generated(spec)()
    optimizer.apply(g, w)
    launches.clear()
    optimizer.apply(g)
    needed = [phase.name for phase in optimizer._mode.phases if phase.stages is None]
    assert launches == needed
    assert needed


@ALL_OPTIMIZERS
@ALL_WAYS
def test_a_step_allocates_nothing_that_grows_with_the_parameters(
    make: Callable[[], Any], way: Callable[[Any, list[Any], list[Any]], None]
) -> None:
    peaks = []
    for size in (10, 300_000):
        w = [np.ones(size, np.float32) for _ in range(3)]
        g = [[np.ones(size, np.float32) for _ in range(3)] for _ in range(4)]
        optimizer = make()
        for gradients in g:
            optimizer.apply(gradients, w)
        tracemalloc.start()
        for gradients in g:
            way(optimizer, gradients, w)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # A copy of one gradient would be 1.2 MB.
    assert max(peaks) < 50_000, peaks
