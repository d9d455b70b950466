"""Gradients and variables of all kinds: empty, strided, huge, missing, not finite."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from optgen.testing.arrays import (
    LAYOUTS,
    Array,
    assert_same_bytes,
    read_only,
    state_arrays,
)
from optgen.testing.case import (
    NOTHING,
    Case,
    Check,
    Finding,
    each_mode,
    each_mode_bare,
)
from optgen.testing.pairwise import choices_without
from optgen.testing.steps import Gradients, apply, compare_with_interpreter, stepped
from optgen.testing.subject import Subject

_AXES = ((2, 3, 4, 5), (4, 6))
_FILLED = ((2, 3), (), (4,))
_NORMS = {"clipnorm", "global_clipnorm"}
"""Common arguments by which one element has a part in the update of another."""


def check_zeros(subject: Subject, case: Case) -> Finding:
    """Zero gradients, and zero variables with them, give finite numbers: the interpreter's."""
    worst = 0.0
    for start in (case.variables(), [np.zeros_like(w) for w in case.variables()]):
        zeros = [np.zeros_like(w) for w in start]
        worst = max(worst, compare_with_interpreter(subject, case, _always(zeros), start))
        for position, w in enumerate(start):
            assert np.isfinite(w).all(), (
                f"variable {position}: expected finite numbers after steps along zero gradients, "
                f"received {w.reshape(-1)[~np.isfinite(w.reshape(-1))][0]}; divide by something "
                "that is never zero, for example by adding a small number"
            )
    return Finding(worst)


def _always(gradients: list[Array]) -> Gradients:
    return lambda call: gradients


def check_empty(subject: Subject, case: Case) -> Finding:
    """Variables without elements, anywhere or alone, are no trouble and change no other one."""
    expected = stepped(case.optimizer(subject), case.variables(), case.gradients, range(case.calls))
    filled = {name for name, array in expected.items() if name.startswith("variable/")}
    empty = np.zeros((3, 0, 2), case.dtype)
    for place in range(len(case.shapes) + 1):
        variables = case.variables()
        variables.insert(place, empty.copy())

        def gradients(call: int, place: int = place) -> list[Array]:
            found = case.gradients(call)
            found.insert(place, empty)
            return found

        stepped(case.optimizer(subject), variables, gradients, range(case.calls))
        del variables[place]
        actual = {f"variable/{i}": w for i, w in enumerate(variables)}
        wanted = {name: expected[name] for name in filled}
        assert_same_bytes(actual, wanted, f"with an empty variable at position {place}")
    alone = case.optimizer(subject)
    stepped(alone, [empty.copy()], _always([empty]), range(case.calls))
    updates = case.calls // (case.common.get("gradient_accumulation_steps") or 1)
    assert alone.iterations == updates, (
        f"only an empty variable: expected {updates} updates, received {alone.iterations}"
    )
    return NOTHING


def check_layouts(subject: Subject, case: Case) -> Finding:
    """Variables and gradients may lie in memory in any way: updated in place, to the same bytes.

    Gradients stay as they are, and are read in their own call only.
    """
    expected = stepped(case.optimizer(subject), case.variables(), case.gradients, range(case.calls))
    for name, arrange in LAYOUTS.items():
        variables = [arrange(w) for w in case.variables()]
        owners = [w if w.base is None else w.base for w in variables]
        before = [owner.tobytes() for owner in owners]
        actual = stepped(case.optimizer(subject), variables, case.gradients, range(case.calls))
        assert_same_bytes(actual, expected, f"variables in {name}")
        for w, start in zip(variables, case.variables(), strict=True):
            w[...] = start
        assert [owner.tobytes() for owner in owners] == before, (
            f"variables in {name}: memory between their elements was written"
        )
    ways: dict[str, Callable[[Array], Array]] = {
        "C order": np.copy,
        **LAYOUTS,
        "read-only memory": read_only,
        "float64": lambda g: g.astype(np.float64),
    }
    for name, arrange in ways.items():
        optimizer, variables = case.optimizer(subject), case.variables()
        for call in range(case.calls):
            given = [arrange(g) for g in case.gradients(call)]
            _apply_and_spoil(optimizer, given, variables, f"gradients in {name}")
        actual = state_arrays(optimizer, variables)
        assert_same_bytes(actual, expected, f"gradients in {name}")
    optimizer, variables = case.optimizer(subject), case.variables()
    buffers = [np.empty_like(w) for w in variables]
    for call in range(case.calls):
        for buffer, g in zip(buffers, case.gradients(call), strict=True):
            buffer[...] = g
        _apply_and_spoil(optimizer, buffers, variables, "gradients in the same memory every time")
    actual = state_arrays(optimizer, variables)
    assert_same_bytes(actual, expected, "gradients in the same memory every time")
    return NOTHING


def _apply_and_spoil(optimizer: Any, given: list[Array], variables: list[Array], how: str) -> None:
    """Take a call, see that its gradients stayed as they were, and write NaN over them."""
    before = [g.tobytes() for g in given]
    apply(optimizer, given, variables)
    for position, (g, content) in enumerate(zip(given, before, strict=True)):
        assert g.tobytes() == content, f"{how}: gradient {position} was changed by the call"
        if g.flags.writeable:
            g[...] = math.nan


