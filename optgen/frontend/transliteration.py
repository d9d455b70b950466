"""Characters beyond ASCII in equations, and what to write for them."""

from __future__ import annotations

import unicodedata

_SIGNS = {
    "·": "*",
    "×": "*",
    "∗": "*",
    "⋅": "*",
    "∙": "*",
    "⊙": "*",
    "∘": "*",
    "÷": "/",
    "∕": "/",
    "⁄": "/",
    "⊘": "/",
    "−": "-",
    "–": "-",
    "—": "-",
    "≤": "<=",
    "⩽": "<=",
    "≥": ">=",
    "⩾": ">=",
    "≠": "!=",
    "←": "=",
    "≔": "=",
    "∧": "and",
    "∨": "or",
    "¬": "not",
    "√": "sqrt(x)",
    "∑": "sum(x)",
    "Σ": "sum(x)",
    "‖": "norm(x)",
    "∥": "norm(x)",
    "∇": "g",
    "θ": "w",
    "ϑ": "w",
    "η": "learning_rate",
    "λ": "lam",
    "ϵ": "epsilon",
    "∞": "a finite number",
}
"""What stands for a single sign; a letter only if the name is not the letter's own."""
_ACCENTS = {"\u0302": "_hat", "\u0303": "_tilde", "\u0304": "_bar", "\u0305": "_bar"}
_PRIMES = "′″’‘´`'"
_QUOTES = "“”„«»"


def advice(text: str) -> tuple[str, str]:
    """What is wrong with a word or sign that is not ASCII, and what to write instead.

    Args:
        text: the characters, at least one of which is not ASCII.

    Returns:
        The headline and the help of a message.
    """
    if any(character.isspace() for character in text):
        return "a space that is not a plain one", "type the space anew"
    if any(character in _PRIMES for character in text):
        return PRIME
    if any(character in _QUOTES for character in text):
        return "quotes that are not plain ones", "write `\"` or `'`"
    headline = f"`{text}` is not ASCII"
    for character in text:
        if unicodedata.category(character) == "No" and character in "²³":
            base = text.rstrip(character) if text.rstrip(character).isidentifier() else "x"
            return headline, f"write `{base} ** {unicodedata.digit(character)}` for a power"
    if len(text) == 1 and text in _SIGNS:
        return headline, f"write `{_SIGNS[text]}`"
    name = _name(text)
    if name is None:
        return headline, "equations are written in the characters of an English keyboard"
    return headline, f"write a name in ASCII letters, such as `{name}`"


PRIME = (
    "a prime is not part of a name",
    "after `m = ...`, `m` is the new value; before that line it is the old one",
)


def _name(text: str) -> str | None:
    """A name in ASCII letters that says the same; None if there is none."""
    out = ""
    for character in unicodedata.normalize("NFD", text):
        if character.isascii():
            out += character
        elif character in _ACCENTS:
            out += _ACCENTS[character]
        elif (part := _part(character, not out)) is not None:
            out += part
        elif not unicodedata.combining(character):
            return None
    out = out.removesuffix("_t")
    return out if out.isidentifier() else None


def _part(character: str, first: bool) -> str | None:
    """A character as a part of a name."""
    if character in _SIGNS and _SIGNS[character].isidentifier():
        return _SIGNS[character]
    words = unicodedata.name(character, "").split()
    if words[:1] == ["GREEK"] and "LETTER" in words:
        return words[words.index("LETTER") + 1].lower().replace("lamda", "lam")
    plain = unicodedata.normalize("NFKC", character)
    if not (plain.isascii() and plain.isalnum()):
        return None
    index = words[:1] in (["SUBSCRIPT"], ["SUPERSCRIPT"]) or "SUBSCRIPT" in words
    return f"_{plain}" if index and not first else plain
