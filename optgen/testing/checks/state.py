"""State goes on exactly: files, lists of weights, copies; and refused calls leave it alone."""

from __future__ import annotations

import copy
import pickle
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from optgen.runtime import Optimizer
from optgen.testing.alternatives import alternatives
from optgen.testing.arrays import Array, assert_same_bytes, copies_of, state_arrays
from optgen.testing.case import (
    NOTHING,
    Case,
    Check,
    Finding,
    each_mode,
    each_mode_bare,
    everything_of,
)
from optgen.testing.steps import stepped
from optgen.testing.subject import Subject

_SHAPES = ((3, 4), (), (0,), (5,))
_BREAK = 3
"""Calls before the break: with two of accumulation, it falls into the middle of a group."""


def check_resume(subject: Subject, case: Case) -> Finding:
    """N and M calls are N calls, a file, and M calls; whatever the arguments were before."""
    expected, first, variables = _interrupted(subject, case)
    arguments = case.arguments(subject)
    others = {
        h.name: alternatives(h, arguments[h.name])[:1] for h in subject.program.hyperparameters
    }
    different = {name: found[0] for name, found in others.items() if found}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.npz"
        first.save(path)
        receivers = {
            "the same arguments": case.optimizer(subject),
            "no arguments": subject.optimizer_class(),
            "other arguments": subject.optimizer_class(**everything_of(subject), **different),
        }
        for how, optimizer in receivers.items():
            own = [w.copy() for w in variables]
            optimizer.build(own)
            optimizer.load(path)
            actual = stepped(optimizer, own, case.gradients, range(_BREAK, case.calls))
            assert_same_bytes(
                actual, expected, f"saved after {_BREAK} calls and loaded into one with {how}"
            )
            assert optimizer.get_config() == first.get_config(), (
                f"loaded into one with {how}: expected {first}, received {optimizer}"
            )
            count = case.calls // (case.common.get("gradient_accumulation_steps") or 1)
            assert optimizer.iterations == count, (
                f"loaded into one with {how}: expected {count} iterations, received "
                f"{optimizer.iterations}"
            )
    return NOTHING


def check_weights(subject: Subject, case: Case) -> Finding:
    """``get_weights`` and ``save_own_variables`` hold all state, and setting it goes on exactly."""
    expected, first, variables = _interrupted(subject, case)
    store: dict[str, Array] = {}
    first.save_own_variables(store)
    weights = first.get_weights()

    def set_weights(optimizer: Optimizer) -> None:
        optimizer.set_weights(weights)

    def load(optimizer: Optimizer) -> None:
        optimizer.load_own_variables(store)

    for how, take in (("set_weights", set_weights), ("load_own_variables", load)):
        optimizer, own = case.optimizer(subject), [w.copy() for w in variables]
        optimizer.build(own)
        take(optimizer)
        actual = stepped(optimizer, own, case.gradients, range(_BREAK, case.calls))
        assert_same_bytes(actual, expected, f"continued by {how} after {_BREAK} calls")
    return NOTHING


def _interrupted(subject: Subject, case: Case) -> tuple[dict[str, Array], Optimizer, list[Array]]:
    """What all calls of a case give; and an optimizer that has taken the first few of them."""
    expected = stepped(case.optimizer(subject), case.variables(), case.gradients, range(case.calls))
    first, variables = case.optimizer(subject), case.variables()
    stepped(first, variables, case.gradients, range(_BREAK))
    return expected, first, variables


