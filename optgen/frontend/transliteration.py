"""Characters beyond ASCII in equations, and what to write for them."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection

from optgen.frontend.libraries import other_name

SIGNS = {
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
PRIMES = frozenset("′″’‘´`'")
_QUOTES = "“”„«»"


def advice(text: str, declared: Collection[str] = ()) -> tuple[str, str]:
    """What is wrong with a word or sign that is not ASCII, and what to write instead.

    Args:
        text: the characters, at least one of which is not ASCII.
        declared: the names that the spec declares, which are preferred.

    Returns:
        The headline and the help of a message.
    """
    if any(character.isspace() for character in text):
        return "a space that is not a plain one", "type the space anew"
    if any(character in PRIMES for character in text):
        return PRIME
    if any(character in _QUOTES for character in text):
        return "quotes that are not plain ones", "write `\"` or `'`"
    headline = f"`{text}` is not ASCII"
    base, exponent = power(text)
    if exponent:
        name = ascii_name(base)
        base = "x" if name is None else declared_name(name, declared)
        return headline, f"write `{base} ** {exponent}` for a power"
    if len(text) == 1 and text in SIGNS and not SIGNS[text].isidentifier():
        return headline, f"write `{SIGNS[text]}`"
    name = ascii_name(text)
    if name is None:
        return headline, "equations are written in the characters of an English keyboard"
    if len(text) == 1 and text in SIGNS:
        return headline, f"write `{declared_name(name, declared)}`"
    name = declared_name(name, declared)
    return headline, f"write a name in ASCII letters, such as `{name}`"


def prime_help(name: str) -> str:
    """What to write for a name with a prime."""
    return (
        f"if it is `{name}` after the step, write `{name}`; another quantity needs a name of its "
        f"own, such as `{name}_hat`"
    )


PRIME = ("a prime is not part of a name", prime_help("m"))


def declared_name(name: str, declared: Collection[str]) -> str:
    """The declared name that stands for the same; the name itself if there is none."""
    if name in declared:
        return name
    return other_name(name, [known for known in declared if known != "learning_rate"]) or name


def greek_letter(word: str) -> str | None:
    """The letter that LaTeX calls by this word; None if it is none."""
    spelled = word.removeprefix("var").replace("lambda", "lamda").upper()
    try:
        return unicodedata.lookup(f"GREEK SMALL LETTER {spelled}")
    except KeyError:
        return None


def power(text: str) -> tuple[str, str]:
    """A word without the exponent above its end, and the exponent; empty if there is none."""
    base = text
    while base and unicodedata.decomposition(base[-1]).startswith("<super>"):
        base = base[:-1]
    exponent = unicodedata.normalize("NFKC", text[len(base) :])
    return (base, exponent) if exponent.isdigit() or exponent in ("t", "k", "n") else (text, "")


def ascii_name(text: str) -> str | None:
    """A name in ASCII letters that says the same, without an index; None if there is none."""
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
    out = out.removesuffix("_t").strip("_")
    return out if out.isidentifier() else None


def _part(character: str, first: bool) -> str | None:
    """A character as a part of a name."""
    if character in SIGNS and SIGNS[character].isidentifier():
        return SIGNS[character]
    words = unicodedata.name(character, "").split()
    if words[:1] == ["GREEK"] and "LETTER" in words:
        return words[words.index("LETTER") + 1].lower().replace("lamda", "lam")
    plain = unicodedata.normalize("NFKC", character)
    if not (plain.isascii() and plain.isalnum()):
        return None
    index = words[:1] in (["SUBSCRIPT"], ["SUPERSCRIPT"]) or "SUBSCRIPT" in words
    return f"_{plain}" if index and not first else plain
