"""What the compiler makes of some specs, as text: a change of a pass shows here first.

``pytest tests/test_golden_ir.py --bless`` accepts the present text as the expected one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from optgen.ir.text import format_program, format_schedule
from tests.oracle import CORE, compiled, spec_names

FOLDER = Path(__file__).parent / "golden"


def texts(spec: str) -> dict[str, str]:
    """The forms of a spec that are kept: the program, and the schedule of every mode."""
    optimizer = compiled(spec)
    schedules = (format_schedule(mode.schedule) for mode in optimizer.modes)
    return {"program": format_program(optimizer.program), "schedules": "\n".join(schedules)}


@pytest.mark.parametrize("form", ["program", "schedules"])
@pytest.mark.parametrize("spec", CORE)
def test_the_text_is_the_expected_one(spec: str, form: str, request: pytest.FixtureRequest) -> None:
    path = FOLDER / f"{spec}.{form}.txt"
    text = texts(spec)[form]
    if request.config.getoption("--bless"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_golden_file_has_its_spec() -> None:
    names = {path.name.split(".")[0] for path in FOLDER.glob("*.txt")}
    assert names == set(CORE) <= set(spec_names())


def test_the_second_moment_per_variable_comes_out_as_two_phases() -> None:
    for mode in compiled("novograd").modes:
        phases = [phase for phase in mode.schedule.phases if phase.stages is None]
        assert [phase.name for phase in phases] == ["reduce_squares", "update"]
        assert all(line.target.name != "w" for line in phases[0].lines)
