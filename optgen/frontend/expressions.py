"""Syntax tree -> Expr: names resolved, functions looked up, types and rates checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice

from optgen.frontend.equations import Call, Literal, Name, Node, parse_expression
from optgen.frontend.libraries import in_the_language
from optgen.frontend.names import suggestion
from optgen.frontend.report import Report
from optgen.frontend.source import Source
from optgen.frontend.toml import SpanIndex
from optgen.ir.expr import Apply, Expr, Kind, Number, Ref, Symbol, walk
from optgen.ir.intrinsics import INTRINSICS, SHORTHANDS, Shorthand
from optgen.ir.rate import ELEMENT, INDEX, ROW, TENSOR, Rate

SIZE, RANK, ROWS, COLUMNS = (
    Symbol(name, Kind.COUNTER, TENSOR) for name in ("size", "rank", "rows", "columns")
)
MAX_PARTS = 1_000
"""Parts of an expression at most, where what functions stand for is written out."""

COUNTERS = (SIZE, RANK, ROWS, COLUMNS)
"""What is known of a variable's shape in equations."""


Resolve = Callable[[Name], Expr | None]


@dataclass
class Lowering:
    """Lowers expressions, and remembers what each part of them became.

    Attributes:
        resolve: gives a name's value, or reports why it has none.
        report: where messages go.
        internal: whether functions that specs may not name are allowed.
        not_functions: names of values, which cannot be called.
        values: the expression of each node that was lowered.
        complained: names that have had their message.
    """

    resolve: Resolve
    report: Report
    internal: bool = False
    not_functions: frozenset[str] = frozenset()
    values: dict[Node, Expr] = field(default_factory=dict)
    complained: set[str] = field(default_factory=set)

    def lower(self, node: Node) -> Expr | None:
        """The expression for a node; None, and at least one message, if there is none."""
        value = self._lower(node)
        if value is not None:
            self.values[node] = value
        return value

    def number(self, node: Node, role: str) -> Expr | None:
        """The expression for a node that must be a number."""
        value = self.lower(node)
        if value is not None and value.truth:
            if isinstance(node, Name):
                if node.name in self.complained:
                    return None
                self.complained.add(node.name)
            hint = "where(condition, x, y) gives a number"
            self.report.error(
                "E307", f"{role} must be a number", node.span, "a truth value", help=hint
            )
            return None
        return value

    def parts(self, node: Node) -> Iterator[Node]:
        """The parts of a node that decide its rate: all but what is inside a reduction."""
        yield node
        if isinstance(node, Call):
            value = self.values.get(node)
            if value is None or all(value.rate < self.values[arg].rate for arg in node.args):
                return
            for arg in node.args:
                yield from self.parts(arg)

    def _lower(self, node: Node) -> Expr | None:
        if isinstance(node, Literal):
            return Number(node.value)
        if isinstance(node, Name):
            return self.resolve(node)
        if isinstance(node, Call):
            return self._call(node)
        return None

    def _call(self, node: Call) -> Expr | None:
        shorthand = SHORTHANDS.get(node.function)
        if not self._known(node):
            for arg in node.args:
                self.lower(arg)
            return None
        parameters = shorthand.parameters if shorthand else INTRINSICS[node.function].parameters
        args = self._arguments(node)
        if len(node.args) != len(parameters):
            self._wrong_count(node, parameters)
            return None
        if args is None:
            return None
        if shorthand is not None:
            return self._expand(shorthand, node, args)
        return self._apply(node, args)

    def _known(self, node: Call) -> bool:
        if node.operator or node.function in SHORTHANDS:
            return True
        intrinsic = INTRINSICS.get(node.function)
        if intrinsic is not None and (intrinsic.public or self.internal):
            return True
        name = node.function
        headline = f"there is no function `{name}`"
        hint = function_hint(name)
        if name in self.not_functions:
            headline = f"`{name}` is a value, not a function"
            hint = f"a product is written `{name} * (...)`; the step is not an argument of a value"
            self.resolve(Name(node.name_span, name))  # so that the value counts as read
        self.report.error("E305", headline, node.name_span, help=hint)
        return False

    def _arguments(self, node: Call) -> list[Expr] | None:
        intrinsic = INTRINSICS.get(node.function)
        values = []
        for position, arg in enumerate(node.args):
            if intrinsic is not None and position in intrinsic.truth_parameters:
                values.append(self._truth(arg, node))
            else:
                role = f"an argument of `{node.operator or node.function}`"
                values.append(self.number(arg, role))
        known = [value for value in values if value is not None]
        return known if len(known) == len(values) else None

    def _truth(self, node: Node, call: Call) -> Expr | None:
        value = self.lower(node)
        if value is not None and not value.truth:
            what = "the condition" if call.function == "where" else "an argument"
            headline = f"{what} of `{call.operator or call.function}` must be a truth value"
            hint = "compare it with something, such as `x > 0`"
            self.report.error("E307", headline, node.span, "a number", help=hint)
            return None
        return value

    def _wrong_count(self, node: Call, parameters: tuple[str, ...]) -> None:
        count = len(parameters)
        takes = f"{count} argument{'s' if count > 1 else ''}"
        headline = f"`{node.function}` takes {takes} but is given {len(node.args)}"
        hint = f"{node.function}({', '.join(parameters)})"
        if node.function == "max" and len(node.args) > count:
            hint = "`maximum(x, y)` gives the larger of two numbers, element by element"
        self.report.error("E306", headline, node.span, help=hint)

    def _apply(self, node: Call, args: list[Expr]) -> Expr | None:
        function = node.function
        value = Apply(function, tuple(args))
        intrinsic = value.intrinsic
        if not intrinsic.accepts([arg.rate for arg in args]):
            if intrinsic.changes_rate:
                self._nothing_to_reduce(node, args[0])
            else:
                self._not_combinable(node)
            return None
        if function == "power" and args[1] == Number(2.0):
            return Apply("square", (args[0],))
        return value

    def _nothing_to_reduce(self, node: Call, argument: Expr) -> None:
        taken = _taken_by(node.function)
        hint = "it has one value for all elements: use it as it is"
        if argument.rate.level > TENSOR.level or taken != ELEMENT:
            hint = f"its argument has {taken.describe()}"
        headline = f"`{node.function}` combines {_COMBINED[taken]}"
        label = argument.rate.describe()
        self.report.error("E308", headline, node.args[0].span, label, help=hint)

    def _not_combinable(self, node: Call) -> None:
        """Report that a number per index meets a value that varies within a variable otherwise."""
        self.report.error(
            "E319",
            "one number per index does not combine with one per element, row or column",
            node.span,
            help=INDEX_HINT,
        )

    def _expand(self, shorthand: Shorthand, node: Call, args: list[Expr]) -> Expr | None:
        """The expression that a shorthand stands for, with the arguments in place."""
        inner = Report(self.report.index)
        names: Mapping[str, Expr] = dict(zip(shorthand.parameters, args, strict=True))
        counters = {symbol.name: Ref(symbol) for symbol in COUNTERS}
        expansion = Lowering(lambda name: {**counters, **names}[name.name], inner, internal=True)
        value = expansion.lower(expansion_of(shorthand))
        if value is None:
            # The only mistake left: a reduction in the expansion has nothing to reduce.
            self._nothing_to_reduce(node, args[0])
        elif next(islice(walk(value), MAX_PARTS, None), None) is not None:
            headline = f"an expression has more than {MAX_PARTS:,} parts"
            hint = "name the arguments of functions that use them twice on lines of their own"
            self.report.error("E318", headline, node.span, help=hint)
            return None
        return value


