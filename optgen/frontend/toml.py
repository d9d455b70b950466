"""TOML text as plain data, with the place in the text of every key and value.

This is the one module that knows the TOML parser.  No input makes it raise anything but a
CompileError.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import spanned_toml
from spanned_toml._types import Spanned

from optgen.diagnostics import CompileError, Diagnostic, Label, Span
from optgen.frontend.toml_syntax import mistake_at

Location = tuple[str | int, ...]

MAX_BYTES = 256 * 1024
MAX_LINE = 4_000
MAX_DEPTH = 64
MAX_KEYS = 4_096
"""More keys and tables than the largest spec has; the parser's time grows with their square."""
_REORDERING = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
)
# Strings and comments first, so that brackets inside them do not count.
_TOKEN = re.compile(
    r"\"\"\"(?:\\.|[^\\])*?\"\"\"|'''.*?'''|\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|#[^\n]*|[\[\]{}=]",
    re.DOTALL,
)
_KEY_PART = r"""(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')"""
_LONG_KEY = re.compile(rf"[ \t]*\[*[ \t]*(?:{_KEY_PART}[ \t]*\.[ \t]*){{16}}")
_WHERE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


@dataclass
class SpanIndex:
    """Where each key and each value of a TOML file stands.

    Attributes:
        path: the file.
        text: its content.
    """

    path: str
    text: str
    _values: dict[Location, Span] = field(default_factory=dict)
    _keys: dict[Location, Span] = field(default_factory=dict)

    def value(self, *location: str | int) -> Span:
        """The span of a value; if it is missing, that of the innermost enclosing thing."""
        for length in range(len(location), 0, -1):
            span = self._values.get(location[:length]) or self._keys.get(location[:length])
            if span is not None:
                return span
        return Span(self.path, 0, 0)

    def key(self, *location: str | int) -> Span:
        """The span of a key; that of the value or of what encloses it if there is no such key."""
        return self._keys.get(location) or self.value(*location)

    def inside(self, *location: str | int) -> set[Span]:
        """The spans of a key, its value, and everything in it."""
        tables = (self._values, self._keys)
        return {
            span
            for table in tables
            for where, span in table.items()
            if where[: len(location)] == location
        }

    def has(self, *location: str | int) -> bool:
        """Whether the file holds this key or value."""
        return location in self._values or location in self._keys

    def names(self) -> frozenset[str]:
        """The names that the file declares, of hyperparameters and of slots."""
        declared = (*self._keys, *self._values)
        return frozenset(
            str(location[1])
            for location in declared
            if len(location) > 1 and location[0] in ("hyperparameters", "slots")
        )

    def content(self, value: str, *location: str | int) -> Span | None:
        """The span of a string's characters, between the quotes.

        None if escapes make the characters of the text differ from those of the value.
        """
        span = self.value(*location)
        for quotes in ("'''\n", '"""\n', "'''", '"""', "'", '"'):
            start = span.start + len(quotes)
            if self.text.startswith(quotes, span.start) and self.text.startswith(value, start):
                return Span(self.path, start, start + len(value))
        return None


