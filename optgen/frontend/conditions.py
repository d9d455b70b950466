"""``when`` conditions: their grammar, and what they say about given hyperparameters."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optgen.diagnostics import Span
from optgen.frontend.libraries import other_name
from optgen.frontend.names import LANGUAGE_NAMES, nearest, suggestion
from optgen.frontend.report import Report
from optgen.frontend.schema_errors import is_plain
from optgen.frontend.source import Source, Statement, parse, statements
from optgen.ir.program import Hyperparameter, HyperparameterValue

Values = Mapping[str, HyperparameterValue]


@dataclass(frozen=True)
class Condition:
    """Any condition; use one of the subclasses."""


@dataclass(frozen=True)
class Test(Condition):
    """A comparison of a hyperparameter with a constant.

    None is not equal to any number, and neither above nor below one.
    """

    name: str
    operator: str
    constant: HyperparameterValue


@dataclass(frozen=True)
class Not(Condition):
    """True when the inner condition is false."""

    inner: Condition


@dataclass(frozen=True)
class All(Condition):
    """True when all parts are."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Either(Condition):
    """True when any part is."""

    parts: tuple[Condition, ...]


ALWAYS = All(())

_MEANING: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "==",
    ast.IsNot: "!=",
}


def holds(condition: Condition, values: Values) -> bool:
    """Whether a condition is true for these values of the hyperparameters that it mentions."""
    if isinstance(condition, Test):
        value = values[condition.name]
        ordering = condition.operator not in ("==", "!=")
        if ordering and value is None:
            return False
        return _MEANING[condition.operator](value, condition.constant)
    if isinstance(condition, Not):
        return not holds(condition.inner, values)
    if isinstance(condition, All):
        return all(holds(part, values) for part in condition.parts)
    assert isinstance(condition, Either)
    return any(holds(part, values) for part in condition.parts)


def tests(condition: Condition) -> Iterator[Test]:
    """The comparisons inside a condition, left to right."""
    if isinstance(condition, Test):
        yield condition
    elif isinstance(condition, Not):
        yield from tests(condition.inner)
    elif isinstance(condition, (All, Either)):
        for part in condition.parts:
            yield from tests(part)


def parse_condition(
    source: Source, hyperparameters: Mapping[str, Hyperparameter], report: Report
) -> Condition | None:
    """The condition that a source holds; None, and a message, if it holds none."""
    lines = statements(source)
    if len(lines) != 1:
        headline = "a condition of several lines" if lines else "the condition is empty"
        report.error("E401", headline, source.whole, help=_EXAMPLE)
        return None
    (line,) = lines
    tree = parse(line, "a condition", "E401", report)
    if tree is None:
        return None
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        report.error("E401", "this is not a condition", source.whole, help=_EXAMPLE)
        return None
    return _Reader(line, hyperparameters, report).read(tree.body[0].value)


_CHAIN = "a condition compares two things at a time"
_EXAMPLE = "such as `momentum > 0 and not nesterov`"


