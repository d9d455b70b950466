"""The kernel of a phase: one flat loop over the elements of a chunk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from optgen.backends.numba_text.dialect import Lanes
from optgen.backends.numba_text.phase import PhaseText, by_stage, equations, is_maximum, joined
from optgen.backends.pytext import (
    INDENT,
    LINE_LENGTH,
    ORDINALS,
    Style,
    call,
    docstring,
    fitted,
    indented,
    print_expr,
    safe_name,
    wrapped,
)
from optgen.ir.expr import Apply, Expr, Number, Symbol, symbols, walk
from optgen.ir.program import Assign
from optgen.ir.rate import ELEMENT

# A longer reduced value gets a line of its own before it enters its lane.
LONGEST_REDUCED = 32


def kernel_function(text: PhaseText) -> str:
    """The kernel of a phase."""
    return _Kernel(text).function()


@dataclass(frozen=True)
class _Kernel:
    text: PhaseText

    def function(self) -> str:
        """The kernel: load, compute, store."""
        body = list(self._loop())
        head = self.text.dialect.function(self.text.name)
        lines = [call(head, self.text.kernel_parameters, tail=":")]
        lines.append(docstring(self._doc(), 1))
        if self._has_literals:
            lines.append(f"    real = {self._first_array}.dtype.type")
        return "\n".join([*lines, *body])

    def _doc(self) -> list[str]:
        """The author's equations, or what the stages need the phase for."""
        if self.text.phase.stages is None:
            return equations(self.text.phase.lines)
        targets = ", ".join(line.target.name for line in self.text.phase.reductions)
        return [f"{targets}, for the stages {' and '.join(self.text.phase.stages)}."]

    @property
    def _first_array(self) -> str:
        return next(stream.name for stream in self.text.layout.streams if stream.stage is None)

    @property
    def _has_literals(self) -> bool:
        return any(
            isinstance(part, Number) for line in self.text.phase.lines for part in walk(line.value)
        )

    def _loop(self) -> Iterator[str]:
        paragraphs = [list(self._loads()), list(self._compute()), list(self._stores())]
        body = joined(paragraphs)
        if not self.text.has_blocks:
            yield from self.text.dialect.element_loop(self._first_array)
            yield from indented(body, 2)
            return
        lanes = [Lanes(self._lanes(line), _initial(line)) for line in self.text.phase.reductions]
        yield from self.text.dialect.block_loop(self._first_array, lanes)
        yield from indented(body, 4)
        for index, line in enumerate(self.text.phase.reductions):
            fold = "fold_lanes_maximum" if is_maximum(line) else "fold_lanes"
            yield f"        block_sums[block, {index}] = {fold}({self._lanes(line)})"

    def _lanes(self, line: Assign) -> str:
        same = [other for other in self.text.phase.reductions if _kind(other) == _kind(line)]
        if len(self.text.phase.reductions) == 1:
            return "lanes"
        if len(same) > len(ORDINALS):
            return f"{self.text.mode.names[line.target]}_lanes"
        return f"{ORDINALS[same.index(line)]}{_kind(line)}_lanes"

    def _loads(self) -> Iterator[str]:
        for load in self.text.phase.loads:
            array = self.text.mode.stream_names[load.name]
            yield from self._guarded(load.stage, [f"{self._local(load.symbol)} = {array}[i]"])
        for spread in self.text.layout.spreads:
            number = self.text.dialect.axes.spread(spread.name, spread.symbol.rate)
            yield f"{self._spread(spread.symbol)} = {number}"

    def _compute(self) -> Iterator[str]:
        handed_over: set[str] = set()
        for stage, group in by_stage(self.text.phase.lines):
            statements: list[str] = []
            for line in group:
                if not line.reduces:
                    statements += self._statement(line)
                elif self.text.has_blocks:
                    statements += self._accumulation(line)
                else:
                    statements += self._handed_over(line, handed_over)
            yield from self._guarded(stage, statements)

    def _statement(self, line: Assign) -> Iterator[str]:
        own = {symbol.name for symbol in symbols(line.value)}
        if line.stage is None and not all(name in _words(line.text) for name in own):
            depth = 4 if self.text.has_blocks else 2
            comment = wrapped(" ".join(line.text.split()), LINE_LENGTH - len(INDENT) * depth - 2)
            yield from (f"# {part}" for part in comment)
        yield from self._fitted(self._local(line.target), line.value, line.stage is not None)

    def _fitted(self, target: str, value: Expr, guarded: bool) -> Iterator[str]:
        """An assignment in the loop's body, in short lines."""
        locals_ = (self._local(part.target) for part in self.text.phase.lines)
        taken = (*self.text.kernel_parameters, *locals_)
        depth = (4 if self.text.has_blocks else 2) + guarded
        yield from fitted(target, value, self._element_style, depth, taken, "_i")

    def _handed_over(self, line: Assign, done: set[str]) -> Iterator[str]:
        """What is combined by rows or columns, for each array once."""
        assert isinstance(line.value, Apply)
        values = self.text.handed_over(line)
        if values not in done:
            done.add(values)
            yield from self._fitted(f"{values}[i]", line.value.args[0], False)

    def _accumulation(self, line: Assign) -> Iterator[str]:
        assert isinstance(line.value, Apply)
        (argument,) = line.value.args
        value = print_expr(argument, self._element_style)
        lanes = self._lanes(line)
        if len(value) > LONGEST_REDUCED:
            local = f"{_kind(line)}_element"
            yield from self._fitted(local, argument, False)
            value = local
        value = f"float64({value})"
        if line.value.function == "sum_of_squares":
            value = f"square({value})"
        if is_maximum(line):
            yield f"largest = {lanes}[lane]"
            yield f"{lanes}[lane] = {self.text.dialect.called('maximum')}(largest, {value})"
        else:
            yield f"{lanes}[lane] += {value}"

    def _stores(self) -> Iterator[str]:
        for output in self.text.phase.stores:
            array = self.text.mode.stream_names[output.name]
            yield from self._guarded(output.stage, [f"{array}[i] = {self._local(output.symbol)}"])

    def _guarded(self, stage: str | None, statements: Iterable[str]) -> Iterator[str]:
        if stage is None:
            yield from statements
            return
        yield f"if {self._witness(stage)} is not None:"
        yield from indented(statements, 1)

    def _witness(self, stage: str) -> str:
        """An argument of the kernel that is None exactly when the stage is off."""
        for stream in self.text.layout.streams:
            if stream.stage == stage:
                return stream.name
        names = [scalar.name for scalar in self.text.layout.loop if scalar.stage == stage]
        return stage if stage in names else names[0]

    @cached_property
    def _element_style(self) -> Style:
        def name(symbol: Symbol) -> str:
            if symbol.rate.is_axis:
                return self._spread(symbol)
            return self._local(symbol) if symbol.rate == ELEMENT else self.text.mode.names[symbol]

        return Style(self.text.dialect.spelling, name, lambda value: f"real({value!r})")

    def _spread(self, symbol: Symbol) -> str:
        return self._spread_names[symbol]

    @cached_property
    def _spread_names(self) -> dict[Symbol, str]:
        """The name of each number per row or column at an element; no value of elements has it."""
        lines, loads = self.text.phase.lines, self.text.phase.loads
        taken = {*self.text.kernel_parameters, *(self._local(load.symbol) for load in loads)}
        taken.update(self._local(line.target) for line in lines if line.target.rate == ELEMENT)
        names: dict[Symbol, str] = {}
        for spread in self.text.layout.spreads:
            name = f"{spread.name}_i"
            while name in taken:
                name = f"{spread.symbol.rate}_{name}"
            names[spread.symbol] = name
            taken.add(name)
        return names

    def _local(self, symbol: Symbol) -> str:
        return safe_name(f"{symbol.name}_i", self.text.kernel_parameters)


def _kind(line: Assign) -> str:
    """What a reduction is, for the name of its lanes."""
    return "max" if is_maximum(line) else "sum"


def _initial(line: Assign) -> str:
    assert isinstance(line.value, Apply)
    initial = line.value.intrinsic.initial
    return "-np.inf" if initial == float("-inf") else repr(initial)


def _words(text: str) -> set[str]:
    """The names in an equation."""
    return set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())
