"""The notation of papers and of other languages in equations, and what to write instead.

This is what Python's parser would refuse in words that change from version to version, or take
for something that the author did not mean.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from optgen.frontend.papers import (
    enclosure,
    enclosures,
    group_in_brackets,
    latex_groups,
    paper_notation,
)
from optgen.frontend.tokens import (
    CLOSING,
    Finding,
    Token,
    matching,
    tokens_of,
    unbalanced,
    with_depth,
)
from optgen.frontend.transliteration import PRIME, advice


def findings(text: str, condition: bool, declared: Collection[str] = ()) -> list[Finding]:
    """What on a line is not of the language; empty if Python's parser may read it.

    Args:
        text: the line, with comments blanked out.
        condition: whether it should be a condition rather than an equation.
        declared: the names that the spec declares, which suggestions prefer.
    """
    tokens = tokens_of(text)
    wrong = unbalanced(tokens)
    if wrong is not None:
        token, what = wrong
        hint = "remove it, or open it before"
        if token.text in CLOSING:
            hint = f"a `{CLOSING[token.text]}` is missing"
        return [Finding("E303", f"`{token.text}` {what}", token.start, token.end, "", hint)]
    found = list(_statement(tokens, text)) if not condition else []
    if not found:
        foreign = _foreign(tokens, text, condition, declared)
        found = list({finding.headline: finding for finding in reversed([*foreign])}.values())[::-1]
        if any(token.text == "for" for token in tokens):
            found = [finding for finding in found if text[finding.start : finding.end] != "in"]
    if not found:
        found = list(_structure(tokens, text))
    return found


_STATEMENTS = {
    "if": "a mode is chosen by its `when`; a value by `where(condition, x, y)`",
    "elif": "a mode is chosen by its `when`; a value by `where(condition, x, y)`",
    "else": "a mode is chosen by its `when`; a value by `where(condition, x, y)`",
    "for": (
        "equations hold for every element of every variable at once; for several buffers write "
        "one line and one slot each, `v_1`, `v_2`"
    ),
    "while": "equations run once a step, for every element at once",
    "def": "write the expression where it is used, or name its value on a line of its own",
    "return": "assign the variable, `w = ...`; slots keep what they are assigned",
    "import": "the functions of the language need no import",
    "from": "the functions of the language need no import",
}
_OTHER_STATEMENTS = (
    *("assert", "async", "await", "break", "class", "continue", "del", "except", "finally"),
    *("global", "nonlocal", "pass", "raise", "try", "with", "yield"),
)


_OPENING = frozenset(["if", "for", "while", "def", "try", "with", "class"])
_FOLLOWING = frozenset(["elif", "else", "except", "finally", "return"])


@dataclass
class Lines:
    """What earlier lines of a block say about a later one, so that one mistake has one message.

    Attributes:
        opened: whether a line began a statement of several lines.
        dangling: whether the line before broke off after an operator.
    """

    opened: bool = False
    dangling: bool = False

    def explained(self, text: str) -> bool:
        """Whether a line only goes on with a mistake that has had its message."""
        tokens = tokens_of(text)
        assigns = any(token.text == "=" and not depth for token, depth in with_depth(tokens))
        follows = self.opened and tokens[0].text in _FOLLOWING
        continues = self.dangling and not assigns
        self.opened = self.opened or tokens[0].text in _OPENING
        self.dangling = _wants_operand(tokens[-1])
        return follows or continues


def _statement(tokens: Sequence[Token], text: str) -> Iterator[Finding]:
    """A line that begins like another statement than an assignment, or has several."""
    if not tokens:
        return
    first, end = tokens[0], tokens[-1].end
    if first.text in _STATEMENTS or first.text in _OTHER_STATEMENTS:
        hint = _STATEMENTS.get(first.text, "each line is `name = expression`")
        headline = f"`{first.text}` is not part of the language"
        yield Finding("E304", headline, first.start, first.end, "", hint)
        return
    for token in tokens:
        if token.text == ";" and token.kind == "operator":
            last = token is tokens[-1]
            hint = "a line needs no `;` at its end" if last else "one equation a line"
            yield Finding("E304", "`;` is not part of the language", token.start, end, "", hint)
            return
    yield from _assignment(tokens, text)


def _assignment(tokens: Sequence[Token], text: str) -> Iterator[Finding]:
    """An assignment by another sign than a single ``=``."""
    for position, (token, depth) in enumerate(with_depth(tokens)):
        if token.kind != "operator" or depth:
            continue
        left = text[tokens[0].start : token.start].strip()
        right = text[token.end :].strip()
        if token.text in _AUGMENTED and position:
            whole = f"{left} = {left} {token.text[:-1]} {_in_parentheses(right, token.text)}"
            headline = f"`{token.text}` is not part of the language"
            help_line = f"write `{' '.join(whole.split())}`"
            yield Finding("E304", headline, token.start, token.end, "", help_line)
            return
        if token.text in (":=", "<-", "->") and position == 1:
            yield _operator(token, "E304", "write `=` for an assignment")
            return
        if token.text == ":" and position == 1:
            yield _operator(token, "E304", "write `name = expression`: names have no types")
            return
        if token.text == "=":
            yield from _second_assignment(tokens[position + 1 :])
            return


_AUGMENTED = frozenset(["+=", "-=", "*=", "/=", "**=", "//=", "%=", "@=", "&=", "|=", "^="])


def _in_parentheses(text: str, operator: str) -> str:
    """The right-hand side of an augmented assignment as an operand."""
    looser = "+-<>=" if operator in ("+=", "-=") else "+-*/<>="
    plain = not any(sign in text for sign in looser) and " and " not in text and " or " not in text
    return text if plain else f"({text})"


def _second_assignment(tokens: Sequence[Token]) -> Iterator[Finding]:
    for token, depth in with_depth(tokens):
        if token.text == "=" and token.kind == "operator" and not depth:
            hint = "one assignment a line; a comparison is written `==`"
            yield Finding("E304", "a second `=` on the line", token.start, token.end, "", hint)
            return


def _operator(token: Token, code: str, help_line: str | None) -> Finding:
    headline = f"`{token.text}` is not part of the language"
    return Finding(code, headline, token.start, token.end, "", help_line)


_INSTEAD = {
    "&&": "write `and`",
    "||": "write `or`",
    "!": "write `not`",
    "&": "write `and`",
    "|": "write `or`",
    "~": "write `not`",
    "^": "write `**` for a power",
    "===": "write `==`",
    "!==": "write `!=`",
    "<>": "write `!=`",
    "=<": "write `<=`",
    "=>": "write `>=`",
    "//": "write `/` for a quotient, `#` before a comment",
    "@": "write `*` for the product of the elements",
    "%": "the language has no remainder; a comment starts with `#`",
    "<<": None,
    ">>": None,
    "++": "write `name = name + 1`",
    "->": None,
    "<-": "write `=` for an assignment, and a space before a sign",
    ":=": "assign it on a line of its own",
    "?": "write `where(condition, x, y)`",
    "{": "group by parentheses",
    "}": "group by parentheses",
    "lambda": "write the expression where it is used, or name its value on a line of its own",
    "for": "equations hold for every element at once; `sum(x)` adds them up",
    "in": "compare by `==`, and join comparisons by `or`",
    "is": "write `==`",
}
"""What to write for signs and words of Python and of other languages."""
_WORDS = frozenset(["and", "or", "not", "if", "else", "None", "True", "False"])


def _foreign(
    tokens: Sequence[Token], text: str, condition: bool, declared: Collection[str]
) -> Iterator[Finding]:
    """Each sign and word that no equation holds."""
    bars = enclosures(tokens)
    explained = set(latex_groups(tokens)).union(bars.values())
    depths = [depth for _, depth in with_depth(tokens)]
    position = 0
    while position < len(tokens):
        finding: Finding | None = None
        if position in bars:
            finding, last = enclosure(tokens, position, bars[position], text)
            explained.update(range(bars[position], last + 1))
        elif position not in explained:
            paper = paper_notation(tokens, position, text, declared)
            if paper is not None:
                finding, position = paper
            elif tokens[position].kind == "operator":
                equals = condition or bool(depths[position])
                finding, position = _sign(tokens, position, text, condition, equals)
            else:
                before = tokens[position - 1] if position else None
                finding = _part(tokens[position], before, text, condition, declared)
        if finding is not None:
            yield finding
        position += 1


def _part(
    token: Token, before: Token | None, text: str, condition: bool, declared: Collection[str]
) -> Finding | None:
    """What is wrong with a token that is no operator."""
    if token.is_word and not (token.text in _WORDS or (condition and token.text == "is")):
        return _operator(token, "E304", _INSTEAD.get(token.text))
    if token.kind == "foreign":
        headline, help_line = advice(token.text, declared)
        return Finding("E303", headline, token.start, token.end, "", help_line)
    if token.kind == "latex":
        hint = f"write `{token.text[1:]}`, a name in ASCII letters"
        return _operator(token, "E303", hint)
    if token.kind == "string" and not (
        _is_word(text, token) and (condition or (before is not None and before.text == "["))
    ):
        return _string(token, condition)
    return _other(token, before) if token.kind == "other" else None


_EQUALS = {
    True: "write `==` for a comparison",
    False: "write `==` for a comparison; the arguments of a function have no names",
}


def _sign(
    tokens: Sequence[Token], position: int, text: str, condition: bool, equals: bool
) -> tuple[Finding | None, int]:
    """What is wrong with an operator, and the position of the last token that belongs to it."""
    token = tokens[position]
    if token.text == "=" and equals:
        headline = "`=` does not compare" if condition else "`=` inside of parentheses"
        return Finding("E304", headline, token.start, token.end, "", _EQUALS[condition]), position
    if token.text == "[":
        return group_in_brackets(tokens, position, text), position
    if token.text not in _INSTEAD:
        return None, position
    last = matching(tokens, position) if token.text == "{" else position
    return _operator(token, "E304", _INSTEAD[token.text]), last


def _is_word(text: str, token: Token) -> bool:
    """Whether a string stands for itself, without a prefix before it or an escape inside."""
    around = text[max(token.start - 1, 0) : token.start] + text[token.end : token.end + 1]
    joined = any(character.isalnum() or character in "_'\"" for character in around)
    return token.text.isascii() and "\\" not in token.text and not joined


def _string(token: Token, condition: bool) -> Finding:
    inner = token.text[1:-1]
    headline = "a string is not part of an equation"
    hint = "a word of a choice stands in a condition: let it select a mode, by `when`"
    if _is_number(inner):
        hint = f"write `{inner.strip()}`, without quotes"
    elif condition:
        headline = "this is not a word of a choice"
        hint = 'a word stands between plain quotes, such as `"smooth"`'
    return Finding("E304", headline, token.start, token.end, "", hint)


_GOES_ON = "a line goes on while a parenthesis is open"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _other(token: Token, before: Token | None) -> Finding:
    """A sign that belongs to nothing."""
    if token.text == "'" and before is not None and before.end == token.start:
        return Finding("E303", PRIME[0], token.start, token.end, "", PRIME[1])
    hints = {
        "'": "a string has quotes on both sides",
        '"': "a string has quotes on both sides",
        "\\": _GOES_ON,
        "$": "write names without signs",
        "`": "write names without signs",
    }
    headline = f"`{token.text}` is not part of the language"
    return Finding("E303", headline, token.start, token.end, "", hints.get(token.text))


def _structure(tokens: Sequence[Token], text: str) -> Iterator[Finding]:
    """Two parts that do not go together."""
    for before, token in pairwise([*tokens, Token("end", "", len(text))]):
        finding = _neighbours(before, token)
        if finding is not None:
            yield finding
            return
    if tokens and _wants_operand(tokens[-1]):
        last = tokens[-1]
        headline = f"nothing follows `{last.text}`"
        yield Finding("E303", headline, last.start, last.end, "", _GOES_ON)


_BINARY = frozenset(["+", "-", "*", "/", "**", "==", "!=", "<", ">", "<=", ">=", "=", "and", "or"])
_ENDS = (_BINARY - {"+", "-"}) | {")", "]", ","}
_LEADING_ZERO = re.compile(r"0[0-9_]*[1-9][0-9_]*")


def _wants_operand(token: Token) -> bool:
    """Whether a value must follow."""
    return token.kind in ("operator", "name") and (token.text in _BINARY or token.text == "not")


def _neighbours(before: Token, token: Token) -> Finding | None:
    """What is wrong between two tokens that follow each other."""
    call = token.text == "(" and (before.kind == "number" or before.text == ")")
    if before.ends_operand and (token.starts_operand or call):
        left = "(...)" if before.text in (")", "]") else before.text
        right = "(...)" if call else token.text
        headline = f"no operator between `{before.text}` and `{token.text}`"
        hint = f"a product is written `{left} * {right}`"
        return Finding("E303", headline, before.start, token.end, "", hint)
    if before.kind == "number" and _LEADING_ZERO.fullmatch(before.text):
        headline = "a number does not start with `0`"
        hint = f"write `{before.text.lstrip('0_')}`"
        return Finding("E303", headline, before.start, before.end, "", hint)
    if _wants_operand(before) and token.text in _ENDS:
        headline = f"nothing stands between `{before.text}` and `{token.text}`"
        return Finding("E303", headline, before.start, token.end)
    return None
