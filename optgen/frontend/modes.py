"""The equations of one mode: what each name means on each line, and what may be assigned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optgen.diagnostics import Label, Span
from optgen.frontend.common import GRADIENT, STEP_NUMBER, VARIABLE
from optgen.frontend.equations import Assignment, Call, Name, Node
from optgen.frontend.expressions import RANK, SIZE, Lowering, local
from optgen.frontend.libraries import in_the_language, other_name, without_index
from optgen.frontend.names import (
    LANGUAGE_NAMES,
    MAX_NAME,
    WORD,
    nearest,
    reserved,
    suggestion,
)
from optgen.frontend.report import Report
from optgen.ir.expr import Expr, Ref, Symbol
from optgen.ir.program import Equation, Hyperparameter, Mode, Slot
from optgen.ir.rate import TENSOR, Rate

_GIVEN = (STEP_NUMBER, SIZE, RANK)
"""What equations read and never assign, besides hyperparameters."""
OLD_AND_NEW = "before the line that assigns it, `{name}` holds the value of the last step"


@dataclass(frozen=True)
class Block:
    """Parsed lines, and whether every line of the text is among them."""

    lines: list[Assignment]
    complete: bool


@dataclass(frozen=True)
class ModeScope:
    """What a mode's equations may refer to.

    Attributes:
        name: the mode.
        span: the place that stands for it.
        hyperparameters, slots: all of the spec.
        existing: the slots that exist in this mode.
        may_be_none: the optional hyperparameters that may be None in this mode.
        evaluates: whether the equations are those of an evaluation: there is no gradient, and
            nothing but ``w`` may change.
    """

    name: str
    span: Span
    hyperparameters: Mapping[str, Hyperparameter]
    slots: Mapping[str, Slot]
    existing: tuple[str, ...]
    may_be_none: frozenset[str]
    evaluates: bool = False


@dataclass
class LoweredMode:
    """A mode, and which names its equations use.

    Attributes:
        mode: the mode.
        span: the place that stands for it.
        complete: whether every line could be read.
        read: names that any line reads.
        carried: slots that are read before they are assigned, so that they carry a value over.
        written: names that any line assigns.
    """

    mode: Mode
    span: Span
    complete: bool
    read: set[str]
    carried: set[str]
    written: set[str]


def lower_mode(
    scope: ModeScope, condition: str, blocks: tuple[Block, ...], report: Report
) -> LoweredMode:
    """The mode made of these blocks of equations, one after the other."""
    lines = [line for block in blocks for line in block.lines]
    lowering = _ModeLowering(scope, report, {line.target.name: line.span for line in lines})
    equations = []
    for line in lines:
        equation = lowering.line(line)
        if equation is not None:
            equations.append(equation)
    return LoweredMode(
        Mode(scope.name, condition, scope.existing, tuple(equations)),
        scope.span,
        all(block.complete for block in blocks),
        lowering.read,
        lowering.carried,
        lowering.written,
    )


@dataclass
class _ModeLowering:
    """The state while the lines of a mode are lowered from top to bottom.

    Attributes:
        scope: what the lines may refer to.
        report: where messages go.
        assigned: all names that any line of the mode assigns, and the last line that does.
        locals: the locals so far; None for one whose value has a mistake.
        complained: names that have had their message, which is given once per mode.
        read, carried, written: as in `LoweredMode`, so far.
    """

    scope: ModeScope
    report: Report
    assigned: Mapping[str, Span]
    locals: dict[str, Symbol | None] = field(default_factory=dict)
    complained: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    carried: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)

    def line(self, line: Assignment) -> Equation | None:
        """The equation for a line; None, and a message, if it has a mistake."""
        values = {"w", "g", "t", *self.scope.hyperparameters, *self.scope.slots, *self.locals}
        lowering = Lowering(self.resolve, self.report, not_functions=frozenset(values))
        lowering.complained = self.complained
        value = lowering.lower(line.value)
        target = self._target(line, value, lowering)
        self.written.add(line.target.name)
        if value is None or target is None:
            return None
        return Equation(target, value, line.text, line.span)

    def resolve(self, node: Name) -> Expr | None:
        """The value that a name stands for at this line."""
        name = node.name
        self.read.add(name)
        if name in self.locals:
            symbol = self.locals[name]
            return None if symbol is None else Ref(symbol)
        if name == GRADIENT.name and self.scope.evaluates:
            self._only_in_steps(node, "an evaluation has no gradient", "use `w` and slots")
            return None
        for known in (VARIABLE, GRADIENT, *_GIVEN):
            if name == known.name:
                return Ref(known)
        if name in self.report.faulty:
            return None
        if name in self.scope.hyperparameters:
            return self._hyperparameter(node, self.scope.hyperparameters[name])
        if name in self.scope.slots:
            if name not in self.scope.existing:
                self._absent(node)
                return None
            if name not in self.written:
                self.carried.add(name)
            return Ref(self.scope.slots[name].symbol)
        self._unknown(node)
        return None

    def _hyperparameter(self, node: Name, row: Hyperparameter) -> Expr | None:
        if row.kind == "choice":
            if not self._first_complaint(row.name):
                return None
            headline = f"`{row.name}` is a choice, not a number"
            hint = "let it select a mode, by `when`"
            self.report.error("E317", headline, node.span, help=hint)
            return None
        if row.name in self.scope.may_be_none:
            if not self._first_complaint(row.name):
                return None
            self.report.error(
                "E316",
                f"`{row.name}` may be None in mode `{self.scope.name}`",
                node.span,
                "",
                Label(self.report.index.key("hyperparameters", row.name), "optional"),
                help=self._rule_out(row.name),
            )
            return None
        return Ref(row.symbol)

    def _rule_out(self, name: str) -> str:
        condition = f'when = "{name} is not None"'
        if self.report.index.has("modes"):
            return condition
        return f"write `[[modes]]`, one of them with `{condition}`, or remove `optional`"

    def _only_in_steps(self, node: Name, headline: str, hint: str) -> None:
        if self._first_complaint(node.name):
            self.report.error("E319", headline, node.span, help=hint)

    def _first_complaint(self, name: str) -> bool:
        """Whether nothing was said about this name yet."""
        if name in self.complained:
            return False
        self.complained.add(name)
        return True

    def _absent(self, node: Name) -> None:
        if not self._first_complaint(node.name):
            return
        when = self.report.index.value("slots", node.name, "when")
        self.report.error(
            "E311",
            f"slot `{node.name}` does not exist in mode `{self.scope.name}`",
            node.span,
            "",
            Label(when, "false in this mode"),
            help="leave it out of this mode, or widen its condition",
        )

    def _unknown(self, node: Name) -> None:
        name = node.name
        # The absence of a learning rate has a message of its own.
        if name == "learning_rate":
            return
        known = ["w", "g", "t", *self.scope.hyperparameters, *self.scope.existing, *self.locals]
        if self.report.misses_a_block and other_name(name, known) is None:
            return
        self.report.blame(name)  # in other modes it is the same mistake
        if name in self.assigned:
            self.report.error(
                "E309",
                f"`{name}` is used before it is set",
                node.span,
                "",
                Label(self.assigned[name], "set here"),
                help=self._before_set(node),
            )
            return
        base = without_index(name, known)
        hint = suggestion(name, known)
        if base is not None:
            hint = f"write `{base}`: {OLD_AND_NEW.format(name=base)}"
        elif in_the_language(name.lower()) is not None:
            hint = in_the_language(name.lower())
        elif hint is None or not hint.startswith("did"):
            hint = "declare it in `[hyperparameters]` or `[slots]`" + (f"; {hint}" if hint else "")
        self.report.error("E301", f"unknown name `{name}`", node.span, help=hint)

    def _before_set(self, node: Name) -> str:
        """What to do about a local that is read before the line that assigns it."""
        name = node.name
        meant = other_name(name, ("w", "g"))
        idle = [slot for slot in self.scope.existing if slot not in self.assigned]
        meant = meant or nearest(name, idle)
        if meant is not None:
            return f"did you mean `{meant}`?"
        own_line = self.assigned[name]
        if own_line.start <= node.span.start <= own_line.end:
            keep = f'`{name} = {{ doc = "..." }}` in `[slots]`'
            return f"what is kept from step to step is a slot: declare it, {keep}"
        return "set it on an earlier line"

    def _target(self, line: Assignment, value: Expr | None, lowering: Lowering) -> Symbol | None:
        """The symbol that a line assigns, after checking that it may."""
        node = line.target
        name = node.name
        if name in self.report.faulty and name not in ("w", "g", "t"):
            return None
        given = name in (symbol.name for symbol in _GIVEN)
        if given or name in self.scope.hyperparameters:
            what = LANGUAGE_NAMES[name] if given else "a hyperparameter"
            headline = f"`{name}` cannot be assigned: it is {what}"
            hint = "assign a local of another name"
            if name == STEP_NUMBER.name:
                hint = "remove the line if it counts: `t` is 1 in the first step, then 2, and so on"
            self.report.error("E310", headline, node.span, help=hint)
            return None
        if name in self.scope.slots and name not in self.scope.existing:
            self._absent(node)
            return None
        if self.scope.evaluates and (name == GRADIENT.name or name in self.scope.slots):
            headline = f"an evaluation changes `w` alone, not `{name}`"
            self._only_in_steps(node, headline, "assign a local of another name")
            return None
        stored = next((known for known in (VARIABLE, GRADIENT) if known.name == name), None)
        if name in self.scope.slots:
            stored = self.scope.slots[name].symbol
        if stored is None:
            return self._local(node, value)
        if value is not None and value.truth:
            hint = "where(condition, 1, 0)"
            headline = f"`{name}` holds numbers but is assigned a truth value"
            self.report.error("E307", headline, line.value.span, help=hint)
            return None
        if value is not None and not value.rate <= stored.rate:
            self._too_small(line, stored.rate, value.rate, lowering)
            return None
        return stored

    def _local(self, node: Name, value: Expr | None) -> Symbol | None:
        name = node.name
        if name not in self.locals:
            meaning = reserved(name)
            if not WORD.fullmatch(name) or len(name) > MAX_NAME:
                hint = f"a letter, then at most {MAX_NAME - 1} letters, digits and `_`"
                headline = f"`{name[:MAX_NAME]}` is not a name"
                self.report.error("E205", headline, node.span, help=hint)
            elif meaning is not None:
                headline = f"a local cannot be called `{name}`: that is {meaning}"
                hint = f"another name, such as `my_{name}`"
                self.report.error("E206", headline, node.span, help=hint)
        symbol = None if value is None else local(name, value)
        self.locals[name] = symbol
        return symbol

    def _too_small(self, line: Assignment, slot: Rate, value: Rate, lowering: Lowering) -> None:
        """Report a value that varies over more than the slot that it is assigned to."""
        name = line.target.name
        guilty = _guilty(line.value, slot, lowering)
        per = "per element" if value.level > TENSOR.level else "per variable"
        holds = "one number per variable" if slot == TENSOR else "a single number"
        declare = f'declare the slot as `rate = "{per.removeprefix("per ")}"`'
        reduce = "reduce first, with `sum`, `mean`, `norm` or `max`, or "
        self.report.error(
            "E302",
            f"slot `{name}` holds {holds} but is assigned one {per}",
            line.target.span,
            "",
            Label(guilty.span, f"{_text(guilty)} is {per}"),
            Label(self.report.index.value("slots", name, "rate"), f"declared as {holds} here"),
            help=(reduce if per == "per element" else "") + declare,
        )


def _guilty(value: Node, slot: Rate, lowering: Lowering) -> Node:
    """The innermost, leftmost part that varies over more than a slot of this rate can hold."""
    found = value
    for part in lowering.parts(value):
        lowered = lowering.values.get(part)
        if lowered is not None and not lowered.rate <= slot:
            found = part
            inner = part.args if isinstance(part, Call) else ()
            if all(lowering.values[arg].rate <= slot or _reduces(part, lowering) for arg in inner):
                return part
    return found


def _reduces(node: Node, lowering: Lowering) -> bool:
    """Whether a node's value varies over less than its arguments do."""
    if not isinstance(node, Call):
        return False
    return all(lowering.values[node].rate < lowering.values[arg].rate for arg in node.args)


def _text(node: Node) -> str:
    if isinstance(node, Name):
        return f"`{node.name}`"
    return f"the `{node.function}`" if isinstance(node, Call) and not node.operator else "this"
