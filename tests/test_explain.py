"""`optgen explain`: the page of each code."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner

from optgen.cli import app
from optgen.commands.explain_code import page, shown_lines
from optgen.diagnostics import CATALOGUE
from optgen.diagnostics.examples import example_of

RUNNER = CliRunner()


def explained(*arguments: str) -> str:
    """What the command prints; it must succeed."""
    result = RUNNER.invoke(app, ["explain", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_page_shows_the_mistake_its_message_and_what_mends_it(code: str) -> None:
    text = explained(code)
    assert text.startswith(f"{code}: {CATALOGUE[code].title}\n")
    assert f"    error[{code}]: " in text
    assert "\x1b" not in text
    example = example_of(code)
    if example is not None:
        failing = [f"    {line}" if line else "" for line in shown_lines(example.failing)]
        assert "\n".join(failing) in text
        mended = text.split("\nMended:\n", 1)[1].splitlines()
        changed = [line for line in mended if line.startswith(("    - ", "    + "))]
        assert changed
        kept = [line[6:] for line in mended[1:] if not line.startswith("    - ")]
        assert kept == shown_lines(example.mended)


def test_codes_in_other_forms() -> None:
    assert explained("e302") == explained("302") == explained("E302")


def test_all_codes_are_listed() -> None:
    listed = explained().splitlines()
    assert listed == [f"{code}  {entry.title}" for code, entry in CATALOGUE.items()]


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("E399", "there is no message E399; codes like it:"),
        ("E32", "there is no message E32; codes like it: E3"),
        ("99999", "there is no message E99999; `optgen explain` alone lists all of them"),
        (
            "learning",
            "or the code of a message, such as E302; received 'learning', which is no file",
        ),
    ],
)
def test_codes_that_do_not_exist(argument: str, words: str) -> None:
    result = RUNNER.invoke(app, ["explain", argument], env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert words in result.output


def test_a_terminal_shows_colours_and_the_same_text() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, color_system="standard", width=300)
    for line in page("E302"):
        console.print(line)
    shown = stream.getvalue()
    assert "\x1b[" in shown
    plain = "".join(f"{line.plain}\n" for line in page("E302"))
    assert Text.from_ansi(shown).plain.rstrip() == plain.rstrip()
