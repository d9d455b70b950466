"""`optgen show` colours code on a terminal, and changes no character of it."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from typer.testing import CliRunner

from optgen.cli import app
from optgen.commands import show as show_command
from optgen.driver import emit
from tests.oracle import SPECS, compiled

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["show", str(SPECS / "novograd.toml"), *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("stage", ["program", "split", "cpu", "class"])
def test_what_is_piped_is_plain(stage: str) -> None:
    text = shown("--after", stage)
    assert "\x1b" not in text
    if stage == "cpu":
        assert text in {file.text for file in emit([compiled("novograd")])}


@pytest.mark.parametrize("stage", ["program", "split", "cpu", "class"])
def test_a_terminal_gets_colours_and_the_same_text(stage: str) -> None:
    text = shown("--after", stage)
    stream = io.StringIO()
    terminal = Console(file=stream, force_terminal=True, width=40, color_system="standard")
    show_command.print_code(text, terminal)
    assert "\x1b[" in stream.getvalue()
    assert ESCAPE.sub("", stream.getvalue()) == text


def test_markup_in_a_spec_is_text() -> None:
    stream = io.StringIO()
    show_command.print_code("[red]x[/red]\n", Console(file=stream, force_terminal=True))
    assert ESCAPE.sub("", stream.getvalue()) == "[red]x[/red]\n"
