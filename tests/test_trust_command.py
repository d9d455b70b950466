"""`optgen test`: the report, its exit status, and the pytest file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from optgen.testing import CHECKS
from optgen.testing.pytest_file import MARK

ROOT = Path(__file__).parent.parent
TEXT = """
name = "Plain"
summary = "Gradient descent."
update = 'w = w - learning_rate * g'

[hyperparameters]
learning_rate = { default = 0.5, doc = "How far a step goes." }

[[example]]
mode = "default"
start = [1.0]
gradients = [[0.5]]
expected = [[0.75]]
source = "by hand: 1 - 0.5 * 0.5"
"""
NORMED = TEXT.split("[[example]]")[0].replace("* g'", "* g / norm(g)'")


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "specs" / "plain.toml"
    path.parent.mkdir()
    path.write_text(TEXT)
    return path


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}
    environment["OPTGEN_CACHE_DIR"] = str(folder / "cache")
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_report_names_properties_cases_and_figures(spec: Path, tmp_path: Path) -> None:
    choice = ("-k", "examples", "-k", "repeat", "-k", "hyperparameters")
    result = run("optgen.cli", "test", "specs/plain.toml", "--quick", *choice, folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Plain, from specs/plain.toml" in result.stdout
    assert re.search(r"the spec's examples +│ +2 │ passed │ \S+ of the tolerance", result.stdout)
    assert re.search(r"same bytes every time +│ +1 │ passed", result.stdout)
    assert "equals the interpreter" not in result.stdout
    assert result.stderr == ""


def test_a_name_stands_for_a_spec_that_ships(tmp_path: Path) -> None:
    choice = ("--quick", "-k", "examples", "--mode", "plain")
    result = run("optgen.cli", "test", "SGD", *choice, folder=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "SGD, from SGD" in result.stdout
    refused = run("optgen.cli", "test", "SGD", "--pytest", "test_it.py", folder=tmp_path)
    assert refused.returncode == 2
    assert "received the name 'SGD'" in refused.stderr
    assert not (tmp_path / "test_it.py").exists()


def test_a_failure_is_told_with_what_to_paste(spec: Path, tmp_path: Path) -> None:
    spec.write_text(NORMED)
    result = run(
        "optgen.cli", "test", "specs/plain.toml", "--quick", "-k", "zeros", folder=tmp_path
    )
    assert result.returncode == 1, result.stdout + result.stderr
    assert re.search(r"zero gradients are harmless +│ +2 │ 2 failed", result.stdout)
    assert "expected finite numbers after steps along zero gradients, received nan" in result.stdout
    lines = [line.strip() for line in result.stdout.splitlines()]
    start = next(i for i, line in enumerate(lines) if line.startswith("from optgen.testing"))
    assert "calls=1)" in lines[start + 2]
    (tmp_path / "again.py").write_text("\n".join(lines[start : start + 4]))
    again = run("again", folder=tmp_path)
    assert again.returncode == 1
    assert "received nan" in again.stderr


def test_the_pytest_file_runs_from_anywhere_and_is_formatted(spec: Path, tmp_path: Path) -> None:
    file = tmp_path / "tests" / "test_plain.py"
    file.parent.mkdir()
    arguments = ("specs/plain.toml", "--quick", "--pytest", "tests/test_plain.py")
    written = run("optgen.cli", "test", *arguments, folder=tmp_path)
    assert written.returncode == 0, written.stderr
    text = file.read_text()
    assert '"../specs/plain.toml"' in text
    for command in (["check", "--select", "E,F,I,W,B"], ["format", "--check"]):
        assert run("ruff", *command, "--isolated", "tests", folder=tmp_path).returncode == 0
    passed = run("pytest", "-q", "-k", "examples or configuration", str(file), folder=file.parent)
    assert passed.returncode == 0, passed.stdout
    assert "3 passed" in passed.stdout
    spec.write_text(NORMED)
    failed = run("pytest", "-q", "-k", "zeros-default-float32-none", str(file), folder=tmp_path)
    assert failed.returncode == 1
    assert "received nan" in failed.stdout


def test_only_files_that_say_so_are_written_anew(spec: Path, tmp_path: Path) -> None:
    file = tmp_path / "test_plain.py"
    arguments = ("optgen.cli", "test", "specs/plain.toml", "--pytest", "test_plain.py")
    assert run(*arguments, folder=tmp_path).returncode == 0
    first = file.read_text()
    file.write_text(f"# more\n{first}")
    assert run(*arguments, folder=tmp_path).returncode == 0
    assert file.read_text() == first
    mine = first.replace(MARK, "Begun by `optgen test")
    file.write_text(mine)
    result = run(*arguments, folder=tmp_path)
    assert result.returncode == 1
    assert "optgen did not write test_plain.py" in result.stderr
    assert file.read_text() == mine


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-k", "magic"), "expected one of parity"),
        (("--mode", "magic"), "expected modes among default"),
        (("--pytest", "test_x.py", "-k", "parity"), "all modes and checks"),
    ],
)
def test_unknown_names_are_told_the_known_ones(
    arguments: tuple[str, ...], message: str, spec: Path, tmp_path: Path
) -> None:
    result = run("optgen.cli", "test", "specs/plain.toml", *arguments, folder=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr


def test_mistakes_in_the_spec_come_first(spec: Path, tmp_path: Path) -> None:
    spec.write_text(TEXT.replace("w = w", "w = x"))
    result = run("optgen.cli", "test", "specs/plain.toml", folder=tmp_path)
    assert result.returncode == 1
    assert "error[E301]" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_page_lists_the_checks() -> None:
    page = (ROOT / "docs" / "testing.md").read_text("utf-8")
    listed = page.partition("<!-- checks: begin")[2].partition("<!-- checks: end")[0]
    rows = [line for line in listed.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{c.name}` | {c.title} | {c.protects} |" for c in CHECKS]


def test_other_commands_do_without_numba() -> None:
    script = "import sys, optgen.cli; print('numba' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
