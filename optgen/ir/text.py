"""The IR as text: one line per assignment, for people and for golden tests."""

from __future__ import annotations

from collections.abc import Iterable

from optgen.ir.expr import Apply, Expr, Number, Ref, Symbol
from optgen.ir.program import (
    Assign,
    Equation,
    Hyperparameter,
    Load,
    Output,
    Phase,
    Program,
    Schedule,
    Slot,
    Variant,
)


def format_program(program: Program) -> str:
    """A program: hyperparameters, slots, stages and the equations of every mode."""
    lines = [f"program {program.name}"]
    lines += [f"  hyperparameter {_hyperparameter(h)}" for h in program.hyperparameters]
    lines += [f"  slot {_slot(slot)}" for slot in program.slots]
    for stage in program.stages:
        lines.append(f"  stage {stage.name} {'before' if stage.before else 'after'}")
        lines += [f"    {format_equation(equation)}" for equation in stage.equations]
    for mode in program.modes:
        lines.append(f"  mode {mode.name}{f' when {mode.condition}' if mode.condition else ''}")
        lines += [f"    {format_equation(equation)}" for equation in mode.equations]
    for mode in program.evaluations:
        lines.append(f"  evaluation {mode.name}")
        lines += [f"    {format_equation(equation)}" for equation in mode.equations]
    return "\n".join(lines) + "\n"


def format_variant(variant: Variant) -> str:
    """A variant: one SSA assignment a line, with its rate and stage."""
    lines = [f"variant {variant.name}"]
    lines += [f"  slot {_slot(slot)}" for slot in variant.slots]
    lines += _assigns(variant.lines, "  ")
    lines += [f"  {_output(output)}" for output in variant.outputs]
    return "\n".join(lines) + "\n"


def format_schedule(schedule: Schedule) -> str:
    """A schedule: phases with their scalar lines and their loop."""
    lines = [f"schedule {schedule.name}"]
    lines += [f"  slot {_slot(slot)}" for slot in schedule.slots]
    for phase in schedule.phases:
        lines += _phase(phase)
    lines += [f"  {_output(output)}" for output in schedule.step_stores]
    lines += _assigns(schedule.closing_lines, "  ")
    lines += [f"  {_result(result)}" for result in schedule.results]
    return "\n".join(lines) + "\n"


def format_expr(expr: Expr) -> str:
    """An expression as nested calls, which shows its structure without precedence."""
    if isinstance(expr, Number):
        return repr(expr.value)
    if isinstance(expr, Ref):
        return format_symbol(expr.symbol)
    assert isinstance(expr, Apply)
    return f"{expr.function}({', '.join(format_expr(arg) for arg in expr.args)})"


def format_symbol(symbol: Symbol) -> str:
    """A symbol with its version; version 0 is what it was when the step began."""
    return symbol.name if symbol.version == 0 else f"{symbol.name}.{symbol.version}"


def format_equation(equation: Equation) -> str:
    """One equation of a program."""
    return f"{equation.target.name}: {equation.target.rate} = {format_expr(equation.value)}"


def _phase(phase: Phase) -> Iterable[str]:
    yield f"  phase {phase.name}" + (f" only for {', '.join(phase.stages)}" if phase.stages else "")
    if phase.step_lines:
        yield "    per step"
        yield from _assigns(phase.step_lines, "      ")
    if phase.variable_lines or phase.variable_stores:
        yield "    per variable"
        yield from _assigns(phase.variable_lines, "      ")
        yield from (f"      {_output(output)}" for output in phase.variable_stores)
    if phase.loads or phase.lines or phase.stores:
        yield "    per element"
        yield from (f"      {_load(load)}" for load in phase.loads)
        yield from _assigns(phase.lines, "      ")
        yield from (f"      {_output(output)}" for output in phase.stores)


def _assigns(lines: Iterable[Assign], indent: str) -> list[str]:
    return [indent + format_assign(line) for line in lines]


def format_assign(line: Assign) -> str:
    """One SSA assignment."""
    text = f"{format_symbol(line.target)}: {line.target.rate} = {format_expr(line.value)}"
    if line.stage is not None:
        text += f" if {line.stage}"
        if line.otherwise is not None:
            text += f" else {format_symbol(line.otherwise)}"
    return text


def _hyperparameter(hyperparameter: Hyperparameter) -> str:
    return f"{hyperparameter.name}: {hyperparameter.kind} = {hyperparameter.default!r}"


def _slot(slot: Slot) -> str:
    return f"{slot.name}: {slot.rate} = {slot.initial}"


def _output(output: Output) -> str:
    return f"store {output.name} = {format_symbol(output.symbol)}" + _only(output.stage)


def _result(result: Output) -> str:
    return f"give back {result.name} = {format_symbol(result.symbol)}"


def _load(load: Load) -> str:
    return f"load {format_symbol(load.symbol)}" + _only(load.stage)


def _only(stage: str | None) -> str:
    return "" if stage is None else f" if {stage}"
