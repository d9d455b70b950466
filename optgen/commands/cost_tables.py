"""The cost of a spec as tables, for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from optgen import driver
from optgen.analysis import (
    OPERATION_KINDS,
    Cost,
    PhaseCost,
    Wait,
    cost_of,
    required_stages,
    stage_sets,
)
from optgen.ir.notation import in_language
from optgen.ir.program import Assign, Schedule, Slot, Stage
from optgen.ir.rate import ELEMENT, TENSOR

PIPED_WIDTH = 116
"""Columns of what is not printed to a terminal, so that it reads the same everywhere."""

WIDE = 104
"""From how many columns on every kind of operation has a column of its own."""

_ARGUMENTS = {
    "accumulator": "gradient_accumulation_steps",
    "average": "use_ema",
    "overwrite": "ema_overwrite_frequency",
}
"""The argument that switches a stage on, where it is not called like the stage."""

_BESIDE = {
    "accumulate": "a call that only accumulates",
    "finite": "a check of dynamic loss scaling",
}


def print_explanation(
    optimizer: driver.Optimizer, mode: str, console: Console | None = None
) -> None:
    """Print the overview of an optimizer's modes, and one of them in full.

    Args:
        optimizer: the compiled spec.
        mode: the mode to show in full.
        console: where to; the standard output if missing.
    """
    if console is None:
        console = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
    program = optimizer.program
    schedules = [layout.schedule for layout in optimizer.modes]
    console.print(f"[bold]{program.name}[/bold]: {escape(optimizer.spec.summary)}")
    if len(schedules) > 1:
        title = "Modes: bytes moved per parameter and step"
        _print_table(console, title, _overview(optimizer, schedules))
        default = "the default" if mode == program.default_mode else "as asked for"
        console.print(f"\n[bold]Mode {mode}[/bold] ({default}; another one by --mode NAME)")
    (schedule,) = (schedule for schedule in schedules if schedule.name == mode)
    cost = cost_of(schedule)
    if cost.slots:
        _print_table(console, "State, in bytes", _state(cost))
    title = "Phases: one loop over all parameters each; bytes moved per parameter and step"
    _print_table(console, title, _phases(cost))
    console.print()
    _print_waits(console, [wait for phase in cost.phases for wait in phase.waits])
    _print_hoisted(console, cost)
    title = "Common stages that are on: bytes moved, passes and operations per parameter and step"
    table = _stages(schedule, program.stages, console.width >= WIDE)
    _print_table(console, title, table, before="")
    console.print()
    _print_stage_waits(console, schedule, program.stages, cost)


def _table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for position, column in enumerate(columns):
        justify: Literal["left", "right"] = "right" if column in numbers else "left"
        whole = position == 0 or column in numbers
        table.add_column(column, justify=justify, no_wrap=whole, overflow="fold")
    return table


def _print_table(console: Console, title: str, table: Table, before: str = "\n") -> None:
    console.print(f"{before}[bold]{title}[/bold]")
    console.print(table)


_BYTES = ("float32", "float64")


def _overview(optimizer: driver.Optimizer, schedules: list[Schedule]) -> Table:
    table = _table(
        *("mode", "when", "state", *_BYTES, "passes"),
        numbers=(*_BYTES, "passes"),
    )
    for schedule in schedules:
        cost = cost_of(schedule)
        condition = optimizer.program.mode(schedule.name).condition
        slots = ", ".join(slot.name for slot in cost.slots) or "none"
        sizes = (str(cost.bytes_moved(4)), str(cost.bytes_moved(8)))
        table.add_row(schedule.name, condition, slots, *sizes, str(len(cost.phases)))
    return table


def _state(cost: Cost) -> Table:
    table = _table("slot", *_BYTES, "per", "what it holds", numbers=_BYTES)
    for slot in cost.slots:
        element = slot.rate == ELEMENT
        table.add_row(slot.name, "4" if element else "8", "8", _per(slot), escape(slot.doc))
    return table


def _per(slot: Slot) -> str:
    if slot.rate == ELEMENT:
        return "parameter"
    if slot.rate.is_axis:
        return str(slot.rate)
    return "variable" if slot.rate == TENSOR else "optimizer"


def _phases(cost: Cost) -> Table:
    table = _table(
        *("phase", "reads", "writes", *_BYTES, "operations"),
        numbers=_BYTES,
    )
    for phase in cost.phases:
        table.add_row(*_phase_row(phase))
    if len(cost.phases) > 1:
        table.add_section()
        sizes = (str(cost.bytes_moved(4)), str(cost.bytes_moved(8)))
        table.add_row("together", "", "", *sizes, _operations(cost.operations))
    return table


def _phase_row(phase: PhaseCost) -> tuple[str, ...]:
    return (
        phase.name,
        " ".join(phase.reads),
        " ".join(phase.writes) or "nothing",
        str(phase.bytes_moved(4)),
        str(phase.bytes_moved(8)),
        _operations(phase.operations),
    )


def _operations(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "none"


def _print_waits(console: Console, found: Iterable[Wait], intro: str = "") -> None:
    for wait in found:
        over = "of all variables" if wait.over_all_variables else "of the variable"
        console.print(
            f"{intro}[bold]{escape(in_language(wait.reduction.value))}[/bold] is known only when "
            f"`{wait.phase}` has gone through all elements {over}, and is needed in"
        )
        for text in dict.fromkeys(line.text for line in wait.lines):
            console.print(f"    {escape(' '.join(text.split()))}")
        console.print()


def _print_hoisted(console: Console, cost: Cost) -> None:
    for title, groups in (
        ("Computed once per step, in float64", [phase.step_lines for phase in cost.phases]),
        ("Computed once per variable, in float64", [p.variable_lines for p in cost.phases]),
        (
            "Computed once per matrix, row, column or index, in float64",
            [p.axis_lines for p in cost.phases],
        ),
    ):
        lines = dict.fromkeys(line for group in groups for line in group)
        if lines:
            console.print(f"[bold]{title}[/bold]")
            for line in lines:
                console.print(f"    {escape(_hoisted(line))}", soft_wrap=True)
            console.print()


def _hoisted(line: Assign) -> str:
    """A value outside the loop, and the author's line that it is a part of."""
    value = f"{line.target.name} = {in_language(line.value)}"
    text = " ".join(line.text.split())
    return value if value == text else f"{value}    # of {text}"


