"""OptimizerSpec -> Program: names resolved, rates inferred, everything checked.

All mistakes of a spec are collected before any is raised.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from optgen.diagnostics import Label, Span
from optgen.frontend.cells import Candidate, Decision, decide, describe, modes_with
from optgen.frontend.common import lower_stages
from optgen.frontend.conditions import (
    ALWAYS,
    Condition,
    holds,
    parse_condition,
    python_text,
    tests,
)
from optgen.frontend.equations import parse_equations
from optgen.frontend.examples import check_examples
from optgen.frontend.hyperparameter_checks import is_sound
from optgen.frontend.modes import Block, LoweredMode, ModeScope, lower_mode
from optgen.frontend.names import LOWER_WORD
from optgen.frontend.report import Report
from optgen.frontend.schema import DEFAULT_MODE, HyperparameterSpec, OptimizerSpec, SlotSpec
from optgen.frontend.schema_errors import validate
from optgen.frontend.source import Source, on_one_line
from optgen.frontend.spec_checks import check_spec
from optgen.frontend.toml import SpanIndex, parse_toml, read_toml
from optgen.frontend.usage import check_usage
from optgen.ir.program import Hyperparameter, HyperparameterValue, Mode, Program, Slot
from optgen.ir.rate import COLUMN, ELEMENT, INDEX, ROW, STEP, TENSOR

_RATES = {
    "element": ELEMENT,
    "row": ROW,
    "column": COLUMN,
    "index": INDEX,
    "variable": TENSOR,
    "step": STEP,
}


def load_program(path: Path) -> tuple[OptimizerSpec, Program]:
    """The spec in a file, and its program.

    Raises:
        CompileError: with every mistake that was found.
    """
    data, index = read_toml(Path(path))
    return _compile(data, index, Path(path).stem)


def load_text(
    text: str | bytes, path: str, module: str | None = None
) -> tuple[OptimizerSpec, Program]:
    """The spec in a text, and its program.

    Args:
        text: the TOML text.
        path: what to call the text in messages.
        module: the name of the generated module; the stem of ``path`` if missing.

    Raises:
        CompileError: with every mistake that was found.
    """
    data, index = parse_toml(text, path)
    return _compile(data, index, Path(path).stem if module is None else module)


def _compile(data: dict[str, Any], index: SpanIndex, module: str) -> tuple[OptimizerSpec, Program]:
    report = Report(index)
    spec = validate(data, report)
    program = lower(spec, module, report)
    check_examples(spec, program, index)
    return spec, program


def lower(spec: OptimizerSpec, module: str, report: Report) -> Program:
    """The program of a spec.

    Args:
        spec: what the author wrote.
        module: the name of the generated module.
        report: where messages go; what it holds already is raised with the others.

    Raises:
        CompileError: with every mistake that was found.
    """
    check_spec(spec, report)
    _blame_declarations(spec, report)
    _check_module(module, report)
    hyperparameters = {
        name: _hyperparameter(name, row) for name, row in spec.hyperparameters.items()
    }
    # A name that is declared twice has had its message; as a slot it may be used like any other.
    slots = {name: _slot(name, row) for name, row in spec.slots.items()}
    hyperparameters = {name: row for name, row in hyperparameters.items() if name not in slots}
    conditions = _Conditions.of(spec, hyperparameters, report)
    modes = _lower_modes(spec, hyperparameters, slots, conditions, report)
    evaluations = _lower_evaluations(spec, hyperparameters, slots, modes, report)
    if conditions.settled:
        mentioned = {name for mode in evaluations for name in mode.read}
        check_usage(spec, modes, mentioned | conditions.mentioned(), report)
    _check_examples(spec, hyperparameters, conditions, report)
    report.raise_if_any()
    learning_rate = hyperparameters["learning_rate"].symbol
    stages, common = lower_stages(tuple(hyperparameters), learning_rate)
    assert conditions.decision is not None
    return Program(
        spec.name,
        module,
        tuple(hyperparameters.values()),
        tuple(slots.values()),
        tuple(conditions.with_test(mode.mode, hyperparameters) for mode in modes),
        stages,
        common,
        conditions.decision.choices(),
        conditions.selected({name: row.default for name, row in hyperparameters.items()}),
        tuple(mode.mode for mode in evaluations),
    )


def _blame_declarations(spec: OptimizerSpec, report: Report) -> None:
    """Note whose declarations have had a message."""
    places = {diagnostic.span for diagnostic in report.diagnostics}
    for section, names in (("hyperparameters", spec.hyperparameters), ("slots", spec.slots)):
        for name in names:
            if places & report.index.inside(section, name):
                report.blame(name)


def _is_module(name: str) -> bool:
    taken = name == "common" or name.endswith(("_cpu", "_cuda")) or keyword.iskeyword(name)
    return LOWER_WORD.fullmatch(name) is not None and not taken


def _check_module(module: str, report: Report) -> None:
    if not _is_module(module):
        refused = "`common`, `..._cpu`, `..._cuda` or Python's"
        headline = f"the file's name must be a lower-case word, not {refused}"
        words = re.sub(r"\W+", "_", module.lower()).strip("_0123456789")
        words = words.removesuffix("_cpu").removesuffix("_cuda")
        proposal = words if _is_module(words) else "my_rule"
        hint = f"it becomes the name of the generated module: rename it to `{proposal}.toml`"
        report.error("E205", headline, report.index.value("name"), help=hint)


def _hyperparameter(name: str, spec: HyperparameterSpec) -> Hyperparameter:
    default = spec.default
    if spec.kind == "float" and isinstance(default, int):
        default = float(default) if is_sound(default) else None
    return Hyperparameter(
        name,
        spec.kind,
        default,
        _bound(spec, spec.min if spec.above is None else spec.above),
        _bound(spec, spec.max if spec.below is None else spec.below),
        spec.above is not None,
        spec.below is not None,
        spec.optional,
        tuple(spec.choices or ()),
        spec.doc,
        per_variable=name == "weight_decay",
    )


def _bound(spec: HyperparameterSpec, bound: float | None) -> float | None:
    """A bound in the hyperparameter's own type; None for one that has had its message."""
    if bound is None or not is_sound(bound):
        return None
    return bound if spec.kind == "int" else float(bound)


