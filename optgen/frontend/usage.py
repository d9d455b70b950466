"""Checks over all modes together: what is declared must be used, and memory be worth keeping."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from optgen.diagnostics import Label
from optgen.frontend.libraries import other_name, without_index
from optgen.frontend.modes import LoweredMode
from optgen.frontend.report import Report
from optgen.frontend.schema import OptimizerSpec


def check_usage(
    spec: OptimizerSpec, modes: Sequence[LoweredMode], mentioned: Collection[str], report: Report
) -> None:
    """Report slots and hyperparameters that nothing uses, and modes that do not update.

    Nothing is reported while a line could not be read, since it may be the one that uses them.

    Args:
        spec: the spec.
        modes: its modes with their equations.
        mentioned: the hyperparameters that a condition mentions.
        report: where messages go.
    """
    codes = {diagnostic.code for diagnostic in report.diagnostics}
    if not modes or not all(mode.complete for mode in modes) or "E211" in codes:
        return
    idle = [mode for mode in modes if "w" not in mode.written]
    # What no mode assigns is one mistake.
    for mode in idle[:1] if len(idle) == len(modes) else idle:
        _never_updated(mode, codes, report)
    if codes & {"E301", "E309"}:
        return  # the unknown name may be one of these, misspelled
    for name in spec.slots:
        if name not in report.faulty:
            _check_slot(name, modes, report)
    read = {name for mode in modes for name in mode.read} | set(mentioned)
    read |= {slot.initial for slot in spec.slots.values() if isinstance(slot.initial, str)}
    for name in spec.hyperparameters:
        if name not in read | report.faulty:
            headline = f"hyperparameter `{name}` has no effect"
            span = report.index.key("hyperparameters", name)
            label = "no equation and no condition reads it, and no slot starts as it"
            hint = "use it in an equation or a condition, or remove it"
            report.error("E314", headline, span, label, help=hint)


def _never_updated(mode: LoweredMode, codes: set[str], report: Report) -> None:
    others = [name for name in sorted(mode.written) if stands_for(name, "w")]
    if others and codes & {"E301", "E309"}:
        return  # the other name of the variable has had its message
    headline = f"mode `{mode.mode.name}` never assigns `w`"
    hint = "such as `w = w - learning_rate * g`"
    if others:
        hint = f"`{others[0]}` is a local: assign the variable, `w = ...`"
    report.error("E312", headline, mode.span, help=hint)


def stands_for(name: str, known: str) -> bool:
    """Whether a name is what a paper or another library would call the known one."""
    return without_index(name, [known]) is not None or other_name(name, [known]) is not None


def _check_slot(name: str, modes: Sequence[LoweredMode], report: Report) -> None:
    span = report.index.key("slots", name)
    present = [mode for mode in modes if name in mode.mode.slots]
    if not present:
        return
    if not any(name in mode.written for mode in present):
        written = sorted({other for mode in present for other in mode.written})
        others = [other for other in written if without_index(other, [name])]
        hint = f"assign it, `{name} = ...`, or remove it"
        if others:
            hint = f"`{others[0]}` is a local: assign the slot, `{name} = ...`"
        headline = f"slot `{name}` is never assigned"
        report.error("E313", headline, span, "keeps its first value", help=hint)
        return
    if not any(name in mode.read for mode in present):
        hint = "use it in an equation, or remove it"
        report.error("E313", f"slot `{name}` is never read", span, "has no effect", help=hint)
        return
    if not any(name in mode.carried for mode in present):
        headline = f"slot `{name}` is never read before it is assigned"
        hint = f"remove the slot from `[slots]`: then `{name}` is a local"
        report.error("E313", headline, span, "carries nothing from step to step", help=hint)
        return
    for mode in present:
        if name not in mode.written:
            report.error(
                "E315",
                f"slot `{name}` is not assigned in mode `{mode.mode.name}`",
                span,
                "takes memory in this mode",
                Label(mode.span, "the mode"),
                help="restrict the slot by `when`",
            )
