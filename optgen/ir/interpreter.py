"""The reference interpreter: the definition of the language.

It walks any form of the IR with NumPy.  It shares nothing with the printers and backends, and is
what each of them is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from optgen.ir import axes
from optgen.ir.axes import BLOCK, LANES
from optgen.ir.expr import Apply, Expr, Number, Ref, Symbol
from optgen.ir.functions import Intrinsic, Reduction
from optgen.ir.program import Assign, Equation, Load, Output, Schedule, Variant
from optgen.ir.rate import ELEMENT, STEP, TENSOR, Rate

Array = npt.NDArray[Any]
# A value of rate TENSOR or above has one entry per variable, an axis rate's as `axes` says; one of
# lower rate is a single number.
Value = Any


@dataclass
class State:
    """What a step reads and writes.

    Attributes:
        step: hyperparameters, counters and STEP slots by name: float64 numbers.
        tensors: per variable, ``w``, ``g``, elementwise slots (arrays of the variable's shape and
            dtype), slots of axis rates (float64 arrays of the shape that users see) and numbers per
            variable (TENSOR slots, per-variable hyperparameters, ``size``) by name.
    """

    step: dict[str, float]
    tensors: list[dict[str, Any]]


def run(code: Variant | Schedule | Sequence[Equation], state: State, stages: Iterable[str]) -> None:
    """Run one step and update the state in place.

    Args:
        code: a variant, a schedule, or the equations of a mode (which know no stages).
        state: the values before the step; holds the values after it when the call returns.
        stages: the names of the common stages that are on.
    """
    machine = _Machine(state, frozenset(stages))
    with np.errstate(all="ignore"):
        if isinstance(code, Variant):
            machine.assign(code.lines)
            machine.store((*code.outputs, *code.results))
        elif isinstance(code, Schedule):
            machine.schedule(code)
        else:
            machine.equations(code)


def block_sums(
    values: Array, combine: Callable[[Any, Any], Any], initial: float
) -> npt.NDArray[np.float64]:
    """One number per block of 4,096 elements in C order: 256 lanes, folded by halves.

    Args:
        values: the float64 values of the elements, any shape.
        combine: addition or maximum.
        initial: what a lane starts from.
    """
    flat = values.reshape(-1)
    count = -(-flat.size // BLOCK)
    padded = np.full(count * BLOCK, initial, np.float64)
    padded[: flat.size] = flat
    rows = padded.reshape(count, BLOCK // LANES, LANES)
    lanes = np.full((count, LANES), initial)
    for row in range(BLOCK // LANES):
        lanes = combine(lanes, rows[:, row])
    width = LANES // 2
    while width:
        lanes = combine(lanes[:, :width], lanes[:, width : 2 * width])
        width //= 2
    return np.asarray(lanes[:, 0], np.float64)


@dataclass
class _Machine:
    """Values of symbols while a step runs."""

    state: State
    stages: frozenset[str]
    values: dict[Symbol, Value] = field(default_factory=dict)

    def assign(self, lines: Iterable[Assign]) -> None:
        for line in lines:
            if line.stage is None or line.stage in self.stages:
                self.values[line.target] = self._stored(line.target.rate, line.value)
            elif line.otherwise is not None:
                self.values[line.target] = self.value(line.otherwise)

    def store(self, outputs: Iterable[Output]) -> None:
        final = [
            (output, self.value(output.symbol))
            for output in outputs
            if output.stage is None or output.stage in self.stages
        ]
        for output, value in final:
            self._write(output.name, output.symbol.rate, value)

    def schedule(self, schedule: Schedule) -> None:
        """Run phase after phase; between two loops only memory and lower-rate values survive."""
        for phase in schedule.phases:
            if phase.stages is not None and not self.stages.intersection(phase.stages):
                continue
            self._forget_elements()
            self.assign(phase.step_lines)
            self.assign(phase.variable_lines)
            self.assign(phase.axis_lines)
            self._load(phase.loads)
            self.assign(phase.lines)
            self.store((*phase.variable_stores, *phase.axis_stores, *phase.stores))
        self.store(schedule.step_stores)
        self.assign(schedule.closing_lines)
        self.store(schedule.results)

    def equations(self, equations: Iterable[Equation]) -> None:
        """Run the unversioned lines of a program: every name means its current value."""
        written: dict[str, Symbol] = {}
        for equation in equations:
            self.values[equation.target] = self._stored(equation.target.rate, equation.value)
            written[equation.target.name] = equation.target
        for name, symbol in written.items():
            if symbol.kind.value in ("variable", "slot"):
                self._write(name, symbol.rate, self.values[symbol])

    def value(self, symbol: Symbol) -> Value:
        """The current value of a symbol, read from the state when no line has set it."""
        if symbol not in self.values:
            if symbol.version != 0:
                raise KeyError(f"{symbol.name}.{symbol.version} is used before it is computed")
            self.values[symbol] = self._read(symbol)
        return self.values[symbol]

    def evaluate(self, expr: Expr) -> Value:
        """The value of an expression: per variable if its rate is TENSOR or more."""
        if isinstance(expr, Apply) and expr.intrinsic.changes_rate:
            return self._change_rate(expr)
        if expr.rate <= STEP:
            return self._scalar(expr, None)
        return [self._on(expr, index) for index in range(len(self.state.tensors))]

    def _on(self, expr: Expr, index: int) -> Any:
        """The value of an expression for one variable: an array, or a float64 number."""
        if expr.rate != ELEMENT:
            return self._scalar(expr, index)
        if isinstance(expr, Ref):
            return self.value(expr.symbol)[index]
        assert isinstance(expr, Apply)
        w = self.state.tensors[index]["w"]
        dtype = w.dtype
        args = []
        for position, arg in enumerate(expr.args):
            part = self._on(arg, index)
            if arg.rate.is_axis:
                part = axes.spread(part, w.shape)
            if arg.rate != ELEMENT and position not in expr.intrinsic.truth_parameters:
                part = np.asarray(part).astype(dtype)[()]
            args.append(part)
        result = np.asarray(expr.intrinsic.meaning(*args))
        return result if expr.truth else result.astype(dtype, copy=False)

    def _scalar(self, expr: Expr, index: int | None) -> Any:
        """A value below the rate ELEMENT: a float64 number, an array of them, or truth values."""
        if isinstance(expr, Number):
            return np.float64(expr.value)
        if isinstance(expr, Ref):
            value = self.value(expr.symbol)
            return value if expr.symbol.rate <= STEP else value[index]
        assert isinstance(expr, Apply)
        if expr.intrinsic.changes_rate:
            changed = self._change_rate(expr)
            return changed if expr.rate <= STEP else changed[index]
        args = [self._scalar(arg, index) for arg in expr.args]
        result = expr.intrinsic.meaning(*args)
        if expr.rate.is_axis:
            return np.asarray(result, np.bool_ if expr.truth else np.float64)
        return bool(result) if expr.truth else np.float64(result)

    def _change_rate(self, expr: Apply) -> Value:
        """The value of a reduction, or of another function that leads from one rate to another."""
        row = expr.intrinsic
        if row.reduces is Reduction.ALL_VARIABLES:
            return self._fold(row, self.evaluate(expr.args[0]))
        return [self._changed_on(expr, index) for index in range(len(self.state.tensors))]

    def _changed_on(self, expr: Apply, index: int) -> Any:
        row = expr.intrinsic
        args = [self._on(arg, index) for arg in expr.args]
        if row.reduces is None:
            return row.meaning(*args, self.state.tensors[index]["w"].shape)
        if row.reduces is Reduction.MATRIX:
            return axes.matrix_totals(args[0], row.meaning, row.initial)
        assert row.element is not None
        elements = row.element(np.asarray(args[0]).astype(np.float64))
        if row.reduces is Reduction.ROW:
            return axes.row_totals(elements, row.meaning, row.initial)
        if row.reduces is Reduction.COLUMN:
            return axes.column_totals(elements, row.meaning, row.initial)
        return self._fold(row, block_sums(elements, row.meaning, row.initial))

    def _fold(self, row: Intrinsic, parts: Iterable[Any]) -> np.float64:
        """The parts combined in index order."""
        total = np.float64(row.initial)
        for part in parts:
            total = np.float64(row.meaning(total, part))
        return total

    def _stored(self, rate: Rate, expr: Expr) -> Value:
        """The value of an expression as the target holds it: broadcast to its rate, and rounded."""
        value = self.evaluate(expr)
        if rate <= STEP:
            return value
        tensors = self.state.tensors
        per_variable = value if isinstance(value, list) else [value] * len(tensors)
        if rate == TENSOR:
            return per_variable
        shapes = [tensor["w"].shape for tensor in tensors]
        if rate.is_axis:
            views = [axes.view_shape(rate, shape) for shape in shapes]
            return [np.broadcast_to(*pair) for pair in zip(per_variable, views, strict=True)]
        if expr.rate.is_axis:
            per_variable = [axes.spread(*pair) for pair in zip(per_variable, shapes, strict=True)]
        if expr.rate == ELEMENT:
            return per_variable
        return [
            np.broadcast_to(np.asarray(part).astype(tensor["w"].dtype), tensor["w"].shape)
            for part, tensor in zip(per_variable, tensors, strict=True)
        ]

    def _read(self, symbol: Symbol) -> Value:
        if symbol.rate <= STEP:
            return np.float64(self.state.step[symbol.name])
        values = [tensor[symbol.name] for tensor in self.state.tensors]
        if symbol.rate == TENSOR:
            return [np.float64(value) for value in values]
        if symbol.rate.is_axis:
            shapes = [tensor["w"].shape for tensor in self.state.tensors]
            return [
                np.array(value, np.float64).reshape(axes.view_shape(symbol.rate, shape))
                for value, shape in zip(values, shapes, strict=True)
            ]
        return [np.array(value) for value in values]

    def _write(self, name: str, rate: Rate, value: Value) -> None:
        if rate <= STEP:
            self.state.step[name] = float(value)
            return
        for tensor, part in zip(self.state.tensors, value, strict=True):
            if rate == TENSOR:
                tensor[name] = np.float64(part)
            elif rate.is_axis:
                shape = axes.stored_shape(rate, tensor["w"].shape)
                tensor[name] = np.array(part, np.float64).reshape(shape)
            else:
                tensor[name] = np.array(part, tensor["w"].dtype)

    def _load(self, loads: Iterable[Load]) -> None:
        for load in loads:
            if load.stage is None or load.stage in self.stages:
                self.values[load.symbol] = self._read(load.symbol)

    def _forget_elements(self) -> None:
        for symbol in [symbol for symbol in self.values if symbol.rate == ELEMENT]:
            del self.values[symbol]


def initial_state(
    variables: Sequence[Array], slots: Mapping[str, float | None], rates: Mapping[str, Rate]
) -> list[dict[str, Any]]:
    """The tensors of a `State` before the first step: copies of the variables, and their slots.

    Args:
        variables: the variables.
        slots: per slot of rate TENSOR or above its initial value, None for a copy of the
            variable.
        rates: the rate of each slot.
    """
    tensors: list[dict[str, Any]] = []
    for variable in variables:
        tensor: dict[str, Any] = {"w": np.array(variable)}
        _, rows, columns = axes.stacked(variable.shape)
        tensor |= {"size": np.float64(variable.size), "rank": np.float64(np.ndim(variable))}
        tensor |= {"rows": np.float64(rows), "columns": np.float64(columns)}
        for name, initial in slots.items():
            if rates[name].is_axis:
                assert initial is not None, f"slot {name} starts as the variable"
                shape = axes.stored_shape(rates[name], variable.shape)
                tensor[name] = np.full(shape, initial, np.float64)
            elif rates[name] == ELEMENT:
                tensor[name] = (
                    np.array(variable)
                    if initial is None
                    else np.full(variable.shape, initial, variable.dtype)
                )
            elif initial is not None:
                tensor[name] = np.float64(initial)
        tensors.append(tensor)
    return tensors
