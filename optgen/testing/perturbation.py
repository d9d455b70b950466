"""How far rounding errors go: programs whose operations are a little off.

Where an exponential, a logarithm or a power is a few units off, or where all arithmetic is rounded
to fewer digits, what may be expected of a result depends on the equations around it.  Running them
with every such operation off by as much, to either side, shows how far the result moves.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from optgen.ir.expr import Apply, Expr, Number, Ref
from optgen.ir.program import Equation, Mode, Program
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
    program: Program, relative: float, choose: Callable[[Apply], bool], rounding: float = 0.0
) -> tuple[Program, ...]:
    """Programs in which chosen operations are off by a relative error, to sides drawn for each.

    Args:
        program: the program.
        relative: the error.
        choose: whether an operation is chosen.
        rounding: the error of every operation on values that are off: however little they are off,
            its result may be rounded to the neighbour.
    """
    found = []
    for seed in range(RUNS):
        sides = random.Random(seed)
        modes = tuple(
            replace(mode, equations=_Shaking(relative, choose, rounding, sides).equations(mode))
            for mode in program.modes
        )
        found.append(replace(program, modes=modes))
    return tuple(found)


@dataclass
class _Shaking:
    """Puts errors into the equations of a mode, from top to bottom."""

    relative: float
    choose: Callable[[Apply], bool]
    rounding: float
    sides: random.Random
    off: set[str] = field(default_factory=set)

    def equations(self, mode: Mode) -> tuple[Equation, ...]:
        found = []
        for line in mode.equations:
            value, off = self.shaken(line.value)
            found.append(replace(line, value=value))
            (self.off.add if off else self.off.discard)(line.target.name)
        return tuple(found)

    def shaken(self, expr: Expr) -> tuple[Expr, bool]:
        """The expression with errors, and whether its value is off."""
        if not isinstance(expr, Apply):
            return expr, isinstance(expr, Ref) and expr.symbol.name in self.off
        parts = [self.shaken(arg) for arg in expr.args]
        same = Apply(expr.function, tuple(arg for arg, _ in parts))
        off = any(arg_off for _, arg_off in parts)
        if self.choose(expr):
            return self._times(same, self.relative), True
        if off and self.rounding and is_rounded(expr):
            return self._times(same, self.rounding), True
        return same, off

    def _times(self, value: Expr, error: float) -> Expr:
        return Apply("multiply", (value, Number(1.0 + self.sides.choice((-error, error)))))


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
