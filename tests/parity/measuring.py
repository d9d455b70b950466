"""Generated classes beside the interpreter, the references and other libraries."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from optgen.runtime import Optimizer, Slot
from optgen.testing import Case, check_named
from optgen.testing.arrays import state_arrays
from optgen.testing.pairwise import single_and_covering_arguments
from tests.generated_classes import Arguments
from tests.oracle import generated, subject
from tests.parity.tolerances import Tolerance, tolerance_of
from tests.references.comparison import INTEGERS, RANGES, Gradients, Peer, random_run
from tests.references.peers.recorded import RecordedRun
from tests.references.pipeline import Pipeline, Rule
from tests.references.sources import Live, Recorded, rule_of, source_of
from tests.references.state import names_of, numbers_of

PARITY = check_named("parity")


def drawn_arguments(spec: str, mode: str, rng: np.random.Generator) -> Arguments:
    """Hyperparameters that select a mode: the cell's values, and usual ones at random."""
    tested = subject(spec)
    found = tested.selecting(mode)
    for h in tested.program.hyperparameters:
        if found.get(h.name, 1.0) in (0.0, None):
            continue
        if h.kind == "float" and h.name in RANGES:
            value: float = float(rng.uniform(*RANGES[h.name]))
        elif h.kind == "int" and h.name in INTEGERS:
            value = int(rng.integers(*INTEGERS[h.name]))
        else:
            continue
        other = {**found, h.name: value}
        if tested.mode_of(other) == mode:
            found = other
    return found


def row_of_common_arguments(spec: str, mode: str) -> Arguments:
    """One combination of common arguments for each mode; between them all combinations occur."""
    rows = single_and_covering_arguments(subject(spec).declared)
    some = [arguments for arguments in rows.values() if arguments]
    return some[zlib.crc32(f"{spec} {mode}".encode()) % len(some)]


def against_interpreter(spec: str, mode: str, dtype: str, *, quick: bool = False) -> float:
    """Compare every call with the interpreter; the largest difference in units in the last place.

    Args:
        spec: a spec's stem.
        mode: one of its modes.
        dtype: of the variables.
        quick: whether to leave out the row of common arguments.
    """
    rows = [{}] if quick else [{}, row_of_common_arguments(spec, mode)]
    figures = [PARITY.run(subject(spec), Case(mode, dtype, row)).figure for row in rows]
    return max(figure or 0.0 for figure in figures)


def against_reference(spec: str, mode: str, *, missing: bool = True) -> float:
    """Take twelve steps beside the reference, ranks 0 to 4, float64; the largest difference.

    Args:
        spec: a spec's stem.
        mode: one of its modes.
        missing: whether some gradients are None.
    """
    own = arguments_of_run(spec, mode)
    optimizer, pipeline = generated(spec)(**own), Pipeline(rule_of(spec)(**own))
    assert optimizer.select_mode().name == mode
    variables, gradients = random_run(spec + mode, missing=missing)
    pipeline.build(variables)
    optimizer.build(variables)
    tolerance = tolerance_of(spec, "reference", exact=True)
    worst = 0.0
    for call, given in enumerate(gradients):
        if call == len(gradients) // 2:
            optimizer.learning_rate /= 2
            pipeline.rule.learning_rate /= 2
        step(optimizer, given, variables)
        pipeline.step(given)
        worst = max(worst, difference(variables, pipeline.variables, tolerance))
        assert optimizer.iterations == pipeline.iterations
    state = kept_pairs(optimizer.weights[1:], list(expected_state(optimizer, pipeline)))
    return max(worst, difference(*state, tolerance))


def against_source(spec: str, mode: str) -> dict[str, float]:
    """Compare with the library that the spec is named after, or with what was recorded of it.

    Returns:
        The largest difference in each way in which the library computes a step.
    """
    own = arguments_of_run(spec, mode)
    source = source_of(spec, own)
    if isinstance(source, Recorded):
        return {"live": against_recorded(spec, mode, source)}
    return {form: against_live(spec, mode, source, form) for form in source.forms}


def against_live(spec: str, mode: str, source: Live, form: str) -> float:
    """Take twelve steps beside a library, ranks 0 to 4, float64; the largest difference."""
    own = arguments_of_run(spec, mode)
    start, gradients = random_run(f"{spec} {mode} live", missing=source.missing)
    variables = [w.copy() for w in start]
    optimizer: Optimizer = generated(spec)(**own)
    peer = source.peer(rule_of(spec), own, start, **source.forms[form])
    rate: float = rule_of(spec)(**own).learning_rate
    tolerance = tolerance_of(spec, form, exact=True)
    worst = 0.0
    for call, given in enumerate(gradients):
        if call == len(gradients) // 2:
            optimizer.learning_rate /= 2
            rate /= 2
        step(optimizer, given, variables)
        own_copies = [None if g is None else g.copy() for g in given]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of missing gradients
            live = peer.step(rate, own_copies)
        expected = [np.asarray(w) for w in live]
        worst = max(worst, difference(variables, expected, tolerance))
    rule = rule_of(spec)(**own)
    return max(worst, difference_of_state(optimizer, variables, rule, peer, tolerance))


