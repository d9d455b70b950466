"""The guides tell the truth: their programs run, and the compiler says what they say it says.

``pytest tests/test_guides.py --bless`` writes the present messages into the guides.
"""

from __future__ import annotations

import doctest
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from optgen.backends.docs.latex import block
from optgen.backends.docs.notation import notation_of
from optgen.diagnostics import CompileError, render_all
from optgen.driver import compile_text
from optgen.ir.program import Schedule
from tests.oracle import compiled

DOCS = Path(__file__).parents[1] / "docs"
PAPER = DOCS / "paper_to_spec.md"
_BLOCK = re.compile(r"^```(toml|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the spec that the guide ends with."""
    monkeypatch.setenv("OPTGEN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_specs").mkdir()
    (tmp_path / "my_specs" / "yogi.toml").write_text(list(versions())[-1][0], "utf-8")
    return tmp_path


@pytest.mark.parametrize("page", ["start", "paper_to_spec"])
def test_programs_run(page: str) -> None:
    found = doctest.testfile(str(DOCS / f"{page}.md"), module_relative=False)
    assert found.attempted > 5
    assert found.failed == 0


def versions() -> Iterator[tuple[str, re.Match[str] | None]]:
    """The spec of the guide after each of its steps, and the block of messages that follows."""
    spec = ""
    found = list(_BLOCK.finditer(PAPER.read_text("utf-8")))
    for position, match in enumerate(found):
        language, text = match.groups()
        if language == "text":
            continue
        if text.startswith("name = "):
            spec = text
        elif text.startswith("update = "):
            spec = re.sub(r"update = '''\n.*?'''\n", lambda _, new=text: new, spec, flags=re.DOTALL)
        else:
            # Tables that the spec already has are written anew.
            spec = f"{spec.split('[slots]')[0].rstrip()}\n\n{text}"
        following = found[position + 1] if position + 1 < len(found) else None
        messages = following if following is not None and following.group(1) == "text" else None
        yield spec, messages


def messages_of(spec: str, path: str = "my_specs/yogi.toml") -> str:
    try:
        compile_text(spec.encode(), path)
    except CompileError as error:
        return render_all(error.diagnostics, error.sources).rstrip("\n") + "\n"
    return ""


def bless(page: Path, told: list[tuple[str, re.Match[str]]]) -> None:
    """Write messages into the blocks of a page, the last one first."""
    text = page.read_text("utf-8")
    for now, place in reversed(told):
        text = text[: place.start(2)] + now + text[place.end(2) :]
    page.write_text(text, "utf-8")


def told_in_the_paper() -> list[tuple[str, re.Match[str]]]:
    return [(messages_of(spec), place) for spec, place in versions() if place is not None]


def told_at_the_start() -> list[tuple[str, re.Match[str]]]:
    spec, place = _BLOCK.finditer((DOCS / "start.md").read_text("utf-8"))
    return [(messages_of(spec.group(2), "specs/descent.toml"), place)]


@pytest.mark.parametrize(
    ("page", "told", "count"),
    [("paper_to_spec", told_in_the_paper, 4), ("start", told_at_the_start, 1)],
)
def test_the_messages_are_those_of_the_compiler(
    page: str,
    told: Callable[[], list[tuple[str, re.Match[str]]]],
    count: int,
    request: pytest.FixtureRequest,
) -> None:
    if request.config.getoption("--bless"):
        bless(DOCS / f"{page}.md", told())
    found = told()
    assert len(found) == count
    for now, place in found:
        assert now.startswith("error[E")
        assert now == place.group(2)


def test_the_last_spec_is_the_one_that_the_steps_lead_to() -> None:
    specs = [spec for spec, _ in versions()]
    assert messages_of(specs[-1]) == ""
    with_reference = specs[-1].split("\n", 3)
    without = "\n".join([*with_reference[:2], with_reference[3]])
    # The step before it has one sign turned.
    assert without.replace("v = v - ", "v = v + ") == specs[-2]


def formulas(text: str) -> list[str]:
    """The formulas of a page, without blanks and without brackets that only group."""
    found = re.findall(r"^\$\$\n(.*?)\n\$\$$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(r"([_^])\{(\w)\}", r"\1\2", re.sub(r"\s", "", formula)) for formula in found]


@pytest.mark.parametrize("page", ["start", "paper_to_spec"])
def test_the_last_formula_is_the_printers(page: str) -> None:
    text = (DOCS / f"{page}.md").read_text("utf-8")
    if page == "start":
        (given,) = re.findall(r'optgen\.load\("""\n(.*?)\.\.\. """\)\n>>> w', text, re.DOTALL)
        spec = re.sub(r"^\.\.\. ?", "", given, flags=re.MULTILINE)
    else:
        spec = list(versions())[-1][0]
    program = compile_text(spec.encode(), "spec.toml").program
    printed = block(program.modes[0].equations, notation_of(program))
    shown = formulas(text)[-1]
    assert shown == formulas(f"$$\n{printed}\n$$")[0]


def test_the_front_page_shows_a_line_of_a_spec_and_its_formula() -> None:
    text = (DOCS / "index.md").read_text("utf-8")
    (line,) = re.findall(r"```toml\n(.*)\n```", text)
    optimizer = compiled("adam")
    assert line in optimizer.source.text.splitlines()
    last = optimizer.program.modes[0].equations
    printed = block(last, notation_of(optimizer.program)).splitlines()[-2].replace("&", "")
    assert formulas(text) == formulas(f"$$\n{printed}\n$$")


def streams(schedule: Schedule) -> tuple[list[str], list[str]]:
    """The arrays that a step of a mode reads and writes when no common stage is on."""
    phases = [phase for phase in schedule.phases if phase.stages is None]
    assert len(phases) == 1
    reads = [load.name for load in phases[0].loads if load.stage is None]
    writes = [store.name for store in phases[0].stores if store.stage is None]
    return reads, writes


def test_the_traffic_is_that_of_the_schedules() -> None:
    text = (DOCS / "performance.md").read_text("utf-8")
    section = re.findall(r"<!-- traffic: begin .*? -->(.*?)<!-- traffic: end -->", text, re.DOTALL)
    rows = re.findall(
        r"^\| (\w+), `(\w+)` \| (.*?) \| (.*?) \| (\d+) \|$", section[0], re.MULTILINE
    )
    assert len(rows) == 4
    for name, mode, reads, writes, count in rows:
        modes = {layout.schedule.name: layout.schedule for layout in compiled(name.lower()).modes}
        loaded, stored = streams(modes[mode])
        assert sorted(loaded) == sorted(reads.split(", "))
        assert sorted(stored) == sorted(writes.split(", "))
        assert int(count) == 4 * (len(loaded) + len(stored))
