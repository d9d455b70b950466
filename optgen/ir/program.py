"""The three forms of an optimizer inside the compiler, each with an invariant of its own.

A `Program` may hold several modes.  A `Variant` holds one: a straight line of assignments in SSA
form, free of loops.  A `Schedule` orders a Variant into scalar lines and flat loops.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from optgen.diagnostics import Span
from optgen.ir.expr import Apply, Expr, Kind, Symbol
from optgen.ir.functions import Reduction
from optgen.ir.rate import STEP, TENSOR, Rate

HyperparameterValue = float | int | bool | str | None


@dataclass(frozen=True)
class Hyperparameter:
    """A constructor argument of the optimizer.

    Attributes:
        name: the argument's name.
        kind: ``float``, ``int``, ``bool`` or ``choice``.
        default: the default value; None for an optional hyperparameter that is off.
        minimum, maximum: bounds, None for none.
        exclusive_minimum, exclusive_maximum: whether the bounds themselves are refused.
        optional: whether None is allowed.
        choices: the allowed strings of a ``choice``.
        doc: what it does, for the class's docstring.
        per_variable: whether its value may differ between variables (a variable that is excluded
            from weight decay sees 0).
    """

    name: str
    kind: str
    default: HyperparameterValue
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    optional: bool = False
    choices: tuple[str, ...] = ()
    doc: str = ""
    per_variable: bool = False

    @property
    def smallest(self) -> float:
        """The smallest number that it may be; minus infinity without a bound."""
        if self.minimum is None:
            return -math.inf
        return self._beside(self.minimum, math.inf) if self.exclusive_minimum else self.minimum

    @property
    def largest(self) -> float:
        """The largest number that it may be; infinity without a bound."""
        if self.maximum is None:
            return math.inf
        return self._beside(self.maximum, -math.inf) if self.exclusive_maximum else self.maximum

    def _beside(self, bound: float, towards: float) -> float:
        if self.kind == "int":
            return bound + math.copysign(1, towards)
        return math.nextafter(bound, towards)

    @property
    def rate(self) -> Rate:
        """STEP, or TENSOR for one that may differ between variables."""
        return TENSOR if self.per_variable else STEP

    @property
    def symbol(self) -> Symbol:
        """The hyperparameter as a value in an equation."""
        return Symbol(
            self.name, Kind.HYPERPARAMETER, self.rate, truth=self.kind in ("bool", "choice")
        )


@dataclass(frozen=True)
class Slot:
    """State that the optimizer keeps between steps.

    Attributes:
        name: the slot's name in the equations.
        rate: ELEMENT, ROW, COLUMN or INDEX (float64, one number for each of these), TENSOR
            (float64, one number per variable) or STEP (float64, one number).
        initial: the starting value of every element; ``"w"`` for a copy of the variable, or the
            name of a hyperparameter, whose value at build it is.
        doc: what it holds.
    """

    name: str
    rate: Rate
    initial: float | str = 0.0
    doc: str = ""

    @property
    def symbol(self) -> Symbol:
        """The slot's value at the start of a step."""
        return Symbol(self.name, Kind.SLOT, self.rate)

    def initial_value(self, hyperparameters: Mapping[str, float]) -> float | None:
        """The starting value with these hyperparameters; None for a copy of the variable."""
        if self.initial == "w":
            return None
        if isinstance(self.initial, str):
            return hyperparameters[self.initial]
        return self.initial


@dataclass(frozen=True)
class Equation:
    """One line of a spec: the current value of ``target`` becomes ``value``.

    Attributes:
        target: the symbol assigned to, version 0; its rate is a slot's declared rate, or that of
            the value.
        value: the right-hand side; every symbol in it is version 0.
        text: the line as the author wrote it, without comment.
        span: where it stands in the spec.
    """

    target: Symbol
    value: Expr
    text: str
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Stage:
    """A common stage: equations around the author's update that run only when an argument is given.

    Attributes:
        name: the argument that switches the stage on, or a word for what the stage keeps.
        before: whether the stage runs before the author's update or after it.
        equations: its lines.
        slots: the state that the stage keeps.
        excludes: earlier stages that are never on together with this one, so that its equations see
            the values from before them.
    """

    name: str
    before: bool
    equations: tuple[Equation, ...]
    slots: tuple[Slot, ...] = ()
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mode:
    """One form of the update rule.

    Attributes:
        name: the mode's name, a word.
        condition: the condition on hyperparameters as the author wrote it; empty if it is the only
            mode.
        slots: the names of the slots that exist in this mode, in the spec's order.
        equations: shared and own equations, in order of execution.
        test: the condition as a Python expression, printed from its parsed form.
        reads: the hyperparameters that the condition mentions.
        results: the locals of rate STEP that the step gives back to its caller.
    """

    name: str
    condition: str
    slots: tuple[str, ...]
    equations: tuple[Equation, ...]
    test: str = "True"
    reads: tuple[str, ...] = ()
    results: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModeChoice:
    """One cell of the hyperparameters' ranges, and the mode that it selects.

    Attributes:
        cell: per hyperparameter that a condition mentions, a value that stands for its cell.
        mode: the name of the selected mode.
    """

    cell: tuple[tuple[str, HyperparameterValue], ...]
    mode: str


