"""`optgen show` colours code on a terminal, and changes no character of it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from optgen.cli import app
from optgen.commands import show as show_command
from optgen.driver import emit
from optgen.shipped import shipped_spec, shipped_specs
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


@pytest.mark.parametrize("command", ["show", "explain"])
def test_a_name_stands_for_a_spec_that_ships(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    by_name = CliRunner().invoke(app, [command, "NovoGrad"])
    assert by_name.exit_code == 0, by_name.output
    by_path = CliRunner().invoke(app, [command, str(SPECS / "novograd.toml")])
    assert by_name.stdout == by_path.stdout
    (tmp_path / "novograd").mkdir()
    assert CliRunner().invoke(app, [command, "novograd"]).stdout == by_path.stdout
    (tmp_path / "novograd").rmdir()
    (tmp_path / "novograd").write_text("name = 'x'")
    assert CliRunner().invoke(app, [command, "novograd"]).exit_code == 1


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("nothing", "received 'nothing', which is no file"),
        ("adamm", "received 'adamm', which is no file; did you mean 'adam'?"),
        ("folder", "received the folder folder"),
    ],
)
def test_a_name_of_nothing_says_what_was_expected(
    given: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    result = CliRunner().invoke(app, ["show", given], env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert f"or the name of one that ships with optgen; {words}" in result.output


def test_names_are_those_of_classes_and_of_modules() -> None:
    for stem, file in shipped_specs().items():
        assert shipped_spec(stem) == shipped_spec(compiled(stem).program.name) == file


def test_markup_in_a_spec_is_text() -> None:
    stream = io.StringIO()
    show_command.print_code("[red]x[/red]\n", Console(file=stream, force_terminal=True))
    assert ESCAPE.sub("", stream.getvalue()) == "[red]x[/red]\n"