def _pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def check_copies(subject: Subject, case: Case) -> Finding:
    """Copies and pickles go on exactly, alone or with their variables, and share nothing."""
    ways: tuple[Callable[[Any], Any], ...] = (copy.copy, copy.deepcopy, _pickled)
    expected, original, variables = _interrupted(subject, case)
    before = copies_of(state_arrays(original, variables))
    for way in ways:
        name = way.__name__.strip("_")
        alone = way(original)
        for call in range(_BREAK, case.calls):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                alone.apply(case.gradients(call))
        after = state_arrays(original, variables)
        assert_same_bytes(after, before, f"the original after steps of its {name}")
        assert_same_bytes(
            _without_variables(state_arrays(alone, ())), _without_variables(expected), name
        )
        assert alone.get_config() == original.get_config(), (
            f"{name}: expected {original}, received {alone}"
        )
    for way in ways[1:]:
        both, own = way((original, variables))
        actual = stepped(both, own, case.gradients, range(_BREAK, case.calls))
        when = f"{way.__name__.strip('_')} together with its variables"
        assert_same_bytes(actual, expected, when)
    return NOTHING


def _without_variables(arrays: dict[str, Array]) -> dict[str, Array]:
    return {name: array for name, array in arrays.items() if not name.startswith("variable/")}


def check_failing_calls(subject: Subject, case: Case) -> Finding:
    """A call that is refused, for its last gradient or its learning rate, changes nothing."""
    rate: list[Any] = [0.1]
    optimizer, variables = case.optimizer(subject, learning_rate=lambda: rate[0]), case.variables()
    other, own = case.optimizer(subject, learning_rate=lambda: 0.1), case.variables()
    for call in range(case.calls):
        stepped(optimizer, variables, case.gradients, range(call, call + 1))
        before = copies_of(state_arrays(optimizer, variables))
        for what, spoil in _SPOILED.items():
            gradients: list[Any] = case.gradients(call)
            gradients[-1] = spoil(gradients[-1])
            _refused(optimizer, gradients, variables, what)
            assert_same_bytes(state_arrays(optimizer, variables), before, f"after {what}")
        for rate[0] in (float("nan"), "0.1"):
            _refused(optimizer, case.gradients(call), variables, f"a learning rate of {rate[0]!r}")
            after = state_arrays(optimizer, variables)
            assert_same_bytes(after, before, f"after a learning rate of {rate[0]!r}")
        rate[0] = 0.1
        expected = stepped(other, own, case.gradients, range(call, call + 1))
        assert_same_bytes(before, expected, "against an optimizer that saw no such call")
    return NOTHING


_SPOILED: dict[str, Callable[[Array], Any]] = {
    "a gradient of another shape": lambda g: np.zeros((*g.shape, 2), g.dtype),
    "a gradient of whole numbers": lambda g: np.ones(g.shape, np.int64),
    "a gradient that is a list": lambda g: g.tolist() + [0.0],
}


def _refused(optimizer: Optimizer, gradients: list[Any], variables: list[Array], what: str) -> None:
    try:
        optimizer.apply(gradients, variables)
    except ValueError:
        return
    raise AssertionError(f"{what}: expected a ValueError, and the call was taken")


def _staged(subject: Subject, quick: bool) -> tuple[Case, ...]:
    return each_mode(subject, quick, shapes=_SHAPES, calls=7)


def _bare_and_staged(subject: Subject, quick: bool) -> tuple[Case, ...]:
    bare = each_mode_bare(subject, quick, shapes=_SHAPES, calls=7)
    return (*bare, *_staged(subject, quick))


CHECKS = (
    Check(
        "resume",
        "resuming from a file",
        "state or options that a file lacks, and values that are rounded on the way",
        check_resume,
        _bare_and_staged,
        shrinks=("common", "shapes"),
    ),
    Check(
        "weights",
        "resuming from weights",
        "state that lists of weights lack, or hold in another order",
        check_weights,
        _staged,
        shrinks=("common", "shapes"),
    ),
    Check(
        "copies",
        "copies and pickles",
        "copies that share state with the original, or lack some of it",
        check_copies,
        _staged,
        shrinks=("common", "shapes"),
    ),
    Check(
        "failing_calls",
        "refused calls change nothing",
        "updates of the first variables before the last gradient is found to be bad",
        check_failing_calls,
        _staged,
        shrinks=("common", "shapes"),
    ),
)
