"""What a row of the function table says, and how the rate of a result follows from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from optgen.ir.rate import Rate, are_combinable, join_all

Meaning = Callable[..., Any]


class Reduction(Enum):
    """What a reduction combines its argument's elements over."""

    VARIABLE = "variable"
    ALL_VARIABLES = "all variables"
    ROW = "row"
    COLUMN = "column"
    MATRIX = "matrix"

    @property
    def needs_loop(self) -> bool:
        """Whether it combines elements, so that its result is known only after a loop over them."""
        return self in (Reduction.VARIABLE, Reduction.ROW, Reduction.COLUMN)


@dataclass(frozen=True)
class Intrinsic:
    """One function of the language.

    Attributes:
        name: the name in an equation, or for an operator the name the compiler uses.
        parameters: the names of the parameters, for messages and documentation.
        meaning: the NumPy definition, on float64 scalars and on arrays of a variable's dtype alike.
            For a reduction: how two partial results are combined.
        doc: one line for the language reference.
        operator: the Python operator of the language that stands for it, if any.
        precedence: how tightly the printed form binds; higher binds tighter.
        host: how generated host code spells it; ``{0}`` stands for the first argument.
        cpu: how generated CPU kernels spell it.
        cuda: how generated CUDA kernels spell it; empty if as CPU kernels do.
        truth_parameters: which parameters are truth values instead of numbers.
        gives_truth: whether the result is a truth value.
        exact: whether every backend gives the interpreter's result to the bit.
        reduces: what a reduction reduces over; None for an elementwise function.
        initial: the value of a reduction over no elements.
        element: for a reduction, how one element enters it, on the float64 value of the element.
        public: whether a spec may use it by name.
        latex: how formulas spell it; ``#1`` stands for the first argument.
        takes: the rates of the arguments, for a function that leads from one rate to another; empty
            for one whose result varies as its arguments do.
        gives: the rate of the result of such a function.
    """

    name: str
    parameters: tuple[str, ...]
    meaning: Meaning
    doc: str
    operator: str | None = None
    precedence: int = 100
    host: str = ""
    cpu: str = ""
    truth_parameters: tuple[int, ...] = ()
    gives_truth: bool = False
    exact: bool = True
    reduces: Reduction | None = None
    initial: float = 0.0
    element: Meaning | None = None
    public: bool = True
    cuda: str = ""
    latex: str = ""
    takes: tuple[Rate, ...] = ()
    gives: Rate | None = None

    def spelling(self, target: str) -> str:
        """How the generated code of a target spells it: ``host``, ``cpu`` or ``cuda``."""
        return {"host": self.host, "cpu": self.cpu, "cuda": self.cuda or self.cpu}[target]

    @property
    def changes_rate(self) -> bool:
        """Whether the result varies otherwise than the arguments do."""
        return self.gives is not None

    def result_rate(self, rates: Sequence[Rate]) -> Rate:
        """The rate of the result for the arguments' rates."""
        return join_all(rates) if self.gives is None else self.gives

    def accepts(self, rates: Sequence[Rate]) -> bool:
        """Whether arguments of these rates make sense: only what varies can be reduced."""
        return are_combinable(rates) if self.gives is None else tuple(rates) == self.takes


@dataclass(frozen=True)
class Shorthand:
    """A function that is written as an expression of other functions.

    Attributes:
        name: the name in an equation.
        parameters: the names of the parameters.
        expansion: the equation-language text that it stands for, in terms of the parameters.
        doc: one line for the language reference.
        latex: how formulas spell it; ``#1`` stands for the first argument.
    """

    name: str
    parameters: tuple[str, ...]
    expansion: str
    doc: str
    latex: str
