"""Running checks in several processes, as nearly all of their time is spent in compiling."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from functools import cache
from multiprocessing import get_context

from optgen.runtime.notice import be_quiet
from optgen.testing.case import Case, Check
from optgen.testing.checks import check_named
from optgen.testing.checks.threads import COUNTS
from optgen.testing.plan import Outcome, run_case
from optgen.testing.subject import Subject, load_subject

Planned = tuple[Check, Case]

_ENVIRONMENT = {
    # Several threads on a machine with one processor, too, which do not keep it busy waiting.
    "NUMBA_NUM_THREADS": str(max(*COUNTS, os.cpu_count() or 1)),
    "OMP_WAIT_POLICY": "passive",
}


def outcomes(spec: str, plan: Sequence[Planned], jobs: int = 0) -> Iterator[Outcome]:
    """Run cases in processes of their own, and return their outcomes as they come.

    Args:
        spec: the path of the spec.
        plan: the checks and cases.
        jobs: how many processes at most; as many as there are processors without.
    """
    shares = _shares(plan, jobs or os.cpu_count() or 1)
    with ExitStack() as stack:
        # One pool per process, so that cases of one kind find the kernels that they share.
        pools = [ProcessPoolExecutor(1, get_context("spawn"), be_quiet) for _ in shares]
        for pool in pools:
            stack.callback(pool.shutdown, cancel_futures=True)
        with _several_threads():
            running: dict[Future[Outcome], Planned] = {
                pool.submit(_run, spec, check.name, case): (check, case)
                for pool, share in zip(pools, shares, strict=True)
                for check, case in share
            }
        for future in as_completed(running):
            check, case = running[future]
            try:
                yield future.result()
            except BrokenProcessPool:
                message = "the process died, in this case or in one that ran before it"
                yield Outcome(check.name, case, None, message, case, 0.0)


def _shares(plan: Sequence[Planned], jobs: int) -> list[list[Planned]]:
    """The cases of each process: what shares kernels together, and about as many kernels each.

    All modes share the kernels of the common stages, which differ between dtypes.
    """
    groups: dict[tuple[str, str], list[Planned]] = {}
    for check, case in plan:
        groups.setdefault((case.dtype, case.mode), []).append((check, case))
    weights = {key: _kernels(group) for key, group in groups.items()}
    total, before = sum(weights.values()), 0.0
    shares: list[list[Planned]] = [[] for _ in range(jobs)]
    for key in sorted(groups):
        middle = before + weights[key] / 2
        shares[int(jobs * middle / total)].extend(groups[key])
        before += weights[key]
    return [share for share in shares if share]


def _kernels(group: Sequence[Planned]) -> int:
    """About how many kernels a group of cases needs."""
    return len({(c.mode, c.dtype, c.shapes[:1], *sorted(c.common)) for _, c in group})


def _run(spec: str, check: str, case: Case) -> Outcome:
    return run_case(_subject(spec), check_named(check), case)


@cache
def _subject(spec: str) -> Subject:
    return load_subject(spec)


@contextmanager
def _several_threads() -> Iterator[None]:
    """Start processes in which the check of threads has several of them, unless told otherwise."""
    added = {name: value for name, value in _ENVIRONMENT.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