@dataclass
class _Reader:
    """Turns Python's tree of a condition into a Condition, or into messages."""

    line: Statement
    hyperparameters: Mapping[str, Hyperparameter]
    report: Report

    def read(self, node: ast.expr) -> Condition | None:
        """The condition for a part of the tree."""
        if isinstance(node, ast.BoolOp):
            read = [self.read(value) for value in node.values]
            parts = tuple(part for part in read if part is not None)
            if len(parts) < len(read):
                return None
            return All(parts) if isinstance(node.op, ast.And) else Either(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.read(node.operand)
            return None if inner is None else Not(inner)
        if isinstance(node, ast.Compare):
            return self._test(node)
        if isinstance(node, ast.Name):
            return self._flag(node)
        return self._refuse("E401", "this is not a condition", self.line.place(node), _EXAMPLE)

    def _refuse(
        self, code: str, headline: str, span: Span, hint: str | None = None
    ) -> Condition | None:
        self.report.error(code, headline, span, help=hint)
        return None

    def _hyperparameter(self, node: ast.Name) -> Hyperparameter | None:
        found = self.hyperparameters.get(node.id)
        if node.id in self.report.faulty:
            return None
        if found is None:
            headline = f"there is no hyperparameter `{node.id}`"
            self.report.error("E408", headline, self.line.place(node), help=self._known(node.id))
            self.report.blame(node.id)  # elsewhere it is the same mistake
        elif node.id == "learning_rate":
            headline = "a condition cannot mention the learning rate"
            hint = "it may change between steps, but a mode is chosen once; use another argument"
            self.report.error("E410", headline, self.line.place(node), help=hint)
            return None
        return found

    def _known(self, name: str) -> str | None:
        """The help line for a name that is no hyperparameter."""
        if name in LANGUAGE_NAMES:
            return "a mode is chosen once: let an equation choose by `where(condition, x, y)`"
        constant = other_name(name, ("True", "False", "None"))
        if constant is not None:
            return f"did you mean `{constant}`?"
        return suggestion(name, self.hyperparameters)

    def _flag(self, node: ast.Name) -> Condition | None:
        found = self._hyperparameter(node)
        if found is None:
            return None
        if found.kind != "bool":
            headline = f"`{node.id}` is not a bool, so it needs a comparison"
            hint = f"{node.id} is not None" if found.optional else f"{node.id} != 0"
            hint = f'{node.id} == "{found.choices[0]}"' if found.choices else hint
            return self._refuse("E407", headline, self.line.place(node), hint)
        return Test(node.id, "==", True)

    def _test(self, node: ast.Compare) -> Condition | None:
        span = self.line.place(node)
        symbol = _OPERATORS.get(type(node.ops[0]))
        if len(node.ops) != 1 or symbol is None:
            return self._refuse("E401", _CHAIN, span, "join comparisons by `and`")
        left, right = node.left, node.comparators[0]
        if not isinstance(left, ast.Name):
            left, right, symbol = right, left, _MIRRORED[symbol]
        if not isinstance(left, ast.Name) or not _is_constant(right):
            headline = "a comparison is between a hyperparameter and a constant"
            return self._refuse("E401", headline, span, self._constant_meant(node))
        found = self._hyperparameter(left)
        if found is None:
            return None
        constant = _constant(right)
        by_identity = isinstance(node.ops[0], (ast.Is, ast.IsNot))
        if by_identity and not (constant is None or isinstance(constant, bool)):
            headline = "`is` compares with None, True and False only"
            return self._refuse("E401", headline, span, "use `==`")
        problem = _mismatch(found, symbol, constant)
        if problem is not None:
            return self._refuse("E407", problem, span, _instead(found, symbol, constant))
        return Test(found.name, symbol, constant)

    def _constant_meant(self, node: ast.Compare) -> str:
        """The help line for a comparison of something else than a name with a constant."""
        left, right = node.left, node.comparators[0]
        if isinstance(left, ast.Name) and isinstance(right, ast.Name):
            meant = other_name(right.id, ("True", "False", "None"))
            found = self.hyperparameters.get(left.id)
            if meant is None and found is not None and right.id in found.choices:
                meant = f'"{right.id}"'
            if meant is not None:
                return f"did you mean `{meant}`?"
        return _EXAMPLE


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        node = node.operand
        return isinstance(node, ast.Constant) and type(node.value) in (int, float)
    kinds = (int, float, bool, str, type(None))
    return isinstance(node, ast.Constant) and type(node.value) in kinds


def _constant(node: ast.expr) -> HyperparameterValue:
    if isinstance(node, ast.UnaryOp):
        inner = _constant(node.operand)
        assert isinstance(inner, (int, float))
        return -inner if isinstance(node.op, ast.USub) else inner
    assert isinstance(node, ast.Constant)
    value: object = node.value
    assert value is None or isinstance(value, (int, float, str))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return math.inf
    return value


def _instead(found: Hyperparameter, symbol: str, constant: HyperparameterValue) -> str | None:
    """The help line for a constant that a hyperparameter is never compared with."""
    if not isinstance(constant, str):
        return None
    if found.kind == "choice":
        meant = nearest(constant, found.choices) or found.choices[0]
        return f'{found.name} {symbol} "{meant}"'
    return f"write `{constant}`, without quotes" if is_plain(constant) else None


def _mismatch(found: Hyperparameter, symbol: str, constant: HyperparameterValue) -> str | None:
    """Why a hyperparameter can never be compared so; None if it can."""
    name = found.name
    if symbol not in ("==", "!=") and (found.kind in ("bool", "choice") or constant is None):
        return f"`{name}` can be compared by `==` and `!=` only"
    if constant is None:
        return None if found.optional else f"`{name}` is not optional, so it is never None"
    if found.kind == "bool":
        return None if isinstance(constant, bool) else f"`{name}` is True or False"
    if found.kind == "choice":
        if constant in found.choices:
            return None
        return f"`{name}` is one of " + ", ".join(f'"{choice}"' for choice in found.choices)
    if isinstance(constant, (bool, str)):
        return f"`{name}` is a number"
    return None if math.isfinite(constant) else f"`{name}` is finite, and less than this"


def python_text(condition: Condition, optional: frozenset[str] = frozenset()) -> str:
    """The condition as a Python expression that is safe for a hyperparameter that is None.

    Args:
        condition: the condition.
        optional: the names of the hyperparameters that may be None.
    """
    if isinstance(condition, Test):
        return _test_text(condition, optional)
    if isinstance(condition, Not):
        inner = python_text(condition.inner, optional)
        simple = isinstance(condition.inner, Test) and " " not in inner
        return f"not {inner}" if simple else f"not ({inner})"
    assert isinstance(condition, (All, Either))
    word = " and " if isinstance(condition, All) else " or "
    texts = []
    for part in condition.parts:
        text = python_text(part, optional)
        compound = isinstance(part, (All, Either)) or " and " in text
        texts.append(f"({text})" if compound else text)
    return word.join(texts) or "True"


def _test_text(test: Test, optional: frozenset[str]) -> str:
    if isinstance(test.constant, bool):
        return test.name if (test.operator == "==") == test.constant else f"not {test.name}"
    if test.constant is None:
        return f"{test.name} is None" if test.operator == "==" else f"{test.name} is not None"
    if isinstance(test.constant, str):
        return f'{test.name} {test.operator} "{test.constant}"'
    text = f"{test.name} {test.operator} {test.constant!r}"
    if test.operator not in ("==", "!=") and test.name in optional:
        return f"{test.name} is not None and {text}"
    return text
