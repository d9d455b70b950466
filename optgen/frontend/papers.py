"""Notation of papers that takes several signs: indices, primes, norms, gradients, LaTeX."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from optgen.frontend.tokens import Finding, Token, matching
from optgen.frontend.transliteration import (
    PRIMES,
    SIGNS,
    ascii_name,
    declared_name,
    greek_letter,
    prime_help,
)

NORMS = {"||": "norm", "‖": "norm", "∥": "norm", "|": "abs"}
_NABLA = ("∇", "\\nabla")
_GRADIENTS = ("grad", "gradient", "gradients", "nabla")
_SUMS = ("∑", "Σ", "\\sum")
_STEPS = frozenset(["t", "k", "n", "i", "j", "T", "K"])
LATEX_PARTS = {
    "\\frac": (2, "write `(a) / (b)`"),
    "\\dfrac": (2, "write `(a) / (b)`"),
    "\\tfrac": (2, "write `(a) / (b)`"),
    "\\sqrt": (1, "write `sqrt(x)`"),
}
"""Per command how many groups in braces follow, and what to write."""
LATEX_ACCENTS = {"\\hat": "_hat", "\\widehat": "_hat", "\\tilde": "_tilde", "\\bar": "_bar"}
LATEX_SIGNS = {
    **dict.fromkeys(("\\cdot", "\\times", "\\odot", "\\circ"), "*"),
    **dict.fromkeys(("\\leftarrow", "\\gets"), "="),
    **dict.fromkeys(("\\left", "\\right", "\\big", "\\Big"), ""),
}
"""Per command the sign that stands for it; nothing for the size of a parenthesis."""


def paper_notation(
    tokens: Sequence[Token], position: int, text: str, declared: Collection[str]
) -> tuple[Finding, int] | None:
    """What of a paper's notation starts at a token, if anything.

    Args:
        tokens: the tokens of the line.
        position: where to look.
        text: the line.
        declared: the names that the spec declares.

    Returns:
        The finding, and the position of the last token that it explains.
    """
    token = tokens[position]
    if token.kind not in ("name", "foreign", "latex"):
        return None
    if is_gradient(tokens, position):
        return gradient(tokens, position, text)
    if is_sum(token):
        return _sum(tokens, position, text)
    if token.text in LATEX_ACCENTS and _is(tokens, position + 1, "{"):
        return _accent(tokens, position, text, declared)
    if token.kind == "latex" and token.text in (*LATEX_PARTS, *LATEX_SIGNS):
        hint = LATEX_PARTS[token.text][1] if token.text in LATEX_PARTS else _sign_help(token.text)
        return _not_of_the_language(token.text, token.start, token.end, hint), position
    return _word(tokens, position, text, declared)


def _sign_help(command: str) -> str:
    sign = LATEX_SIGNS[command]
    return f"write `{sign}`" if sign else "leave it out: `(` and `)` suffice"


def is_gradient(tokens: Sequence[Token], position: int) -> bool:
    """Whether a gradient with the function that it is of may start at a token."""
    text = tokens[position].text
    return text in _NABLA or (text in _GRADIENTS and _is_call(tokens, position))


def is_sum(token: Token) -> bool:
    """Whether a sum with bounds may start at a token."""
    return token.text in _SUMS or token.text.startswith("Σ_")


def enclosures(tokens: Sequence[Token]) -> Mapping[int, int]:
    """Per bar that opens a norm or an absolute value, the position of the one that closes it."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for position, token in enumerate(tokens):
        if token.text not in NORMS:
            continue
        after_value = position - 1 in found.values() or _ends(tokens, position - 1)
        if after_value and opened and tokens[opened[-1]].text == token.text:
            found[opened.pop()] = position
        elif not after_value or position - 1 in found.values():
            opened.append(position)
    return found


def enclosure(tokens: Sequence[Token], first: int, last: int, text: str) -> tuple[Finding, int]:
    """What to write for a norm or an absolute value, and the position of its last token."""
    inner = " ".join(text[tokens[first].end : tokens[last].start].split())
    function = NORMS[tokens[first].text]
    plain = inner.isascii() and not any(sign in inner for sign in "\\{}|'^")
    end = script_end(tokens, last)
    index = text[tokens[last].end : tokens[end].end].strip("_{}")
    call = f"{function}({inner if plain else 'x'})"
    if index == "1" and function == "norm":
        call = f"sum(abs({inner if plain else 'x'}))"
    whole = text[tokens[first].start : tokens[end].end]
    return _not_of_the_language(
        whole, tokens[first].start, tokens[end].end, f"write `{call}`", "E304"
    ), end


