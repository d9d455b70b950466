"""Start: kernels compiled ahead, and a line while the first step compiles them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from optgen.cli import app
from optgen.runtime import notice

SPEC = """
name = "Descent"
summary = "Gradient descent, with and without momentum."

[hyperparameters]
learning_rate = { default = 0.1, doc = "How far a step goes." }
beta = { default = 0.0, min = 0.0, doc = "Momentum." }

[slots]
m = { when = "beta > 0", doc = "Sum of past steps." }

[[modes]]
name = "plain"
when = "beta == 0"
update = 'w = w - learning_rate * g'

[[modes]]
name = "heavy"
when = "beta > 0"
update = '''
m = beta * m - learning_rate * g
w = w + m
'''
"""

FIRST_STEPS = """
import json
import numpy as np
from descents import Descent, descent_cpu
from optgen.runtime.drivers import spreading
for beta in (0.0, 0.5):
    for size in (3, 100_000):
        Descent(beta=beta).apply([np.ones(size, np.float32)], [np.ones(size, np.float32)])
drivers = [f for name, f in vars(descent_cpu).items() if name.endswith("_driver")]
hits = sum(sum(f.stats.cache_hits.values()) for f in drivers) + spreading().cache_hits
misses = sum(sum(f.stats.cache_misses.values()) for f in drivers)
print(json.dumps([hits, misses]))
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python in a folder, with a cache of its own there."""
    root = str(Path(__file__).parents[1])
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": root}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )


def test_kernels_of_every_mode_are_compiled_ahead(tmp_path: Path) -> None:
    (tmp_path / "descent.toml").write_text(SPEC)
    built = run(tmp_path, "-m", "optgen", "build", "descent.toml", "--out", "descents", "--warm")
    assert built.returncode == 0, built.stderr
    assert "kernels of 2 modes are compiled" in built.stdout
    first = run(tmp_path, "-c", FIRST_STEPS)
    assert first.returncode == 0, first.stderr
    hits, misses = json.loads(first.stdout)
    assert (hits, misses) == (3, 0)


def test_a_check_compiles_nothing(tmp_path: Path) -> None:
    (tmp_path / "descent.toml").write_text(SPEC)
    result = CliRunner().invoke(app, ["build", str(tmp_path), "--check", "--warm"])
    assert result.exit_code == 2
    assert "--warm" in result.output


def test_what_takes_long_is_said_while_it_does(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notice, "PATIENCE", 0.01)
    with notice.noticed("waiting"):
        for _ in range(1000):
            if caplog.messages:
                break
            notice.threading.Event().wait(0.01)
    assert caplog.messages == ["optgen is waiting ..."]


def test_what_is_quick_is_not(caplog: pytest.LogCaptureFixture) -> None:
    with notice.noticed("waiting"):
        pass
    assert caplog.messages == []
