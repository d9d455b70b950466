"""Phases of a step take batches of variables in turn, which stay in cache, and change no bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from generated import CAME, AdamW, NovoGrad
from optgen.runtime import host, plan
from optgen.runtime.plan import Selection

SHAPES = [(7,), (2, 3), (), (0, 4), (40,), (5,), (3, 3), (6,)]
LIMIT = 15
"""Elements of a batch: the fifth variable has more."""

BATCHES = [[0, 1, 2, 3], [4], [5, 6], [7]]


def taken(optimizer: Any, calls: int = 3) -> list[bytes]:
    """All state after some calls, in one of which a variable has no gradient."""
    rng = np.random.default_rng(4)
    variables = [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]
    for call in range(calls):
        gradients: list[Any] = [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]
        if call == 1:
            gradients[5] = None
        optimizer.apply(gradients, variables)
    return [np.asarray(array).tobytes() for array in (*variables, *optimizer.get_weights())]


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "CACHED", LIMIT)


@pytest.mark.filterwarnings("ignore:.*no gradient", "ignore:.*invalid value")
@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (NovoGrad, {"weight_decay": 0.1, "clipnorm": 0.5}),
        (AdamW, {"global_clipnorm": 0.5, "use_ema": True}),
        (CAME, {}),
    ],
)
def test_batches_change_no_bit(
    make: Any, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = taken(make(**arguments))
    monkeypatch.setattr(plan, "CACHED", LIMIT)
    assert taken(make(**arguments)) == expected


def everything(optimizer: Any) -> Selection:
    """The selection of all variables."""
    optimizer.build([np.ones(shape) for shape in SHAPES])
    (selection,) = optimizer._state.all_present.present
    return selection


@pytest.mark.usefixtures("small_batches")
def test_batches_are_all_of_the_work_in_its_order() -> None:
    whole = everything(CAME())
    assert [part.rows.tolist() for part in whole.batches] == BATCHES
    assert sum(part.elements for part in whole.batches) == whole.elements
    for name in ("rows", "chunks"):
        parts = [getattr(part, name) for part in whole.batches]
        assert np.array_equal(np.concatenate(parts), getattr(whole, name))
    for name in ("runs", "units"):
        parts = [getattr(part.axes, name) for part in whole.batches]
        assert np.array_equal(np.concatenate(parts), getattr(whole.axes, name))


def test_what_fits_into_cache_is_one_batch() -> None:
    whole = everything(NovoGrad())
    assert whole.batches == (whole,)


def launches(optimizer: Any, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[int]]]:
    """The phases of a call and the variables that each launch of them is for."""
    variables = [np.ones(shape) for shape in SHAPES]
    optimizer.apply([np.ones(shape) for shape in SHAPES], variables)
    found = []

    def recorded(phase: Any, elements: int, arguments: Any) -> None:
        assert elements == sum(w.size for w in variables)
        found.append((phase.name, arguments[1][1].tolist()))

    monkeypatch.setattr(host, "launch", recorded)
    optimizer.apply([np.ones(shape) for shape in SHAPES], variables)
    return found


@pytest.mark.usefixtures("small_batches")
def test_a_batch_is_finished_before_the_next_one_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    found = launches(NovoGrad(), monkeypatch)
    names = list(dict.fromkeys(name for name, _ in found))
    assert len(names) > 1
    assert found == [(name, rows) for rows in BATCHES for name in names]


@pytest.mark.usefixtures("small_batches")
def test_a_sum_over_all_variables_comes_before_what_needs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = launches(AdamW(global_clipnorm=1.0), monkeypatch)
    everybody = [row for rows in BATCHES for row in rows]
    assert [rows for _, rows in found] == [everybody, everybody]
