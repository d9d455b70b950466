"""Messages as text, in the manner of rustc."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from optgen.diagnostics.span import Diagnostic, Label

TAB = "    "
MAX_SENTENCE = 1_000
"""The most characters of a headline or a line of help; a longer one is cut."""
MAX_WIDTH = 110
"""The most columns of a source line that are shown; of a wider one the labelled part is."""


def render_all(diagnostics: Iterable[Diagnostic], sources: Mapping[str, str]) -> str:
    """All messages, an empty line between them."""
    return "\n".join(render(diagnostic, sources) for diagnostic in diagnostics)


def render_report(diagnostics: Sequence[Diagnostic], sources: Mapping[str, str]) -> str:
    """All messages of a run, and where to read more about them."""
    messages = render_all(diagnostics, sources)
    return f"{messages}\nFor more about a message: optgen explain {diagnostics[0].code}\n"


def render(diagnostic: Diagnostic, sources: Mapping[str, str]) -> str:
    """One message: headline, position, the lines concerned with labels under them, and help.

    Args:
        diagnostic: the message.
        sources: the text of each file by path; without a file's text only its name is shown.
    """
    out = [f"error[{diagnostic.code}]: {_sentence(diagnostic.headline)}"]
    path = diagnostic.span.path
    text = sources.get(path)
    if text is None:
        out.append(f" --> {visible(path)}")
        margin = " "
    else:
        lines = _labelled_lines(diagnostic.labels, text, path)
        margin = " " * len(str(max(lines)))
        position = diagnostic.span.position(text)
        out.append(f"{margin}--> {visible(path)}:{position.line}:{position.column}")
        out.append(f"{margin} |")
        for number in sorted(lines):
            out.extend(_snippet(number, lines[number], margin))
        out.append(f"{margin} |")
    if diagnostic.help is not None:
        first, *rest = diagnostic.help.splitlines()
        out.append(f"{margin} = help: {_sentence(first)}")
        out.extend(f"{margin}         {_sentence(line)}" for line in rest)
    return "\n".join(out) + "\n"


def _sentence(text: str) -> str:
    return visible(text if len(text) <= MAX_SENTENCE else f"{text[:MAX_SENTENCE]}...")


def visible(text: str) -> str:
    """The text with every character that would not show, or would reorder others, as an escape."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character == "\t":
        return TAB
    if character != " " and unicodedata.category(character)[0] in "CZ":
        return character.encode("unicode_escape").decode("ascii")
    return character


def _width(text: str) -> int:
    """How many columns a terminal takes for the text as shown."""
    return sum(_character_width(character) for character in visible(text))


def _character_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


@dataclass
class _Mark:
    """A label's columns on its line."""

    start: int
    end: int
    text: str
    primary: bool


@dataclass
class _Line:
    """A source line as shown, and the marks under it."""

    text: str
    marks: list[_Mark]


def _labelled_lines(labels: tuple[Label, ...], text: str, path: str) -> dict[int, _Line]:
    """The lines to show, by number; a label over several lines is shown on its first."""
    lines: dict[int, _Line] = {}
    for index, label in enumerate(labels):
        if label.span.path != path:
            continue
        start = min(label.span.start, len(text))
        line_start = text.rfind("\n", 0, start) + 1
        line_end = text.find("\n", start)
        line_end = len(text) if line_end < 0 else line_end
        end = max(min(label.span.end, line_end), start)
        column = _width(text[line_start:start])
        mark = _Mark(
            column,
            column + max(1, _width(text[start:end])),
            visible(label.text),
            primary=index == 0,
        )
        number = text.count("\n", 0, start) + 1
        line = lines.setdefault(number, _Line(visible(text[line_start:line_end]).rstrip(), []))
        line.marks.append(mark)
    for line in lines.values():
        _narrow(line)
    return lines


def _narrow(line: _Line) -> None:
    """Cut a wide line down to a window that holds its marks, as far as they fit."""
    if sum(map(_character_width, line.text)) <= MAX_WIDTH:
        return
    first = min(mark.start for mark in line.marks)
    last = max(mark.end for mark in line.marks)
    left = 0 if last <= MAX_WIDTH else max(0, first - max(8, (MAX_WIDTH - (last - first)) // 2))
    shown, column = [], 0
    for character in line.text:
        width = _character_width(character)
        if left <= column and column + width <= left + MAX_WIDTH:
            shown.append(character)
        column += width
    prefix = "..." if left else ""
    suffix = "..." if column > left + MAX_WIDTH else ""
    line.text = prefix + "".join(shown) + suffix
    for mark in line.marks:
        mark.start = min(max(mark.start - left, 0), MAX_WIDTH - 1) + len(prefix)
        mark.end = max(min(mark.end - left, MAX_WIDTH) + len(prefix), mark.start + 1)


def _snippet(number: int, line: _Line, margin: str) -> list[str]:
    """A source line, the underlines of its marks, and their remarks from right to left."""
    gutter = f"{margin} | "
    out = [f"{number:>{len(margin)}} | {line.text}".rstrip()]
    canvas = [" "] * max(mark.end for mark in line.marks)
    # The shortest last, so that a part stays visible inside the whole.
    for mark in sorted(line.marks, key=lambda mark: (mark.start - mark.end, mark.primary)):
        character = "^" if mark.primary else "-"
        canvas[mark.start : mark.end] = character * (mark.end - mark.start)
    underline = "".join(canvas)
    remarks = sorted((mark for mark in line.marks if mark.text), key=lambda mark: mark.start)
    if remarks and remarks[-1].end >= max(mark.end for mark in line.marks):
        underline += " " + remarks.pop().text
    out.append(gutter + underline)
    if remarks:
        out.append(gutter + _bars(remarks))
    while remarks:
        mark = remarks.pop()
        left = _bars([other for other in remarks if other.start < mark.start])
        out.append(gutter + left.ljust(mark.start) + mark.text)
    return out


def _bars(marks: list[_Mark]) -> str:
    """A row with a vertical bar under the start of each mark."""
    row = ""
    for mark in marks:
        row = row.ljust(mark.start)
        row = row if len(row) > mark.start else row + "|"
    return row
