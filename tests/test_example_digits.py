"""The example program trains with every generated optimizer, beside Keras."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import optgen.optimizers

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "train_digits.py"


def run_example(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the example in a process of its own, because Keras fixes its backend per process."""
    return subprocess.run(
        [sys.executable, EXAMPLE, *arguments], capture_output=True, text=True, timeout=300
    )


def test_reaches_the_accuracy_and_agrees_with_keras(tmp_path: Path) -> None:
    plot = tmp_path / "folder" / "loss.png"
    result = run_example("--epochs", "20", "--output", plot)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stderr == ""
    assert all(name in result.stdout for name in optgen.optimizers.__all__)
    found = re.search(r"Largest difference of any weight from Keras: (\S+)", result.stdout)
    assert found is not None
    assert float(found.group(1)) < 1e-4
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_says_which_optimizer_falls_short(tmp_path: Path) -> None:
    result = run_example("--epochs", "1", "--output", tmp_path / "loss.png")
    assert result.returncode == 1
    assert re.search(
        r"^SGD recognises \d\d\.\d% of the test digits; 95% is required\.$",
        result.stderr,
        re.MULTILINE,
    )
