"""A piece of Python-like text inside a spec: its guarded parsing, and places in it."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from optgen.diagnostics import Span
from optgen.frontend.report import Report
from optgen.frontend.toml import SpanIndex

MAX_LENGTH = 2_000
MAX_DEPTH = 64
_UNARY_CHAIN = re.compile(rf"(?:(?:[-+~]|\bnot\b)\s*){{{MAX_DEPTH},}}")


@dataclass(frozen=True)
class Source:
    """A string value of the spec that holds equations or a condition.

    Attributes:
        text: the characters.
        whole: the value in the file.
        content: the characters in the file; None if escapes make the two differ.
    """

    text: str
    whole: Span
    content: Span | None

    @classmethod
    def at(cls, text: str, index: SpanIndex, *location: str | int) -> Source:
        """The string at a location of a spec."""
        return cls(text, index.value(*location), index.content(text, *location))

    @classmethod
    def builtin(cls, text: str, title: str) -> Source:
        """Text of the compiler's own."""
        span = Span(f"<{title}>", 0, len(text))
        return cls(text, span, span)

    def span(self, start: int, end: int) -> Span:
        """The place in the file of some of the characters; the whole value if that is not known."""
        if self.content is None:
            return self.whole
        offset = self.content.start
        return Span(self.content.path, offset + start, offset + end)


@dataclass(frozen=True)
class Statement:
    """A logical line of a source: the characters from ``start``, with comments blanked out."""

    source: Source
    text: str
    start: int

    @property
    def span(self) -> Span:
        """The whole line, without surrounding space."""
        lead = len(self.text) - len(self.text.lstrip())
        return self.source.span(self.start + lead, self.start + len(self.text.rstrip()))

    def place(self, node: ast.expr | ast.stmt) -> Span:
        """Where a part of the parsed line stands."""
        first = self._offset(node.lineno, node.col_offset)
        last = self._offset(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
        return self.source.span(first, last)

    def _offset(self, line: int, column: int) -> int:
        # The text is ASCII, so that the parser's bytes are characters.
        position = 0
        for _ in range(line - 1):
            position = self.text.index("\n", position) + 1
        lead = len(self.text) - len(self.text.lstrip()) if line == 1 else 0
        return self.start + lead + position + column


def on_one_line(text: str) -> str:
    """Equations or a condition without comments and line ends."""
    return " ".join(" ".join(line.split("#", 1)[0] for line in text.split("\n")).split())


def statements(source: Source) -> list[Statement]:
    """The logical lines: a line goes on while a parenthesis is open; empty ones are left out."""
    found: list[Statement] = []
    start, depth, text = 0, 0, ""
    position = 0
    for line in source.text.split("\n"):
        code = line.split("#", 1)[0]
        blanked = code + " " * (len(line) - len(code))
        if not text:
            start = position
        text += blanked + "\n"
        opened = sum(code.count(bracket) for bracket in "([{")
        closed = sum(code.count(bracket) for bracket in ")]}")
        depth = max(0, depth + opened - closed)
        position += len(line) + 1
        if depth == 0:
            if text.strip():
                found.append(Statement(source, text, start))
            text = ""
    if text.strip():
        found.append(Statement(source, text, start))
    return found


def parse(statement: Statement, what: str, code: str, report: Report) -> ast.Module | None:
    """The syntax tree of one logical line; None, and a message, if it has none.

    Args:
        statement: the line.
        what: what the line should be, such as ``an equation``, for the message.
        code: the code of the message.
        report: where messages go.
    """
    text = statement.text.strip()
    for offset, character in enumerate(statement.text):
        if not (" " <= character <= "~" or character in "\n\t"):
            span = statement.source.span(statement.start + offset, statement.start + offset + 1)
            hint = "write names in ASCII letters, such as `beta` for a Greek letter"
            report.error(code, "a character that is not ASCII", span, help=hint)
            return None
    if len(text) > MAX_LENGTH or _bracket_depth(text) > MAX_DEPTH or _UNARY_CHAIN.search(text):
        report.error("E318", f"{what} is too large", statement.span, help=_SPLIT)
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        report.error(code, f"this is not {what}", _error_span(statement, error), _reason(error))
        return None
    except (RecursionError, MemoryError, ValueError):
        report.error("E318", f"{what} is too large", statement.span, help=_SPLIT)
        return None
    if _depth(tree) > MAX_DEPTH:
        report.error("E318", f"{what} is too deep", statement.span, help=_SPLIT)
        return None
    return tree


_SPLIT = "name intermediate values on lines of their own"


def _bracket_depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(character, 0)
        deepest = max(deepest, depth)
    return deepest


def _depth(tree: ast.AST) -> int:
    """How deep a tree is, found without recursion."""
    deepest = 0
    pending: list[tuple[ast.AST, int]] = [(tree, 0)]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, depth)
        pending.extend((child, depth + 1) for child in ast.iter_child_nodes(node))
    return deepest


def _error_span(statement: Statement, error: SyntaxError) -> Span:
    lead = len(statement.text) - len(statement.text.lstrip())
    lines = statement.text.strip().split("\n")
    line = min(max(error.lineno or 1, 1), len(lines))
    column = min(max((error.offset or 1) - 1, 0), len(lines[line - 1]))
    offset = statement.start + lead + sum(len(text) + 1 for text in lines[: line - 1]) + column
    return statement.source.span(offset, offset + 1)


def _reason(error: SyntaxError) -> str:
    """Python's reason, where it does not depend on the version of Python."""
    message = error.msg or ""
    if "never closed" in message:
        return "never closed"
    if "unmatched" in message or "does not match" in message:
        return "closes nothing"
    return "cannot be read from here"
