"""How `optgen bench` shows a report on a terminal."""

from __future__ import annotations

import sys

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from optgen.bench.results import Report
from optgen.bench.tables import (
    Table,
    case_table,
    memory_table,
    scaling_tables,
    start_table,
    used_table,
)
from optgen.bench.targets import targets_table

_FILE_WIDTH = 180
_TEXT_COLUMNS = frozenset(
    {"candidate", "step", "remark", "promised", "where", "used as", "process"}
)


def show(report: Report) -> None:
    """Print everything that a report says."""
    # A file has no width; lines that are broken help nobody there.
    width = None if sys.stdout.isatty() else _FILE_WIDTH
    console = Console(highlight=False, width=width)
    console.print(f"{escape(report.machine)}; {escape(_versions(report.versions))}", soft_wrap=True)
    tables = [case_table(case) for case in report.cases]
    tables += scaling_tables(report.points)
    tables += [memory_table(report.memory)] if report.memory else []
    tables += [start_table(report.start)] if report.start else []
    targets = targets_table(report)
    tables += [targets] if targets.rows else []
    for table in tables:
        console.print()
        console.print(as_rich(table))
    if report.cases:
        _print_used(console, used_table(report.cases))


def as_rich(table: Table) -> RichTable:
    """A table for a terminal."""
    shown = RichTable(title=escape(table.title), title_justify="left", box=box.SIMPLE_HEAD)
    for index, header in enumerate(table.headers):
        text = index == 0 or header in _TEXT_COLUMNS
        shown.add_column(escape(header), justify="left" if text else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*map(escape, row))
    return shown


def _print_used(console: Console, table: Table) -> None:
    """Print how candidates were used; what a user writes is too long for a column."""
    console.print(f"\n{escape(table.title)}")
    for candidate, step, versions, threads, form, command in table.rows:
        head = f"{candidate}, {step}: {versions}, threads {threads}; {command}"
        console.print(f"  {escape(head)}", soft_wrap=True)
        console.print(f"      {escape(form)}", soft_wrap=True)


def _versions(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
