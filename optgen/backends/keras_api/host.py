"""The host side of a step: functions of STEP scalars, and the tables that describe a mode."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from optgen.backends.layout import ModeLayout, PhaseLayout, sums_over_variables
from optgen.backends.pytext import (
    INDENT,
    LINE_LENGTH,
    indented,
    names_used,
)
from optgen.backends.step_scalars import ScalarFunction, tuple_text
from optgen.ir.expr import Apply
from optgen.ir.program import Phase
from optgen.ir.rate import COLUMN, STEP, TENSOR

IEEE = (
    "clip",
    "divide",
    "exp",
    "log",
    "maximum",
    "minimum",
    "power",
    "sign",
    "sqrt",
    "square",
    "tanh",
)


def function_names(
    functions: Mapping[tuple[str, str], ScalarFunction],
) -> dict[ScalarFunction, str]:
    """A name per function: that of the phase if all modes share it, else with the first mode's."""
    contents: dict[str, dict[object, str]] = {}
    for function in functions.values():
        contents.setdefault(function.stem, {}).setdefault(function.content, function.owner)
    names: dict[tuple[str, object], str] = {}
    for stem, owners in contents.items():
        for content, owner in owners.items():
            name = stem if len(owners) == 1 else f"{owner}_{stem}"
            while f"{name}_scalars" in names.values():
                name = f"{owner}_{name}"
            names[stem, content] = f"{name}_scalars"
    return {each: names[each.stem, each.content] for each in functions.values()}


@dataclass(frozen=True)
class ModeTables:
    """The constants that describe an optimizer's modes to the runtime.

    Attributes:
        modes: the modes.
        kernels: the name of the kernel of each (mode, phase).
        functions: the host function of each (mode, phase).
        names: the names of the host functions.
    """

    modes: Sequence[ModeLayout]
    kernels: Mapping[tuple[str, str], str]
    functions: Mapping[tuple[str, str], ScalarFunction]
    names: Mapping[ScalarFunction, str]

    def texts(self) -> list[str]:
        """The constants in order: what several phases or modes share, then the modes."""
        constants = [f"{name} = {text}" for text, name in self._shared_stages.items()]
        constants += [f"{name} = {text}" for text, name in self._shared_phases.items()]
        return constants + [self._mode(mode, self._shared_phases) for mode in self.modes]

    @cached_property
    def _shared_stages(self) -> dict[str, str]:
        """The ``stage_scalars`` that several phases have, each with a name."""
        return self._repeated(lambda mode, phase: _stage_pairs(mode, phase), "STAGES")

    @cached_property
    def _shared_phases(self) -> dict[str, str]:
        """The phases that several modes have, each with a name."""
        return self._repeated(self._phase, "PHASE")

    def _repeated(self, text: Callable[[ModeLayout, Phase], str], suffix: str) -> dict[str, str]:
        users: dict[str, list[tuple[str, str]]] = {}
        for mode in self.modes:
            for phase in mode.schedule.phases:
                users.setdefault(text(mode, phase), []).append((mode.schedule.name, phase.name))
        named: dict[str, str] = {}
        for found, keys in users.items():
            if len(keys) < 2 or not found:
                continue
            name = f"{keys[0][1]}_{suffix}".upper()
            while name in named.values():
                # Names that differ in case alone are one when they are constants.
                name = f"{keys[0][0]}_{name}".upper()
            named[found] = name
        return named

    def _mode(self, mode: ModeLayout, shared: Mapping[str, str]) -> str:
        name = mode.schedule.name
        slots = {slot.name: slot for slot in mode.schedule.slots}
        lines = [f"{mode_constant(name)} = Mode(", f'    name="{name}",']
        lines.append(_entry("columns", mode.columns))
        lines.append(_entry("element_slots", (slot.name for slot in mode.element_slots)))
        lines.append(_entry("variable_slots", (n for n, s in slots.items() if s.rate == TENSOR)))
        lines.append(_entry("step_slots", (n for n, s in slots.items() if s.rate <= STEP)))
        lines.append(_axes(mode))
        lines += [*self._phases(mode, shared), ")"]
        return "\n".join(line for line in lines if line)

    def _phases(self, mode: ModeLayout, shared: Mapping[str, str]) -> Iterable[str]:
        """The argument that holds the phases of a mode, as formatters leave it."""
        texts = [
            shared.get(self._phase(mode, phase)) or self._phase(mode, phase, 2)
            for phase in mode.schedule.phases
        ]
        if len(texts) == 1 and "\n" not in texts[0]:
            yield f"    phases=({texts[0]},),"
            return
        yield "    phases=("
        for text in texts:
            yield from indented(f"{text},".split("\n"), 2)
        yield "    ),"

    def _phase(self, mode: ModeLayout, phase: Phase, depth: int = 0) -> str:
        key = (mode.schedule.name, phase.name)
        function = self.functions[key]
        pairs = _stage_pairs(mode, phase)
        shared = self._shared_stages.get(pairs, pairs)
        lines = [
            "Phase(",
            f'    name="{phase.name}",',
            f"    driver=cpu.{self.kernels[key]}_driver,",
            f'    cuda=f"{{CUDA}}.{self.kernels[key]}",',
            f"    scalars={self.names[function]},",
            _entry("inputs", function.inputs, depth),
            "\n".join(indented(f"stage_scalars={shared},".split("\n"), 1)) if pairs else "",
            "" if phase.stages is None else _entry("stages", phase.stages, depth),
            _reductions(phase),
            _sums(mode, phase),
            _step_slots(mode, phase, mode.phase(phase)),
            "    axes=True," if mode.phase(phase).needs_axes else "",
            ")",
        ]
        return "\n".join(line for line in lines if line)


