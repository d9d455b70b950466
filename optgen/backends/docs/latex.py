"""Equations of a Program as LaTeX, in the author's form.

Nothing is rearranged: the formula has the operations of the equation in the same order, and is
written with as few parentheses as its precedences allow.  What a step keeps carries the index of
the step whose value is meant, as in papers.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from optgen.backends.docs.notation import Notation
from optgen.ir.expr import Apply, Expr, Kind, Number, Ref, Symbol
from optgen.ir.intrinsics import INTRINSICS, OPERATORS, SHORTHANDS
from optgen.ir.program import Equation
from optgen.ir.rate import CONST

BEFORE, NOW = "t-1", "t"
_NAME, _CLOSED = 200, 100
_MULTIPLY, _NEGATE, _POWER = (INTRINSICS[f].precedence for f in ("multiply", "negative", "power"))

_ARGUMENT = re.compile(r"#(\d)")
_BRACKET = re.compile(r"\\left|\\right|\\begin|\\end|[{}]|#\d")
_DEPTH = {r"\left": 1, r"\begin": 1, "{": 1, r"\right": -1, r"\end": -1, "}": -1}
_ENDS_IN_WORD = re.compile(r"\\mathrm\{[^{}]*\}\}?(_\{[^{}]*\})?$")
_STARTS_IN_WORD = re.compile(r"(\\(hat|bar|tilde|dot)\{)?\\mathrm|\d")


def formulas(equations: Iterable[Equation], notation: Notation) -> Iterator[tuple[str, str, str]]:
    """The equations of a mode in order: left-hand side, relation, right-hand side.

    The relation is ``=`` where a value of this step comes into being, and an arrow where a line
    replaces it by another: its right-hand side then holds the value so far.
    """
    assigned: set[str] = set()
    for equation in equations:
        name = equation.target.name
        again = name in assigned or equation.target.kind is Kind.GRADIENT
        value = latex(equation.value, notation, assigned)
        assigned.add(name)
        target = latex(Ref(equation.target), notation, assigned)
        yield target, r"\leftarrow" if again else "=", value


def block(equations: Iterable[Equation], notation: Notation) -> str:
    """The equations of a mode as one formula of aligned lines, without ``$``."""
    rows = [f"{left} &{sign} {right}" for left, sign, right in formulas(equations, notation)]
    return "\n".join([r"\begin{split}", " \\\\\n".join(rows), r"\end{split}"])


def latex(expr: Expr, notation: Notation, assigned: Iterable[str] = ()) -> str:
    """An expression as LaTeX.

    Args:
        expr: the expression.
        notation: how names look.
        assigned: the names that earlier lines of the step have assigned.
    """
    return _Printer(notation, frozenset(assigned)).print(expr)[0]


class _Printer:
    """Prints expressions as they stand at one point of a step."""

    def __init__(self, notation: Notation, assigned: frozenset[str]) -> None:
        self.notation = notation
        self.assigned = assigned

    def print(self, expr: Expr) -> tuple[str, int]:
        """The text, and the precedence of its outermost operation."""
        if isinstance(expr, Number):
            return _number(expr.value)
        if isinstance(expr, Ref):
            return self.notation.text(expr.symbol.name, self._time(expr.symbol)), _NAME
        assert isinstance(expr, Apply)
        for shorthand in SHORTHANDS.values():
            arguments: dict[str, Expr] = {}
            if _matches(_pattern(shorthand.expansion), expr, shorthand.parameters, arguments):
                args = tuple(arguments[name] for name in shorthand.parameters)
                return self._filled("", shorthand.latex, _CLOSED, args)
        row = expr.intrinsic
        return self._filled(expr.function, row.latex, row.precedence, expr.args)

    def _time(self, symbol: Symbol) -> str:
        if symbol.kind in (Kind.SLOT, Kind.VARIABLE):
            return NOW if symbol.name in self.assigned else BEFORE
        varies = symbol.kind is Kind.GRADIENT or (
            symbol.kind is Kind.LOCAL and symbol.rate != CONST
        )
        return NOW if varies else ""

    def _filled(
        self, function: str, template: str, precedence: int, args: tuple[Expr, ...]
    ) -> tuple[str, int]:
        enclosed = _enclosed(template)
        texts = []
        for index, arg in enumerate(args):
            text, binds = self.print(arg)
            # A sign stands at the start of a term only.
            signed = text.startswith("-") and (index > 0 or function in ("negative", "not"))
            if index not in enclosed and (binds < _needed(function, precedence, index) or signed):
                text = rf"\left({text}\right)"
            texts.append(text)
        if function == "multiply" and (
            _ENDS_IN_WORD.search(texts[0]) or _STARTS_IN_WORD.match(texts[1])
        ):
            template = r"#1 \cdot #2"
        # Braces without a right end bind as loosely as the row says.
        closed = len(enclosed) == len(args) and not template.endswith(r"\end{cases}")
        text = _ARGUMENT.sub(lambda found: texts[int(found.group(1)) - 1], template)
        return text, _CLOSED if closed else precedence


def _needed(function: str, precedence: int, index: int) -> int:
    """How tightly an operand must bind to stand without parentheses."""
    if function == "power":
        return _NAME
    if function == "not":
        return _CLOSED
    if function == "negative":
        return precedence
    chains = function in ("add", "subtract", "multiply", "and", "or")
    return precedence if index == 0 and chains else precedence + 1


@cache
def _enclosed(template: str) -> frozenset[int]:
    """The arguments that stand between brackets of a template, so that they need none."""
    found, depth = set(), 0
    for token in _BRACKET.findall(template):
        depth += _DEPTH.get(token, 0)
        if token.startswith("#") and depth > 0:
            found.add(int(token[1]) - 1)
    return frozenset(found)


def _number(value: float) -> tuple[str, int]:
    """A literal as short as it can be written without another value."""
    if value.is_integer() and abs(value) < 1e15:
        text = str(int(value))
    else:
        text = repr(value)
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text, _NEGATE if text.startswith("-") else _NAME
    power = f"10^{{{int(exponent)}}}"
    if mantissa == "1":
        return power, _POWER
    return rf"{mantissa} \cdot {power}", _MULTIPLY


@cache
def _pattern(expansion: str) -> ast.expr:
    return ast.parse(expansion, mode="eval").body


def _matches(
    pattern: ast.expr, expr: Expr, parameters: tuple[str, ...], found: dict[str, Expr]
) -> bool:
    """Whether an expression is what a shorthand stands for; its arguments go into ``found``."""
    if isinstance(pattern, ast.Name):
        if pattern.id in parameters:
            return found.setdefault(pattern.id, expr) == expr
        return isinstance(expr, Ref) and expr.symbol.name == pattern.id
    if isinstance(pattern, ast.Constant):
        return isinstance(expr, Number) and expr.value == pattern.value
    if not isinstance(expr, Apply):
        return False
    function, parts = _call(pattern)
    return (
        expr.function == function
        and len(expr.args) == len(parts)
        and all(
            _matches(part, arg, parameters, found)
            for part, arg in zip(parts, expr.args, strict=True)
        )
    )


_OPERATOR_SIGNS: Mapping[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}


def _call(pattern: ast.expr) -> tuple[str, list[ast.expr]]:
    """The function of a pattern and the patterns of its arguments."""
    if isinstance(pattern, ast.BinOp):
        return OPERATORS[_OPERATOR_SIGNS[type(pattern.op)]], [pattern.left, pattern.right]
    assert isinstance(pattern, ast.Call)
    assert isinstance(pattern.func, ast.Name)
    return pattern.func.id, pattern.args
