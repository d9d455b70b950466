"""The class computes what the language defines."""

from __future__ import annotations

from typing import Any

from optgen.testing.arrays import assert_same_bytes
from optgen.testing.case import (
    DTYPES,
    LARGE,
    NOTHING,
    Case,
    Check,
    Finding,
    each_mode,
)
from optgen.testing.pairwise import single_and_covering_arguments
from optgen.testing.steps import compare_with_interpreter, stepped
from optgen.testing.subject import Subject


def check_parity(subject: Subject, case: Case) -> Finding:
    """Every variable, slot, average and accumulator is the interpreter's after every call."""

    def gradients(call: int) -> list[Any]:
        found: list[Any] = case.gradients(call)
        if len(found) > 2 and call % 3 == 1:
            found[2] = None
        return found

    return Finding(compare_with_interpreter(subject, case, gradients))


def _parity_cases(subject: Subject, quick: bool) -> tuple[Case, ...]:
    rows = single_and_covering_arguments(subject.declared)
    if quick:
        rows = {"none": {}}
    found = [
        Case(mode, dtype, arguments)
        for mode in subject.modes
        for dtype in DTYPES
        for arguments in rows.values()
    ]
    return (*found, *(each_mode(subject, quick) if quick else ()))


def check_large(subject: Subject, case: Case) -> Finding:
    """Variables of many blocks and chunks, through the parallel drivers where there are threads."""
    return Finding(compare_with_interpreter(subject, case))


def check_repeat(subject: Subject, case: Case) -> Finding:
    """Two optimizers in turns, and one alone, give the same bytes from the same numbers."""
    optimizers = [case.optimizer(subject) for _ in range(3)]
    variables = [case.variables() for _ in optimizers]
    for call in range(case.calls):
        for optimizer, own in zip(optimizers[:2], variables[:2], strict=True):
            stepped(optimizer, own, case.gradients, range(call, call + 1))
    nothing = range(0)
    first, second = (
        stepped(optimizer, own, case.gradients, nothing)
        for optimizer, own in zip(optimizers[:2], variables[:2], strict=True)
    )
    alone = stepped(optimizers[2], variables[2], case.gradients, range(case.calls))
    assert_same_bytes(second, first, "two optimizers in turns")
    assert_same_bytes(alone, first, "an optimizer alone, against two in turns")
    return NOTHING


def _large_cases(subject: Subject, quick: bool) -> tuple[Case, ...]:
    cases = each_mode(subject, quick, shapes=LARGE, calls=2)
    return cases[-1:] if quick else cases


CHECKS = (
    Check(
        "parity",
        "equals the interpreter",
        "wrong kernels: a lost or moved line, another precision or order, a common stage out of "
        "place, state that is not kept",
        check_parity,
        _parity_cases,
        "ulp",
    ),
    Check(
        "large",
        "equals it on large variables",
        "errors at the borders of blocks, chunks and threads",
        check_large,
        _large_cases,
        "ulp",
    ),
    Check(
        "repeat",
        "same bytes every time",
        "results that depend on what ran before, state shared between optimizers",
        check_repeat,
        each_mode,
    ),
)
