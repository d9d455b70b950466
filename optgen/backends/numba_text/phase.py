"""What all functions of one phase are printed from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from optgen.backends.layout import ModeLayout, PhaseLayout, Scalar, summed_values
from optgen.backends.numba_text.dialect import Dialect
from optgen.ir.expr import Apply, Expr, Ref, Symbol
from optgen.ir.program import Assign, Phase

DRIVER_ARGUMENTS = ("like", "tables", "scalars", "stages", "average", "accumulator")


@dataclass(frozen=True)
class PhaseText:
    """A phase and the names of its functions.

    Attributes:
        mode: the mode that the phase belongs to.
        layout: the phase and what crosses its border.
        name: the name of the kernel, from which those of its drivers are made.
        variable_name: the name of the per-variable function.
        dialect: how its functions are written.
    """

    mode: ModeLayout
    layout: PhaseLayout
    name: str
    variable_name: str
    dialect: Dialect

    @property
    def phase(self) -> Phase:
        """The phase that is printed."""
        return self.layout.phase

    @property
    def has_variable_function(self) -> bool:
        """Whether anything is computed or stored once per variable."""
        return bool(self.phase.variable_lines or self.phase.variable_stores)

    @property
    def kernel_parameters(self) -> list[str]:
        """The kernel's parameters: arrays, scalars, and where what is reduced goes."""
        names = [stream.name for stream in self.layout.streams]
        names += [spread.name for spread in self.layout.spreads]
        names += [scalar.name for scalar in self.layout.loop]
        names += self.values.values()
        return [*names, "block_sums"] if self.has_blocks else names

    @property
    def has_blocks(self) -> bool:
        """Whether the loop combines all elements of a variable, block by block."""
        return bool(self.phase.reductions) and not self.phase.reduces_axes

    @cached_property
    def values(self) -> dict[Expr, str]:
        """The arrays of what a loop hands over to be combined by rows and columns."""
        found: dict[Expr, str] = {}
        for line in self.phase.reductions if self.phase.reduces_axes else ():
            (argument,) = _arguments(line)
            own = argument.symbol.name if isinstance(argument, Ref) else line.target.name
            name = f"{own}_values"
            while name in found.values():
                name += "_again"
            found.setdefault(argument, name)
        return found

    def handed_over(self, line: Assign) -> str:
        """The array of what a line combines by rows or columns."""
        (argument,) = _arguments(line)
        return self.values[argument]

    def column(self, symbol: Symbol) -> int:
        """The column of a per-variable value in the table of numbers."""
        return self.mode.columns[self.mode.column_name(symbol, self.phase)]

    def driver_source(self, scalar: Scalar) -> str:
        """Where a driver finds a STEP scalar."""
        summed = scalar.symbol in summed_values(self.mode.schedule)
        if scalar.stage is None:
            assert not summed, "a sum over variables outside the common stages"
            return f"scalars[{self.layout.scalars.index(scalar.symbol)}]"
        source = f"stages[{self.layout.stages.index((scalar.stage, scalar.key))}]"
        return self.dialect.summed_source(source) if summed else source


def _arguments(line: Assign) -> tuple[Expr, ...]:
    assert isinstance(line.value, Apply)
    return line.value.args


def by_stage(lines: Sequence[Assign]) -> Iterator[tuple[str | None, list[Assign]]]:
    """Neighbouring lines of the same stage, together."""
    group: list[Assign] = []
    for line in lines:
        if group and group[-1].stage != line.stage:
            yield group[-1].stage, group
            group = []
        group.append(line)
    if group:
        yield group[-1].stage, group


def joined(paragraphs: Iterable[list[str]]) -> list[str]:
    """Paragraphs with an empty line between two."""
    lines: list[str] = []
    for paragraph in paragraphs:
        if paragraph and lines:
            lines.append("")
        lines += paragraph
    return lines


def equations(lines: Iterable[Assign]) -> list[str]:
    """The author's equations behind some lines, for the docstring."""
    texts = dict.fromkeys(" ".join(line.text.split()) for line in lines if line.stage is None)
    found = [text for text in texts if text]
    return found or ["Common stages only."]


def is_maximum(line: Assign) -> bool:
    """Whether a reduction keeps the largest value instead of a sum."""
    return isinstance(line.value, Apply) and line.value.intrinsic.initial != 0.0
