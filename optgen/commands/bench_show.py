"""What `optgen bench` does with a report: the terminal, files, and the exit status."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import typer
from rich.markup import escape

from optgen import folders
from optgen.bench import plot as pictures
from optgen.bench.markdown import markdown
from optgen.bench.process import WorkerError
from optgen.bench.results import Report, as_json, read
from optgen.commands.bench_run import Asked, run
from optgen.commands.bench_tables import show
from optgen.commands.console import errors, output


@dataclass(frozen=True)
class Files:
    """Where a report goes, besides the terminal."""

    json: Path | None
    plot: Path | None
    markdown: Path | None

    def given(self) -> list[Path]:
        """Those that are wanted."""
        return [file for file in (self.json, self.markdown, self.plot) if file is not None]


def show_report(asked: Asked, earlier: Path | None, files: Files) -> None:
    """Measure, or read what was measured earlier, and show it.

    Args:
        asked: what to measure.
        earlier: a file to read instead.
        files: what to write.
    """
    try:
        if files.plot is not None:
            pictures.check(files.plot)
        # Whatever keeps files from being written is found out before the measurements.
        for file in files.given():
            file.parent.mkdir(parents=True, exist_ok=True)
        report = run(asked) if earlier is None else read(earlier)
    except (ValueError, pictures.PlotError) as error:
        raise typer.BadParameter(str(error)) from None
    except WorkerError as error:
        errors.print(f"error: {escape(str(error))}")
        raise typer.Exit(1) from None
    show(report)
    _write(report, files)
    if _failed(report):
        errors.print("error: optgen itself could not be measured; the tables say why")
        raise typer.Exit(1)


def _write(report: Report, files: Files) -> None:
    if files.json is not None:
        folders.replace_file(files.json, as_json(report))
    if files.markdown is not None:
        folders.replace_file(files.markdown, markdown(report))
    if files.plot is not None:
        try:
            pictures.plot(report, files.plot)
        except pictures.PlotError as error:
            raise typer.BadParameter(str(error), param_hint="--plot") from None
    for file in files.given():
        output.print(f"wrote {escape(str(file))}")


def _failed(report: Report) -> bool:
    """Whether a step of ours has no figures."""
    found = [*report.cases, *(point.result for point in report.points)]
    return any(case.candidates[0].note.startswith("failed") for case in found)
