"""Positions in a spec, and the messages that point at them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple


class Position(NamedTuple):
    """A place in a text as a person counts: the first line and the first column are 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A part of a text.

    Attributes:
        path: the file, as the author named it.
        start: the offset of the first character in the decoded text, in which each end of a line
            is one character.
        end: the offset after the last character; equal to ``start`` for a mere place.
    """

    path: str
    start: int
    end: int

    def position(self, text: str) -> Position:
        """Where the span starts in ``text``, which is the content of the file."""
        start = min(self.start, len(text))
        line_start = text.rfind("\n", 0, start) + 1
        return Position(text.count("\n", 0, start) + 1, start - line_start + 1)


@dataclass(frozen=True, slots=True)
class Label:
    """A place that a message points at, with a remark; the remark may be empty."""

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong with a spec.

    Attributes:
        code: a key of the catalogue, such as ``E302``.
        headline: what is wrong, in the author's words.
        labels: the places concerned; the first is the one to look at.
        help: what to do, if there is something to say; it may have several lines.
    """

    code: str
    headline: str
    labels: tuple[Label, ...]
    help: str | None = None

    @property
    def span(self) -> Span:
        """The place to look at."""
        return self.labels[0].span


@dataclass(eq=False)
class CompileError(Exception):
    """The author's mistakes, all that were found.

    Attributes:
        diagnostics: the messages, by position.
        sources: the text of each file that they point into, by path; a file that could not be
            decoded is missing.
    """

    diagnostics: tuple[Diagnostic, ...]
    sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def of(cls, diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> CompileError:
        """The error for these messages, in order of position, and each once.

        Modes share lines, and what is wrong on one of them differs between the modes in its help.
        """
        unique: dict[tuple[str, str, Span], Diagnostic] = {}
        for diagnostic in diagnostics:
            key = (diagnostic.code, diagnostic.headline, diagnostic.span)
            unique.setdefault(key, diagnostic)
        ordered = sorted(unique.values(), key=lambda diagnostic: diagnostic.span.start)
        return cls(tuple(ordered), sources)

    def __str__(self) -> str:
        from optgen.diagnostics.render import (
            render_report,
        )  # a message needs no renderer until shown

        return "\n" + render_report(self.diagnostics, self.sources)
