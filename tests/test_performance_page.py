"""The figures of docs/performance.md are those of docs/performance/measured.json.

``pytest tests/test_performance_page.py --bless`` writes them into the page. The file is written
by ``optgen bench --everything``, with ``--json docs/performance/measured.json`` and
``--plot docs/performance/measured.svg``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from optgen.bench.markdown import as_markdown, sections, taken
from optgen.bench.results import Report, read

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "performance.md"
MEASURED = DOCS / "performance" / "measured.json"
PICTURE = DOCS / "performance" / "measured.svg"
NOTHING = "No figures have been kept yet."
SHOWN = "![Times of steps beside other libraries, and how they grow](performance/measured.svg)"
PARTS = ("Taken", "Picture", "Steps", "Targets", "Scaling", "Memory", "Start", "Details")


def block(part: str) -> re.Pattern[str]:
    return re.compile(
        rf"(<!-- measured {part}: begin .*?-->\n)(.*?)(<!-- measured {part}: end -->)", re.DOTALL
    )


def texts(report: Report | None) -> dict[str, str]:
    """What stands in each block of the page."""
    if report is None:
        return dict.fromkeys(PARTS, NOTHING)
    found = {"Taken": f"Taken {taken(report)}.", "Picture": SHOWN}
    for title, tables in sections(report).items():
        found[title] = "\n\n".join(map(as_markdown, tables)) or NOTHING
    return found


def test_the_page_shows_what_was_measured(request: pytest.FixtureRequest) -> None:
    report = read(MEASURED) if MEASURED.is_file() else None
    expected = page = PAGE.read_text("utf-8")
    for part, text in texts(report).items():
        assert len(block(part).findall(page)) == 1, part
        expected = block(part).sub(lambda m, text=text: f"{m[1]}\n{text}\n\n{m[3]}", expected)
    if request.config.getoption("--bless"):
        PAGE.write_text(expected, "utf-8", newline="\n")
    else:
        assert page == expected, "run pytest tests/test_performance_page.py --bless"
    assert PICTURE.is_file() == (report is not None)


def test_every_part_of_a_report_has_a_block() -> None:
    report = Report("", "", "", {})
    assert {*sections(report), "Taken", "Picture"} == set(PARTS)
