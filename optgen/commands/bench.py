"""`optgen bench`: how fast steps are, beside other libraries and beside memory itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from optgen import folders
from optgen.commands.console import errors, output


def bench(
    model: Annotated[
        list[str] | None,
        typer.Option(help="Only this model (mlp, resnet50, gpt2, many, tiny); may be repeated."),
    ] = None,
    step: Annotated[list[str] | None, typer.Option(help="Only this step; may be repeated.")] = None,
    candidate: Annotated[
        list[str] | None,
        typer.Option(help="Only this candidate beside ours; may be repeated."),
    ] = None,
    scaling: Annotated[
        bool, typer.Option("--scaling", help="How cost grows, and memory, instead.")
    ] = False,
    start: Annotated[
        bool, typer.Option("--start", help="The time up to a first step, instead.")
    ] = False,
    everything: Annotated[
        bool, typer.Option("--everything", help="Steps, scaling and start.")
    ] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="Small models and few rounds: a trial, no result.")
    ] = False,
    rounds: Annotated[
        int | None, typer.Option(min=1, help="How often each candidate has its turn.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.001, help="How long a turn takes, about.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Keep the results in this file.")] = None,
    earlier: Annotated[
        Path | None, typer.Option("--from", help="Show the results that this file keeps.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw into this file (svg, png, pdf).")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the tables as Markdown.")] = None,
) -> None:
    """Measure steps: each candidate in a process of its own, taking turns."""
    # Imported here, because Numba takes longer to import than other commands take in all.
    from optgen.bench import plot as pictures
    from optgen.bench.markdown import markdown as as_markdown
    from optgen.bench.process import WorkerError
    from optgen.bench.results import as_json, read
    from optgen.commands import bench_run, bench_tables

    try:
        if plot is not None:
            pictures.check(plot)
        if earlier is not None:
            report = read(earlier)
        else:
            asked = bench_run.Asked(
                tuple(model or []),
                tuple(step or []),
                tuple(candidate or []),
                steps=everything or not (scaling or start),
                scaling=everything or scaling,
                start=everything or start,
                quick=quick,
                rounds=rounds,
                seconds=seconds,
            )
            report = bench_run.run(asked)
    except (ValueError, pictures.PlotError) as error:
        raise typer.BadParameter(str(error)) from None
    except WorkerError as error:
        errors.print(f"error: {escape(str(error))}")
        raise typer.Exit(1) from None
    bench_tables.show(report)
    if json is not None:
        folders.replace_file(json, as_json(report))
    if markdown is not None:
        folders.replace_file(markdown, as_markdown(report))
    if plot is not None:
        pictures.plot(report, plot)
    for file in (json, markdown, plot):
        if file is not None:
            output.print(f"wrote {escape(str(file))}")
    if bench_run.failed(report):
        errors.print("error: a step of optgen could not be measured")
        raise typer.Exit(1)
