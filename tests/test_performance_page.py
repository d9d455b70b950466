"""The figures of docs/performance.md are those of the files in docs/performance.

``pytest tests/test_performance_page.py --bless`` writes them into the page. The files are written
by ``optgen bench --everything``, with ``--json docs/performance/measured.json`` and
``--plot docs/performance/measured.svg``; and on a processor of another kind, with
``--json docs/performance/measured_avx2.json``.
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
ELSEWHERE = DOCS / "performance" / "measured_avx2.json"
PARTS_ELSEWHERE = ("Taken", "Steps", "Targets")


def block(part: str) -> re.Pattern[str]:
    return re.compile(
        rf"(<!-- measured {part}: begin .*?-->\n)(.*?)(<!-- measured {part}: end -->)", re.DOTALL
    )


def texts(file: Path) -> dict[str, str]:
    """What stands in the blocks of the page that show a file."""
    if not file.is_file():
        return dict.fromkeys(PARTS, NOTHING)
    report = read(file)
    found = {"Taken": f"Taken {taken(report)}.", "Picture": SHOWN}
    for title, tables in sections(report).items():
        found[title] = "\n\n".join(map(as_markdown, tables)) or NOTHING
    return found


def test_the_page_shows_what_was_measured(request: pytest.FixtureRequest) -> None:
    expected = page = PAGE.read_text("utf-8")
    elsewhere = texts(ELSEWHERE)
    shown = {f"{part}, AVX2": elsewhere[part] for part in PARTS_ELSEWHERE}
    for part, text in {**texts(MEASURED), **shown}.items():
        assert len(block(part).findall(page)) == 1, part
        expected = block(part).sub(lambda m, text=text: f"{m[1]}\n{text}\n\n{m[3]}", expected)
    if request.config.getoption("--bless"):
        PAGE.write_text(expected, "utf-8", newline="\n")
    else:
        assert page == expected, "run pytest tests/test_performance_page.py --bless"
    assert PICTURE.is_file() == MEASURED.is_file()


def test_every_part_of_a_report_has_a_block() -> None:
    report = Report("", "", "", {})
    assert {*sections(report), "Taken", "Picture"} == set(PARTS)
