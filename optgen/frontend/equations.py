"""Equation text -> a small syntax tree with the place of every part.

Python's own parser reads the text, an allow-list takes over what it found; nothing is ever
evaluated.
"""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass

from optgen.diagnostics import Span
from optgen.frontend.libraries import in_the_language, other_name
from optgen.frontend.notation import Lines
from optgen.frontend.report import Report
from optgen.frontend.source import Source, Statement, on_one_line, parse, statements
from optgen.frontend.tokens import tokens_of
from optgen.frontend.translation import Translator
from optgen.frontend.transliteration import ascii_name
from optgen.ir.intrinsics import INTRINSICS, OPERATORS, SHORTHANDS

MAX_LINES = 256


_NAMES = ("name", "foreign")


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


def parse_equations(source: Source, report: Report) -> tuple[list[Assignment], bool]:
    """The assignments of a block, and whether all of its lines are among them.

    Lines that are no assignments are reported.
    """
    lines = statements(source)
    if len(lines) > MAX_LINES:
        headline = f"more than {MAX_LINES} lines of equations"
        report.error("E212", headline, source.whole, help="write fewer, longer lines")
        return [], False
    before = Lines()
    read = [line for line in lines if not before.explained(line.text)]
    translator = Translator(report.index.names())
    found = [parse_assignment(line, report, translator) for line in read]
    assignments = [assignment for assignment in found if assignment is not None]
    for line, assignment in zip(read, found, strict=True):
        if assignment is None:
            # What the line, and those that an open bracket joins to it, would have set.
            firsts = [tokens_of(part)[:1] for part in line.text.split("\n")]
            for name in (t.text for first in firsts for t in first if t.kind in _NAMES):
                report.blame(name)
                report.blame(ascii_name(name) or name)  # as the other lines may call it
    whole = all(type(assignment.value) is not Node for assignment in assignments)
    return assignments, whole and len(assignments) == len(lines)


def parse_assignment(
    line: Statement, report: Report, translator: Translator | None = None
) -> Assignment | None:
    """The assignment on a line; None, and a message, if it holds something else."""
    tree = parse(line, "an equation", "E303", report, translator)
    if tree is None:
        return None
    if len(tree.body) != 1:
        report.error("E304", "two statements on one line", line.place(tree.body[1]))
        return None
    statement = tree.body[0]
    if not isinstance(statement, ast.Assign):
        _refuse_statement(statement, line, report)
        return None
    target = statement.targets[0]
    if len(statement.targets) != 1 or not isinstance(target, ast.Name):
        hint = "assign each value on a line of its own, `name = expression`"
        headline = "only a single name can be assigned to"
        report.error("E304", headline, line.place(target), help=hint)
        return None
    value = _Reader(line, report).read(statement.value)
    if value is None:
        # The name still counts as assigned, so that one mistake gives one message.
        value = Node(line.place(statement.value))
    text = on_one_line(line.text)
    return Assignment(Name(line.place(target), target.id), value, text, line.span)


def _refuse_statement(statement: ast.stmt, line: Statement, report: Report) -> None:
    """Report a line that Python reads, but not as an assignment."""
    headline, hint = "this is not an assignment", "each line is `name = expression`"
    if isinstance(statement, ast.Expr):
        value = statement.value
        compares = isinstance(value, ast.Compare) and isinstance(value.ops[0], ast.Eq)
        hint = "an assignment is written `=`, a comparison `==`" if compares else hint
    report.error("E303", headline, line.span, help=hint)


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
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_UNSUPPORTED: dict[type[ast.AST], tuple[str, str | None]] = {
    ast.List: ("a list", "equations hold for every element at once"),
    ast.Tuple: ("a tuple", "assign each value on a line of its own"),
}


