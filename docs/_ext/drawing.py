"""Pictures of optimizers at work, each for a light and for a dark background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from landscapes import Landscape, Way
from matplotlib.axes import Axes
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """The colours of a picture.

    Attributes:
        text: of axes and words.
        faint: of what is in the background.
        levels: of contour lines, from low to high.
        runs: of the runs that the picture is about.
        others: of the runs beside them.
        paper: what is behind the picture.
    """

    text: str
    faint: str
    levels: tuple[str, str]
    runs: tuple[str, ...]
    others: str
    paper: str


THEMES: Mapping[str, Theme] = {
    "light": Theme(
        "#2f3339",
        "#e3e5e9",
        ("#8fa3bf", "#dfe5ee"),
        ("#0b62b8", "#c8520a", "#0a8564", "#a8348a"),
        "#9aa1ab",
        "#ffffff",
    ),
    "dark": Theme(
        "#d3d6db",
        "#2e3238",
        ("#5f7390", "#2b323d"),
        ("#63b3ff", "#ff9a4d", "#3fd3a8", "#ee8ad6"),
        "#7d8590",
        "#131416",
    ),
}
"""By name; the paper is that of the site's theme."""

_STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "optgen",
}


def save_ways(
    landscape: Landscape, ways: Mapping[str, Way], folder: Path, stem: str
) -> dict[str, str]:
    """Draw ways over the contours of their landscape; return the files' names by theme."""
    files = {}
    for name, theme in THEMES.items():
        with mpl.rc_context(_style(theme)):
            figure = Figure(figsize=(4.2, 3.4), layout="constrained")
            axes = figure.subplots()
            _contours(axes, landscape, theme)
            for index, (label, way) in enumerate(ways.items()):
                # Earlier ones are broader, so that equal ways can be seen under each other.
                width = 1.1 + 0.9 * (len(ways) - 1 - index)
                _way(axes, way, theme.runs[index % len(theme.runs)], label, width)
            axes.plot(*landscape.start, "o", color=theme.text, markersize=5, zorder=5)
            axes.plot(*landscape.minimum, "*", color=theme.text, markersize=11, zorder=5)
            axes.set_title(landscape.title, fontsize=10, loc="left")
            _legend(axes, theme)
            files[name] = _save(figure, folder, f"{stem}-{landscape.name}-{name}.svg")
    return files


def save_losses(
    own: Mapping[str, Sequence[float]],
    others: Mapping[str, Sequence[float]],
    folder: Path,
    stem: str,
) -> dict[str, str]:
    """Draw loss curves, those of others in grey; return the files' names by theme."""
    files = {}
    for name, theme in THEMES.items():
        with mpl.rc_context(_style(theme)):
            figure = Figure(figsize=(4.2, 3.4), layout="constrained")
            axes = figure.subplots()
            for losses in others.values():
                axes.plot(losses, color=theme.others, linewidth=1.0)
            colours = dict(zip(own, cycle(theme.runs), strict=False))
            for label, losses in own.items():
                axes.plot(losses, color=colours[label], linewidth=1.8, label=label, zorder=3)
            _end_labels(axes, {**others, **own}, colours, theme.others)
            axes.set_yscale("log")
            axes.set_xlim(0, max(map(len, own.values())) - 1)
            axes.set_xlabel("epoch")
            axes.set_ylabel("training loss")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.grid(which="major", color=theme.faint)
            axes.set_title("scikit-learn's digits", fontsize=10, loc="left")
            files[name] = _save(figure, folder, f"{stem}-digits-{name}.svg")
    return files


def _style(theme: Theme) -> dict[str, Any]:
    colours = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor")
    return {**_STYLE, **dict.fromkeys(colours, theme.text)}


def _contours(axes: Axes, landscape: Landscape, theme: Theme) -> None:
    left, right, low, high = landscape.limits
    x, y = np.meshgrid(np.linspace(left, right, 160), np.linspace(low, high, 160))
    values = landscape.value(x, y)
    levels = np.geomspace(max(values.max() * 1e-4, 0.05), values.max() * 0.8, 12)
    colours = mpl.colors.LinearSegmentedColormap.from_list("levels", theme.levels)
    axes.contour(
        x,
        y,
        values,
        levels=levels,
        cmap=colours,
        norm=mpl.colors.LogNorm(levels[0], levels[-1]),
        linewidths=0.8,
    )
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)
    axes.tick_params(length=2, labelsize=8)


def _way(axes: Axes, way: Way, colour: str, label: str, width: float) -> None:
    axes.plot(*way.points.T, color=colour, linewidth=width, alpha=0.9, zorder=3)
    axes.plot(
        *way.points.T,
        "o",
        color=colour,
        markersize=1.1 + width,
        markeredgewidth=0,
        alpha=0.8,
        zorder=3,
    )
    axes.plot([], [], "o", color=colour, markersize=5, label=label)


def _legend(axes: Axes, theme: Theme) -> None:
    handles, labels = axes.get_legend_handles_labels()
    axes.figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(labels),
        frameon=False,
        handletextpad=0.2,
        columnspacing=1.2,
    )


def _end_labels(
    axes: Axes,
    curves: Mapping[str, Sequence[float]],
    colours: Mapping[str, str],
    other: str,
) -> None:
    """Write every curve's name beside its end, moved apart where ends are close."""
    ends = sorted((float(np.log(losses[-1])), label) for label, losses in curves.items())
    everything = np.log(np.concatenate([np.asarray(losses) for losses in curves.values()]))
    gap = 0.055 * float(everything.max() - everything.min())
    places = [height for height, _ in ends]
    for index in range(1, len(places)):
        places[index] = max(places[index], places[index - 1] + gap)
    last = max(map(len, curves.values())) - 1
    for place, (_, label) in zip(places, ends, strict=True):
        axes.annotate(
            label,
            (last, float(np.exp(place))),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=colours.get(label, other),
            annotation_clip=False,
        )


def _save(figure: Figure, folder: Path, name: str) -> str:
    figure.savefig(folder / name, transparent=True, metadata={"Date": None})
    return name