INDEX_HINT = "`index_minimum(v)` gives one number per element"
_COMBINED = {
    ELEMENT: "the elements of a variable",
    ROW: "the rows' numbers of each matrix",
    INDEX: "the numbers of an element's indices",
}


def _taken_by(function: str) -> Rate:
    """The rate of the argument of a function that leads from one rate to another."""
    if function in INTRINSICS:
        return INTRINSICS[function].takes[0]
    pending: list[Node] = [expansion_of(SHORTHANDS[function])]
    while True:
        call = pending.pop(0)
        if isinstance(call, Call):
            pending += call.args
            if INTRINSICS[call.function].changes_rate and isinstance(call.args[0], Name):
                return INTRINSICS[call.function].takes[0]


def function_hint(name: str) -> str | None:
    """The help line for a function that the language does not have."""
    public = [known for known, row in INTRINSICS.items() if row.public]
    return in_the_language(name) or suggestion(name, [*public, *SHORTHANDS], "functions")


@cache
def expansion_of(shorthand: Shorthand) -> Node:
    """The syntax tree of a shorthand's expansion."""
    report = Report(SpanIndex(f"<{shorthand.name}>", shorthand.expansion))
    node = parse_expression(Source.builtin(shorthand.expansion, shorthand.name), report)
    report.raise_if_any()
    assert node is not None
    return node


def local(name: str, value: Expr) -> Symbol:
    """The symbol of a local with this value."""
    return Symbol(name, Kind.LOCAL, value.rate, truth=value.truth)
