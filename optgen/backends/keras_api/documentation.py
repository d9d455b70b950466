"""The docstring of a generated class, in the sections that Keras users know."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optgen.backends.keras_api.example import example_lines
from optgen.backends.pytext import literal
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
    """The lines of the docstring: what the optimizer is, its modes, arguments, an example."""
    lines = [documentation.summary, ""]
    if documentation.description:
        lines += [*_paragraphs(documentation.description), ""]
    lines += _modes(program, dict(documentation.modes))
    lines += [_CALLABLES, "", "Args:"]
    for hyperparameter in (*program.hyperparameters, *common):
        lines += _hanging(f"{hyperparameter.name}: {_argument(hyperparameter)}")
    lines += _hanging(f"name: Name of the optimizer. Defaults to {literal(program.name)}.")
    lines += _hanging(f"**kwargs: {_legacy(program)}")
    lines += ["", "Raises:", *_hanging(_RAISES)]
    example = example_lines(program)
    if example:
        lines += ["", "Example:", *(f"    {line}" for line in example)]
    if documentation.references:
        lines += ["", "References:"]
        for reference in documentation.references:
            lines += _hanging(reference)
    return lines


_CALLABLES = (
    "An argument that is a float may also be a callable without arguments, which is asked once in "
    "every call; the learning rate may be a schedule as well."
)
_RAISES = "ValueError: If an argument is unknown, or has a value that it does not take."
_LEGACY = {
    "lr": "`lr`, an alias of `learning_rate`",
    "decay": "`decay`, which divides the learning rate by `1 + decay * calls`",
}


def _legacy(program: Program) -> str:
    """The keywords of older versions that the spec gives no meaning of its own."""
    own = {hyperparameter.name for hyperparameter in program.hyperparameters}
    names = [text for name, text in _LEGACY.items() if name not in own]
    return f"Legacy names: {', and '.join(names)}." if names else "Not used."


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
    if hyperparameter.choices:
        doc += f" One of {', '.join(map(literal, hyperparameter.choices))}."
    return f"{doc} Defaults to {literal(hyperparameter.default)}.".strip()


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
    for mode in program.evaluations[:1]:
        yield "`eval()` gives the variables other values until `train()`:"
        yield ""
        yield from (f"    {' '.join(e.text.split())}" for e in mode.equations)
        yield ""
