"""Taking the calls of a case: by the class alone, and beside the interpreter."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from optgen.runtime import Optimizer
from optgen.testing.arrays import Array, assert_near, copies_of, state_arrays
from optgen.testing.case import Case
from optgen.testing.oracle import Oracle
from optgen.testing.perturbation import is_inexact, perturbed, spread
from optgen.testing.subject import Subject

Gradients = Callable[[int], Sequence[Any]]

FEW_UNITS = 8
"""By how many units in the last place an exponential, a logarithm or a power may be off."""


def apply(optimizer: Optimizer, gradients: Sequence[Any], variables: Sequence[Array]) -> None:
    """Take one call; that gradients are missing or not finite is intended here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer.apply(gradients, variables)


def stepped(
    optimizer: Optimizer, variables: Sequence[Array], given: Gradients, calls: range
) -> dict[str, Array]:
    """Take some calls.

    Args:
        optimizer: the optimizer, built or not.
        variables: its variables.
        given: the gradients of a call.
        calls: which calls.

    Returns:
        Copies of the variables and of all state afterwards.
    """
    for call in calls:
        apply(optimizer, given(call), variables)
    return copies_of(state_arrays(optimizer, variables))


def compare_with_interpreter(
    subject: Subject,
    case: Case,
    given: Gradients | None = None,
    variables: Sequence[Array] | None = None,
) -> float:
    """Take the calls of a case with the class and with the interpreter, and compare all state.

    Where a mode is made of exactly defined functions, the trajectories must be equal.  Elsewhere
    single steps from equal states are compared, each value within what errors of a few units in
    the functions' last places do to it.

    Args:
        subject: the optimizer.
        case: mode, arguments and number of calls.
        given: the gradients of a call; those of the case without.
        variables: the variables; those of the case without.

    Returns:
        The largest difference, in units in the last place of its array's largest value.

    Raises:
        AssertionError: at the first difference that is too large.
    """
    given = given or case.gradients
    variables = case.variables() if variables is None else variables
    arguments = case.arguments(subject)
    optimizer = case.optimizer(subject)
    programs = [subject.program]
    if not subject.is_exact(case.mode):
        unit = float(np.finfo(case.dtype).eps)
        programs += perturbed(subject.program, FEW_UNITS * unit, is_inexact, unit)
    oracles = [Oracle(program, case.mode, variables, arguments) for program in programs]
    worst = 0.0
    for call in range(case.calls):
        gradients = given(call)
        apply(optimizer, gradients, variables)
        for oracle in oracles:
            oracle.step(gradients)
        actual = state_arrays(optimizer, variables)
        expected, *others = (oracle.arrays(actual) for oracle in oracles)
        tolerances = spread(expected, others) if others else None
        when = f"after call {call + 1} of {case.calls}"
        ulps = 1 if others else 0
        worst = max(worst, assert_near(actual, expected, ulps, tolerances, when))
        for oracle in oracles if others else ():
            oracle.take_over(actual)
    return worst
