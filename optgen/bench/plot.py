"""A report as a picture; needs matplotlib."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from optgen.bench.peers import FLOOR, OURS, PEERS
from optgen.bench.results import CaseResult, Point, Report, spread
from optgen.bench.worker import FRESH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENDINGS = (".svg", ".png", ".pdf")

_COLOURS = ("#7f7f7f", "#1b6ca8", "#d95f02", "#e6ab02", "#1b9e77", "#7570b3", "#e7298a")
_ORDER = (FLOOR, OURS, *(peer.name for peer in PEERS if peer.name not in {FLOOR, OURS}))
_TITLES = {peer.name: peer.title for peer in PEERS}

Panel = Callable[["Axes"], None]


class PlotError(Exception):
    """A picture cannot be drawn; the text says why, in a sentence."""


def check(file: Path) -> None:
    """Raise PlotError if no picture can be drawn into a file, before anything is measured."""
    if file.suffix not in ENDINGS:
        raise PlotError(f"expected a file that ends in {', '.join(ENDINGS)}, received {file}")
    if importlib.util.find_spec("matplotlib") is None:
        raise PlotError("pictures need matplotlib: pip install 'optgen[bench]'")


def plot(report: Report, file: Path) -> None:
    """Draw what a report holds: steps beside other libraries, and the scaling.

    Args:
        report: what to draw.
        file: where to; its ending says the format.

    Raises:
        PlotError: if there is nothing to draw, or it cannot be drawn.
    """
    check(file)
    # An optional dependency, and slow to import.
    import matplotlib

    panels = _panels(report)
    if not panels:
        raise PlotError("expected steps or scaling to draw, received a report without either")
    # Names of elements in a picture are random otherwise.
    with matplotlib.rc_context({"svg.hashsalt": "optgen", "font.size": 9}):
        from matplotlib.figure import Figure

        heights = [height for height, _ in panels]
        figure = Figure(figsize=(8.0, sum(heights)), layout="constrained")
        axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
        for axis, (_, draw) in zip(axes, panels, strict=True):
            draw(axis)
        metadata = {"Date": None} if file.suffix == ".svg" else None
        figure.savefig(file, metadata=metadata, dpi=150)


def _panels(report: Report) -> list[tuple[float, Panel]]:
    """What to draw, one below the other, with heights in inches."""
    panels: list[tuple[float, Panel]] = []
    cases = [case for case in report.cases if case.find(OURS)]
    if cases:
        panels.append((1.1 + 0.55 * len(cases), lambda axis: _draw_cases(axis, cases)))
    for name in dict.fromkeys(point.axis for point in report.points):
        points = [p for p in report.points if p.axis == name and p.result.find(OURS)]
        if points:
            panels.append((2.6, _curve(name, points)))
    return panels


def _curve(name: str, points: list[Point]) -> Panel:
    return lambda axis: _draw_points(axis, name, points)


def _draw_cases(axis: Axes, cases: list[CaseResult]) -> None:
    """A row for each case: every candidate's time as a multiple of ours, on a logarithmic scale."""
    present = {c.name for case in cases for c in case.candidates if c.seconds}
    names = [name for name in _ORDER if name in present]
    for index, name in enumerate(names):
        ratios = [(row, case.ratio(name, OURS, FRESH)) for row, case in enumerate(cases)]
        found = [(row + 0.7 * ((index + 0.5) / len(names) - 0.5), r) for row, r in ratios if r]
        axis.errorbar(
            [r.median for _, r in found],
            [place for place, _ in found],
            xerr=[[r.median - r.low for _, r in found], [r.high - r.median for _, r in found]],
            fmt="o",
            markersize=5,
            elinewidth=1.0,
            color=_COLOURS[_ORDER.index(name)],
            label=_TITLES[name],
        )
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g} ×")
    axis.set_yticks(range(len(cases)), [f"{case.model}\n{case.step}" for case in cases])
    axis.set_ylim(len(cases) - 0.5, -0.5)
    for row in range(1, len(cases)):
        axis.axhline(row - 0.5, color="0.85", linewidth=0.8)
    axis.axvline(1.0, color=_COLOURS[_ORDER.index(OURS)], linewidth=0.8)
    axis.grid(axis="x", alpha=0.3)
    axis.set_xlabel("time of a step as a multiple of optgen's: median and quartiles of the rounds")
    axis.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=4, frameon=False)
    axis.spines[["top", "right"]].set_visible(False)


def _draw_points(axis: Axes, name: str, points: list[Point]) -> None:
    """Curves: our time and the memory floor's along an axis."""
    for candidate, colour, title in (
        (FLOOR, _COLOURS[0], "memory floor"),
        (OURS, _COLOURS[1], OURS),
    ):
        xs, ys = [], []
        for point in points:
            measured = point.result.find(candidate)
            if measured is not None:
                xs.append(point.value)
                ys.append(spread(measured.seconds[FRESH]).median)
        axis.plot(xs, ys, "o-", color=colour, label=title, markersize=4)
    _scale(axis, name, points)
    axis.set_ylabel("seconds a step")
    axis.legend(fontsize=8, frameon=False)
    axis.grid(alpha=0.3)
    axis.spines[["top", "right"]].set_visible(False)


def _scale(axis: Axes, name: str, points: list[Point]) -> None:
    step = points[0].result.step
    if name == "threads":
        axis.set_xticks([point.value for point in points])
        axis.set_ylim(bottom=0.0)
        axis.set_xlabel(f"threads: {step}, {points[0].result.model}")
        return
    axis.set_xscale("log")
    axis.set_yscale("log")
    of_each = " in one variable" if name == "parameters" else " of 64 parameters"
    axis.set_xlabel(f"{name}{of_each}: {step}")
