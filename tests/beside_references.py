"""The interpreter beside the hand-written references: cheap enough for every spec and mode."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.testing import assert_allclose

from tests.generated_classes import Arguments
from tests.oracle import Oracle, compiled, subject
from tests.references.comparison import TOLERANCE, Array, Gradients
from tests.references.pipeline import Pipeline
from tests.references.sources import rule_of
from tests.references.state import names_of, numbers_of


def walked(
    spec: str,
    arguments: Arguments,
    start: Sequence[Array],
    gradients: Sequence[Gradients],
    **common: Any,
) -> Oracle:
    """Take steps with the interpreter, and hold variables and slots to the reference's after each.

    Differences are relative to each number alone, as long as it is no quotient of denormal ones;
    NaN equals NaN.

    Args:
        spec: a spec's stem.
        arguments: its own arguments, which select the mode.
        start: the variables.
        gradients: those of every step.
        **common: common arguments.

    Returns:
        The interpreter after the last step.
    """
    mode = subject(spec).mode_of(arguments)
    oracle = Oracle(compiled(spec).program, mode, start, {**arguments, **common})
    pipeline = Pipeline(rule_of(spec)(**arguments), **common)
    pipeline.build(start)
    with np.errstate(all="ignore"):
        for number, given in enumerate(gradients, 1):
            oracle.step(given)
            pipeline.step(given)
            assert_same_state(oracle, pipeline, f"after step {number}")
    return oracle


def assert_same_state(oracle: Oracle, pipeline: Pipeline, when: str) -> None:
    """Compare all variables, and all slots that the reference has made."""
    slots: dict[tuple[int | None, str], Any] = pipeline.rule.slots  # type: ignore[attr-defined]
    pairs = [
        (f"variable {i}", ours, theirs)
        for i, (ours, theirs) in enumerate(zip(oracle.variables, pipeline.variables, strict=True))
    ]
    for slot in oracle.update.slots:
        if (None, slot.name) in slots:
            found = oracle.step_slots[slot.name], slots[None, slot.name]
            pairs.append((slot.name, *map(np.asarray, found)))
            continue
        for index, w in enumerate(pipeline.variables):
            kept = {name: value for (position, name), value in slots.items() if position == index}
            names = names_of(slot.name, str(slot.rate), w.ndim, kept)
            if names is not None:
                ours = np.ravel(oracle.tensors[index][slot.name])
                pairs.append((f"{slot.name} {index}", ours, numbers_of(names, kept.__getitem__)))
    for name, ours, theirs in pairs:
        assert_allclose(ours, theirs, rtol=TOLERANCE, atol=1e-306, err_msg=f"{name} {when}")


def is_finite(oracle: Oracle) -> bool:
    """Whether all variables and slots are finite."""
    state = [value for t in oracle.tensors for name, value in t.items() if name != "g"]
    return all(np.all(np.isfinite(value)) for value in [*state, *oracle.step_slots.values()])
