"""A line in the notation of papers -> the same line in the language, to be proposed to its author.

What does not mean one thing for certain has no translation: sums with bounds, indices of several
buffers, primes, and values of the last step where a line above has set those of this one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from optgen.frontend.notation import findings
from optgen.frontend.papers import (
    LATEX_ACCENTS,
    LATEX_PARTS,
    LATEX_SIGNS,
    NORMS,
    PaperName,
    accented,
    enclosures,
    gradient,
    is_gradient,
    is_sum,
    name_at,
    script_end,
)
from optgen.frontend.tokens import CLOSING, Token, matching, tokens_of, unbalanced, with_depth
from optgen.frontend.transliteration import PRIMES, SIGNS, greek_letter, power
from optgen.ir.intrinsics import INTRINSICS, SHORTHANDS

_MAX_DEPTH = 16
_PLAIN = frozenset(
    ["+", "-", "*", "/", "**", "=", "<", ">", "<=", ">=", "==", "!=", ",", "and", "or"]
)
_STEP = re.compile(r"[tknTK]([+-]1)?")
_ONE_VALUE = 3
"""Words of a line that assigns a value without an operator outside of brackets."""
_SHORT = 2
"""Letters of a name up to which one before a parenthesis is a factor, and no function."""


class _NotUnderstoodError(Exception):
    """Something on the line may mean several things, or nothing."""


@dataclass
class Translator:
    """Translates the lines of a block, one after the other.

    Attributes:
        declared: the names that the spec declares, which are preferred.
        assigned: names that lines so far assign, with the index of the step that they have there.
    """

    declared: Collection[str]
    assigned: dict[str, str] = field(default_factory=dict)

    def translated(self, text: str) -> str | None:
        """The next line in the language; None if it is not understood."""
        # Sizes of parentheses mean nothing.
        tokens = [token for token in tokens_of(text) if LATEX_SIGNS.get(token.text) != ""]
        line = _Line(text, tokens, self.declared)
        try:
            return self._translated(line)
        except _NotUnderstoodError:
            return None
        finally:
            # What a line assigns counts below, whether or not it was understood.
            self.assigned.update(line.names[:1])

    def _translated(self, line: _Line) -> str:
        words = line.all_words()
        if words[1:2] != ["="] or not line.names:
            raise _NotUnderstoodError
        (target, _), *read = line.names
        if target == "g" or not all(self._is_at_hand(*name) for name in read):
            raise _NotUnderstoodError
        if len(words) == _ONE_VALUE and words[2].startswith("("):
            words[2] = words[2][1:-1]
        return self._checked(_written(words))

    def _is_at_hand(self, name: str, index: str) -> bool:
        """Whether a name stands for the value that it has with an index of the step."""
        if index and not _STEP.fullmatch(index):
            return False
        if name in self.assigned:
            return index in ("", self.assigned[name])
        return "+" not in index and not (name == "g" and "-" in index)

    def _checked(self, line: str) -> str:
        """The line, if nothing about it is unusual any more."""
        if findings(line, False, self.declared):
            raise _NotUnderstoodError
        try:
            ast.parse(line)
        except (SyntaxError, RecursionError, MemoryError, ValueError):
            raise _NotUnderstoodError from None
        return line


class _Line:
    """Reads a line as a paper's.

    Args:
        text: the line.
        tokens: its tokens.
        declared: the names that the spec declares.

    Attributes:
        names: the names found, in order, with their indices of the step.
    """

    def __init__(self, text: str, tokens: Sequence[Token], declared: Collection[str]) -> None:
        self._text = text
        self._tokens = tokens
        self._declared = declared
        self._bars = enclosures(tokens)
        self.names: list[tuple[str, str]] = []

    def all_words(self) -> list[str]:
        """The words of the line, if its brackets match."""
        if unbalanced(self._tokens) is not None:
            raise _NotUnderstoodError
        return self.words(0, len(self._tokens), 0)

    def words(self, first: int, stop: int, depth: int) -> list[str]:
        """The words for a range of tokens, with the signs of products between factors."""
        if depth > _MAX_DEPTH:
            raise _NotUnderstoodError
        found: list[str] = []
        position = first
        while position < stop:
            part, position = self._part(position, depth)
            if found and _is_value(found[-1]) and _is_value(part[0]):
                if found[-1] in _FUNCTIONS and part[0].startswith("("):
                    part = [found.pop() + part[0]]
                else:
                    _check_factor(found)
                    found.append("*")
            if found[-1:] == ["e"] and part[0] == "**" and "e" not in self._declared:
                raise _NotUnderstoodError
            found += part
        return found

    def _part(self, position: int, depth: int) -> tuple[list[str], int]:
        """The words for what starts at a token, and the position behind it."""
        token = self._tokens[position]
        if position in self._bars:
            return self._norm(position, depth)
        if token.text in CLOSING:
            last = matching(self._tokens, position)
            return [self._group(position, last, depth)], last + 1
        if token.kind == "number" or token.text in _PLAIN:
            return [token.text], position + 1
        if token.text == "^":
            return self._exponent(position + 1, depth)
        if token.text == "√" or token.text in LATEX_PARTS:
            return self._root_or_quotient(position, depth)
        if token.text in LATEX_SIGNS:
            return [LATEX_SIGNS[token.text]], position + 1
        if token.text in SIGNS and SIGNS[token.text] in _PLAIN:
            return [SIGNS[token.text]], position + 1
        if token.kind not in ("name", "foreign", "latex") or token.is_word or is_sum(token):
            raise _NotUnderstoodError
        if is_gradient(self._tokens, position):
            return self._gradient(position)
        return self._name(position)

    def _group(self, first: int, last: int, depth: int) -> str:
        """What stands between two brackets, in parentheses; a word in braces needs none."""
        words = self.words(first + 1, last, depth + 1)
        if not words or "=" in words:
            raise _NotUnderstoodError
        bare = len(words) == 1 and self._tokens[first].text == "{"
        return words[0] if bare else f"({_written(words)})"

    def _norm(self, position: int, depth: int) -> tuple[list[str], int]:
        last = self._bars[position]
        inner = self._group(position, last, depth)
        end = script_end(self._tokens, last)
        index = self._text[self._tokens[last].end : self._tokens[end].end].strip("_{}")
        function = NORMS[self._tokens[position].text]
        if index == "1" and function == "norm":
            return [f"sum(abs{inner})"], end + 1
        if index not in ("", "2"):
            raise _NotUnderstoodError
        return [f"{function}{inner}"], end + 1

    def _exponent(self, position: int, depth: int) -> tuple[list[str], int]:
        if position >= len(self._tokens):
            raise _NotUnderstoodError
        token, following = self._tokens[position], self._tokens[position + 1 : position + 2]
        if token.text in ("T", "⊤", "*", "-", "+") or token.kind == "latex":
            raise _NotUnderstoodError
        if token.text == "{" and following[0].text == "(":
            # One buffer of several, as a rule, rather than a power.
            raise _NotUnderstoodError
        words, end = self._part(position, depth)
        if len(words) != 1:
            raise _NotUnderstoodError
        return ["**", *words], end

    def _root_or_quotient(self, position: int, depth: int) -> tuple[list[str], int]:
        token = self._tokens[position]
        groups: list[str] = []
        end = position + 1
        for _ in range(LATEX_PARTS.get(token.text, (1, ""))[0]):
            if end >= len(self._tokens):
                raise _NotUnderstoodError
            words, end = self._part(end, depth + 1)
            if len(words) != 1 or not _is_value(words[0]):
                raise _NotUnderstoodError
            groups += words
        if len(groups) == 1:
            inner = groups[0] if groups[0].startswith("(") else f"({groups[0]})"
            return [f"sqrt{inner}"], end
        return [f"({groups[0]} / {groups[1]})"], end

    def _gradient(self, position: int) -> tuple[list[str], int]:
        found = gradient(self._tokens, position, self._text)
        if found is None:
            raise _NotUnderstoodError
        return ["g"], found[1] + 1

    def _name(self, position: int) -> tuple[list[str], int]:
        token = self._tokens[position]
        if token.text in self._declared:
            self.names.append((token.text, ""))
            return [token.text], position + 1
        calls = any(
            following.text == "(" for following in self._tokens[position + 1 : position + 2]
        )
        function = token.text.removeprefix("\\")
        if calls and function in (_FUNCTIONS | _OF_SEVERAL.keys()):
            return [self._function(function, position + 1)], position + 1
        if token.text in LATEX_ACCENTS:
            name: PaperName | None = accented(self._tokens, position, self._text, self._declared)
            exponent = ""
        else:
            name, exponent = self._plain_name(position)
        if name is None or any(part.text in PRIMES for part in name.parts):
            raise _NotUnderstoodError
        if calls and len(name.base) > _SHORT and token.kind == "name" and not name.step:
            raise _NotUnderstoodError
        step = name.step or ("t" if name.raw.endswith("_t") else "")
        self.names.append((name.base, step))
        return [name.base, *(["**", exponent] if exponent else [])], name.last + 1

    def _function(self, name: str, opening: int) -> str:
        """The function of a name, given where the bracket of its arguments opens."""
        group = self._tokens[opening : matching(self._tokens, opening) + 1]
        if any(token.text == "," and depth == 1 for token, depth in with_depth(group)):
            return _OF_SEVERAL.get(name, name)
        if name not in _FUNCTIONS:
            raise _NotUnderstoodError
        return name

    def _plain_name(self, position: int) -> tuple[PaperName | None, str]:
        """A name, and the exponent that is written above its end; empty without one."""
        token = self._tokens[position]
        if token.kind == "latex" and greek_letter(token.text[1:]) is None:
            raise _NotUnderstoodError
        base, exponent = power(token.text) if token.kind == "foreign" else (token.text, "")
        if not exponent:
            return name_at(self._tokens, position, self._declared), ""
        name = name_at([Token(token.kind, base, token.start)], 0, self._declared)
        if name is None:
            return None, ""
        return PaperName(name.base, name.raw, name.step, name.parts, position), exponent


_FUNCTIONS = frozenset([*(n for n, row in INTRINSICS.items() if row.public), *SHORTHANDS])


def _written(words: Sequence[str]) -> str:
    """Words with spaces between them, but none before a comma or behind the sign of a value."""
    line = ""
    for index, word in enumerate(words):
        before = words[max(0, index - 2) : index]
        signed = before[-1:] in (["-"], ["+"]) and (len(before) == 1 or before[0] in _PLAIN)
        line += word if not index or word == "," or signed else f" {word}"
    return line


def _check_factor(words: Sequence[str]) -> None:
    """Leave `a / b c` alone, which may be `a / (b * c)` or `a / b * c`."""
    for word in reversed(words):
        if word == "/":
            raise _NotUnderstoodError
        if word in _PLAIN and word not in ("*", "**"):
            return


_OF_SEVERAL = {"max": "maximum", "min": "minimum"}
"""What papers call the larger of two numbers is the largest of all elements in the language."""


def _is_value(word: str) -> bool:
    return word not in _PLAIN