def _slot(name: str, spec: SlotSpec) -> Slot:
    initial = spec.initial
    if not isinstance(initial, str):
        initial = float(initial) if is_sound(initial) else 0.0
    return Slot(name, _RATES[spec.rate], initial, spec.doc)


@dataclass
class _Conditions:
    """The conditions of a spec, and what follows from them.

    Attributes:
        candidates: the modes with their conditions, without those whose condition cannot be read.
        decision: which mode is selected when; None if that is not settled.
        settled: whether all conditions, those of slots included, could be read and decided.
        slots: the condition of each slot that has one.
        modes_of: the modes in which a slot exists; a slot without entry exists in all.
    """

    candidates: list[Candidate]
    decision: Decision | None
    settled: bool
    slots: dict[str, Condition]
    modes_of: dict[str, frozenset[str]]

    @classmethod
    def of(
        cls, spec: OptimizerSpec, hyperparameters: Mapping[str, Hyperparameter], report: Report
    ) -> _Conditions:
        """Read and decide all conditions of a spec."""
        index = report.index
        before = len(report.diagnostics)
        unread = report.partial
        candidates = []
        for number, mode in enumerate(spec.modes):
            if not report.fits("modes", number, "when"):
                continue
            source = Source.at(mode.when, index, "modes", number, "when")
            condition = parse_condition(source, hyperparameters, report)
            unread = unread or condition is None
            if condition is not None:
                candidates.append(Candidate(mode.name, condition, source.whole))
        slots = {}
        for name, slot in spec.slots.items():
            if slot.when is not None:
                source = Source.at(slot.when, index, "slots", name, "when")
                parsed = parse_condition(source, hyperparameters, report)
                unread = unread or parsed is None
                if parsed is not None:
                    slots[name] = parsed
        decision = None
        names = [mode.name for mode in spec.modes]
        if not spec.modes:
            candidates = [Candidate(DEFAULT_MODE, ALWAYS, index.key("update"))]
        judged = not unread and not report.faulty & {*hyperparameters, *spec.slots}
        if judged and len(set(names)) == len(names) and (spec.modes or spec.update is not None):
            where = index.value("modes", 0)
            decision = decide(candidates, hyperparameters, where, report)
        found = cls(candidates, decision, False, slots, {})
        if decision is not None:
            for name, condition in slots.items():
                found._place_slot(name, condition, hyperparameters, report)
        found.settled = len(report.diagnostics) == before and decision is not None and not unread
        return found

    def with_test(self, mode: Mode, hyperparameters: Mapping[str, Hyperparameter]) -> Mode:
        """The mode with its condition in the form that the generated class tests."""
        optional = frozenset(row.name for row in hyperparameters.values() if row.optional)
        (condition,) = (c.condition for c in self.candidates if c.name == mode.name)
        reads = tuple(dict.fromkeys(test.name for test in tests(condition)))
        return replace(mode, test=python_text(condition, optional), reads=reads)

    def selected(self, values: Mapping[str, HyperparameterValue]) -> str:
        """The mode that values of the hyperparameters select."""
        return next(c.name for c in self.candidates if holds(c.condition, values))

    def mentioned(self) -> set[str]:
        """The hyperparameters that any condition mentions."""
        conditions = [candidate.condition for candidate in self.candidates]
        conditions.extend(self.slots.values())
        return {test.name for condition in conditions for test in tests(condition)}

    def _place_slot(
        self,
        name: str,
        condition: Condition,
        hyperparameters: Mapping[str, Hyperparameter],
        report: Report,
    ) -> None:
        span = report.index.value("slots", name, "when")
        found = modes_with(condition, self.candidates, hyperparameters)
        if found is None:
            report.error("E405", "the conditions distinguish too many combinations", span)
            return
        where, split = found
        if split is not None:
            mode, inside, outside = split
            by_name = {candidate.name: candidate.span for candidate in self.candidates}
            report.error(
                "E406",
                f"slot `{name}` exists in a part of mode `{mode}` only",
                span,
                f"true for {describe(inside)}, false for {describe(outside)}",
                Label(by_name[mode], "the mode"),
                help="give the slot the condition of its modes, or divide the mode in two",
            )
            return
        modes = frozenset(mode for mode, exists in where.items() if exists)
        if not modes:
            hint = "mend the condition, or remove the slot"
            headline = f"slot `{name}` exists in no mode"
            report.error("E409", headline, span, "true in no mode", help=hint)
            return
        self.modes_of[name] = modes


