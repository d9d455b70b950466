"""The page of figures says what holds: all modes, all within tolerance, and the same again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle import generated, spec_modes, spec_names
from tests.parity import measuring
from tests.parity.__main__ import PAGE
from tests.parity.matrix import measured
from tests.parity.measuring import arguments_of_run
from tests.parity.page import allowed_in, number_of, page_of, rows_of, source_text
from tests.parity.tolerances import COMPARISONS, TOLERANCES
from tests.references.sources import SOURCES, rule_of, source_of

TEXT = PAGE.read_text("utf-8")
ROWS = {(row.spec, row.mode): row for row in rows_of(TEXT)}

# Sums and products alone: the same figures on every machine.
SAMPLED = ("sgd", "nesterov")


def test_the_page_has_exactly_the_modes_of_all_specs() -> None:
    assert sorted(ROWS) == sorted(spec_modes()), "run python -m tests.parity"


def test_the_page_is_what_the_command_writes() -> None:
    # Words, versions, tolerances and the worst figures beside them; the figures are read back.
    assert page_of(ROWS.values()) == TEXT, "run python -m tests.parity"


@pytest.mark.parametrize(("spec", "mode"), [pytest.param(*p, id="-".join(p)) for p in spec_modes()])
def test_every_figure_is_within_its_tolerance(spec: str, mode: str) -> None:
    row = ROWS[spec, mode]
    for comparison, text, tolerance in zip(COMPARISONS, row.figures, allowed_in(row), strict=True):
        figure = number_of(text)
        assert figure is not None or comparison == "batched"
        assert (figure or 0.0) <= tolerance.value, comparison
    assert row.source == source_text(spec, arguments_of_run(spec, mode))


def test_a_row_comes_out_the_same_again() -> None:
    assert measured(*SAMPLED, quick=True) == ROWS[SAMPLED]


@pytest.mark.parametrize("spec", spec_names())
def test_every_spec_has_a_reference_and_a_source(spec: str) -> None:
    assert rule_of(spec).__name__ == generated(spec).__name__
    assert source_of(spec, {})


def test_what_has_no_source_is_refused() -> None:
    with pytest.raises(LookupError, match="expected a source"):
        source_of("unheard_of", {})


def test_every_tolerance_has_a_reason_and_a_spec() -> None:
    for (spec, comparison), tolerance in TOLERANCES.items():
        assert spec in SOURCES
        assert comparison in COMPARISONS
        assert tolerance.reason


@pytest.mark.parametrize("compare", [measuring.against_reference, measuring.against_source])
def test_a_class_that_is_hardly_off_is_noticed(
    compare: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off(spec: str) -> Any:
        usual = generated(spec)
        return lambda learning_rate=0.01, **own: usual(learning_rate * (1 + 1e-9), **own)

    monkeypatch.setattr(measuring, "generated", off)
    with pytest.raises(AssertionError, match="away"):
        compare(*SAMPLED)
