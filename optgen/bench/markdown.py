"""A report as Markdown."""

from __future__ import annotations

from optgen.bench.results import Report
from optgen.bench.tables import (
    Table,
    case_table,
    kinds,
    memory_table,
    overview,
    scaling_tables,
    start_table,
    used_table,
)
from optgen.bench.targets import targets_table


def taken(report: Report) -> str:
    """When, on what, with what and by which command the figures were taken."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return f"{report.date}; {report.machine}; {versions}; by `{report.command}`"


def markdown(report: Report) -> str:
    """All that a report says."""
    parts = [f"Taken {taken(report)}.", *map(as_markdown, every_table(report))]
    return "\n\n".join(parts) + "\n"


def every_table(report: Report) -> list[Table]:
    """The tables of all parts that a report has: the short ones first."""
    tables = []
    if report.cases:
        tables += [overview(report.cases, kind) for kind in kinds(report.cases)]
    targets = targets_table(report)
    tables += [targets] if targets.rows else []
    tables += scaling_tables(report.points)
    tables += [memory_table(report.memory)] if report.memory else []
    tables += [start_table(report.start)] if report.start else []
    tables += [case_table(case) for case in report.cases]
    tables += [used_table(report.cases)] if report.cases else []
    return tables


def as_markdown(table: Table) -> str:
    """A table, its title above it."""
    lines = [table.headers, tuple("---" for _ in table.headers), *table.rows]
    return f"**{table.title}**\n\n" + "\n".join(
        f"| {' | '.join(map(_cell, line))} |" for line in lines
    )


def _cell(text: str) -> str:
    """Text that Markdown shows as it is."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("_", "\\_").replace("*", "\\*")