def against_recorded(spec: str, mode: str, source: Recorded) -> float:
    """Repeat the runs that were recorded of a mode; the largest difference at their ends."""
    runs = [run for run in source.runs() if subject(spec).mode_of(run.arguments) == mode]
    assert runs, f"{spec} {mode}: expected runs of {source.name}, found none of this mode"
    tolerance = tolerance_of(spec, "live", exact=True)
    return max(difference(*after_run(spec, run), tolerance) for run in runs)


def after_run(spec: str, run: RecordedRun) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What the variables are after a recorded run, and what they should be."""
    optimizer: Optimizer = generated(spec)(**run.arguments)
    variables = [np.array(w, np.float64) for w in run.start]
    for given in run.gradients:
        step(optimizer, [np.array(g, np.float64) for g in given], variables)
    return variables, [np.array(w, np.float64) for w in run.expected]


def arguments_of_run(spec: str, mode: str) -> Arguments:
    """The hyperparameters of a mode's runs, random and always the same."""
    return drawn_arguments(spec, mode, np.random.default_rng([ord(c) for c in spec + mode]))


def step(optimizer: Optimizer, gradients: Gradients, variables: Sequence[np.ndarray]) -> None:
    """Take one call; that some gradients are missing is intended."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*no gradient")
        optimizer.apply(list(gradients), variables)


def expected_state(optimizer: Optimizer, pipeline: Pipeline) -> Iterator[np.ndarray | None]:
    """What the optimizer's slots, averages and accumulators should be, in the order of weights.

    None stands for numbers that the reference does not keep.
    """
    slots: dict[tuple[int | None, str], Any] = pipeline.rule.slots  # type: ignore[attr-defined]
    present = {name for _, name in slots}
    for slot in optimizer.slots:
        if (None, slot.name) in slots:
            yield np.asarray(slots[None, slot.name])
            continue
        for index, w in enumerate(pipeline.variables):
            if slot.rate in ("row", "column", "index"):
                yield expected_numbers(slots, index, slot, w.ndim)
            elif slot.name in present:
                start = np.zeros(w.shape if slot.rate == "element" else ())
                yield np.asarray(slots.get((index, slot.name), start))
    yield from pipeline.averages
    yield from pipeline.accumulators


def expected_numbers(
    slots: Mapping[tuple[int | None, str], Any], index: int, slot: Slot, rank: int
) -> np.ndarray | None:
    """What a slot per row, column or index should hold, flat; None if the reference has none."""
    kept = [name for position, name in slots if position == index]
    names = names_of(slot.name, slot.rate, rank, kept)
    return None if names is None else numbers_of(names, lambda name: slots[index, name])


def kept_pairs(
    actual: Sequence[np.ndarray], expected: Sequence[np.ndarray | None]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The arrays that the reference keeps, too, in its shapes."""
    pairs = [(a, e) for a, e in zip(actual, expected, strict=True) if e is not None]
    return [np.reshape(a, e.shape) for a, e in pairs], [e for _, e in pairs]


def difference_of_state(
    optimizer: Optimizer,
    variables: Sequence[np.ndarray],
    rule: Rule,
    peer: Peer,
    tolerance: Tolerance,
) -> float:
    """The largest difference between an optimizer's slots and those of a library."""
    rates = {slot.name: slot.rate for slot in optimizer.slots}
    worst = 0.0
    for key, array in state_arrays(optimizer, variables).items():
        name, _, position = key.rpartition("/")
        if name == "variable":
            continue
        index, slot = (int(position), name) if name else (None, position)
        names: list[str] | None = [slot]
        if index is not None and rates[slot] in ("row", "column", "index"):
            w = variables[index]
            names = names_of(slot, rates[slot], w.ndim, rule.initial_slots(w))  # type: ignore[attr-defined]
        if names is not None:
            found = numbers_of(names, partial(peer.state, index))
            worst = max(worst, difference([np.ravel(array)], [found], tolerance))
    return worst


def difference(
    actual: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: Tolerance
) -> float:
    """The largest difference over ``1 + abs(expected)``.

    Raises:
        AssertionError: if it exceeds the tolerance, or something is not finite.
    """
    worst = 0.0
    for index, (ours, theirs) in enumerate(zip(actual, expected, strict=True)):
        assert ours.dtype == theirs.dtype == np.float64
        assert ours.shape == theirs.shape
        assert np.all(np.isfinite(theirs)), "NaN on both sides would show nothing"
        far = np.abs(ours - theirs) / (1 + np.abs(theirs))
        assert np.all(far <= tolerance.value), f"array {index}: {far.max()} away"
        worst = max(worst, float(far.max(initial=0.0)))
    return worst
