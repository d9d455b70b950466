"""README.md tells the truth: its programs run, and what it quotes stands where it says."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


PROGRAMS = [block for block in blocks("python") if "import" in block]
QUOTES = [block for block in blocks("python") if "import" not in block]


@pytest.mark.parametrize("program", PROGRAMS, ids=["numpy", "minimize", "torch"])
def test_programs_run(program: str, tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(program, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-W", "error", file], capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    numbers = [float(number) for number in re.findall(r"-?\d\S*\d|\d", result.stdout)]
    assert numbers
    assert all(abs(number) < 0.01 for number in numbers), result.stdout


def test_the_page_about_using_an_optimizer_runs() -> None:
    found = doctest.testfile(str(ROOT / "docs" / "optimizers.md"), module_relative=False)
    assert found.attempted > 30
    assert found.failed == 0


def test_generated_code_is_quoted_as_it_is() -> None:
    generated = (ROOT / "generated" / "sgd_cpu.py").read_text(encoding="utf-8")
    (quote,) = QUOTES
    assert quote in generated, "README.md shows a loop that generated/sgd_cpu.py does not have"


def test_the_spec_is_quoted_as_it_is() -> None:
    spec = (ROOT / "specs" / "sgd.toml").read_text(encoding="utf-8")
    quote = blocks("toml")[0]
    lines = [line for line in quote.splitlines() if line.strip()]
    position = 0
    for line in lines:
        position = spec.find(line + "\n", position)
        assert position >= 0, f"specs/sgd.toml does not have this line next: {line}"


def test_specs_are_toml() -> None:
    for block in blocks("toml"):
        assert tomllib.loads(block)


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda page: page.name
)
def test_links_lead_to_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert missing == []


def test_ci_finds_the_test_command() -> None:
    marked = re.findall(
        r"<!-- test command -->\n```sh\n(.*?)\n```\n<!-- end -->", README, re.DOTALL
    )
    assert len(marked) == 1
    assert marked[0].startswith("pip install -e '.[test]' && optgen check")