def latex_groups(tokens: Sequence[Token]) -> frozenset[int]:
    """The positions of braces that belong to a LaTeX command and have no message of their own."""
    found: set[int] = set()
    for position, token in enumerate(tokens):
        last = position
        for _ in range(LATEX_PARTS.get(token.text, (0, ""))[0]):
            if _is(tokens, last + 1, "{"):
                first, last = last + 1, matching(tokens, last + 1)
                found |= {first, last}
    return frozenset(found)


def group_in_brackets(tokens: Sequence[Token], position: int, text: str) -> Finding | None:
    """Brackets around a single expression, as papers write them around parentheses."""
    if tokens[position].text != "[" or position == 0 or _ends(tokens, position - 1):
        return None
    last = matching(tokens, position)
    inner = tokens[position + 1 : last]
    if not inner or tokens[position - 1].text == "in":
        return None
    if any(token.text in (",", "for") or token.kind == "string" for token in inner):
        return None
    start, end = tokens[position].start, tokens[last].end
    hint = "group by parentheses: `( ... )`"
    return _not_of_the_language("[ ... ]", start, end, hint, "E304")


def _not_of_the_language(
    what: str, start: int, end: int, help_line: str, code: str = "E303"
) -> Finding:
    shown = " ".join(what.split())
    return Finding(code, f"`{shown}` is not part of the language", start, end, "", help_line)


def _is(tokens: Sequence[Token], position: int, text: str) -> bool:
    return position < len(tokens) and tokens[position].text == text


def _ends(tokens: Sequence[Token], position: int) -> bool:
    """Whether a value may end at a position."""
    if position < 0:
        return False
    token = tokens[position]
    if token.kind == "foreign":
        return token.text[0].isalnum() or token.text[0] == "_" or token.text in PRIMES
    if token.kind == "latex":
        return greek_letter(token.text[1:]) is not None
    return token.text == "'" or token.ends_operand


def _is_call(tokens: Sequence[Token], position: int) -> bool:
    return _is(tokens, position + 1, "(") and not (position and tokens[position - 1].text == ".")


def _adjacent(tokens: Sequence[Token], position: int) -> bool:
    """Whether no space stands before a token."""
    return position < len(tokens) and tokens[position - 1].end == tokens[position].start


def script_end(tokens: Sequence[Token], position: int) -> int:
    """The last token of the primes and the index that follow a token without a space."""
    last = position
    while _adjacent(tokens, last + 1):
        following = tokens[last + 1]
        prime = following.text in PRIMES and following.text != "`"
        if prime or (following.kind in ("name", "foreign") and following.text.startswith("_")):
            last += 1
        elif tokens[last].text.endswith("_") and following.kind == "latex":
            last += 1
        elif tokens[last].text.endswith("_") and following.text == "{":
            last = matching(tokens, last + 1)
        else:
            break
    return last


def _word(
    tokens: Sequence[Token], position: int, text: str, declared: Collection[str]
) -> tuple[Finding, int] | None:
    """A name with primes or an index, or one of LaTeX."""
    token, name = tokens[position], name_at(tokens, position, declared)
    if name is None:
        return None
    base, raw, last, parts = name.base, name.raw, name.last, name.parts
    whole = text[token.start : tokens[last].end]
    if (array := _array(tokens, last)) is not None:
        end = tokens[array].end
        hint = f"there are no arrays of slots: one name each, such as `{base}_1` and `{base}_2`"
        shown = text[token.start : end]
        return Finding("E304", f"`{shown}` has an index", token.start, end, "", hint), array
    if any(part.text in PRIMES for part in parts):
        headline = f"`{raw.rstrip('_')}'` has a prime"
        return Finding("E303", headline, token.start, tokens[last].end, "", prime_help(base)), last
    if name.step and any(part.text == "{" for part in parts):
        shown = raw.rstrip("_") if token.kind != "latex" else token.text
        help_line = (
            f"write `{base}`: before the line that assigns it, that is the value of the last step"
        )
        if base == "g":
            help_line = "write `g`, the gradient of this step"
        headline = f"`{shown}` has an index of the step"
        return Finding("E304", headline, token.start, tokens[last].end, "", help_line), last
    if any(part.text == "{" for part in parts) or token.kind == "latex":
        hint = f"write `{base}`, a name in ASCII letters"
        return _not_of_the_language(whole, token.start, tokens[last].end, hint), last
    return None


@dataclass(frozen=True)
class PaperName:
    """A name in a paper's notation, with its index and its primes.

    Attributes:
        base: the name in ASCII letters, or the declared one that stands for the same.
        raw: its letters as written.
        step: the index of the step that it has, such as ``t-1``; empty without one.
        parts: the tokens of indices and primes.
        last: the position of the last token.
    """

    base: str
    raw: str
    step: str
    parts: tuple[Token, ...]
    last: int


