"""The docstring of a generated class, in the sections that Keras users know."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optgen.ir.program import Hyperparameter, Program


@dataclass(frozen=True)
class ClassDocumentation:
    """What a spec says in words.

    Attributes:
        summary: one line.
        description: paragraphs, possibly empty.
        references: papers and pages.
        modes: per mode its description, possibly empty.
    """

    summary: str
    description: str
    references: tuple[str, ...]
    modes: tuple[tuple[str, str], ...]


_BLOCK = re.compile(r"\s|[-*+|#>`]|\d+[.)] ")


def class_docstring(
    program: Program,
    common: Sequence[Hyperparameter],
    documentation: ClassDocumentation,
) -> list[str]:
    """The lines of the docstring: summary, description, modes, arguments, references."""
    lines = [documentation.summary, ""]
    if documentation.description:
        lines += [*_paragraphs(documentation.description), ""]
    lines += _modes(program, dict(documentation.modes))
    lines += ["Args:"]
    for hyperparameter in (*program.hyperparameters, *common):
        lines += _hanging(f"{hyperparameter.name}: {_argument(hyperparameter)}")
    lines += _hanging("name: Name of the optimizer.")
    if documentation.references:
        lines += ["", "References:"]
        for reference in documentation.references:
            lines += _hanging(reference)
    return lines


def _paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, each on a line of its own, with an empty line between two."""
    lines: list[str] = []
    for line in text.strip().split("\n"):
        # A line of a list or of code stands for itself; others flow together.
        flows = bool(line.strip()) and not _BLOCK.match(line)
        if flows and lines and lines[-1] and not _BLOCK.match(lines[-1]):
            lines[-1] += " " + " ".join(line.split())
        else:
            lines.append(" ".join(line.split()) if flows else line.rstrip())
    return lines


def _hanging(text: str) -> list[str]:
    """An entry of a section: its first line indented once, the others twice."""
    return textwrap.wrap(text, 90, initial_indent="    ", subsequent_indent="        ")


def _argument(hyperparameter: Hyperparameter) -> str:
    doc = " ".join(hyperparameter.doc.split())
    if doc and not doc.endswith("."):
        doc += "."
    return f"{doc} Defaults to {hyperparameter.default!r}.".strip()


def _modes(program: Program, docs: dict[str, str]) -> Iterable[str]:
    """The update rule of every mode, as the author wrote it."""
    for mode in program.modes:
        if len(program.modes) == 1:
            yield "Update rule:"
        else:
            yield f"Update rule when `{mode.condition}`:"
        yield ""
        if docs.get(mode.name):
            yield from (*_paragraphs(docs[mode.name]), "")
        yield from (f"    {' '.join(e.text.split())}" for e in mode.equations)
        yield ""
