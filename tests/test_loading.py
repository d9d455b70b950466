"""`optgen.load`: a spec as a class at once, in the user's cache folder."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

import optgen
from optgen.optimizers import SGD
from optgen.runtime import Optimizer
from tests.oracle import SPECS

ROOT = Path(__file__).parent.parent
TEXT = """
name = "Plain"
summary = "Gradient descent."
update = 'w = w - learning_rate * g'

[hyperparameters]
learning_rate = { default = 0.5, doc = "How far a step goes." }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPTGEN_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def stepped(cls: Any, **arguments: Any) -> list[float]:
    w = np.array([1.0, -2.0])
    for _ in range(3):
        cls(**arguments).apply([np.array([0.5, 0.25])], [w])
    return list(w)


def test_a_text_gives_a_class(folder: Path) -> None:
    plain = optgen.load(TEXT)
    assert issubclass(plain, Optimizer)
    assert plain.__name__ == "Plain"
    assert stepped(plain) == [0.25, -2.375]
    assert optgen.load(TEXT) is plain
    assert len(list(folder.iterdir())) == 1
    assert repr(copy.deepcopy(plain(0.25))) == "Plain(learning_rate=0.25)"


def test_a_file_gives_the_class_of_the_package(tmp_path: Path) -> None:
    loaded = optgen.load(SPECS / "sgd.toml")
    assert loaded is not SGD
    assert stepped(loaded, momentum=0.5) == stepped(SGD, momentum=0.5)
    changed = tmp_path / "plain.toml"
    for default in (0.5, 0.25):
        changed.write_text(TEXT.replace("0.5", str(default)))
        assert optgen.load(str(changed))().learning_rate == default


def test_a_name_gives_the_class_of_a_spec_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert optgen.load("SGD") is optgen.load(SPECS / "sgd.toml")
    (tmp_path / "sgd").write_text(TEXT)
    assert optgen.load("sgd").__name__ == "Plain"


def test_neither_a_file_nor_a_name_nor_a_text_says_what_was_expected() -> None:
    with pytest.raises(FileNotFoundError, match="or the name of one that ships .*received 'hello'"):
        optgen.load("hello")


def test_mistakes_are_shown_with_their_places() -> None:
    with pytest.raises(optgen.CompileError, match=r"E301(?s:.*)spec.toml:4:15"):
        optgen.load(TEXT.replace("w = w", "w = x"))
    with pytest.raises(FileNotFoundError):
        optgen.load("missing.toml")
    with pytest.raises(optgen.CompileError, match="E102"):
        optgen.load(TEXT.replace("Plain", "\ud800"))


def test_a_second_process_compiles_no_kernel(folder: Path) -> None:
    script = (
        "import sys, numpy as np, optgen\n"
        "cls = optgen.load(sys.stdin.read())\n"
        "cls().apply([np.ones(2)], [np.ones(2)])\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("NUMBA_CACHE_DIR", None)
    seen = []
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-c", script], input=TEXT, text=True, check=True, env=environment
        )
        seen.append({p.name: p.stat().st_mtime_ns for p in folder.rglob("*.nbc")})
    assert seen[0]
    assert seen[0] == seen[1]


MODES = """
name = "Two"
summary = "Gradient descent, *starred*, in two modes."
[hyperparameters]
learning_rate = { default = 0.5, doc = "How far a step goes." }
beta = { default = 0.0, min = 0.0, max = 1.0, doc = "What is kept." }
[slots]
m = { when = "beta > 0", doc = "Running sum." }
[[modes]]
name = "plain"
when = "beta == 0"
update = 'w = w - learning_rate * g'
[[modes]]
name = "heavy"
when = "beta > 0"
update = '''
m = beta * m + g / 2
w = w - learning_rate * m
'''
"""


def shown(value: object) -> dict[str, str]:
    """What a notebook is given to show, by its type."""
    formats, _ = InteractiveShell.instance().display_formatter.format(value)
    return formats


def test_a_notebook_shows_a_class_as_the_formulas_of_all_modes() -> None:
    two = optgen.load(MODES)
    text = shown(two)["text/markdown"]
    assert text.startswith(r"**Two**: Gradient descent, \*starred\*, in two modes.")
    assert text.index("When `beta == 0`:") < text.index("When `beta > 0`:")
    assert r"w_{t} &= w_{t-1} - \eta \, g_{t}" in text
    assert r"m_{t} &= \beta \, m_{t-1} + \frac{g_{t}}{2}" in text
    assert text.count("$$") == 4


def test_a_notebook_shows_an_instance_as_the_formulas_of_its_mode() -> None:
    two = optgen.load(MODES)
    plain, heavy = (shown(two(beta=beta))["text/markdown"] for beta in (0.0, 0.25))
    assert (
        plain
        == "`Two()`\n\n$$\n\\begin{split}\nw_{t} &= w_{t-1} - \\eta \\, g_{t}\n\\end{split}\n$$"
    )
    assert heavy.startswith("`Two(beta=0.25)`\n")
    assert r"\frac{g_{t}}{2}" in heavy


def test_a_single_mode_needs_no_condition() -> None:
    text = shown(optgen.load(TEXT))["text/markdown"]
    assert "When" not in text
    assert text.count("$$") == 2


def test_plain_text_is_that_of_any_class() -> None:
    plain = optgen.load(TEXT)
    assert shown(plain)["text/plain"].endswith("Plain")
    assert shown(plain(0.25))["text/plain"] == "Plain(learning_rate=0.25)"
    assert "text/markdown" not in shown(SGD)