def read_toml(path: Path) -> tuple[dict[str, Any], SpanIndex]:
    """The content of a TOML file.

    Raises:
        CompileError: if it cannot be read, or as for `parse_toml`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CompileError.of([unreadable(str(path), error)], {}) from None
    return parse_toml(content, str(path))


def unreadable(path: str, error: OSError) -> Diagnostic:
    """The message about a file that cannot be read."""
    headline = f"cannot read the spec: {error.strerror or 'the system gives no reason'}"
    return Diagnostic("E101", headline, (Label(Span(path, 0, 0)),))


def parse_toml(content: bytes | str, path: str) -> tuple[dict[str, Any], SpanIndex]:
    """TOML text as a plain dictionary, and where everything in it stands.

    Args:
        content: the file's bytes, or its text.
        path: the name of the file in messages.

    Raises:
        CompileError: if the text is not UTF-8, too large, too deep, has invisible characters, or is
            not TOML.
    """
    text = _decode(content, path)
    _check_text(text, path)
    try:
        document = spanned_toml.loads(text)
        index = SpanIndex(path, text)
        data = _plain(document, (), index)
    except spanned_toml.TOMLDecodeError as error:
        wrong = mistake_at(*_locate(str(error), text), text)
        span = Span(path, wrong.start, wrong.end)
        _fail("E104", f"not valid TOML: {wrong.headline}", span, text, help=wrong.help)
    except RecursionError:
        _fail("E103", f"tables more than {MAX_DEPTH} deep", Span(path, 0, 0), text)
    except (ValueError, LookupError, TypeError, AttributeError):
        # What the parser lets slip, such as an integer of 5,000 digits.
        headline = "not valid TOML: a value cannot be read"
        _fail("E104", headline, Span(path, 0, 0), text)
    _check_strings(data, (), index)
    return data, index


def _fail(
    code: str,
    headline: str,
    span: Span,
    text: str | None,
    label: str = "",
    help: str | None = None,
) -> NoReturn:
    diagnostic = Diagnostic(code, headline, (Label(span, label),), help)
    raise CompileError.of([diagnostic], {} if text is None else {span.path: text}) from None


def _decode(content: bytes | str, path: str) -> str:
    if len(content) > MAX_BYTES:
        _fail("E103", f"the spec has more than {MAX_BYTES // 1024} KiB", Span(path, 0, 0), None)
    if isinstance(content, str):
        # A lone surrogate is no character of any file.
        content = content.encode("utf-8", errors="surrogatepass")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        start = len(content[: error.start].decode("utf-8").replace("\r\n", "\n"))
        shown = content.decode("utf-8", "replace").replace("\r\n", "\n")
        headline = f"the spec is not UTF-8: byte {error.start} does not fit"
        label = f"the byte 0x{content[error.start]:02X}"
        hint = "save the file as UTF-8 in your editor"
        _fail("E102", headline, Span(path, start, start + 1), shown, label, hint)
    return text.replace("\r\n", "\n")


def _check_text(text: str, path: str) -> None:
    """Refuse, before the parser sees it, what would exhaust it or deceive a reader."""
    start = 0
    for line in text.split("\n"):
        if len(line) > MAX_LINE:
            span = Span(path, start, start + 1)
            headline = f"a line of {len(line):,} characters; {MAX_LINE:,} are allowed"
            _fail("E103", headline, span, text, help="break the line")
        if _LONG_KEY.match(line):
            _fail("E103", "a key of more than 16 parts", Span(path, start, start + 1), text)
        start += len(line) + 1
    for offset, character in enumerate(text):
        if _invisible(character):
            name = f"U+{ord(character):04X}"
            hint = "remove it" if offset else "save the file without a byte order mark"
            span = Span(path, offset, offset + 1)
            _fail("E105", f"an invisible character, {name}", span, text, help=hint)
    depth = keys = 0
    for token in _TOKEN.finditer(text):
        header = token[0] == "[" and text[token.start() - 1 : token.start()] in ("", "\n")
        keys += token[0] == "=" or header
        if keys > MAX_KEYS:
            span = Span(path, token.start(), token.end())
            _fail("E103", f"more than {MAX_KEYS:,} keys and tables", span, text)
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > MAX_DEPTH:
            span = Span(path, token.start(), token.end())
            hint = "lists of numbers are as deep as the variable has dimensions"
            _fail("E103", f"brackets more than {MAX_DEPTH} deep", span, text, help=hint)


def _invisible(character: str) -> bool:
    if character in _REORDERING:
        return True
    return character not in "\n\t" and unicodedata.category(character) in ("Cc", "Zl", "Zp", "Cs")


def _check_strings(data: Any, location: Location, index: SpanIndex) -> None:
    """Refuse in the strings what escapes could have brought in."""
    for part, where in _strings(data, location):
        for character in part:
            if _invisible(character):
                headline = f"an invisible character, U+{ord(character):04X}, written as an escape"
                hint = "between ''' and ''' a backslash stands for itself"
                _fail("E105", headline, index.value(*where), index.text, help=hint)


def _strings(data: Any, location: Location) -> Iterator[tuple[str, Location]]:
    if isinstance(data, str):
        yield data, location
    elif isinstance(data, dict):
        for key, value in data.items():
            yield key, (*location, key)
            yield from _strings(value, (*location, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _strings(value, (*location, number))


def _locate(message: str, text: str) -> tuple[str, int]:
    """The parser's message, and the offset that it names at its end."""
    where = _WHERE.search(message)
    if where is None:
        return message, 0
    if where[1] is None:
        return message, len(text.rstrip())
    lines = text.split("\n")
    return message, sum(len(line) + 1 for line in lines[: int(where[1]) - 1]) + int(where[2]) - 1


def _plain(node: Any, location: Location, index: SpanIndex) -> Any:
    """The plain value of the parser's tree, while its spans are noted in the index."""
    if len(location) > MAX_DEPTH:
        raise RecursionError
    inner, span = node.inner(), node.span()
    if location and span.stop > span.start:
        index._values[location] = Span(index.path, span.start, span.stop)
    if isinstance(inner, dict):
        return _plain_table(inner, location, index)
    if isinstance(inner, list):
        values = [_plain(item, (*location, number), index) for number, item in enumerate(inner)]
        _note_headers(location, inner, index)
        return values
    return inner


def _plain_table(table: dict[Any, Any], location: Location, index: SpanIndex) -> dict[str, Any]:
    out = {}
    for key, value in table.items():
        name = key.inner() if isinstance(key, Spanned) else key
        where = (*location, name)
        index._keys[where] = Span(index.path, key.span().start, key.span().stop)
        out[name] = _plain(value, where, index)
    return out


def _note_headers(location: Location, items: list[Any], index: SpanIndex) -> None:
    """The items of an array of tables have no span of their own: theirs is the ``[[header]]``."""
    if location in index._values:
        return
    name = re.escape(str(location[-1]))
    header = re.compile(rf"^[ \t]*(\[\[[^\]\n]*\b{name}[ \t\"']*\]\])", re.MULTILINE)
    position = 0
    for number, item in enumerate(items):
        table = item.inner()
        first = next(iter(table)).span().start if isinstance(table, dict) and table else None
        # The header of a table is the last one before its first key; of an empty table, the next.
        headers = header.finditer(index.text, position, first or len(index.text))
        found = next(headers, None)
        if first is not None:
            found = max(headers, key=re.Match.start, default=found)
        if found is not None:
            index._values[*location, number] = Span(index.path, found.start(1), found.end(1))
            position = found.end()
