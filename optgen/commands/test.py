"""`optgen test`: the checks of `optgen.testing` on the specs of whoever asks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from optgen import driver
from optgen.commands.console import SpecPaths, errors, output
from optgen.testing.case import Check
from optgen.testing.checks import CHECKS, check_named
from optgen.testing.plan import Outcome, planned, reproduction
from optgen.testing.processes import outcomes
from optgen.testing.pytest_file import MARK, pytest_text
from optgen.testing.subject import Subject, load_subject

SHOWN = 3
"""Failures of one check that the report shows in full."""

_report = Console(highlight=False)


def run_checks(
    specs: SpecPaths,
    mode: Annotated[
        list[str] | None, typer.Option(help="Only this mode; may be given several times.")
    ] = None,
    check: Annotated[
        list[str] | None,
        typer.Option("-k", "--check", help="Only this check; may be given several times."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few combinations of the common arguments.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Where all numbers are drawn from.")] = 0,
    jobs: Annotated[
        int, typer.Option(min=0, help="Processes at most; 0 for one per processor.")
    ] = 0,
    pytest: Annotated[
        Path | None,
        typer.Option(help="Write a pytest file of the same checks, to keep, instead of running."),
    ] = None,
) -> None:
    """Check that optimizers can be trusted, property by property."""
    chosen = _chosen(check or [])
    paths = driver.spec_files(specs)
    if pytest is not None:
        if mode or check:
            raise typer.BadParameter("a pytest file holds all modes and checks; choose by its -k")
        _write_pytest_file(pytest, paths, quick, seed)
        return
    failed = False
    for path in paths:
        subject = load_subject(path)
        unknown = sorted(set(mode or ()) - set(subject.modes))
        if unknown:
            raise typer.BadParameter(
                f"expected modes among {', '.join(subject.modes)}, received {unknown[0]!r}"
            )
        found = _run(subject, chosen, mode or [], quick, seed, jobs)
        _print_report(subject, chosen, found)
        failed = failed or any(outcome.message for outcome in found)
    if failed:
        raise typer.Exit(1)


def _chosen(names: Sequence[str]) -> Sequence[Check]:
    try:
        return [check_named(name) for name in names] or CHECKS
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


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


def _write_pytest_file(file: Path, specs: Sequence[Path], quick: bool, seed: int) -> None:
    if file.exists() and MARK not in file.read_text("utf-8", "replace"):
        errors.print(f"error: optgen did not write {escape(str(file))}, and leaves it alone")
        raise typer.Exit(1)
    names = [optimizer.program.name for optimizer in driver.compile_all(specs)]
    paths = [Path(os.path.relpath(spec, file.parent)).as_posix() for spec in specs]
    driver.replace_file(file, pytest_text(paths, names, quick, seed))
    output.print(f"wrote {escape(str(file))}; run it with pytest")
