"""The functions between a phase's numbers per variable and its loop: values of axis rates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from optgen.backends.axis_layout import AxisSegment, segments
from optgen.backends.numba_text.phase import PhaseText, equations
from optgen.backends.pytext import Style, call, docstring, fitted, indented
from optgen.ir.expr import Apply, Symbol, symbols
from optgen.ir.program import Assign
from optgen.ir.rate import COLUMN, INDEX, MATRIX, ROW, STEP, TENSOR

_PLACES = {MATRIX: "matrix", ROW: "row", COLUMN: "column", INDEX: "index"}
_VIEWS = {
    MATRIX: "axis_matrices",
    ROW: "axis_rows",
    COLUMN: "axis_columns",
    INDEX: "axis_indices",
}
_LENGTHS = {ROW: "height", COLUMN: "width"}


@dataclass(frozen=True)
class AxisFunction:
    """One segment of a phase's axis lines, as functions or as the call of one of the runtime's.

    Attributes:
        text: the phase.
        segment: the lines.
        name: the name of the function that computes them.
    """

    text: PhaseText
    segment: AxisSegment
    name: str

    @property
    def texts(self) -> list[str]:
        """The function over numbers, and the one that finds them for a run of matrices."""
        return [] if self.segment.is_call else [self._function(), self._run_function()]

    @property
    def function(self) -> str:
        """The function that a driver calls for each run of matrices, or each variable."""
        return self._runtime.function if self.segment.is_call else f"{self.name}_run"

    @property
    def arguments(self) -> list[str]:
        """Its arguments behind the first, the row of the table of runs or that of the variable."""
        if not self.segment.is_call:
            return ["tables", "scalars"]
        columns = [self._column(symbol) for symbol in symbols(self._runtime)]
        return ["tables", *columns, self._column(self.segment.lines[0].target)]

    @property
    def _runtime(self) -> Apply:
        """The call of a function of the runtime that a segment is."""
        (line,) = self.segment.lines
        assert isinstance(line.value, Apply)
        return line.value

    def _column(self, symbol: Symbol) -> str:
        return str(self.text.mode.axes.column(symbol))

    @cached_property
    def _arrays(self) -> dict[str, Symbol]:
        """A value of each column that is read or written, by the name of its array."""
        used: dict[int, Symbol] = {}
        for line in self.segment.lines:
            for symbol in (line.target, *symbols(line.value)):
                if symbol.rate.is_axis:
                    used.setdefault(self.text.mode.axes.column(symbol), symbol)
        return {self.text.mode.names[symbol]: symbol for symbol in used.values()}

    @cached_property
    def _numbers(self) -> tuple[Symbol, ...]:
        """The values that are the same for a whole variable."""
        used = (symbol for line in self.segment.lines for symbol in symbols(line.value))
        return tuple(dict.fromkeys(symbol for symbol in used if symbol.rate <= TENSOR))

    @property
    def _parameters(self) -> list[str]:
        return [*self._arrays, *(self.text.mode.names[symbol] for symbol in self._numbers)]

    def _array(self, symbol: Symbol) -> str:
        column = self.text.mode.axes.column(symbol)
        named = {self.text.mode.axes.column(used): name for name, used in self._arrays.items()}
        return named[column]

    def _function(self) -> str:
        head = self.text.dialect.function(self.name)
        lines = [call(head, self._parameters, tail=":")]
        lines.append(docstring(equations(self.segment.lines), 1))
        return "\n".join([*lines, *indented(self._body(), 1)])

    def _body(self) -> Iterator[str]:
        between: tuple[str, ...] = ()
        for group in _loops(self.segment.lines):
            yield from between
            between = self.text.dialect.axes.between_loops
            first = group[0]
            if isinstance(first.value, Apply) and first.value.intrinsic.changes_rate:
                (source,) = symbols(first.value)
                yield f"sum_matrices({self._array(first.target)}, {self._array(source)})"
            else:
                yield from self._loop(group)

    def _loop(self, group: Sequence[Assign]) -> Iterator[str]:
        """A loop over all numbers of a kind; through the matrices if it needs numbers of these."""
        rate = group[0].target.rate
        place, array = _PLACES[rate], self._array(group[0].target)
        of_matrix = [s for line in group for s in symbols(line.value) if s.rate == MATRIX]
        dialect = self.text.dialect.axes
        loop = dialect.loop(place, array)
        if of_matrix and rate != MATRIX:
            matrices = self._array(of_matrix[0])
            loop = dialect.loop_of_matrices(place, array, matrices, _LENGTHS[rate])
        yield from loop.lines
        yield from indented(self._statements(group, loop.depth + 1), loop.depth)

    def _statements(self, group: Sequence[Assign], depth: int) -> Iterator[str]:
        def name(symbol: Symbol) -> str:
            if not symbol.rate.is_axis:
                return self.text.mode.names[symbol]
            return f"{self._array(symbol)}[{_PLACES[symbol.rate]}]"

        style = Style(self.text.dialect.spelling, name)
        taken = [*self.text.mode.names.values(), *self._parameters]
        for line in group:
            yield from fitted(name(line.target), line.value, style, depth, taken)

    def _run_function(self) -> str:
        """The function that brings one run of matrices, or one variable, to the numbers."""
        variable = self.segment.per_variable
        place = "variable" if variable else "run"
        what = "all indices of one variable" if variable else "one run of matrices of one variable"
        lines = [
            call(self.text.dialect.function(f"{self.name}_run"), [place, "tables", "scalars"])
            + ":",
            docstring([f"Run `{self.name}` over {what}."], 1),
        ]
        for name, symbol in self._arrays.items():
            view = _VIEWS[symbol.rate]
            lines.append(f"    {name} = {view}(tables, {place}, {self._column(symbol)})")
        arguments = [*self._arrays, *(self._source(symbol) for symbol in self._numbers)]
        return "\n".join([*lines, "    " + call(self.name, arguments, 1)])

    def _source(self, symbol: Symbol) -> str:
        if symbol.rate <= STEP:
            return f"scalars[{self.text.layout.scalars.index(symbol)}]"
        column = self.text.column(symbol)
        if self.segment.per_variable:
            return f"variable_number(tables, variable, {column})"
        return f"matrix_number(tables, run, {column})"


def axis_functions(text: PhaseText) -> tuple[AxisFunction, ...]:
    """The functions of a phase's axis lines, in the order in which they run."""
    lines = text.mode.axes.stored_lines(text.phase)
    found: list[AxisFunction] = []
    for segment in segments(lines):
        name = f"{text.name}_{'indices' if segment.per_variable else 'axes'}"
        while name in [other.name for other in found if not other.segment.is_call]:
            name += "_again"
        found.append(AxisFunction(text, segment, name))
    return tuple(found)


def _loops(lines: Sequence[Assign]) -> Iterator[list[Assign]]:
    """Neighbouring lines that one loop can compute: of one rate, and none a sum of rows."""
    group: list[Assign] = []
    for line in lines:
        alone = isinstance(line.value, Apply) and line.value.intrinsic.changes_rate
        if group and (alone or group[-1].target.rate != line.target.rate):
            yield group
            group = []
        group.append(line)
        if alone:
            yield group
            group = []
    if group:
        yield group