def _lower_modes(
    spec: OptimizerSpec,
    hyperparameters: Mapping[str, Hyperparameter],
    slots: Mapping[str, Slot],
    conditions: _Conditions,
    report: Report,
) -> list[LoweredMode]:
    """Every mode with its equations lowered."""
    index = report.index
    shared = {
        key: _block(text, report, key) if text is not None else Block([], True)
        for key, text in (("before", spec.before), ("after", spec.after))
    }
    own: list[tuple[str, str, Block, Span]] = []
    if spec.update is not None:
        block = _block(spec.update, report, "update")
        if not spec.modes:
            own.append((DEFAULT_MODE, "", block, index.key("update")))
    for number, mode in enumerate(spec.modes):
        block = _block(mode.update, report, "modes", number, "update")
        if not report.fits("modes", number, "update"):
            continue
        own.append((mode.name, on_one_line(mode.when), block, index.value("modes", number, "name")))
    lowered = []
    for name, when, block, span in own:
        existing = tuple(
            slot for slot in slots if name in conditions.modes_of.get(slot, frozenset([name]))
        )
        decision = conditions.decision
        none = frozenset(
            row.name
            for row in hyperparameters.values()
            if row.optional and decision is not None and decision.may_be_none(name, row.name)
        )
        scope = ModeScope(name, span, hyperparameters, slots, existing, none)
        blocks = (shared["before"], block, shared["after"])
        lowered.append(lower_mode(scope, when, blocks, report))
    return lowered


def _lower_evaluations(
    spec: OptimizerSpec,
    hyperparameters: Mapping[str, Hyperparameter],
    slots: Mapping[str, Slot],
    modes: list[LoweredMode],
    report: Report,
) -> list[LoweredMode]:
    """What gives each mode's variables the values that a model is evaluated with."""
    if spec.evaluation is None:
        return []
    block = _block(spec.evaluation, report, "evaluation")
    span = report.index.key("evaluation")
    found = []
    for mode in modes:
        none = frozenset(name for name, row in hyperparameters.items() if row.optional)
        name = f"{mode.mode.name}_evaluation"
        scope = ModeScope(name, span, hyperparameters, slots, mode.mode.slots, none, True)
        # What is wrong in one mode is most often wrong in all, and is said once.
        before = len(report.diagnostics)
        lowered = lower_mode(scope, "", (block,), report)
        if len(report.diagnostics) == before and block.complete and "w" not in lowered.written:
            hint = "such as `w = z` for a slot that holds what is evaluated"
            report.error("E320", "`evaluation` never assigns `w`", span, help=hint)
        if len(report.diagnostics) > before or not block.complete:
            break
        found.append(lowered)
    return found


def _block(text: str, report: Report, *location: str | int) -> Block:
    if not report.fits(*location):
        return Block([], False)
    return Block(*parse_equations(Source.at(text, report.index, *location), report))


def _check_examples(
    spec: OptimizerSpec,
    hyperparameters: Mapping[str, Hyperparameter],
    conditions: _Conditions,
    report: Report,
) -> None:
    """Report examples whose hyperparameters select another mode than they say."""
    if report.diagnostics:
        return
    for number, example in enumerate(spec.example):
        values = {name: row.default for name, row in hyperparameters.items()}
        values |= example.hyperparameters
        selected = conditions.selected(values)
        if selected != example.mode:
            report.error(
                "E209",
                f"the hyperparameters select mode `{selected}`, not `{example.mode}`",
                report.index.value("example", number, "mode"),
            )
