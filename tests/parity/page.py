"""The page of figures: what is measured, written as Markdown, and read back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.oracle import compiled, subject
from tests.parity.tolerances import COMPARISONS, TOLERANCES, USUAL, Tolerance, tolerance_of
from tests.references.sources import Recorded, source_of

LIBRARIES = ("keras", "torch", "pytorch_optimizer", "numpy", "numba")
NOTHING = "–"

INTRODUCTION = Path(__file__).with_name("introduction.md").read_text("utf-8")


@dataclass(frozen=True)
class Row:
    """The figures of a mode.

    Attributes:
        spec: the spec's stem.
        mode: the mode.
        figures: what stands in the column of each of `COMPARISONS`.
        source: what stands in the last one.
    """

    spec: str
    mode: str
    figures: tuple[str, ...]
    source: str

    @property
    def cells(self) -> tuple[str, ...]:
        """The texts of all columns."""
        return (self.spec, self.mode, *self.figures, self.source)


def shown(comparison: str, figure: float | None) -> str:
    """Return a figure with two digits."""
    if figure is None:
        return NOTHING
    if comparison.startswith("interpreter"):
        return f"{figure:.2g} ulp" if figure else "equal"
    return f"{figure:.1e}" if figure else "equal"


def number_of(text: str) -> float | None:
    """Return the number of a text that `shown` made."""
    if text == NOTHING:
        return None
    return 0.0 if text == "equal" else float(text.removesuffix(" ulp"))


def source_text(spec: str, arguments: dict[str, object]) -> str:
    """Return what the last column says of a mode that arguments select."""
    source = source_of(spec, arguments)
    if isinstance(source, Recorded):
        return f"`{source.name}`, recorded"
    return f"`{source.path}.{compiled(spec).program.name}`"


def page_of(rows: Iterable[Row]) -> str:
    """Return the page with some rows."""
    rows = sorted(rows, key=lambda row: row.spec)
    versions = [(f"`{name}`", version(name).partition("+")[0]) for name in LIBRARIES]
    return "\n".join(
        [
            INTRODUCTION,
            *table(("library", "version"), versions),
            "",
            "## Figures",
            "",
            *table(("spec", "mode", *COMPARISONS, "source"), [row.cells for row in rows]),
            "",
            "## Tolerances",
            "",
            f"References and libraries may be {USUAL.value:.0e} away, the interpreter not at all.",
            "Where there is a reason, more is allowed:",
            "",
            *table(("spec", "comparison", "allowed", "measured", "reason"), tolerance_rows(rows)),
            "",
        ]
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table."""
    return [_line(head), "|" + "---|" * len(head), *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def tolerance_rows(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Return what is allowed where it is not the usual, and the worst of what was measured."""
    found = []
    for (spec, comparison), tolerance in sorted(TOLERANCES.items()):
        column = COMPARISONS.index(comparison)
        texts = [row.figures[column] for row in rows if row.spec == spec]
        worst = max(texts, key=lambda text: number_of(text) or 0.0, default=NOTHING)
        allowed = shown(comparison, tolerance.value)
        found.append((spec, comparison, allowed, worst, tolerance.reason))
    return found


def rows_of(page: str) -> list[Row]:
    """Read the rows of figures from a page."""
    _, _, figures = page.partition("\n## Figures\n")
    lines = [line for line in figures.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]
    return [Row(spec, mode, tuple(found), source) for spec, mode, *found, source in cells]


def allowed_in(row: Row) -> list[Tolerance]:
    """Return the tolerance of each figure of a row."""
    exact = subject(row.spec).is_exact(row.mode)
    return [tolerance_of(row.spec, comparison, exact=exact) for comparison in COMPARISONS]