def _stages(schedule: Schedule, stages: tuple[Stage, ...], wide: bool) -> Table:
    """The cost of each set of stages; kinds of operations have columns where there is room."""
    costs = {_together(names, stages): cost_of(schedule, names) for names in stage_sets(stages)}
    beside = {
        _BESIDE[layout.schedule.name]: cost_of(layout.schedule)
        for layout in driver.common_modes()
        if layout.schedule.name in _BESIDE
    }
    found = [cost.operations for cost in (*costs.values(), *beside.values())]
    kinds = [kind for kind in OPERATION_KINDS if any(counts[kind] for counts in found)]
    numbers = (*_BYTES, "passes", *(kinds if wide else ["operations"]))
    table = _table("argument", *numbers, numbers=numbers)
    for group in (costs, beside):
        for name, cost in group.items():
            sizes = (cost.bytes_moved(4), cost.bytes_moved(8), len(cost.phases))
            counts = cost.operations
            last = [counts[kind] for kind in kinds] if wide else [sum(counts.values())]
            table.add_row(name, *map(str, (*sizes, *last)))
        table.add_section()
    return table


def _together(names: tuple[str, ...], stages: tuple[Stage, ...]) -> str:
    """A set of stages in words: what was switched on, without what it requires anyway."""
    if not names:
        return "none"
    (last,) = (stage for stage in stages if stage.name == names[-1])
    if names == (*required_stages(last, stages), last.name):
        return _ARGUMENTS.get(last.name, last.name)
    left_out = [_ARGUMENTS.get(s.name, s.name) for s in stages if s.name not in names]
    return "all" + (f" but {', '.join(left_out)}" if left_out else "")


def _print_stage_waits(
    console: Console, schedule: Schedule, stages: tuple[Stage, ...], plain: Cost
) -> None:
    """Say for each stage that brings a pass of its own what that pass is for."""
    for stage in stages:
        cost = cost_of(schedule, (*required_stages(stage, stages), stage.name))
        own = {wait for phase in plain.phases for wait in phase.waits}
        new = [wait for phase in cost.phases for wait in phase.waits if wait not in own]
        if len(cost.phases) > len(plain.phases) and new:
            argument = _ARGUMENTS.get(stage.name, stage.name)
            _print_waits(console, new[:1], f"Why {argument} costs a pass: ")
