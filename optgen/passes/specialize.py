"""Program -> Variant: one mode as a straight line of assignments, each value assigned once.

The common stages run around the author's update from here on, as lines that a stage's absence
skips, so that every later pass treats them like any other line.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from optgen.ir.expr import Expr, Kind, Ref, Symbol, rewrite
from optgen.ir.program import Assign, Equation, Output, Program, Slot, Stage, Variant
from optgen.ir.rate import Rate


def specialize(program: Program, mode_name: str) -> Variant:
    """The variant of one mode, with the program's common stages around its equations.

    Args:
        program: the program.
        mode_name: the name of one of its modes.

    Raises:
        KeyError: if the program has no such mode.
    """
    mode = program.mode(mode_name)
    slots = tuple(slot for slot in program.slots if slot.name in mode.slots)
    state = _Renaming()
    for stage in program.stages:
        if stage.before:
            state.append_stage(stage)
    state.append(mode.equations)
    for stage in program.stages:
        if not stage.before:
            state.append_stage(stage)
    slots += _stage_slots(program.stages, slots)
    results = tuple(Output(name, state.current[name]) for name in mode.results)
    return Variant(mode.name, slots, tuple(state.lines), state.outputs(), results)


def _stage_slots(stages: tuple[Stage, ...], present: tuple[Slot, ...]) -> tuple[Slot, ...]:
    """The slots that the stages keep for themselves, each once."""
    known = {slot.name for slot in present}
    own: dict[str, Slot] = {}
    for stage in stages:
        for slot in stage.slots:
            if slot.name not in known:
                own.setdefault(slot.name, slot)
    return tuple(own.values())


@dataclass
class _Renaming:
    """The lines so far, and what each name stands for: now, and before each stage."""

    lines: list[Assign] = field(default_factory=list)
    current: dict[str, Symbol] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    written_by: dict[str, set[str | None]] = field(default_factory=dict)
    before_stage: dict[str, dict[str, Symbol]] = field(default_factory=dict)

    def append_stage(self, stage: Stage) -> None:
        """Add a stage's equations, which see nothing of the stages that it excludes."""
        seen = dict(self.current)
        for name in stage.excludes:
            seen |= self.before_stage.get(name, {})
        self.before_stage[stage.name] = seen
        self.append(stage.equations, stage.name, seen)

    def append(
        self,
        equations: tuple[Equation, ...],
        stage: str | None = None,
        seen: dict[str, Symbol] | None = None,
    ) -> None:
        """Add equations, giving every value they assign a version of its own.

        Args:
            equations: the lines.
            stage: the stage that they belong to.
            seen: what names stand for in them at the start; the current values if missing.
        """
        meaning = dict(self.current if seen is None else seen)
        for equation in equations:
            value = _resolve(equation.value, meaning)
            name = equation.target.name
            version = self.versions.get(name, 0) + 1
            self.versions[name] = version
            target = replace(
                equation.target,
                version=version,
                rate=_target_rate(equation.target, value),
                truth=value.truth,
            )
            otherwise = self._before(equation.target) if stage is not None else None
            self.lines.append(Assign(target, value, stage, otherwise, equation.text))
            self.current[name] = meaning[name] = target
            self.written_by.setdefault(name, set()).add(stage)

    def outputs(self) -> tuple[Output, ...]:
        """The final value of the variable and of every slot that was assigned."""
        found = []
        for name, symbol in self.current.items():
            if symbol.kind not in (Kind.VARIABLE, Kind.SLOT):
                continue
            stages = self.written_by[name]
            only = next(iter(stages)) if len(stages) == 1 else None
            found.append(Output(name, symbol, only))
        return tuple(found)

    def _before(self, target: Symbol) -> Symbol | None:
        """What the name stood for before this assignment; None for a local's first one."""
        if target.name in self.current:
            return self.current[target.name]
        return None if target.kind is Kind.LOCAL else target


def _resolve(value: Expr, meaning: dict[str, Symbol]) -> Expr:
    """The value with every name replaced by what it stands for."""

    def newest(part: Expr) -> Expr | None:
        if isinstance(part, Ref):
            return Ref(meaning.get(part.symbol.name, part.symbol))
        return None

    return rewrite(value, newest)


def _target_rate(target: Symbol, value: Expr) -> Rate:
    """A slot and the variable keep their declared rate; a local takes that of its value."""
    return value.rate if target.kind is Kind.LOCAL else target.rate