_CONSTANTS: dict[type, str] = {
    bool: "a truth value is a comparison or a bool hyperparameter; `where` chooses by it",
    type(None): '`None` stands in conditions only: `when = "threshold is not None"`',
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
                return self._refuse(span, "this operator")
            return self._apply(span, OPERATORS[operator], operator, node.left, node.right)
        if isinstance(node, ast.UnaryOp):
            return self._unary(node, span)
        if isinstance(node, ast.BoolOp):
            return self._logical(node, span)
        if isinstance(node, ast.Compare):
            return self._comparison(node, span)
        if isinstance(node, ast.Call):
            return self._call(node, span)
        if isinstance(node, ast.IfExp):
            parts = ", ".join(map(self.line.written, (node.test, node.body, node.orelse)))
            return self._refuse(span, "a conditional expression", f"write `where({parts})`")
        if isinstance(node, ast.Subscript):
            return self._index(node, span)
        if isinstance(node, ast.Attribute):
            return self._attribute(node, span)
        what, hint = _UNSUPPORTED.get(type(node), ("this expression", None))
        return self._refuse(span, what, hint)

    def _refuse(self, span: Span, what: str, hint: str | None = None) -> Node | None:
        self.report.error("E304", f"{what} is not part of the language", span, help=hint)
        return None

    def _literal(self, node: ast.Constant, span: Span) -> Node | None:
        value = node.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self._refuse(span, f"`{self.line.written(node)}`", _CONSTANTS.get(type(value)))
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
            return self._refuse(span, "a chain of comparisons", "join two comparisons by `and`")
        operator = _COMPARE.get(type(node.ops[0]))
        if operator is None:
            return self._refuse(span, "this comparison")
        return self._apply(span, OPERATORS[operator], operator, node.left, node.comparators[0])

    def _index(self, node: ast.Subscript, span: Span) -> Node | None:
        """Refuse an index, which in papers is mostly one of the step."""
        hint = "equations hold for every element at once; `sum`, `max` and others combine them"
        if isinstance(node.value, ast.Name):
            name = node.value.id
            indices = {part.id for part in ast.walk(node.slice) if isinstance(part, ast.Name)}
            if indices & {"t", "k", "n", "i"}:
                old = f"before the line that assigns it, `{name}` holds the value of the last step"
                hint = f"write `{name}`: {old}"
            elif isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
                hint = "a hyperparameter is read by its name alone"
        return self._refuse(span, "an index", hint)

    def _attribute(self, node: ast.Attribute, span: Span) -> Node | None:
        """Refuse an attribute; that of a library or an array is mostly a function."""
        name = function_of(node.attr)
        hint = f"there is nothing like `{node.attr}` in the language"
        if isinstance(node.value, ast.Name) and node.value.id in ("self", "state", "group"):
            hint = f"write `{node.attr}` alone"
        elif node.attr in ("grad", "data"):
            hint = "the gradient is `g`, the variable is `w`"
        elif name is not None:
            hint = name
        return self._refuse(span, f"`{self.line.written(node)}`", hint)

    def _call(self, node: ast.Call, span: Span) -> Node | None:
        if isinstance(node.func, ast.Attribute):
            return self._attribute(node.func, self.line.place(node.func))
        if not isinstance(node.func, ast.Name):
            return self._refuse(span, "calling this", "a product is written with `*`")
        if node.keywords or any(isinstance(arg, ast.Starred) for arg in node.args):
            return self._refuse(span, "anything but plain arguments", "pass arguments in order")
        call = self._apply(span, node.func.id, "", *node.args)
        if not isinstance(call, Call):
            return None
        return Call(span, call.function, "", self.line.place(node.func), call.args)


def function_of(name: str) -> str | None:
    """What to write for a function or method of another library; None if that is not known."""
    if name in SHORTHANDS or (name in INTRINSICS and INTRINSICS[name].public):
        parameters = (SHORTHANDS.get(name) or INTRINSICS[name]).parameters
        return f"write `{name}({', '.join(parameters)})`"
    public = [row for row, intrinsic in INTRINSICS.items() if intrinsic.public]
    meant = other_name(name, [*public, *SHORTHANDS])
    return in_the_language(name) if meant is None else function_of(meant)
