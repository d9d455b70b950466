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
    """All that a report says: what belongs together under a title."""
    parts = [f"Taken {taken(report)}."]
    for title, tables in sections(report).items():
        if tables:
            parts += [f"## {title}", *map(as_markdown, tables)]
    return "\n\n".join(parts) + "\n"


def sections(report: Report) -> dict[str, list[Table]]:
    """The tables of a report by title; a part that was not measured has none."""
    cases = report.cases
    targets = targets_table(report)
    return {
        "Steps": [overview(cases, kind) for kind in kinds(cases)] if cases else [],
        "Targets": [targets] if targets.rows else [],
        "Scaling": scaling_tables(report.points),
        "Memory": [memory_table(report.memory)] if report.memory else [],
        "Start": [start_table(report.start)] if report.start else [],
        "Details": [*map(case_table, cases), *([used_table(cases)] if cases else [])],
    }


def as_markdown(table: Table) -> str:
    """A table, its title above it."""
    lines = [table.headers, tuple("---" for _ in table.headers), *table.rows]
    return f"**{table.title}**\n\n" + "\n".join(
        f"| {' | '.join(map(_cell, line))} |" for line in lines
    )


def _cell(text: str) -> str:
    """Text that Markdown shows as it is."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("_", "\\_").replace("*", "\\*")
