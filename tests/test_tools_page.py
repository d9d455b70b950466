"""docs/tools.md shows what the commands print: all of it is run again, in its order."""

from __future__ import annotations

import doctest
import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from optgen.cli import app

PAGE = (Path(__file__).parents[1] / "docs" / "tools.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def stripped(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n"


def test_the_commands_print_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPTGEN_CACHE_DIR", str(tmp_path / "cache"))
    shown = blocks("console")
    assert len(shown) > 5
    for block in shown:
        command, _, expected = block.partition("\n")
        program, *arguments = shlex.split(command.removeprefix("$ "))
        assert program == "optgen"
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        found = stripped(result.stdout)
        same = doctest.OutputChecker().check_output(expected, found, doctest.ELLIPSIS)
        assert same, f"{command}\n{found}"


def test_settings_are_well_formed() -> None:
    (settings,) = blocks("json")
    assert json.loads(settings)
    rule = tomllib.loads(blocks("toml")[1])
    assert rule["rule"][0]["schema"]["path"].endswith("optgen.schema.json")
