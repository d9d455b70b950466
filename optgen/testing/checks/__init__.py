"""The checks, one function per property of an optimizer that can be trusted."""

from __future__ import annotations

from optgen.testing.case import Check
from optgen.testing.checks import arguments, examples, inputs, parity, state, threads

CHECKS: tuple[Check, ...] = (
    *parity.CHECKS,
    *examples.CHECKS,
    *arguments.CHECKS,
    *inputs.CHECKS,
    *state.CHECKS,
    *threads.CHECKS,
)
"""All checks, those first that say most about what is wrong."""


def check_named(name: str) -> Check:
    """Return the check of that name; ValueError with the known ones if there is none."""
    for check in CHECKS:
        if check.name == name:
            return check
    known = ", ".join(check.name for check in CHECKS)
    raise ValueError(f"expected one of {known}, received {name!r}")
