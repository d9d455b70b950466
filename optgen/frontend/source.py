"""A piece of Python-like text inside a spec: its guarded parsing, and places in it."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from optgen.diagnostics import Span
from optgen.frontend.notation import findings
from optgen.frontend.report import Report
from optgen.frontend.toml import SpanIndex
from optgen.frontend.translation import Translator

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

    def written(self, node: ast.expr) -> str:
        """A part of the parsed line as its author wrote it, on one line."""
        first = self._offset(node.lineno, node.col_offset) - self.start
        last = self._offset(node.end_lineno or 0, node.end_col_offset or 0) - self.start
        return " ".join(self.text[first:last].split())

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
        # A backslash at the end has a message of its own, one for all the lines that it joins.
        if depth == 0 and not code.rstrip().endswith("\\"):
            if text.strip():
                found.append(Statement(source, text, start))
            text = ""
    if text.strip():
        found.append(Statement(source, text, start))
    return found


def parse(
    statement: Statement, what: str, code: str, report: Report, translator: Translator | None = None
) -> ast.Module | None:
    """The syntax tree of one logical line; None, and messages, if it has none.

    Every message is in our words and at our places: those of Python's parser are others in every
    version of Python.

    Args:
        statement: the line.
        what: what the line should be, such as ``an equation``, for the message.
        code: the code of the message.
        report: where messages go.
        translator: what proposes another line where several things are wrong with this one.
    """
    text = statement.text.strip()
    if len(text) > MAX_LENGTH:
        label = f"{len(text):,} characters; {MAX_LENGTH:,} are allowed"
        report.error("E318", f"{what} is too long", statement.span, label, help=_SPLIT)
        return None
    tree: ast.Module | None = None
    deep = _bracket_depth(text) > MAX_DEPTH or _UNARY_CHAIN.search(text) is not None
    if not deep:
        found = findings(statement.text, code == "E401", report.index.names())
        proposal = None if translator is None else translator.translated(statement.text)
        if len(found) > 1 and proposal is not None:
            headline = "this line is in the notation of papers"
            report.error("E304", headline, statement.span, help=f"write `{proposal}`")
            return None
        for finding in found:
            if statement.text[finding.start : finding.end] in report.faulty:
                continue
            report.error(
                finding.code if code == "E303" else code,
                finding.headline,
                statement.source.span(
                    statement.start + finding.start, statement.start + finding.end
                ),
                finding.label,
                help=finding.help,
            )
        if found:
            return None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
        except SyntaxError:
            report.error(code, f"this is not {what}", statement.span, help=_EXAMPLES.get(code))
            return None
        except (RecursionError, MemoryError, ValueError):
            deep = True
    if tree is None or _depth(tree) > MAX_DEPTH:
        headline = f"{what} is nested more than {MAX_DEPTH} deep"
        report.error("E318", headline, statement.span, help=_SPLIT)
        return None
    return tree


_EXAMPLES = {
    "E303": "such as `m = beta * m + (1 - beta) * g`",
    "E401": "such as `momentum > 0 and not nesterov`",
}
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
        # Python keeps `a and b and c` flat; it means `(a and b) and c`.
        levels = len(node.values) - 1 if isinstance(node, ast.BoolOp) else 1
        pending.extend((child, depth + levels) for child in ast.iter_child_nodes(node))
    return deepest
