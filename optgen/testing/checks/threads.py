"""The same bytes for any number of threads and any division of the work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba

from optgen.runtime import plan
from optgen.runtime.kernels import BLOCK
from optgen.testing.arrays import Array, assert_same_bytes
from optgen.testing.case import LARGE, Case, Check, Finding, each_mode
from optgen.testing.steps import stepped
from optgen.testing.subject import Subject

COUNTS = (1, 2, 3)
LENGTHS = (1, 2, 3, 7, 100)
"""Lengths of pieces of work, in blocks, besides the usual ones."""


def check_threads(subject: Subject, case: Case) -> Finding:
    """One thread, which is the calling one, and several give the same bytes."""
    available: int = numba.get_num_threads()
    counts = [count for count in COUNTS if count <= available]
    expected = _with_threads(subject, case, counts[0])
    for count in counts[1:]:
        for _ in range(2):
            actual = _with_threads(subject, case, count)
            assert_same_bytes(actual, expected, f"{count} threads, against 1")
    for blocks in LENGTHS:
        with _chunk_length(blocks * BLOCK):
            actual = _with_threads(subject, case, counts[-1])
        assert_same_bytes(actual, expected, f"work in pieces of {blocks} blocks")
    few = () if available >= COUNTS[-1] else (f"compared up to {available} threads only",)
    return Finding(float(counts[-1]), few)


def _with_threads(subject: Subject, case: Case, count: int) -> dict[str, Array]:
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        optimizer = case.optimizer(subject)
        return stepped(optimizer, case.variables(), case.gradients, range(case.calls))
    finally:
        numba.set_num_threads(before)


@contextmanager
def _chunk_length(elements: int) -> Iterator[None]:
    """Cut work into pieces of another length; each optimizer takes it when it is built."""
    usual = plan.CHUNKS
    plan.CHUNKS = elements, elements
    try:
        yield
    finally:
        plan.CHUNKS = usual


def _cases(subject: Subject, quick: bool) -> tuple[Case, ...]:
    cases = each_mode(subject, quick, shapes=LARGE, calls=2)
    return cases[-1:] if quick else cases


CHECKS = (
    Check(
        "threads",
        "any number of threads",
        "sums in the order in which threads finish, and races between them",
        check_threads,
        _cases,
        "threads",
    ),
)
