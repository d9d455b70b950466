"""Expressions: numbers, references to symbols, and intrinsics applied to arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

from optgen.ir.intrinsics import INTRINSICS, Intrinsic
from optgen.ir.rate import CONST, Rate


class Kind(Enum):
    """What a symbol stands for."""

    VARIABLE = "variable"
    GRADIENT = "gradient"
    SLOT = "slot"
    HYPERPARAMETER = "hyperparameter"
    COUNTER = "counter"
    LOCAL = "local"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A named value.

    Attributes:
        name: the name in the spec, or one made by the compiler.
        kind: what the symbol stands for.
        rate: what the value varies over.
        version: 0 for the value at the start of a step, then one more per assignment.  A Program
            knows only version 0, "the current value"; in a Variant each (name, version) is
            assigned once.
        truth: whether the value is a truth value instead of a number.
    """

    name: str
    kind: Kind
    rate: Rate
    version: int = 0
    truth: bool = False


@dataclass(frozen=True)
class Expr:
    """Any expression; use one of the subclasses."""

    @property
    def rate(self) -> Rate:
        """What the value varies over: the join of its parts' rates, or what a function says."""
        raise NotImplementedError

    @property
    def truth(self) -> bool:
        """Whether the value is a truth value, as a comparison gives."""
        return False


@dataclass(frozen=True)
class Number(Expr):
    """A literal: a float64 that is rounded once where it meets elements of a variable."""

    value: float

    @property
    def rate(self) -> Rate:
        return CONST


@dataclass(frozen=True)
class Ref(Expr):
    """The value of a symbol."""

    symbol: Symbol

    @property
    def rate(self) -> Rate:
        return self.symbol.rate

    @property
    def truth(self) -> bool:
        return self.symbol.truth


@dataclass(frozen=True)
class Apply(Expr):
    """An intrinsic applied to arguments: every operator, function and reduction."""

    function: str
    args: tuple[Expr, ...]

    @property
    def intrinsic(self) -> Intrinsic:
        """The row of the function table that gives the function its meaning."""
        return INTRINSICS[self.function]

    @cached_property
    def _rate(self) -> Rate:
        return self.intrinsic.result_rate([arg.rate for arg in self.args])

    @property
    def rate(self) -> Rate:
        return self._rate

    @property
    def truth(self) -> bool:
        return self.intrinsic.gives_truth


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all its parts, outermost first, left to right."""
    yield expr
    if isinstance(expr, Apply):
        for arg in expr.args:
            yield from walk(arg)


def symbols(expr: Expr) -> tuple[Symbol, ...]:
    """The symbols an expression refers to, each once, in order of first use."""
    return tuple(dict.fromkeys(part.symbol for part in walk(expr) if isinstance(part, Ref)))


def reductions(expr: Expr) -> tuple[Apply, ...]:
    """The reductions inside an expression, innermost first."""
    found = [part for part in walk(expr) if isinstance(part, Apply) and part.intrinsic.reduces]
    return tuple(reversed(found))


def rewrite(expr: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """The expression with every part for which ``change`` returns an expression replaced by it.

    ``change`` sees each part before its arguments; the parts of a replacement are not visited.
    """
    replacement = change(expr)
    if replacement is not None:
        return replacement
    if isinstance(expr, Apply):
        return Apply(expr.function, tuple(rewrite(arg, change) for arg in expr.args))
    return expr
