"""Readable names for values that the compiler makes: the expression in words."""

from __future__ import annotations

from collections.abc import Collection

from optgen.ir.expr import Apply, Expr, Number, Ref

LONGEST_NAME = 28

_INFIX = {
    "add": "plus",
    "subtract": "minus",
    "multiply": "times",
    "divide": "over",
    "power": "to_the",
    "less": "below",
    "less_equal": "at_most",
    "greater": "above",
    "greater_equal": "at_least",
    "equal": "is",
    "not_equal": "is_not",
    "and": "and",
    "or": "or",
}
_PREFIX = {"negative": "minus", "not": "not", "sqrt": "sqrt", "abs": "abs", "square": "squared"}
_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def words(expr: Expr) -> str:
    """The expression in words, as a Python identifier: ``1 - beta_1`` is ``one_minus_beta_1``."""
    if isinstance(expr, Ref):
        return expr.symbol.name
    if isinstance(expr, Number):
        return _number(expr.value)
    assert isinstance(expr, Apply)
    parts = [words(arg) for arg in expr.args]
    if expr.function in _INFIX:
        return f"_{_INFIX[expr.function]}_".join(parts)
    if expr.function in _PREFIX:
        return f"{_PREFIX[expr.function]}_{parts[0]}"
    return f"{expr.function}_of_{'_and_'.join(parts)}"


def _number(value: float) -> str:
    if value == int(value) and 0 <= value < len(_DIGITS):
        return _DIGITS[int(value)]
    digits = repr(value).removesuffix(".0")
    return digits.replace(".", "_point_").replace("-", "minus_").replace("+", "")


def fresh(expr: Expr, user: str, taken: Collection[str]) -> str:
    """A name for a value that no other name in ``taken`` clashes with.

    Args:
        expr: the value.
        user: the name whose assignment uses the value; a value whose own words are too long, or
            whose first character could not start a name, is named after it.
        taken: the names in use.
    """
    name = words(expr)
    if len(name) > LONGEST_NAME or not name.isidentifier():
        name = f"factor_of_{user}"
    while name in taken:
        name = f"other_{name}"
    return name
