"""TOML's grammar broken: what is wrong at a place, and what to write instead.

The parser's own messages change with its version and are written for programmers; from them we take
the place only, and say by what stands there what is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Mistake:
    """A place where TOML's grammar is broken.

    Attributes:
        headline: what is wrong.
        start, end: the place in the text.
        help: what to write instead.
    """

    headline: str
    start: int
    end: int
    help: str | None = None


def mistake_at(message: str, position: int, text: str) -> Mistake:
    """What is wrong where the parser stopped.

    Args:
        message: the parser's message.
        position: where it stopped; the length of the text for its end.
        text: the whole text.
    """
    opened = _open_string(text)
    if opened is not None and opened.end <= position + 1:
        return opened
    if _TWICE.search(message):
        return _given_twice(position, text)
    line_start = text.rfind("\n", 0, position) + 1
    line_end = text.find("\n", position)
    line = text[line_start : len(text) if line_end < 0 else line_end]
    column = position - line_start
    for rule in _RULES:
        found = rule.find(message, line, column)
        if found is not None:
            start, end = found.span(1)
            value = found[1].strip()
            return Mistake(
                rule.headline.format(value),
                line_start + start,
                line_start + end,
                rule.advice(value),
            )
    headline = next((ours for theirs, ours in _HEADLINES if theirs in message), "cannot be read")
    return Mistake(headline, position, min(position + 1, len(text)))


_TWICE = re.compile("overwrite|twice|Duplicate|immutable|redefine", re.IGNORECASE)
_HEADLINES = (
    ("newline or end of document", "more follows on the line than one `key = value`"),
    ("'=' after a key", "a line is `key = value`, a table `[name]` or a comment"),
    ("Invalid statement", "a line is `key = value`, a table `[name]` or a comment"),
    ("end of a table declaration", "a table's name is closed by `]`"),
    ("end of an array declaration", "the name of a list of tables is closed by `]]`"),
    ("Invalid value", "a value is missing, or is none"),
    ("key part", "a key is missing"),
    ("Unclosed inline table", "a `,` or `}` is missing"),
    ("Unclosed array", "a `,` or `]` is missing"),
    ("date", "a date that does not exist"),
    ("Unescaped", "a backslash begins no escape that TOML has"),
    ("hex value", "a backslash begins no escape that TOML has"),
    ("scalar value", "a backslash begins no escape that TOML has"),
    ("invalid character", "a character that cannot stand here"),
)


_STRINGS = re.compile(
    r"\"\"\"(?:\\.|[^\\])*?\"\"\"|'''.*?'''|(?P<long>\"\"\"|''')"
    r"|\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|(?P<short>[\"'])|#[^\n]*",
    re.DOTALL,
)


def _open_string(text: str) -> Mistake | None:
    """The first string that is not closed; None if all are."""
    for found in _STRINGS.finditer(text):
        if found.lastgroup == "long":
            headline = f"a text that {found[0]} opens is never closed"
            return Mistake(headline, found.start(), found.end(), f"close it by {found[0]}")
        if found.lastgroup == "short":
            hint = "a text of several lines stands between ''' and '''"
            return Mistake("a string is not closed on its line", *found.span(), hint)
    return None


_KEY = re.compile(r"(?:^|[{,])[ \t]*([\w\"'.-]+)[ \t]*=|^[ \t]*(\[+[^\]\n]*\]+)", re.MULTILINE)


def _given_twice(position: int, text: str) -> Mistake:
    """A key or a table that was there before."""
    line_end = text.find("\n", position)
    last = None
    for found in _KEY.finditer(text, 0, len(text) if line_end < 0 else line_end):
        # The parser stops behind the value of a key, and inside the name of a table.
        if found.start(1) < position if found[1] else found.start(2) <= position:
            last = found
    if last is None:
        return Mistake("a key is given twice", position, min(position + 1, len(text)))
    group = 1 if last[1] else 2
    name = last[group]
    hint = None
    if group == 2:
        bare = name.strip("[] \t")
        hint = "put all of its keys below one header"
        if bare in ("modes", "example"):
            hint = f"write `[[{bare}]]`, in double brackets, above each"
    return Mistake(f"`{name}` is given twice", *last.span(group), hint)


@dataclass(frozen=True)
class _Rule:
    """What a line looks like that has a certain mistake.

    Attributes:
        pattern: the line; its first group is the place.
        headline: with ``{}`` for the text of the place.
        help: with ``{}`` for the text of the place.
        messages: the parser's messages at which the rule is asked; empty for any.
    """

    pattern: str
    headline: str
    help: str
    messages: str = ""

    def find(self, message: str, line: str, column: int) -> re.Match[str] | None:
        """What is found where the parser stopped, for a reason that fits."""
        if re.search(self.messages, message) is None:
            return None
        for found in re.finditer(self.pattern, line):
            if found.start(1) <= column + 1 and column <= found.end(0) + 1:
                return found
        return None

    def advice(self, value: str) -> str:
        """The help, for the text of the place."""
        return self.help.format(value, lower=value.lower(), zero=_with_zeros(value))


def _with_zeros(number: str) -> str:
    """A number with digits on both sides of its point."""
    return re.sub(r"\.(?!\d)", ".0", re.sub(r"(?<!\d)\.", "0.", number))


_VALUE = r"=\s*"
_NUMBER = r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RULES = (
    _Rule(_VALUE + r"(True|False)\b", "`{}` is not a value", "write `{lower}`"),
    _Rule(
        _VALUE + r"(None|none|null|nil)\b",
        "`{}` is not a value",
        "leave the key out; a hyperparameter that may be None has `optional = true`",
    ),
    _Rule(
        _VALUE + rf"({_NUMBER}\s*(?:\^|\*\*|[*/])\s*{_NUMBER})",
        "`{}` is a calculation, not a number",
        "write its result, such as `1e-8`",
    ),
    _Rule(
        _VALUE + r"([+-]?(?:\.\d+|\d+\.(?!\d))(?:[eE][+-]?\d+)?)",
        "a number has digits on both sides of its point",
        "write `{zero}`",
    ),
    _Rule(r"^\s*(//|--|;|%)", "`{}` does not start a comment", "a comment starts with `#`"),
    _Rule(r"(;)\s*$", "`{}` ends no line of TOML", "remove it"),
    _Rule(r"(:)\s", "a key and its value are joined by `=`", "write `key = value`", "'='"),
    _Rule(
        r"(,)\s*\}",
        "no comma stands before the closing brace",
        "remove the comma",
        "key part",
    ),
    _Rule(
        r"\{(?:[^}\"']|\"[^\"]*\"|'[^']*')*()$",
        "a table in braces stands on one line",
        "write it on one line, or as a table of its own, such as `[hyperparameters.beta]`",
    ),
    _Rule(
        r"[\d\"'\]el]\s+(\w+)\s*=",
        "no comma before `{}`",
        "keys inside of braces are separated by commas",
        "inline table",
    ),
    _Rule(
        _VALUE + r"([A-Za-z_][\w .-]*)",
        "a word stands in quotes",
        'write `"{}"`',
        "Invalid value",
    ),
    _Rule(r"^\s*(\[+[^\]]*)$", "the name of a table is closed by `]`", "write `{}]`"),
    _Rule(r"^\s*(\w+)\s", "a key and its value are joined by `=`", "write `{} = ...`", "'='"),
    _Rule(
        r"(\\.?)",
        "`{}` begins no escape that TOML has",
        "between ''' and ''' a backslash stands for itself",
        "Unescaped|hex|scalar",
    ),
)
