"""The words of a line of equations, and what is found wrong with them."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\n]+)
  | (?P<number>0[xXbBoO][0-9A-Fa-f_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?[jJ]?)
  | (?P<foreign>[A-Za-z0-9_]*(?:(?![\x00-\x7f])[\w\u0300-\u036f]\w*)+|[^\x00-\x7f])
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<latex>\\[A-Za-z]+)
  | (?P<string>"[^"\n]*"|(?<![A-Za-z0-9_)\]}])'[^'\n]*')
  | (?P<operator>
      &&|\|\||===|!==|=<|=>|<>|<-(?=\s)|:=|->|\+\+|\*\*=|//=|<<=|>>=|\*\*|//|<<|>>
    | [-+*/%@&|^]=|[<>=!]=|[-+*/%@&|^~<>=!,:;.()\[\]{}?]
    )
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD_OPERATORS = {"and", "or", "not", "in", "is", "if", "else", "for", "lambda"}


@dataclass(frozen=True)
class Token:
    """A word, a number or a sign.

    Attributes:
        kind: ``number``, ``name``, ``string``, ``operator``; ``latex``, ``foreign`` for characters
            beyond ASCII, ``other`` for what belongs to nothing.
        text: its characters.
        start: the offset of the first one in the line.
    """

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        """The offset after the last character."""
        return self.start + len(self.text)

    @property
    def is_word(self) -> bool:
        """Whether this is a word of the grammar, such as ``and``."""
        return self.kind == "name" and keyword.iskeyword(self.text)

    @property
    def ends_operand(self) -> bool:
        """Whether a value may end here."""
        if self.kind == "operator":
            return self.text in (")", "]", "}")
        return self.kind != "other" and self.text not in _WORD_OPERATORS

    @property
    def starts_operand(self) -> bool:
        """Whether a value may start here, a parenthesis aside."""
        return self.kind in ("number", "name", "string") and self.text not in _WORD_OPERATORS


def tokens_of(text: str) -> list[Token]:
    """The tokens of a line, without the space between them."""
    return [
        Token(match.lastgroup or "other", match[0], match.start())
        for match in _TOKEN.finditer(text)
        if match.lastgroup != "space"
    ]


@dataclass(frozen=True)
class Finding:
    """Something on a line that is not of the language.

    Attributes:
        code: the code of the message.
        headline: what it is.
        start, end: its place in the line.
        label: a remark at the place.
        help: what to write instead.
    """

    code: str
    headline: str
    start: int
    end: int
    label: str = ""
    help: str | None = None


CLOSING = {"(": ")", "[": "]", "{": "}"}


def unbalanced(tokens: Sequence[Token]) -> tuple[Token, str] | None:
    """The first bracket that is wrong, and what is wrong with it; None if all are right."""
    opened: list[Token] = []
    for token in tokens:
        if token.kind != "operator":
            continue
        if token.text in CLOSING:
            opened.append(token)
        elif token.text in CLOSING.values():
            if not opened:
                return token, "closes nothing"
            if CLOSING[opened[-1].text] != token.text:
                return token, f"does not close `{opened[-1].text}`"
            opened.pop()
    return (opened[-1], "is never closed") if opened else None


def with_depth(tokens: Sequence[Token]) -> Iterator[tuple[Token, int]]:
    """Each token, and how many brackets are open before it."""
    depth = 0
    for token in tokens:
        if token.kind == "operator" and token.text in ")]}":
            depth -= 1
        yield token, depth
        if token.kind == "operator" and token.text in "([{":
            depth += 1


def matching(tokens: Sequence[Token], position: int) -> int:
    """The position of the bracket that closes the one at ``position``."""
    depth = 0
    for number in range(position, len(tokens)):
        if tokens[number].kind == "operator":
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(tokens[number].text, 0)
        if depth == 0:
            return number
    return len(tokens) - 1
