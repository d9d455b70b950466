"""Texts of a spec as Markdown that says what they say, and nothing else.

A spec is untrusted, and the tools that render Markdown know directives that read files: only
paragraphs, lists of points and code spans keep their meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_CODE = re.compile(r"(`[^`]+`)")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>$|~&^])")
_STARTS_A_BLOCK = re.compile(r"([#+=:%(!>-]|\d+(?=[.)]))")
_URL = re.compile(r"(https?://[A-Za-z0-9./_?=&%~-]*[A-Za-z0-9/])")
_POINT = re.compile(r"[-*] +")


def line(text: str) -> str:
    """A text as a line of its own, with its code spans and addresses."""
    marked = _inline(text)
    start = _STARTS_A_BLOCK.match(marked)
    if start is None:
        return marked
    end = start.end() if start.group()[0].isdigit() else 0
    return rf"{marked[:end]}\{marked[end:]}"


def _inline(text: str) -> str:
    return "".join(map(_part, _CODE.split(" ".join(text.split()))))


def cell(text: str) -> str:
    """A text in a cell of a table."""
    return _inline(text).replace(r"\|", "|").replace("|", r"\|")


def code(text: str) -> str:
    """A text in a code span; it holds no backtick."""
    return f"`{' '.join(text.split())}`"


def blocks(text: str) -> str:
    """A text of several paragraphs and lists of points."""
    lines: list[str] = []
    for written in text.strip().splitlines():
        stripped = written.strip()
        point = _POINT.match(stripped)
        if point:
            lines.append(f"- {stripped[point.end() :]}")
        elif stripped and lines and lines[-1]:
            lines[-1] += f" {stripped}"
        else:
            lines.append(stripped)
    return "\n".join(map(_block, lines))


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; the cells are Markdown already."""
    titles = tuple(head)
    lines = [titles, ("---",) * len(titles), *(tuple(row) for row in rows)]
    return "\n".join("| " + " | ".join(row) + " |" for row in lines)


def _block(text: str) -> str:
    return f"- {line(text[2:])}" if text.startswith("- ") else line(text)


def _part(part: str) -> str:
    if part.startswith("`") and len(part) > 1:
        return part
    return "".join(
        f"<{piece}>" if _URL.fullmatch(piece) else _SPECIAL.sub(r"\\\1", piece)
        for piece in _URL.split(part)
    )
