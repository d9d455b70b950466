"""The pictures of the site show what their captions say, and are the same bytes each time."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from optgen.optimizers import SGD

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The modules that make the pictures, which lie beside the sources of the site."""
    monkeypatch.syspath_prepend(str(DOCS / "examples"))
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    names = ("landscapes", "drawing", "train_digits", "optimizer_pages")
    found = {name: __import__(name) for name in names}
    for name in names:
        monkeypatch.delitem(sys.modules, name)
    return found


def test_gradients_are_those_of_the_functions(site: dict[str, Any]) -> None:
    step = 1e-6
    for landscape in site["landscapes"].LANDSCAPES:
        for point in np.random.default_rng(0).uniform(-2, 2, (5, 2)):
            shifts = step * np.eye(2)
            numeric = [
                (landscape.value(*(point + d)) - landscape.value(*(point - d))) / (2 * step)
                for d in shifts
            ]
            assert_allclose(landscape.gradient(point), numeric, rtol=1e-4, atol=1e-4)


def test_stars_are_minima_inside_of_the_frame(site: dict[str, Any]) -> None:
    for landscape in site["landscapes"].LANDSCAPES:
        minimum = np.array(landscape.minimum)
        assert landscape.value(*minimum) == 0
        assert not landscape.gradient(minimum).any()
        left, right, low, high = landscape.limits
        for x, y in (landscape.minimum, landscape.start):
            assert left < x < right
            assert low < y < high


def test_the_learning_rate_is_the_best_of_the_grid(site: dict[str, Any]) -> None:
    landscapes = site["landscapes"]
    (quadratic,) = (row for row in landscapes.LANDSCAPES if row.name == "quadratic")
    # A step multiplies the steep direction by 1 - 50 lr, which diverges from 0.04 on.
    rates = (0.001, 0.01, 0.03, 0.056, 10.0)
    best = landscapes.best_way(SGD, {}, quadratic, rates)
    assert best.learning_rate == 0.03
    assert len(best.points) == landscapes.STEPS + 1
    assert_allclose(best.points[1], quadratic.start * (1 - 0.03 * np.array([1, 50])))
    lost = landscapes.walk(SGD, {}, 10.0, quadratic)
    assert lost.value == np.inf
    assert len(lost.points) < 10


def test_neighbours_are_the_nearest_curves_of_others(site: dict[str, Any]) -> None:
    curves = {
        "A": {"a": [1.0, 0.5, 0.25]},
        "B": {"far": [1.0, 0.9, 0.9], "near": [1.0, 0.5, 0.26]},
        **{f"C{k}": {f"c{k}": [1.0, 0.5, 0.25 / (1 + k)]} for k in range(1, 6)},
    }
    found = site["optimizer_pages"]._neighbours("A", curves)
    assert list(found) == ["near", "c1", "c2", "c3"]


def test_pictures_are_the_same_bytes_each_time(site: dict[str, Any], tmp_path: Path) -> None:
    landscapes, drawing = site["landscapes"], site["drawing"]
    landscape = landscapes.LANDSCAPES[0]
    ways = {"SGD": landscapes.walk(SGD, {}, 0.001, landscape, steps=20)}
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        drawing.save_ways(landscape, ways, folder, "x")
        drawing.save_losses({"own": [2.0, 1.0]}, {"other": [2.0, 1.5]}, folder, "x")
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 4
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    themes = [(tmp_path / "a" / f"x-digits-{name}.svg").read_text() for name in drawing.THEMES]
    assert themes[0] != themes[1]
