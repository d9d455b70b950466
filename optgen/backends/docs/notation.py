"""How the names of a spec look in formulas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from optgen.ir.expr import symbols
from optgen.ir.program import Program

# What papers call the two arguments that have the same meaning everywhere.
CUSTOMARY = {"learning_rate": r"\eta", "weight_decay": r"\lambda"}

_GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau "
    "upsilon phi chi psi omega".split()
)
_GREEK_CAPITALS = frozenset("Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split())
_ACCENTS = {"hat": "hat", "bar": "bar", "tilde": "tilde", "dot": "dot"}
_HEAD = re.compile(r"([A-Za-z]+)(\d*)$")


class Notation:
    """The formulas' names for the names of one program, each distinct from all others.

    Greek names become Greek letters and single letters stay; what follows an underscore, and
    digits, become an index, and ``_hat``, ``_bar``, ``_tilde`` and ``_dot`` accents.  All other
    names are words, set upright.  Names that would look alike are set as words, too.

    Args:
        names: every name that a formula may hold.
    """

    def __init__(self, names: Iterable[str]) -> None:
        looks = {name: _parts(name) for name in dict.fromkeys(names)}
        shared = Counter(looks.values())
        self._looks: Mapping[str, tuple[str, str]] = {
            name: look if shared[look] == 1 else (_word(name), "") for name, look in looks.items()
        }

    def text(self, name: str, time: str = "") -> str:
        """The LaTeX of a name.

        Args:
            name: one of the names.
            time: the step whose value is meant, such as ``t-1``; empty for what has no index.
        """
        base, index = self._looks[name]
        indices = ",".join(part for part in (index, time) if part)
        return f"{base}_{{{indices}}}" if indices else base


def notation_of(program: Program) -> Notation:
    """The notation for all formulas of a program."""
    names = [row.name for row in (*program.hyperparameters, *program.common)]
    names += [slot.name for slot in program.slots]
    equations = [equation for mode in program.modes for equation in mode.equations]
    equations += [equation for stage in program.stages for equation in stage.equations]
    for equation in equations:
        names += [equation.target.name, *(symbol.name for symbol in symbols(equation.value))]
    return Notation(names)


def _parts(name: str) -> tuple[str, str]:
    """The LaTeX of a name without its index, and the index."""
    if name in CUSTOMARY:
        return CUSTOMARY[name], ""
    first, *rest = name.split("_")
    accent = _ACCENTS.get(rest.pop()) if rest and rest[-1] in _ACCENTS else None
    head = _HEAD.match(first)
    letter = _letter(head.group(1)) if head else None
    if head is None or letter is None or not all(rest):
        return _word(name), ""
    index = ",".join(_index(part) for part in (head.group(2), *rest) if part)
    return (rf"\{accent}{{{letter}}}" if accent else letter), index


def _letter(text: str) -> str | None:
    """A letter, Latin or Greek; None for a word."""
    if text in _GREEK or text in _GREEK_CAPITALS:
        return rf"\{text}"
    return text if len(text) == 1 else None


def _index(part: str) -> str:
    return part if part.isdigit() else _letter(part) or _word(part)


def _word(name: str) -> str:
    return rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}"
