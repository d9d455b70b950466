"""Random well-formed programs, for tests that compare what each pass and backend makes of them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from optgen.frontend.common import lower_stages
from optgen.ir.expr import Apply, Expr, Kind, Number, Ref, Symbol, symbols
from optgen.ir.program import Equation, Hyperparameter, Mode, ModeChoice, Program, Slot
from optgen.ir.rate import COLUMN, ELEMENT, INDEX, MATRIX, ROW, STEP, TENSOR, Rate, are_combinable

ELEMENTWISE = (
    "add subtract multiply divide sqrt abs sign minimum maximum clip where square negative".split()
)
REDUCTIONS = ("sum", "sum_of_squares", "max")

W = Symbol("w", Kind.VARIABLE, ELEMENT)
G = Symbol("g", Kind.GRADIENT, ELEMENT)
T = Symbol("t", Kind.COUNTER, STEP)

HYPERPARAMETERS = (
    Hyperparameter("learning_rate", "float", 0.01),
    Hyperparameter("alpha", "float", 0.9),
    Hyperparameter("beta", "float", 0.5),
    Hyperparameter("flag", "bool", True),
    Hyperparameter("weight_decay", "float", 0.1, per_variable=True),
)

SLOTS = (
    Slot("m", ELEMENT, 0.0),
    Slot("n", ELEMENT, None),
    Slot("v", TENSOR, 0.5),
    Slot("u", TENSOR, 1.0),
    Slot("p", STEP, 1.0),
)

AXIS_SLOTS = (
    Slot("r", ROW, 0.5),
    Slot("c", COLUMN, 1.0),
    Slot("i", INDEX, 0.25),
)


@dataclass
class Generator:
    """Draws one program; the same seed gives the same program.

    Attributes:
        random: the source of choices.
        known: what an expression may refer to at this point.
        reductions: those that equations have had, which are likely to come again.
        axes: whether there are values per matrix, row, column and index.
    """

    random: random.Random
    known: list[Symbol] = field(default_factory=list)
    reductions: list[Expr] = field(default_factory=list)
    axes: bool = False

    def expression(self, limit: Rate, depth: int) -> Expr:
        """A number of rate ``limit`` or lower."""
        choices = [
            symbol
            for symbol in self.known
            if symbol.rate <= limit and not symbol.truth and are_combinable((symbol.rate, limit))
        ]
        if depth == 0 or self.random.random() < 0.15:
            if self.random.random() < 0.2:
                return Number(self.random.choice((0.0, 0.5, 1.0, 2.0, 3.0)))
            return Ref(self.random.choice(choices))
        if self.axes and limit > TENSOR and self.random.random() < 0.3:
            return self.again(limit) or self.noted(self.of_parts(limit, depth - 1))
        if limit >= TENSOR and self.random.random() < 0.18:
            inside = self.elements(depth - 1)
            found = Apply(self.random.choice(REDUCTIONS), (inside,))
            return self.again(limit) or self.noted(found)
        function = self.random.choice(ELEMENTWISE)
        if function == "where":
            args: tuple[Expr, ...] = (self.condition(limit, depth - 1),)
        else:
            args = ()
        arity = {"clip": 3, "sqrt": 1, "abs": 1, "sign": 1, "square": 1, "negative": 1}.get(
            function, 2
        )
        args += tuple(self.expression(limit, depth - 1) for _ in range(arity))
        return Apply(function, args)

    def noted(self, value: Expr) -> Expr:
        """The value, which may come again."""
        self.reductions.append(value)
        return value

    def again(self, limit: Rate) -> Expr | None:
        """A reduction that stands in an earlier place, of values that are still the same; or None.

        What it was assigned to may be another value by now.
        """
        if self.random.random() < 0.5:
            return None
        same = [
            value
            for value in self.reductions
            if value.rate <= limit
            and are_combinable((value.rate, limit))
            and set(symbols(value)) <= set(self.known)
        ]
        return self.random.choice(same) if same else None

    def of_parts(self, limit: Rate, depth: int) -> Expr:
        """A value of the rate, or of a part of it, from one of another rate."""
        kinds = {
            ROW: ("row_sum", "row_max", "matrix_sum"),
            COLUMN: ("column_sum", "column_max", "matrix_sum"),
            MATRIX: ("matrix_sum",),
            INDEX: ("index_max",),
            ELEMENT: ("row_sum", "column_max", "index_minimum"),
        }[limit]
        function = self.random.choice(kinds)
        if function == "index_max":
            inside = self.elements(depth)
            return Apply(
                "index_maxima", (Apply("row_max", (inside,)), Apply("column_max", (inside,)))
            )
        if function == "index_minimum":
            indices = [symbol for symbol in self.known if symbol.rate == INDEX]
            inside = Ref(self.random.choice(indices))
            return Apply(
                "minimum", (Apply("index_rows", (inside,)), Apply("index_columns", (inside,)))
            )
        if function == "matrix_sum":
            return Apply(function, (Apply("row_sum", (self.elements(depth),)),))
        return Apply(function, (self.elements(depth),))

    def elements(self, depth: int) -> Expr:
        """An expression that really varies over elements, so that it can be reduced."""
        names = [symbol for symbol in self.known if symbol.rate == ELEMENT]
        return Apply(
            self.random.choice(("add", "multiply", "minimum")),
            (Ref(self.random.choice(names)), self.expression(ELEMENT, max(depth, 0))),
        )

    def condition(self, limit: Rate, depth: int) -> Expr:
        """A truth value of rate ``limit`` or lower."""
        if self.random.random() < 0.2:
            return Ref(HYPERPARAMETERS[3].symbol)
        function = self.random.choice(("less", "greater_equal", "equal", "not_equal"))
        sides = (self.expression(limit, depth), self.expression(limit, depth))
        if self.random.random() < 0.2:
            return Apply("not", (Apply(function, sides),))
        return Apply(function, sides)

    def equation(self, target: Symbol, value: Expr) -> Equation:
        """The assignment of a value to a symbol, which may be referred to from then on."""
        if target.kind is Kind.LOCAL:
            target = Symbol(target.name, Kind.LOCAL, value.rate)
        self.known = [symbol for symbol in self.known if symbol.name != target.name]
        # Another value of the name is another value.
        self.reductions = [
            value
            for value in self.reductions
            if all(symbol.name != target.name for symbol in symbols(value))
        ]
        self.known.append(target)
        return Equation(target, value, f"{target.name} = ...")

    def program(self) -> Program:
        """A program of one mode: every slot is assigned, and the variable last or nearly so."""
        slots = (*SLOTS, *AXIS_SLOTS) if self.axes else SLOTS
        self.known = [W, G, T, *(h.symbol for h in HYPERPARAMETERS), *(s.symbol for s in slots)]
        targets = [slot.symbol for slot in slots if self.random.random() < 0.7]
        count = self.random.randint(1, 4)
        targets += [Symbol(f"local_{i}", Kind.LOCAL, ELEMENT) for i in range(count)]
        if self.random.random() < 0.3:
            targets.append(G)
        self.random.shuffle(targets)
        targets.insert(self.random.randint(len(targets) // 2, len(targets)), W)
        for _ in range(self.random.choice((0, 0, 1, 2))):
            targets.insert(self.random.randint(1, len(targets)), self.random.choice(targets))
        equations = []
        for target in targets:
            limit = target.rate
            if target.kind is Kind.LOCAL:
                limits = (STEP, TENSOR, ELEMENT, ELEMENT)
                limits += (ROW, COLUMN, MATRIX, INDEX) if self.axes else ()
                limit = self.random.choice(limits)
            equations.append(self.equation(target, self.expression(limit, 3)))
        stages, common = lower_stages(("weight_decay",), HYPERPARAMETERS[0].symbol)
        names = tuple(slot.name for slot in slots)
        return Program(
            "Random",
            "random_rule",
            HYPERPARAMETERS,
            slots,
            (Mode("default", "", names, tuple(equations)),),
            stages,
            common,
            (ModeChoice((), "default"),),
            "default",
        )


def draw(seed: int, axes: bool = False) -> Program:
    """The program of a seed.

    Args:
        seed: the source of choices.
        axes: whether it has values per matrix, row, column and index, too.
    """
    return Generator(random.Random(seed), axes=axes).program()
