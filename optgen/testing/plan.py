"""Which checks run in which cases, and the smallest case in which one fails."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from optgen.testing.case import Case, Check, Finding
from optgen.testing.checks import CHECKS
from optgen.testing.subject import Subject


@dataclass(frozen=True)
class Outcome:
    """What one case of a check gave.

    Attributes:
        check: the check's name.
        case: the case.
        finding: what it found; None if it failed.
        message: what was expected and received; empty if it passed.
        smallest: the smallest case found that fails as well; the case itself if it passed.
        seconds: how long it took.
    """

    check: str
    case: Case
    finding: Finding | None
    message: str
    smallest: Case
    seconds: float


def planned(
    subject: Subject,
    checks: Sequence[Check] = CHECKS,
    modes: Collection[str] = (),
    quick: bool = False,
    seed: int = 0,
) -> list[tuple[Check, Case]]:
    """Return all cases of some checks, each with its check.

    Args:
        subject: what is tested.
        checks: which checks.
        modes: which modes; all without.
        quick: whether few combinations of common arguments will do.
        seed: where variables, gradients and hyperparameters come from.
    """
    return [
        (check, replace(case, seed=seed))
        for check in checks
        for case in check.cases(subject, quick)
        if not modes or case.mode in modes
    ]


def run_case(subject: Subject, check: Check, case: Case) -> Outcome:
    """Run one case; if it fails, look for a smaller one that fails."""
    start = time.perf_counter()
    try:
        finding: Finding | None = check.run(subject, case)
        message, smallest = "", case
    except Exception as error:  # whatever the class under test raises is a failure of it
        finding, smallest = None, _smallest(subject, check, case, type(error))
        message = _message(error)
    return Outcome(check.name, case, finding, message, smallest, time.perf_counter() - start)


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"


def _smallest(subject: Subject, check: Check, case: Case, kind: type[Exception]) -> Case:
    """A case that fails in the same way, and of which nothing can be left out."""
    for candidate in _smaller(case, check.shrinks):
        try:
            check.run(subject, candidate)
        except kind:
            return _smallest(subject, check, candidate, kind)
        except Exception:  # another failure is another case
            continue
    return case


def _smaller(case: Case, shrinks: Collection[str]) -> Iterator[Case]:
    """Cases with less of what may be left out."""
    if "common" in shrinks and case.common:
        yield replace(case, common={})
        for name in case.common if len(case.common) > 1 else ():
            yield replace(case, common={n: v for n, v in case.common.items() if n != name})
    if "shapes" in shrinks and len(case.shapes) > 1:
        for shape in case.shapes:
            yield replace(case, shapes=(shape,))
    if "calls" in shrinks:
        for calls in (1, case.calls // 2, case.calls - 1):
            if 0 < calls < case.calls:
                yield replace(case, calls=calls)


def reproduction(subject: Subject, outcome: Outcome) -> str:
    """Return lines of Python that run the smallest failing case again."""
    usual, case = Case(outcome.case.mode), outcome.smallest
    given = {
        name: value
        for name, value in vars(case).items()
        if name == "mode" or value != getattr(usual, name)
    }
    arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
    return (
        "from optgen.testing import Case, check_named, load_subject\n"
        f"subject = load_subject({subject.spec!r})\n"
        f"case = Case({arguments})\n"
        f"check_named({outcome.check!r}).run(subject, case)"
    )
