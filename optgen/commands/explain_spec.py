"""What a spec costs, as tables or as JSON: the part of `optgen explain` that takes a spec."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer

from optgen import driver
from optgen.analysis import OPERATION_KINDS, Cost, PhaseCost, Wait, cost_of, stage_sets
from optgen.commands.console import output
from optgen.commands.cost_tables import print_explanation
from optgen.ir.notation import in_language
from optgen.ir.program import Assign, Schedule, Slot
from optgen.ir.rate import COLUMN, ELEMENT, INDEX, ROW, TENSOR

ITEMSIZES = {"float32": 4, "float64": 8}
_RATES = {ELEMENT: "element", ROW: "row", COLUMN: "column", INDEX: "index", TENSOR: "variable"}


def explain_spec(path: Path, mode: str | None = None, as_json: bool = False) -> None:
    """Print what the modes of a spec cost.

    Args:
        path: the spec's file.
        mode: the mode to explain; as tables the default mode if missing, as JSON all modes.
        as_json: whether to print JSON in place of tables.

    Raises:
        optgen.CompileError: with every mistake in the spec.
        OSError: if the file cannot be read.
        typer.BadParameter: if there is no such mode.
    """
    optimizer = driver.compile_spec(path)
    known = [layout.schedule.name for layout in optimizer.modes]
    if mode is not None and mode not in known:
        raise typer.BadParameter(f"expected one of {', '.join(known)}, received {mode!r}")
    if as_json:
        data = explanation(optimizer, mode)
        output.print(json.dumps(data, indent=2, ensure_ascii=False), markup=False)
    else:
        print_explanation(optimizer, mode or optimizer.program.default_mode)


def explanation(optimizer: driver.Optimizer, mode: str | None = None) -> dict[str, Any]:
    """What the modes of an optimizer cost, as data for JSON.

    Args:
        optimizer: the compiled spec.
        mode: the only mode that is wanted; all if missing.
    """
    program = optimizer.program
    schedules = [layout.schedule for layout in optimizer.modes]
    return {
        "name": program.name,
        "module": program.module,
        "summary": optimizer.spec.summary,
        "default_mode": program.default_mode,
        "modes": [
            {
                "name": schedule.name,
                "when": program.mode(schedule.name).condition,
                "costs": [_cost(schedule, stages) for stages in stage_sets(program.stages)],
            }
            for schedule in schedules
            if mode in (None, schedule.name)
        ],
        "beside_the_update": [
            {"name": layout.schedule.name, "costs": [_cost(layout.schedule, ())]}
            for layout in driver.common_modes()
        ],
    }


def _cost(schedule: Schedule, stages: tuple[str, ...]) -> dict[str, Any]:
    cost = cost_of(schedule, stages)
    return {
        "stages": list(stages),
        "bytes_per_parameter": _sizes(cost),
        "operations_per_parameter": _counts(cost.operations),
        "passes_over_gradients": cost.gradient_passes,
        "state": {
            "slots": [_slot(slot) for slot in cost.slots],
            "bytes_per_parameter": {
                dtype: cost.state_per_parameter(size) for dtype, size in ITEMSIZES.items()
            },
            "bytes_per_row": cost.state_per(ROW),
            "bytes_per_column": cost.state_per(COLUMN),
            "bytes_per_index": cost.state_per(INDEX),
            "bytes_per_variable": cost.state_per_variable,
            "bytes_in_all": cost.state_in_all,
        },
        "phases": [_phase(phase) for phase in cost.phases],
    }


def _sizes(cost: Cost | PhaseCost) -> dict[str, int]:
    return {dtype: cost.bytes_moved(size) for dtype, size in ITEMSIZES.items()}


def _counts(operations: dict[str, int]) -> dict[str, int]:
    return {kind: operations[kind] for kind in OPERATION_KINDS}


def _slot(slot: Slot) -> dict[str, Any]:
    return {"name": slot.name, "rate": _RATES.get(slot.rate, "step"), "doc": slot.doc}


def _phase(phase: PhaseCost) -> dict[str, Any]:
    return {
        "name": phase.name,
        "reads": list(phase.reads),
        "writes": list(phase.writes),
        "bytes_per_parameter": _sizes(phase),
        "operations_per_parameter": _counts(phase.operations),
        "once_per_step": [_value(line) for line in phase.step_lines],
        "once_per_variable": [_value(line) for line in phase.variable_lines],
        "once_per_row_and_column": [_value(line) for line in phase.axis_lines],
        "waits": [_wait(wait) for wait in phase.waits],
    }


def _value(line: Assign) -> dict[str, str]:
    return {"name": line.target.name, "value": in_language(line.value), "line": line.text}


def _wait(wait: Wait) -> dict[str, Any]:
    return {
        "value": in_language(wait.reduction.value),
        "line": wait.reduction.text,
        "phase": wait.phase,
        "over_all_variables": wait.over_all_variables,
        "used_by": [_value(line) for line in wait.lines],
    }