def check_magnitudes(subject: Subject, case: Case) -> Finding:
    """Huge and tiny gradients, and denormal ones, give what the interpreter gives."""
    info, worst = np.finfo(case.dtype), 0.0
    small = float(info.tiny)
    for size in (float(info.max) / 16, math.sqrt(info.max), math.sqrt(small), small, small / 64):

        def gradients(call: int, size: float = size) -> list[Array]:
            with np.errstate(all="ignore"):
                return [np.asarray(size * g).astype(case.dtype) for g in case.gradients(call)]

        try:
            worst = max(worst, compare_with_interpreter(subject, case, gradients))
        except AssertionError as error:
            raise AssertionError(f"gradients of about {size:.0e}: {error}") from error
    return Finding(worst)


def check_non_finite(subject: Subject, case: Case) -> Finding:
    """NaN and infinities in a gradient go where the equations lead them, and nowhere else.

    Where an update is elementwise, all other elements keep every bit.
    """

    def gradients(call: int, bad: bool = True) -> list[Array]:
        found = case.gradients(call)
        for g, value in zip(found, (math.nan, math.inf, -math.inf), strict=False):
            if call == 1 and g.size > 1:
                g.reshape(-1)[1] = value if bad else 1.0
        return found

    worst = compare_with_interpreter(subject, case, gradients)
    if subject.is_elementwise(case.mode) and not _NORMS & case.common.keys():
        clean, dirty = (
            stepped(case.optimizer(subject), case.variables(), given, range(case.calls))
            for given in (partial(gradients, bad=False), gradients)
        )
        for array in (*clean.values(), *dirty.values()):
            array.reshape(-1)[1:2] = 0.0
        assert_same_bytes(dirty, clean, "with NaN and infinities in other elements' gradients")
    return Finding(worst)


def check_missing(subject: Subject, case: Case) -> Finding:
    """A variable without a gradient keeps every bit, its slots too, and may join at any time."""
    optimizer, variables = case.optimizer(subject), case.variables()
    optimizer.build(variables)

    def given(call: int) -> list[Any]:
        found: list[Any] = case.gradients(call)
        found[call % len(found)] = None
        return found

    for call in range(case.calls):
        resting = f"/{call % len(variables)}"
        before = {
            name: np.array(array)
            for name, array in state_arrays(optimizer, variables).items()
            if name.endswith(resting)
        }
        apply(optimizer, given(call), variables)
        after = state_arrays(optimizer, variables)
        kept = {name: after[name] for name in before}
        assert_same_bytes(kept, before, f"call {call + 1}, in which the variable has no gradient")
    return Finding(compare_with_interpreter(subject, case, given))


def check_one_by_one(subject: Subject, case: Case) -> Finding:
    """Several variables in one call, in any order, become what each becomes alone."""
    together = stepped(case.optimizer(subject), case.variables(), case.gradients, range(case.calls))
    for position, w in enumerate(case.variables()):
        own = [case.gradients(call)[position : position + 1] for call in range(case.calls)]
        alone = stepped(case.optimizer(subject), [w], own.__getitem__, range(case.calls))
        expected = {"variable/0": together[f"variable/{position}"]}
        actual = {"variable/0": alone["variable/0"]}
        assert_same_bytes(actual, expected, f"variable {position} alone, against all together")
    optimizer, variables = case.optimizer(subject), case.variables()
    optimizer.build(variables)
    for call in range(case.calls):
        apply(optimizer, case.gradients(call)[::-1], variables[::-1])
    assert_same_bytes(state_arrays(optimizer, variables), together, "in the opposite order")
    return NOTHING


def _axes(subject: Subject, quick: bool) -> tuple[Case, ...]:
    return each_mode(subject, quick, shapes=_AXES, calls=4)


def _filled(subject: Subject, quick: bool) -> tuple[Case, ...]:
    return each_mode(subject, quick, shapes=_FILLED, calls=4)


def _every_clip(subject: Subject, quick: bool) -> tuple[Case, ...]:
    found = (*each_mode_bare(subject, quick), *each_mode(subject, quick))
    clips = choices_without(subject.declared).get("clip", {})
    rows = (
        [] if quick else [clips[name] for name in ("clipvalue", "global_clipnorm") if name in clips]
    )
    return (*found, *(Case(mode, "float32", row) for row in rows for mode in subject.modes))


CHECKS = (
    Check(
        "zeros",
        "zero gradients are harmless",
        "divisions of zero by zero, and differences from the interpreter there",
        check_zeros,
        _every_clip,
        "ulp",
    ),
    Check(
        "empty",
        "empty variables are harmless",
        "sizes of zero in sums, means and tables, and ranks of zero beside them",
        check_empty,
        _filled,
    ),
    Check(
        "layouts",
        "any layout in memory",
        "updates of a copy instead of the variable, strides that are ignored, gradients that are "
        "changed or read in a later call",
        check_layouts,
        _axes,
    ),
    Check(
        "magnitudes",
        "huge and tiny gradients",
        "overflow, lost denormals and other precision than the interpreter's",
        check_magnitudes,
        each_mode_bare,
        "ulp",
    ),
    Check(
        "non_finite",
        "NaN and infinities",
        "compilers that assume finite numbers, and elements that spoil others",
        check_non_finite,
        _every_clip,
        "ulp",
    ),
    Check(
        "missing",
        "missing gradients",
        "variables that move without a gradient, and wrong state of those that join late",
        check_missing,
        each_mode_bare,
        "ulp",
    ),
    Check(
        "one_by_one",
        "several variables, or one by one",
        "state that leaks from one variable into another, and orders that matter",
        check_one_by_one,
        each_mode,
    ),
)
