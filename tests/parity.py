"""How close every mode of every spec comes to what it is compared with.

Three comparisons, each of the generated class, call by call, and of all state at the end:

- with the interpreter, in float32 and float64, with common arguments: equal bits, or where a mode
  holds a power or the like, single steps within what a few units in its last place do;
- with the hand-written reference of ``tests/references``, in float64.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optgen.runtime import Optimizer
from tests.generated_classes import Arguments
from tests.oracle import compiled, generated, subject
from tests.references.comparison import RANGES, random_run
from tests.references.pipeline import Pipeline


@dataclass(frozen=True)
class Tolerance:
    """How far a spec may be from a source.

    Attributes:
        value: the largest difference over ``1 + abs(expected)``.
        reason: why it is more than usual.
    """

    value: float
    reason: str = ""


USUAL = Tolerance(1e-12)

TOLERANCES: dict[tuple[str, str], Tolerance] = {}
"""By spec and comparison, what differs from the usual."""


def tolerance_of(spec: str, comparison: str) -> Tolerance:
    """The tolerance of a comparison of a spec."""
    return TOLERANCES.get((spec, comparison), USUAL)


def reference_of(spec: str, arguments: Arguments) -> Any:
    """The hand-written rule of a spec."""
    module = importlib.import_module(f"tests.references.{spec}")
    return getattr(module, compiled(spec).program.name)(**arguments)


def drawn_arguments(spec: str, mode: str, rng: np.random.Generator) -> Arguments:
    """Hyperparameters that select a mode: the cell's values, and usual ones at random."""
    tested = subject(spec)
    found = tested.selecting(mode)
    for h in tested.program.hyperparameters:
        if h.kind == "float" and h.name in RANGES and found.get(h.name, 1.0) not in (0.0, None):
            value = float(rng.uniform(*RANGES[h.name]))
            other = {**found, h.name: value}
            if tested.mode_of(other) == mode:
                found = other
    return found


def expected_state(optimizer: Optimizer, pipeline: Pipeline) -> Iterator[np.ndarray]:
    """What the optimizer's slots, averages and accumulators should be, in the order of weights."""
    slots: dict[tuple[int | None, str], Any] = pipeline.rule.slots  # type: ignore[attr-defined]
    present = {name for _, name in slots}
    for slot in optimizer.slots:
        if (None, slot.name) in slots:
            yield np.asarray(slots[None, slot.name])
            continue
        for index, w in enumerate(pipeline.variables if slot.name in present else ()):
            start = np.zeros(w.shape if slot.rate == "element" else ())
            yield np.asarray(slots.get((index, slot.name), start))
    yield from pipeline.averages
    yield from pipeline.accumulators


def difference(
    actual: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: Tolerance
) -> float:
    """The largest difference over ``1 + abs(expected)``.

    Raises:
        AssertionError: if it exceeds the tolerance, or something is not finite.
    """
    worst = 0.0
    for index, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        assert ours.dtype == np.float64
        assert ours.shape == theirs.shape
        assert np.all(np.isfinite(theirs)), "NaN on both sides would show nothing"
        far = np.abs(ours - theirs) / (1 + np.abs(theirs))
        assert np.all(far <= tolerance.value), f"array {index}: {far.max()} away"
        worst = max(worst, float(far.max(initial=0.0)))
    return worst


def against_reference(spec: str, mode: str, *, missing: bool = True) -> float:
    """Take twelve steps beside the reference, ranks 0 to 4, float64; the largest difference.

    Args:
        spec: a spec's stem.
        mode: one of its modes.
        missing: whether some gradients are None.
    """
    rng = np.random.default_rng([ord(c) for c in spec + mode])
    own = drawn_arguments(spec, mode, rng)
    optimizer, pipeline = generated(spec)(**own), Pipeline(reference_of(spec, own))
    assert optimizer.select_mode().name == mode
    variables, gradients = random_run(spec + mode, missing=missing)
    pipeline.build(variables)
    optimizer.build(variables)
    tolerance = tolerance_of(spec, "reference")
    worst = 0.0
    for call, given in enumerate(gradients):
        if call == len(gradients) // 2:
            optimizer.learning_rate /= 2
            pipeline.rule.learning_rate /= 2
        optimizer.apply(list(given), variables)
        pipeline.step(given)
        worst = max(worst, difference(variables, pipeline.variables, tolerance))
        assert optimizer.iterations == pipeline.iterations
    state = list(expected_state(optimizer, pipeline))
    return max(worst, difference(optimizer.weights[1:], state, tolerance))