@dataclass(frozen=True)
class Program:
    """An optimizer with names resolved and rates inferred; modes are still alternatives.

    Attributes:
        name: the class name.
        module: the name of the generated module.
        hyperparameters, slots, modes: in the spec's order.
        stages: the common stages in order of execution.
        common: the hyperparameters that the common stages read.
        choices: which mode each combination of cells selects.
        default_mode: the mode that the hyperparameters' defaults select.
        evaluations: for each mode what gives the variables the values that a model is evaluated
            with, in equations that read slots and assign ``w`` alone; empty if these are the
            variables' own.
    """

    name: str
    module: str
    hyperparameters: tuple[Hyperparameter, ...]
    slots: tuple[Slot, ...]
    modes: tuple[Mode, ...]
    stages: tuple[Stage, ...] = ()
    common: tuple[Hyperparameter, ...] = ()
    choices: tuple[ModeChoice, ...] = ()
    default_mode: str = ""
    evaluations: tuple[Mode, ...] = ()

    @property
    def evaluation(self) -> Program:
        """The evaluations as a program of their own, without common stages."""
        return replace(self, modes=self.evaluations, stages=(), choices=(), evaluations=())

    def mode(self, name: str) -> Mode:
        """The mode of that name; KeyError if there is none."""
        for mode in self.modes:
            if mode.name == name:
                return mode
        raise KeyError(name)


@dataclass(frozen=True)
class Assign:
    """An SSA assignment.

    Attributes:
        target: the symbol defined here and nowhere else.
        value: the right-hand side.
        stage: the common stage that the line belongs to, None for the author's lines.  When the
            stage is off the line does not run.
        otherwise: what ``target`` stands for when the stage is off; None if it is then never used.
        text: the equation that the line comes from, as the author wrote it.
    """

    target: Symbol
    value: Expr
    stage: str | None = None
    otherwise: Symbol | None = None
    text: str = ""

    @property
    def reduces(self) -> bool:
        """Whether the line is a reduction over a variable's elements, standing alone."""
        return self.reduction is not None and self.reduction.needs_loop

    @property
    def reduction(self) -> Reduction | None:
        """What the line's value, which stands alone, is combined over; None if it is not."""
        return self.value.intrinsic.reduces if isinstance(self.value, Apply) else None


@dataclass(frozen=True)
class Output:
    """What a variable or slot holds after the step.

    Attributes:
        name: ``w`` or a slot's name.
        symbol: its final value.
        stage: the stage without which nothing is stored, None if it is always stored.
    """

    name: str
    symbol: Symbol
    stage: str | None = None


@dataclass(frozen=True)
class Variant:
    """One mode as straight-line SSA.

    Attributes:
        name: the mode's name.
        slots: the slots that exist in the mode, common ones (average, accumulator) included.
        lines: assignments in order of execution.
        outputs: the final values that are stored.
        results: the STEP values that the caller reads afterwards.
    """

    name: str
    slots: tuple[Slot, ...]
    lines: tuple[Assign, ...]
    outputs: tuple[Output, ...]
    results: tuple[Output, ...] = ()


@dataclass(frozen=True)
class Load:
    """A read of an elementwise value from memory at the start of a loop body.

    Attributes:
        name: the variable, gradient or slot that is read.
        symbol: the value that memory holds at that point.
        stage: the stage without which nothing is read.
    """

    name: str
    symbol: Symbol
    stage: str | None = None


@dataclass(frozen=True)
class Phase:
    """One launch: host scalars, numbers per variable, row and column, then a loop over elements.

    The loop is flat, unless it combines rows or columns; one that does combines nothing else.

    Attributes:
        name: the phase in words.
        stages: None if the phase always runs, else the stages of which at least one must be on.
        step_lines: STEP values computed on the host before the launch.
        variable_lines: TENSOR values computed once per variable before the loop.
        variable_stores: TENSOR slots stored after ``variable_lines``.
        axis_lines: values of axis rates computed after ``variable_lines`` and before the loop.
        axis_stores: slots of axis rates stored after ``axis_lines``.
        loads: elementwise values read from memory.
        lines: the loop body, reductions over the elements among its assignments.
        stores: elementwise values written to memory.
    """

    name: str
    stages: tuple[str, ...] | None
    step_lines: tuple[Assign, ...]
    variable_lines: tuple[Assign, ...]
    variable_stores: tuple[Output, ...]
    loads: tuple[Load, ...]
    lines: tuple[Assign, ...]
    stores: tuple[Output, ...]
    axis_lines: tuple[Assign, ...] = ()
    axis_stores: tuple[Output, ...] = ()

    @property
    def reduces_axes(self) -> bool:
        """Whether the loop combines rows or columns."""
        return any(line.reduction is not Reduction.VARIABLE for line in self.reductions)

    @property
    def reductions(self) -> tuple[Assign, ...]:
        """The reductions among the lines."""
        return tuple(line for line in self.lines if line.reduces)


@dataclass(frozen=True)
class Schedule:
    """A mode as ordered phases.

    Attributes:
        name: the mode's name.
        slots: as in the Variant.
        phases: in order of launch.
        step_stores: STEP slots and their final values.
        closing_lines: the STEP lines of the results, which may need all phases.
        results: as in the Variant.
    """

    name: str
    slots: tuple[Slot, ...]
    phases: tuple[Phase, ...]
    step_stores: tuple[Output, ...] = ()
    closing_lines: tuple[Assign, ...] = ()
    results: tuple[Output, ...] = ()

    def lines(self) -> Iterator[Assign]:
        """All assignments in order of execution."""
        for phase in self.phases:
            yield from phase.step_lines
            yield from phase.variable_lines
            yield from phase.axis_lines
            yield from phase.lines
        yield from self.closing_lines
