"""`optgen bench`: how fast steps are, beside other libraries and beside memory itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Names = list[str] | None
Seconds = Annotated[float | None, typer.Option(min=0.001, help="How long a turn takes, about.")]
Rounds = Annotated[int | None, typer.Option(min=1, help="How often each candidate has its turn.")]


def bench(
    model: Annotated[
        Names, typer.Option(help="Only this one: mlp, resnet50, gpt2, many or tiny; repeatable.")
    ] = None,
    step: Annotated[Names, typer.Option(help="Only this step; repeatable.")] = None,
    candidate: Annotated[
        Names, typer.Option(help="Only this candidate beside ours; repeatable.")
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
    rounds: Rounds = None,
    seconds: Seconds = None,
    json: Annotated[Path | None, typer.Option(help="Keep the results in this file.")] = None,
    earlier: Annotated[
        Path | None, typer.Option("--from", help="Show the results that this file keeps.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw into this file (svg, png, pdf).")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the tables as Markdown.")] = None,
) -> None:
    """Measure steps: each candidate in a process of its own, taking turns."""
    # Imported here, because Numba takes longer to import than other commands take in all.
    from optgen.commands.bench_run import Asked
    from optgen.commands.bench_show import Files, show_report

    asked = Asked(
        tuple(model or ()),
        tuple(step or ()),
        tuple(candidate or ()),
        beside_others=everything or not (scaling or start),
        scaling=everything or scaling,
        start=everything or start,
        quick=quick,
        rounds=rounds,
        seconds=seconds,
    )
    show_report(asked, earlier, Files(json, plot, markdown))
