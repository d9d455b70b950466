"""The verifier: what must hold between any two passes.

A violation is a defect of the compiler, never of a spec; it raises `VerificationError`.
"""

from __future__ import annotations

from collections.abc import Iterable

from optgen.ir.expr import Apply, Expr, Kind, Number, Symbol, symbols, walk
from optgen.ir.program import Assign, Phase, Program, Schedule, Variant
from optgen.ir.rate import ELEMENT, STEP, TENSOR
from optgen.ir.text import format_assign, format_expr


class VerificationError(AssertionError):
    """The IR breaks one of its invariants: an internal error of the compiler."""


def verify_program(program: Program) -> None:
    """Check a program: unversioned symbols, known slots, well-formed expressions.

    Raises:
        VerificationError: if an invariant is broken.
    """
    slots = {slot.name for slot in program.slots}
    slots |= {slot.name for stage in program.stages for slot in stage.slots}
    for mode in (*program.modes, *program.evaluations):
        _require(set(mode.slots) <= slots, f"mode {mode.name} has an unknown slot")
        for equation in mode.equations:
            _check_expr(equation.value)
            used = (equation.target, *symbols(equation.value))
            _require(all(s.version == 0 for s in used), f"versioned symbol in {equation.text}")
            unknown = {s.name for s in used if s.kind is Kind.SLOT} - slots
            _require(not unknown, f"unknown slots {sorted(unknown)} in {equation.text}")
            _check_target(equation.target, equation.value, equation.text)


def verify_variant(variant: Variant) -> None:
    """Check a variant: SSA, rates, stages.

    Raises:
        VerificationError: if an invariant is broken.
    """
    defined: dict[Symbol, str | None] = {}
    for line in variant.lines:
        _check_line(line, defined)
        defined[line.target] = line.stage if line.otherwise is None else None
    for output in variant.outputs:
        known = output.symbol.version == 0 or output.symbol in defined
        _require(known, f"output {output.name} is never computed")
    names = {slot.name for slot in variant.slots}
    stored = {output.name for output in variant.outputs} - {"w"}
    _require(stored <= names, f"stores to unknown slots {sorted(stored - names)}")
    for result in variant.results:
        step = result.symbol in defined and result.symbol.rate <= STEP
        _require(step, f"the result {result.name} is no step value that was computed")


def verify_hoisted(variant: Variant) -> None:
    """Check that every operand of a line is of the line's rate, or a name or a number.

    Raises:
        VerificationError: if an invariant is broken.
    """
    verify_variant(variant)
    for line in variant.lines:
        inside, rate = line.value, line.target.rate
        if isinstance(inside, Apply) and inside.intrinsic.reduces is not None:
            inside = inside.args[0]
            rate = inside.rate
        for part in walk(inside):
            if not isinstance(part, Apply):
                continue
            _require(part.intrinsic.reduces is None, f"reduction inside {format_assign(line)}")
            if rate <= STEP or _signed_number(part):
                continue
            _require(part.rate == rate, f"{format_expr(part)} was not hoisted out of its line")


def verify_schedule(schedule: Schedule) -> None:
    """Check a schedule: each phase computes from what is in memory or known before its loop.

    Raises:
        VerificationError: if an invariant is broken.
    """
    known: dict[Symbol, str | None] = {}
    stored: set[str] = set()
    for phase in schedule.phases:
        known = {symbol: stage for symbol, stage in known.items() if symbol.rate != ELEMENT}
        _check_phase(phase, known)
        clash = stored & {load.name for load in phase.loads}
        _require(not clash, f"phase {phase.name} loads what an earlier phase stored: {clash}")
        stored |= {output.name for output in phase.stores}
    known = {symbol: stage for symbol, stage in known.items() if symbol.rate != ELEMENT}
    _check_scalars(schedule.closing_lines, known)
    for result in schedule.results:
        _require(result.symbol in known, f"the result {result.name} is never computed")
    names = [phase.name for phase in schedule.phases]
    _require(len(names) == len(set(names)), f"two phases of {schedule.name} share a name")


def _check_phase(phase: Phase, known: dict[Symbol, str | None]) -> None:
    _check_scalars(phase.step_lines, known)
    for line in phase.variable_lines:
        _require(line.target.rate == TENSOR, f"{format_assign(line)} is not a variable's value")
        _check_line(line, known, again=True)
        known[line.target] = line.stage if line.otherwise is None else None
    loaded = {load.symbol for load in phase.loads}
    _require(all(symbol.version == 0 for symbol in loaded), "only memory can be loaded")
    for line in phase.lines:
        used = symbols(line.value) + (() if line.otherwise is None else (line.otherwise,))
        missing = [s for s in used if s.rate == ELEMENT and s.version == 0 and s not in loaded]
        _require(not missing, f"{format_assign(line)} reads {missing} that is not loaded")
        _check_line(line, known, again=True)
        known[line.target] = line.stage if line.otherwise is None else None
    for output in (*phase.variable_stores, *phase.stores):
        fine = output.symbol in known or output.symbol in loaded or output.symbol.version == 0
        _require(fine, f"phase {phase.name} stores {output.name} that it did not compute")


def _check_scalars(lines: Iterable[Assign], known: dict[Symbol, str | None]) -> None:
    for line in lines:
        _require(line.target.rate <= STEP, f"{format_assign(line)} is not a step value")
        _check_line(line, known, again=True)
        known[line.target] = line.stage if line.otherwise is None else None


def _check_line(line: Assign, defined: dict[Symbol, str | None], again: bool = False) -> None:
    text = format_assign(line)
    _require(again or line.target not in defined, f"assigned twice: {text}")
    _require(line.target.version > 0, f"assignment to a version 0: {text}")
    _check_expr(line.value)
    _check_target(line.target, line.value, text)
    for used in symbols(line.value):
        _require(
            used.version == 0 or used in defined, f"{used.name} is used before it is set: {text}"
        )
        only = defined.get(used)
        inside = only is None or only == line.stage or (only, line.stage) in _IMPLIED
        _require(inside, f"{used.name} exists only in stage {only}: {text}")


# A weight can only be overwritten by its average while the average is kept.
_IMPLIED = {("average", "overwrite")}


def _check_target(target: Symbol, value: Expr, text: str) -> None:
    _require(
        value.rate <= target.rate, f"a {value.rate} value goes to a {target.rate} name: {text}"
    )
    _require(target.truth == value.truth, f"a truth value and a number are mixed: {text}")


def _check_expr(expr: Expr) -> None:
    for part in walk(expr):
        if not isinstance(part, Apply):
            continue
        row = part.intrinsic
        _require(len(part.args) == len(row.parameters), f"wrong arity: {format_expr(part)}")
        for position, arg in enumerate(part.args):
            expected = position in row.truth_parameters
            _require(arg.truth == expected, f"truth and number mixed: {format_expr(part)}")
        if row.reduces is not None:
            _require(row.accepts_rate(part.args[0].rate), f"nothing to reduce: {format_expr(part)}")


def _signed_number(part: Apply) -> bool:
    return part.function == "negative" and isinstance(part.args[0], Number)


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise VerificationError(message)
