"""Expressions and statements as Python text, as a formatter would leave them."""

from __future__ import annotations

import ast
import keyword
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from optgen.ir.expr import Apply, Expr, Kind, Number, Ref, Symbol, rewrite, walk
from optgen.ir.intrinsics import INTRINSICS
from optgen.passes.naming import words

LINE_LENGTH = 100
INDENT = "    "

_ATOM = 100
_PLAIN_POWER = re.compile(r"\w+(\*\*\w+)*$")
_CALL = re.compile(r"[\w.]+\(.*\)$")


Spelling = Literal["host", "cpu", "cuda"]


@dataclass(frozen=True)
class Style:
    """How a backend writes the leaves and functions of an expression.

    Attributes:
        spelling: which spelling of the function table to use.
        name: the text of a symbol.
        number: the text of a literal.
    """

    spelling: Spelling
    name: Callable[[Symbol], str]
    number: Callable[[float], str] = repr


def print_expr(expr: Expr, style: Style) -> str:
    """The expression as Python text."""
    return _print(expr, style)[0]


def _print(expr: Expr, style: Style) -> tuple[str, int]:
    """The text, and the precedence of its outermost operator."""
    if isinstance(expr, Number):
        return style.number(expr.value), _ATOM
    if isinstance(expr, Ref):
        return style.name(expr.symbol), _ATOM
    assert isinstance(expr, Apply)
    if expr.function == "square" and isinstance(expr.args[0], Ref):
        return _print(Apply("multiply", (expr.args[0], expr.args[0])), style)
    row = expr.intrinsic
    template = row.spelling(style.spelling)
    printed = [_print(arg, style) for arg in expr.args]
    if _CALL.match(template):
        return template.format(*(text for text, _ in printed)), _ATOM
    powered = INTRINSICS["power"].precedence if expr.function == "negative" else None
    parts = [
        f"({text})"
        if binds < _needed(expr.function, row.precedence, index) or binds == powered
        else text
        for index, (text, binds) in enumerate(printed)
    ]
    if expr.function == "power" and all(_PLAIN_POWER.match(part) for part in parts):
        # As formatters have it: powers of plain names are written without blanks.
        template = template.replace(" ", "")
    return template.format(*parts), row.precedence


def _needed(function: str, precedence: int, index: int) -> int:
    """How tightly an operand must bind to stand without parentheses.

    Operators group to the left, powers to the right, and a comparison never chains.
    """
    if function in ("negative", "not"):
        return precedence
    groups_here = index == (1 if function == "power" else 0)
    chains = function in ("add", "subtract", "multiply", "divide", "power", "and", "or")
    return precedence if groups_here and chains else precedence + 1


def names_used(text: str) -> set[str]:
    """The names that Python text reads or calls, comments and docstrings apart."""
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


def safe_name(name: str, reserved: Iterable[str]) -> str:
    """The name, with an underscore appended while it is a keyword or in use for something else."""
    taken = set(reserved)
    while keyword.iskeyword(name) or name in taken:
        name += "_"
    return name


def fitted(
    target: str, expr: Expr, style: Style, indent: int, taken: Iterable[str], suffix: str = ""
) -> Iterator[str]:
    """Statements that assign an expression, each short enough for a line.

    An expression that is too long is not wrapped: parts of it, each as large as a line can hold,
    become values with a name.

    Args:
        target: the name assigned to.
        expr: the value.
        style: how it is written.
        indent: how deep the statements will stand.
        taken: names that must not be used.
        suffix: what the names of new values end in.
    """
    used = {*taken, target}
    room = LINE_LENGTH - len(INDENT) * indent
    while len(f"{target} = {print_expr(expr, _widest(style))}") > room:
        names = {
            part: _part_name(part, target, suffix, used)
            for part in walk(expr)
            if isinstance(part, Apply) and part != expr and not _signed(part)
        }
        widths = {
            part: len(f"{name} = {print_expr(part, _widest(style))}")
            for part, name in names.items()
        }
        short = [part for part, width in widths.items() if width <= room]
        if not short:
            clips = [p for p in walk(expr) if isinstance(p, Apply) and p.function == "clip"]
            if not clips:
                break
            # A clip is written as two functions, and can be cut between them.
            low = Apply("maximum", clips[0].args[:2])
            expr = _replaced(expr, clips[0], Apply("minimum", (low, clips[0].args[2])))
            continue
        part = max(short, key=widths.__getitem__)
        name = names[part]
        yield f"{name} = {print_expr(part, style)}"
        used.add(name)
        symbol = Symbol(name, Kind.LOCAL, part.rate, version=-1, truth=part.truth)
        expr = _replaced(expr, part, Ref(symbol))
        style = _naming(style, symbol)
    yield f"{target} = {print_expr(expr, style)}"


