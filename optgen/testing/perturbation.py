"""How far rounding errors go: programs whose operations are a little off.

Where an exponential, a logarithm or a power is a few units off, or where all arithmetic is rounded
to fewer digits, what may be expected of a result depends on the equations around it.  Running them
with every such operation off by as much, to either side, shows how far the result moves.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from optgen.ir.expr import Apply, Expr, Number
from optgen.ir.program import Program
from optgen.ir.rate import ELEMENT, STEP
from optgen.testing.arrays import Array

RUNS = 6
"""How many choices of sides are tried."""

SAFETY = 4.0
"""How many times what was seen is allowed, as few choices were tried."""


def is_inexact(operation: Apply) -> bool:
    """Whether implementations of an operation may differ in the last places."""
    return not operation.intrinsic.exact and operation.rate > STEP


def is_rounded(operation: Apply) -> bool:
    """Whether an operation is rounded to the dtype of the variable."""
    return operation.rate == ELEMENT and not operation.truth


def perturbed(
    program: Program, relative: float, choose: Callable[[Apply], bool]
) -> tuple[Program, ...]:
    """Programs in which chosen operations are off by a relative error, to sides drawn for each.

    Args:
        program: the program.
        relative: the error.
        choose: whether an operation is chosen.
    """
    found = []
    for seed in range(RUNS):
        sides = random.Random(seed)
        modes = tuple(
            replace(
                mode,
                equations=tuple(
                    replace(line, value=_shaken(line.value, relative, choose, sides))
                    for line in mode.equations
                ),
            )
            for mode in program.modes
        )
        found.append(replace(program, modes=modes))
    return tuple(found)


def _shaken(
    expr: Expr, relative: float, choose: Callable[[Apply], bool], sides: random.Random
) -> Expr:
    if not isinstance(expr, Apply):
        return expr
    args = tuple(_shaken(arg, relative, choose, sides) for arg in expr.args)
    same = Apply(expr.function, args)
    if not choose(expr):
        return same
    return Apply("multiply", (same, Number(1.0 + sides.choice((-relative, relative)))))


def spread(
    expected: Mapping[str, Array], others: Sequence[Mapping[str, Array]]
) -> dict[str, Array]:
    """How far values may be off, going by the results of perturbed programs.

    Args:
        expected: results of the program itself, by name.
        others: results of the perturbed ones.
    """
    found = {}
    with np.errstate(all="ignore"):
        for name, value in expected.items():
            apart = [np.abs(np.asarray(other[name], np.float64) - value) for other in others]
            largest = np.max(np.stack(apart), axis=0) if value.size else np.zeros(value.shape)
            found[name] = SAFETY * np.nan_to_num(largest, nan=0.0, posinf=0.0)
    return found
