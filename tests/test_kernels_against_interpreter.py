"""Generated optimizers equal the interpreter: every mode, dtype and common argument, to the bit.

A mode whose lines hold a power, a logarithm, an exponential or `tanh` may differ by a few units in
the last place.
"""

from __future__ import annotations

from typing import Any

import pytest

from optgen.testing import Case, check_named
from optgen.testing.case import DTYPES, everything_of
from optgen.testing.pairwise import single_and_covering_arguments
from tests.oracle import CORE, subject, thorough_modes

PARITY = check_named("parity")


def cases() -> list[Any]:
    """Every mode in both dtypes, with all stages in one of them, and with another set.

    A combination of mode, dtype and stages costs seconds to compile, so the sets take turns.
    `optgen test` goes through all of them.
    """
    found = []
    for number, (spec, mode) in enumerate(thorough_modes()):
        tested = subject(spec)
        everything = everything_of(tested)
        rows = [
            row
            for row in single_and_covering_arguments(tested.declared).values()
            if row and row.keys() != everything.keys()
        ]
        one, other = DTYPES[:: 1 if number % 2 else -1]
        for common, dtype in (
            ({}, "float32"),
            ({}, "float64"),
            ({**everything, "gradient_accumulation_steps": 3}, one),
            (rows[number % len(rows)], other),
        ):
            case = Case(mode, dtype, common)
            found.append(pytest.param(spec, case, id=f"{spec}-{case}"))
    return found


@pytest.mark.parametrize(("spec", "case"), cases())
def test_every_mode_and_stage(spec: str, case: Case) -> None:
    figure = PARITY.run(subject(spec), case).figure
    assert figure == 0.0 or not subject(spec).is_exact(case.mode)


def test_the_modes_that_are_always_here_are_made_of_exact_functions() -> None:
    # Powers stand in values of the step only, which the host computes for every backend.
    assert all(subject(spec).is_exact(mode) for spec, mode in thorough_modes() if spec in CORE)
