"""Equation text -> a small syntax tree with the place of every part.

Python's own parser reads the text, an allow-list takes over what it found; nothing is ever
evaluated.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass

from optgen.diagnostics import Span
from optgen.frontend.report import Report
from optgen.frontend.source import Source, Statement, on_one_line, parse, statements
from optgen.ir.intrinsics import OPERATORS

MAX_LINES = 256


@dataclass(frozen=True, eq=False)
class Node:
    """A part of an expression, and its place."""

    span: Span


@dataclass(frozen=True, eq=False)
class Literal(Node):
    """A finite number."""

    value: float


@dataclass(frozen=True, eq=False)
class Name(Node):
    """A name."""

    name: str


@dataclass(frozen=True, eq=False)
class Call(Node):
    """An operator or a function with its arguments.

    Attributes:
        function: the name of the function, or the compiler's name of the operator.
        operator: the operator as written; empty for a function.
        name_span: the place of the function's name; that of the whole operation for an operator.
        args: the arguments.
    """

    function: str
    operator: str
    name_span: Span
    args: tuple[Node, ...]


@dataclass(frozen=True, eq=False)
class Assignment:
    """One line of equations.

    Attributes:
        target: the name assigned to.
        value: the right-hand side.
        text: the line without comment, on one line.
        span: the whole line.
    """

    target: Name
    value: Node
    text: str
    span: Span


def parse_equations(source: Source, report: Report) -> list[Assignment]:
    """The assignments of a block; the lines that are none are reported and left out."""
    lines = statements(source)
    if len(lines) > MAX_LINES:
        headline = f"more than {MAX_LINES} lines of equations"
        report.error("E212", headline, source.whole)
        return []
    found = (parse_assignment(line, report) for line in lines)
    return [assignment for assignment in found if assignment is not None]


def parse_assignment(line: Statement, report: Report) -> Assignment | None:
    """The assignment on a line; None, and a message, if it holds something else."""
    tree = parse(line, "an equation", "E303", report)
    if tree is None:
        return None
    if len(tree.body) != 1:
        report.error("E304", "two statements on one line", line.place(tree.body[1]))
        return None
    statement = tree.body[0]
    if isinstance(statement, ast.AugAssign):
        name = ast.unparse(statement.target) if isinstance(statement.target, ast.Name) else "w"
        hint = f"write `{name} = {name} ...` in full"
        report.error("E304", "augmented assignment is not supported", line.span, help=hint)
        return None
    if not isinstance(statement, ast.Assign):
        known = isinstance(statement, ast.Expr)
        headline = "this is not an assignment" if known else "this statement is not supported"
        hint = "each line is `name = expression`"
        report.error("E303" if known else "E304", headline, line.span, help=hint)
        return None
    target = statement.targets[0]
    if len(statement.targets) != 1 or not isinstance(target, ast.Name):
        hint = "each line is `name = expression`"
        headline = "only a single name can be assigned to"
        report.error("E304", headline, line.place(target), help=hint)
        return None
    value = _Reader(line, report).read(statement.value)
    if value is None:
        # The name still counts as assigned, so that one mistake gives one message.
        value = Node(line.place(statement.value))
    text = on_one_line(line.text)
    return Assignment(Name(line.place(target), target.id), value, text, line.span)


def parse_expression(source: Source, report: Report) -> Node | None:
    """The expression that a source holds; None, and a message, if it holds something else."""
    line = Statement(source, source.text, 0)
    tree = parse(line, "an expression", "E303", report)
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    return _Reader(line, report).read(tree.body[0].value)


_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}
_INSTEAD: dict[type[ast.operator], str] = {
    ast.BitXor: "write `**` for a power",
    ast.FloorDiv: "write `/` for a quotient",
    ast.MatMult: "write `*` for a product",
    ast.BitAnd: "join conditions by `and`",
    ast.BitOr: "join conditions by `or`",
}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_UNSUPPORTED: dict[type[ast.AST], tuple[str, str | None]] = {
    ast.IfExp: ("a conditional expression", "where(condition, x, y)"),
    ast.Subscript: ("indexing", "equations hold for every element at once"),
    ast.Attribute: ("an attribute", "functions are called by their name alone, such as `sqrt(v)`"),
    ast.Lambda: ("a lambda", None),
    ast.NamedExpr: ("an assignment inside an expression", "assign it on a line of its own"),
    ast.List: ("a list", None),
    ast.Tuple: ("a tuple", None),
    ast.Dict: ("a dictionary", None),
    ast.Set: ("a set", None),
    ast.JoinedStr: ("a string", None),
}


@dataclass
class _Reader:
    """Turns Python's tree of one line into nodes, or into messages."""

    line: Statement
    report: Report

    def read(self, node: ast.expr) -> Node | None:
        """The node for an expression; None if any part of it is not supported."""
        span = self.line.place(node)
        if isinstance(node, ast.Constant):
            return self._literal(node, span)
        if isinstance(node, ast.Name):
            return Name(span, node.id)
        if isinstance(node, ast.BinOp):
            operator = _BINARY.get(type(node.op))
            if operator is None:
                return self._refuse(span, "this operator", _INSTEAD.get(type(node.op)))
            return self._apply(span, OPERATORS[operator], operator, node.left, node.right)
        if isinstance(node, ast.UnaryOp):
            return self._unary(node, span)
        if isinstance(node, ast.BoolOp):
            return self._logical(node, span)
        if isinstance(node, ast.Compare):
            return self._comparison(node, span)
        if isinstance(node, ast.Call):
            return self._call(node, span)
        what, hint = _UNSUPPORTED.get(type(node), ("this expression", None))
        return self._refuse(span, what, hint)

    def _refuse(self, span: Span, what: str, hint: str | None = None) -> Node | None:
        self.report.error("E304", f"{what} is not supported", span, help=hint)
        return None

    def _literal(self, node: ast.Constant, span: Span) -> Node | None:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            kinds = {str: "a string", bool: "a truth value", complex: "an imaginary number"}
            return self._refuse(span, kinds.get(type(value), "this constant"))
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            self.report.error("E303", "a number too large for a float64", span)
            return None
        return Literal(span, number)

    def _apply(self, span: Span, function: str, operator: str, *args: ast.expr) -> Node | None:
        # All arguments are read before any is given up, so that each mistake is reported.
        nodes = [self.read(arg) for arg in args]
        known = tuple(node for node in nodes if node is not None)
        return Call(span, function, operator, span, known) if len(known) == len(nodes) else None

    def _unary(self, node: ast.UnaryOp, span: Span) -> Node | None:
        if isinstance(node.op, ast.USub):
            return self._apply(span, "negative", "-", node.operand)
        if isinstance(node.op, ast.Not):
            return self._apply(span, "not", "not", node.operand)
        return self._refuse(span, "this operator")

    def _logical(self, node: ast.BoolOp, span: Span) -> Node | None:
        word = "and" if isinstance(node.op, ast.And) else "or"
        parts = [self.read(value) for value in node.values]
        known = [part for part in parts if part is not None]
        if len(known) < len(parts):
            return None
        left = known[0]
        for right in known[1:]:
            whole = Span(span.path, left.span.start, right.span.end)
            left = Call(whole, word, word, whole, (left, right))
        return left

    def _comparison(self, node: ast.Compare, span: Span) -> Node | None:
        if len(node.ops) != 1:
            return self._refuse(span, "a chain of comparisons", "join them by `and`")
        operator = _COMPARE.get(type(node.ops[0]))
        if operator is None:
            return self._refuse(span, "this comparison")
        return self._apply(span, OPERATORS[operator], operator, node.left, node.comparators[0])

    def _call(self, node: ast.Call, span: Span) -> Node | None:
        if not isinstance(node.func, ast.Name):
            what, hint = _UNSUPPORTED[ast.Attribute]
            return self._refuse(self.line.place(node.func), what, hint)
        if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
            return self._refuse(span, "anything but plain arguments", "pass arguments in order")
        call = self._apply(span, node.func.id, "", *node.args)
        if not isinstance(call, Call):
            return None
        return Call(span, call.function, "", self.line.place(node.func), call.args)
