"""`optgen show SPEC --after ptx`: what a device would run, or what is missing to say it."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

needs_numba_cuda = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed"
)

WITHOUT_NUMBA_CUDA = """
import importlib.util
known = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "numba_cuda" else known(name, *rest)
"""

WITHOUT_TOOLKIT = """
import cuda.pathfinder
def load(name):
    raise cuda.pathfinder.DynamicLibNotFoundError(name)
cuda.pathfinder.load_nvidia_dynamic_lib = load
"""


def show(*options: str, first: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `optgen show specs/novograd.toml --after ptx` behind some statements."""
    return subprocess.run(
        [sys.executable, "-c", f"{first}\nfrom optgen.cli import main\nmain()", "show"]
        + ["specs/novograd.toml", "--after", "ptx", *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@needs_numba_cuda
def test_the_code_of_a_mode_is_shown_without_a_device() -> None:
    result = show("--mode", "decay")
    assert result.returncode == 0, result.stderr
    assert re.findall(r"^// (\w+): float32, compute capability 9.0", result.stdout, re.M) == [
        "reduce_squares_chunks",
        "reduce_squares_fold",
        "decay_update_variables",
        "decay_update_chunks",
    ]
    assert result.stdout.count(".target sm_90") == 4
    assert ".visible .entry decay_update_chunks(" in result.stdout
    assert "fma.rn.f32" in result.stdout
    assert "_ZN" not in result.stdout


@pytest.mark.parametrize(
    ("first", "environment", "parts"),
    [
        pytest.param(
            WITHOUT_NUMBA_CUDA, {}, ("needs numba-cuda", "pip install"), id="no_numba_cuda"
        ),
        pytest.param(
            WITHOUT_TOOLKIT,
            {},
            ("libnvvm of the CUDA toolkit", "pip install"),
            id="no_toolkit",
            marks=needs_numba_cuda,
        ),
        pytest.param(
            "",
            {"NUMBA_ENABLE_CUDASIM": "1"},
            ("simulator is on", "unset NUMBA_ENABLE_CUDASIM"),
            id="simulator",
            marks=needs_numba_cuda,
        ),
    ],
)
def test_what_is_missing_is_said_in_a_sentence(
    first: str, environment: dict[str, str], parts: tuple[str, ...]
) -> None:
    result = show(first=first, **environment)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert all(part in result.stderr for part in parts), result.stderr
