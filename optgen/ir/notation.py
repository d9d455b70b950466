"""Expressions in the notation of the equation language, as an author would write them."""

from __future__ import annotations

from optgen.ir.expr import Apply, Expr, Number, Ref

_CALL = 100
_UNARY = ("negative", "not")
_LEFT_TO_RIGHT = ("add", "subtract", "multiply", "divide", "and", "or")


def number_text(value: float) -> str:
    """A number in as few digits as tell it from all others."""
    return repr(float(value)).removesuffix(".0")


def in_language(expr: Expr) -> str:
    """The expression as text that parses to it again; versions of values are not shown."""
    return _written(expr)[0]


def _written(expr: Expr) -> tuple[str, int]:
    """The text, and how tightly its outermost operator binds."""
    if isinstance(expr, Number):
        return number_text(expr.value), _CALL
    if isinstance(expr, Ref):
        return expr.symbol.name, _CALL
    assert isinstance(expr, Apply)
    row = expr.intrinsic
    parts = [_written(arg) for arg in expr.args]
    if row.operator is None:
        return f"{expr.function}({', '.join(text for text, _ in parts)})", _CALL
    texts = [
        text if binds >= _needed(expr, position) else f"({text})"
        for position, (text, binds) in enumerate(parts)
    ]
    if expr.function in _UNARY:
        blank = " " if row.operator.isalpha() else ""
        return f"{row.operator}{blank}{texts[0]}", row.precedence
    return f" {row.operator} ".join(texts), row.precedence


def _needed(expr: Apply, position: int) -> int:
    """How tightly an operand must bind to stand without parentheses."""
    own = expr.intrinsic.precedence
    if expr.function in _UNARY:
        return own
    if expr.function == "power":
        return own + 1 if position == 0 else own
    return own if position == 0 and expr.function in _LEFT_TO_RIGHT else own + 1