def cuda_constant(module: str) -> str:
    """The constant that says where the CUDA kernels of a class module are."""
    return f'CUDA = f"{{__package__}}.{module}_cuda"'


def mode_constant(name: str) -> str:
    """The name of a mode's constant, which no class, phase or stage can have."""
    return f"{name.upper()}_MODE"


def _entry(name: str, values: Iterable[str], depth: int = 0) -> str:
    """An argument that is a tuple of strings, in a call that will stand this deep."""
    texts = [f'"{value}"' for value in values]
    if not texts:
        return ""
    line = f"    {name}={tuple_text(texts)},"
    if len(line) + len(INDENT) * depth <= LINE_LENGTH:
        return line
    body = "".join(f"        {text},\n" for text in texts)
    return f"    {name}=(\n{body}    ),"


def _stage_pairs(mode: ModeLayout, phase: Phase) -> str:
    """The text of ``stage_scalars``; empty if there are none."""
    return _rows(mode.phase(phase).stages)


def _axes(mode: ModeLayout) -> str:
    """The argument that describes the numbers per row, column and index; empty for none."""
    columns = mode.axes.columns
    if not columns:
        return ""
    rows = (f'("{c.name}", "{c.rate}", {_first(c.initial)})' for c in columns)
    return "    axes=(\n" + "".join(f"        {row},\n" for row in rows) + "    ),"


def _first(value: float) -> str:
    return repr(value) if math.isfinite(value) else f'float("{value}")'


def _reductions(phase: Phase) -> str:
    """The arguments that say how many numbers a loop writes per block, or column and element."""
    if not phase.reduces_axes:
        return f"    reductions={len(phase.reductions)}," if phase.reductions else ""
    columns = sum(line.target.rate == COLUMN for line in phase.reductions)
    values = {line.value.args for line in phase.reductions if isinstance(line.value, Apply)}
    return f"    panels={columns},\n    values={len(values)},"


def _sums(mode: ModeLayout, phase: Phase) -> str:
    reduced = {line.target for line in phase.reductions}
    rows = _rows(
        (stage, mode.names[result], mode.column_name(summed, phase))
        for stage, result, summed in sums_over_variables(mode.schedule)
        if summed in reduced
    )
    return "\n".join(indented(f"sums_over_variables={rows},".split("\n"), 1)) if rows else ""


def _rows(rows: Iterable[tuple[str | None, ...]]) -> str:
    """A tuple of tuples of strings or None, a row a line; empty text for no rows."""
    texts = [f"({', '.join(map(_quoted, row))})" for row in rows]
    if not texts:
        return ""
    if len(texts) == 1:
        return tuple_text(texts)
    return "(\n" + "".join(f"    {text},\n" for text in texts) + ")"


def _quoted(value: str | None) -> str:
    return "None" if value is None else f'"{value}"'


def _step_slots(mode: ModeLayout, phase: Phase, layout: PhaseLayout) -> str:
    stores = mode.schedule.step_stores
    if phase is not mode.schedule.phases[-1] or not stores:
        return ""
    first = len(layout.scalars)
    texts = [f'("{output.name}", {first + index})' for index, output in enumerate(stores)]
    return f"    step_slots={tuple_text(texts)},"


def stage_entry(function: ScalarFunction) -> Iterable[str]:
    """The row of the table of stage scalars for one stage."""
    yield "StageScalars("
    yield f'    stage="{function.stem}",'
    yield f"    function={function.stem}_scalars,"
    yield from _entry("inputs", function.inputs, 1).split("\n")
    yield from _entry("outputs", function.outputs_by_name, 1).split("\n")
    if function.summed:
        yield f'    cuda=f"{{CUDA}}.{function.stem}",'
    yield "),"


def imports(module: str, text: str, runtime: Iterable[str], common: bool = True) -> str:
    """The import lines of a class module whose functions have the given text."""
    used = names_used(text)
    lines = [f"from optgen.runtime import {', '.join(sorted(runtime))}"]
    helpers = ", ".join(name for name in IEEE if name in used)
    if helpers:
        lines.append(f"from optgen.runtime.ieee import {helpers}")
    lines.append("")
    modules = [f"{module}_cpu as cpu", *(["common"] if common else [])]
    lines += [f"from . import {name}" for name in sorted(modules)]
    return "\n".join(lines)