def _widest(style: Style) -> Style:
    """The style that decides where lines are cut, so that texts of all targets are cut alike."""
    return replace(style, spelling="cpu") if style.spelling == "cuda" else style


def _signed(part: Apply) -> bool:
    return part.function == "negative" and isinstance(part.args[0], Number)


def _replaced(expr: Expr, part: Expr, by: Expr) -> Expr:
    return rewrite(expr, lambda found: by if found == part else None)


ORDINALS = ("", *(f"{word}_" for word in "second third fourth fifth sixth seventh eighth".split()))
_NOUNS = {"add": "sum", "subtract": "difference", "multiply": "product", "divide": "quotient"}


def _part_name(part: Apply, target: str, suffix: str, used: set[str]) -> str:
    """A name for a part of a long expression: in words if they are few, else by what it is for."""
    name = words(part)
    if len(name) > 24 or not name.isidentifier():
        noun = "condition" if part.truth else _NOUNS.get(part.function, part.function)
        of = target.partition("[")[0].removesuffix(suffix)
        name = f"{noun}_for_{of}"
        name = name if len(target) <= 16 else name.split("_for_")[0] + "_part"
    for ordinal in ORDINALS:
        if f"{ordinal}{name}{suffix}" not in used:
            return f"{ordinal}{name}{suffix}"
    return safe_name(name + suffix, used)


def _naming(style: Style, own: Symbol) -> Style:
    def name(symbol: Symbol) -> str:
        return symbol.name if symbol == own else style.name(symbol)

    return Style(style.spelling, name, style.number)


def call(head: str, arguments: Iterable[str], indent: int = 0, tail: str = "") -> str:
    """A call or signature on one line, or with one argument a line where that is too long."""
    arguments = list(arguments)
    line = f"{head}({', '.join(arguments)}){tail}"
    if len(line.rsplit("\n", 1)[-1]) + len(INDENT) * indent <= LINE_LENGTH:
        return line
    inner = INDENT * (indent + 1)
    body = "".join(f"{inner}{argument},\n" for argument in arguments)
    return f"{head}(\n{body}{INDENT * indent})" + tail


def literal(value: object) -> str:
    """A value as Python writes it, with strings in double quotes as formatters leave them.

    Args:
        value: a number, a truth value, None, a word, or a tuple of words.
    """
    if isinstance(value, tuple):
        texts = [literal(item) for item in value]
        return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def indented(lines: Iterable[str], depth: int) -> Iterator[str]:
    """Lines, each moved right by ``depth`` levels; empty lines stay empty."""
    for line in lines:
        yield INDENT * depth + line if line else ""


def wrapped(line: str, room: int) -> list[str]:
    """A line of text as lines of at most ``room`` characters that keep its indentation."""
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.wrap(line, room, subsequent_indent=indent, break_long_words=True) or [""]


def _ends_quoted(line: str) -> bool:
    """Whether a line ends in a quotation mark that no backslash escapes."""
    body = line.removesuffix('"')
    backslashes = len(body) - len(body.rstrip("\\"))
    return body != line and backslashes % 2 == 0


def docstring(paragraphs: Iterable[str], indent: int) -> str:
    """A docstring of the given lines; quotes and backslashes in them cannot end it.

    Lines are wrapped, those of an example apart, which are read by programs.
    """
    room = LINE_LENGTH - len(INDENT) * indent - 6
    lines = [
        part.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
        for line in paragraphs
        for part in ([line] if line.lstrip().startswith((">>> ", "... ")) else wrapped(line, room))
    ]
    if _ends_quoted(lines[-1]):
        lines[-1] = lines[-1][:-1] + '\\"'
    space = INDENT * indent
    if len(lines) == 1:
        return f'{space}"""{lines[0]}"""'
    body = "\n".join(f"{space}{line}" if line else "" for line in lines[1:])
    return f'{space}"""{lines[0]}\n{body}\n{space}"""'
