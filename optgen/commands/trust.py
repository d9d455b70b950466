"""What `optgen test` does: running the checks, its report, and its pytest file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from optgen import driver, folders
from optgen.commands.console import errors, output
from optgen.testing.case import Check
from optgen.testing.checks import CHECKS, check_named
from optgen.testing.plan import Outcome, planned, reproduction
from optgen.testing.processes import outcomes
from optgen.testing.pytest_file import MARK, pytest_text
from optgen.testing.subject import Subject, load_subject

SHOWN = 3
"""Failures of one check that the report shows in full."""

_report = Console(highlight=False)


def chosen(names: Sequence[str]) -> Sequence[Check]:
    """Return the checks of some names, all of them for none; BadParameter for an unknown one."""
    try:
        return [check_named(name) for name in names] or CHECKS
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def report(
    path: Path, checks: Sequence[Check], modes: list[str], quick: bool, seed: int, jobs: int
) -> bool:
    """Run checks on one spec, print what they found, and return whether all passed."""
    subject = load_subject(path)
    unknown = sorted(set(modes) - set(subject.modes))
    if unknown:
        known = ", ".join(subject.modes)
        raise typer.BadParameter(f"expected modes among {known}, received {unknown[0]!r}")
    found = _run(subject, checks, modes, quick, seed, jobs)
    _print_report(subject, checks, found)
    return not any(outcome.message for outcome in found)


def _run(
    subject: Subject, checks: Sequence[Check], modes: list[str], quick: bool, seed: int, jobs: int
) -> list[Outcome]:
    plan = planned(subject, checks, modes, quick, seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    found = []
    quiet = not errors.is_terminal
    with Progress(
        *columns, TimeElapsedColumn(), console=errors, transient=True, disable=quiet
    ) as progress:
        task = progress.add_task(f"Testing {escape(subject.spec)}", total=len(plan))
        for outcome in outcomes(subject.spec, plan, jobs):
            found.append(outcome)
            progress.advance(task)
    return found


def _print_report(subject: Subject, checks: Sequence[Check], found: Sequence[Outcome]) -> None:
    table = Table(
        title=f"{subject.program.name}, from {escape(subject.spec)}", title_justify="left"
    )
    for header, justify in (("property", "left"), ("cases", "right"), ("result", "left")):
        table.add_column(header, justify="right" if justify == "right" else "left")
    table.add_column("worst")
    for check in checks:
        own = [outcome for outcome in found if outcome.check == check.name]
        bad = sum(bool(outcome.message) for outcome in own)
        result = f"[red]{bad} failed[/red]" if bad else "[green]passed[/green]" if own else "-"
        table.add_row(check.title, str(len(own)), result, _worst(check, own))
    _report.print(table)
    notes = [note for outcome in found if outcome.finding for note in outcome.finding.notes]
    for note in dict.fromkeys(notes):
        output.print(f"note: {escape(note)}")
    for check in checks:
        _print_failures(subject, check, [o for o in found if o.check == check.name and o.message])


def _worst(check: Check, found: Sequence[Outcome]) -> str:
    figures = [o.finding.figure for o in found if o.finding and o.finding.figure is not None]
    return f"{max(figures):.3g} {check.unit}" if figures else ""


def _print_failures(subject: Subject, check: Check, failures: Sequence[Outcome]) -> None:
    """Print the first few failures that differ in their smallest form, and count the others."""
    distinct: dict[str, Outcome] = {}
    for outcome in failures:
        distinct.setdefault(repr(outcome.smallest), outcome)
    shown = list(distinct.values())[:SHOWN]
    for outcome in shown:
        output.print(f"\n[red]failed:[/red] {escape(check.title)} ({check.name}, {outcome.case})")
        output.print(f"  {escape(outcome.message)}")
        output.print(f"  This check is there to notice {escape(check.protects)}.")
        output.print("  To see it again, in its smallest form:\n")
        for line in reproduction(subject, outcome).splitlines():
            output.print(f"    {escape(line)}")
    if len(failures) > len(shown):
        output.print(f"\n{check.name} failed in {len(failures) - len(shown)} more cases")


def write_pytest_file(file: Path, specs: Sequence[Path], quick: bool, seed: int) -> None:
    """Write a pytest file for some specs, unless somebody else wrote one of that name."""
    if file.exists() and MARK not in file.read_text("utf-8", "replace"):
        errors.print(f"error: optgen did not write {escape(str(file))}, and leaves it alone")
        raise typer.Exit(1)
    names = [optimizer.program.name for optimizer in driver.compile_all(specs)]
    paths = [Path(os.path.relpath(spec, file.parent)).as_posix() for spec in specs]
    folders.replace_file(file, pytest_text(paths, names, quick, seed))
    output.print(f"wrote {escape(str(file))}; run it with pytest")