def name_at(tokens: Sequence[Token], position: int, declared: Collection[str]) -> PaperName | None:
    """The name that starts at a token; None if ASCII letters do not spell it."""
    token, last = tokens[position], script_end(tokens, position)
    letter = greek_letter(token.text[1:]) if token.kind == "latex" else None
    raw = token.text if token.kind != "latex" else letter or token.text[1:]
    parts = tuple(tokens[position + 1 : last + 1])
    index, step = _index(parts)
    base = ascii_name(raw.rstrip("_"))
    if base is None:
        return None
    base = declared_name(f"{base}_{index}" if index else base, declared)
    return PaperName(base, raw, step, parts, last)


def _index(parts: Sequence[Token]) -> tuple[str, str]:
    """What of an index belongs to the name, and what says a step."""
    items: list[list[Token]] = [[]]
    for part in parts:
        if part.text in PRIMES or part.text in ("{", "}", "_"):
            continue
        if part.text == ",":
            items.append([])
        else:
            items[-1].append(part)
    kept, step = [], ""
    for item in filter(None, items):
        words = [SIGNS.get(part.text, part.text).strip("_\\") for part in item]
        joined = "".join(words)
        if not _STEPS & set(words) and joined.isascii() and joined.isalnum():
            kept.append(joined)
        else:
            step = joined
    return "_".join(kept), step


def _array(tokens: Sequence[Token], last: int) -> int | None:
    """The last token of ``^{(i)}`` after a name; None if that does not follow."""
    if _is(tokens, last + 1, "^") and _is(tokens, last + 2, "{") and _is(tokens, last + 3, "("):
        return script_end(tokens, matching(tokens, last + 2))
    return None


def gradient(tokens: Sequence[Token], position: int, text: str) -> tuple[Finding, int] | None:
    """A gradient, with the function that it is of and its arguments."""
    last = position
    if tokens[position].text in _NABLA:
        last = script_end(tokens, position)
        following = tokens[last + 1] if last + 1 < len(tokens) else None
        if following is not None and (
            following.kind in ("name", "latex")
            or (following.kind == "foreign" and following.text[0].isalpha())
        ):
            last = script_end(tokens, last + 1) if not following.is_word else last
    if _is(tokens, last + 1, "("):
        last = matching(tokens, last + 1)
    elif tokens[position].text == "∇" and last == position:
        return None
    start, end = tokens[position].start, tokens[last].end
    hint = "the gradient is `g`: write it for all of this"
    code = "E303" if tokens[position].text in _NABLA else "E304"
    return _not_of_the_language(text[start:end], start, end, hint, code), last


def _sum(tokens: Sequence[Token], position: int, text: str) -> tuple[Finding, int] | None:
    """A sum with its bounds."""
    last = script_end(tokens, position)
    if tokens[position].text.endswith("_") and _is(tokens, position + 1, "{"):
        last = matching(tokens, position + 1)
    if _is(tokens, last + 1, "^"):
        last = matching(tokens, last + 2) if _is(tokens, last + 2, "{") else last + 2
        last = min(last, len(tokens) - 1)
    if last == position and len(tokens[position].text) == 1:
        return None
    start, end = tokens[position].start, tokens[last].end
    hint = "write a sum of a few terms out; `sum(x)` adds the elements of a variable"
    return _not_of_the_language(text[start:end], start, end, hint), last


def accented(
    tokens: Sequence[Token], position: int, text: str, declared: Collection[str]
) -> PaperName:
    """The name below a LaTeX accent, with the index that follows."""
    close = matching(tokens, position + 1)
    inner = text[tokens[position + 1].end : tokens[close].start].strip()
    letter = greek_letter(inner[1:]) if inner.startswith("\\") else None
    base = (ascii_name(letter or inner) or "x") + LATEX_ACCENTS[tokens[position].text]
    last = script_end(tokens, close)
    parts = tuple(tokens[close + 1 : last + 1])
    index, step = _index(parts)
    base = declared_name(f"{base}_{index}" if index else base, declared)
    return PaperName(base, inner, step, parts, last)


def _accent(
    tokens: Sequence[Token], position: int, text: str, declared: Collection[str]
) -> tuple[Finding, int]:
    """A name below a LaTeX accent, such as a hat."""
    name = accented(tokens, position, text, declared)
    last = name.last
    start, end = tokens[position].start, tokens[last].end
    hint = f"write `{name.base}`, a name in ASCII letters"
    return _not_of_the_language(text[start:end], start, end, hint), last
