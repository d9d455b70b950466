"""Checks over all modes together: what is declared must be used, and memory be worth keeping."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from optgen.diagnostics import Label
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
    if not modes or not all(mode.complete for mode in modes):
        return
    for mode in modes:
        if "w" not in mode.written:
            headline = f"mode `{mode.mode.name}` never assigns `w`"
            hint = "such as `w = w - learning_rate * g`"
            report.error("E312", headline, mode.span, help=hint)
    if any(diagnostic.code == "E301" for diagnostic in report.diagnostics):
        return  # the unknown name may be one of these, misspelled
    for name in spec.slots:
        _check_slot(name, modes, report)
    read = {name for mode in modes for name in mode.read} | set(mentioned)
    read |= {slot.initial for slot in spec.slots.values() if isinstance(slot.initial, str)}
    for name in spec.hyperparameters:
        if name not in read:
            headline = f"hyperparameter `{name}` has no effect"
            span = report.index.key("hyperparameters", name)
            label = "no equation and no condition reads it, and no slot starts as it"
            report.error("E314", headline, span, label)


def _check_slot(name: str, modes: Sequence[LoweredMode], report: Report) -> None:
    span = report.index.key("slots", name)
    present = [mode for mode in modes if name in mode.mode.slots]
    if not present:
        return
    if not any(name in mode.written for mode in present):
        report.error("E313", f"slot `{name}` is never assigned", span, "keeps its first value")
        return
    if not any(name in mode.read for mode in present):
        report.error("E313", f"slot `{name}` is never read", span, "has no effect")
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
