"""`python -m optgen.gpu_check`, as far as it runs without a device: in Numba's simulator."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optgen.gpu_check import models

ROOT = Path(__file__).parents[1]
NEEDED = {"numba", "numpy", "optgen"}

MEASURED = """
from optgen.gpu_check import benchmark
from optgen.gpu_check.peers import WORKLOADS
benchmark.SECONDS, benchmark.COPIED = 0.001, 4096
copy = benchmark.copy_bandwidth(2)
for workload in WORKLOADS:
    row = benchmark.measure(workload, [(3,), (2, 2)], 2, copy)
    print(workload.name, row["seconds"] > 0, row["bytes per second"] > 0, "torch seconds" in row)
"""

WRONG = """
import sys
from optgen.gpu_check import __main__, parity
known = parity.cuda.to_device
parity.cuda.to_device = lambda array: known(array + 1e-9)
sys.exit(__main__.main(["--parity-only", "--jobs", "1", "--only", "SGD-plain-none-float64"]))
"""


def run(*command: str, simulate: bool = True) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, in the simulator or without any device."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(ROOT)}
    environment["NUMBA_ENABLE_CUDASIM"] = str(int(simulate))
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "only",
    [
        "SGD-nesterov-everything-float64",
        "NovoGrad-decay-clip+average-float32",
        "Adafactor-default-none-float32",
    ],
)
def test_parity_holds_to_the_bit_in_the_simulator(only: str, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    options = ["--parity-only", "--jobs", "1", "--only", only, "--json", str(file)]
    result = run("-m", "optgen.gpu_check", *options)
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads(file.read_text())
    assert found["parity"]
    assert all(row["right"] and row["ulp"] == 0.0 for row in found["parity"])
    assert found["machine"]["device"] == "Numba's simulator"
    assert "benchmark" not in found


def test_a_difference_is_found() -> None:
    result = run("-c", WRONG)
    assert result.returncode == 1
    assert "WRONG SGD-plain-none-float64: differs" in result.stdout


def test_every_case_has_a_name_of_its_own_and_every_mode_has_cases() -> None:
    script = (
        "import json; from optgen.gpu_check.parity import cases\n"
        "print(json.dumps([case.name for case in cases('')]))"
    )
    names: list[str] = json.loads(run("-c", script).stdout)
    assert len(set(names)) == len(names)
    from tests.oracle import compiled, spec_modes

    for spec, mode in spec_modes():
        prefix = f"{compiled(spec).program.name}-{mode}-"
        assert sum(name.startswith(prefix) for name in names) >= 2 * 10, prefix


def test_no_case_is_no_success() -> None:
    result = run("-m", "optgen.gpu_check", "--parity-only", "--only", "nothing")
    assert result.returncode == 1
    assert "no case" in result.stdout


def test_steps_are_measured_in_the_simulator() -> None:
    result = run("-c", MEASURED)
    assert result.returncode == 0, result.stderr
    assert [line.split()[-3:] for line in result.stdout.splitlines()] == [
        ["True", "True", "False"]
    ] * 4


def test_without_a_device_there_is_a_sentence() -> None:
    result = run("-m", "optgen.gpu_check", simulate=False)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert "install" in result.stderr


@pytest.mark.parametrize(
    "path", sorted((ROOT / "optgen/gpu_check").glob("*.py")), ids=lambda p: p.name
)
def test_the_check_needs_no_part_of_the_compiler(path: Path) -> None:
    """It has to run where NumPy and numba-cuda are all that is installed."""
    for node in ast.parse(path.read_text("utf-8")).body:
        for name in _imported(node):
            top = name.split(".")[0]
            assert top in NEEDED or top in sys.stdlib_module_names, name
            if top == "optgen":
                assert name == "optgen" or name.startswith(("optgen.runtime", "optgen.gpu_check"))


def _imported(node: Any) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


@pytest.mark.parametrize(
    ("model", "arrays", "numbers"),
    [
        ("MLP 784-128-10", 4, 101_770),
        ("ResNet-50", 161, 25_557_032),
        ("GPT-2 small", 148, 124_439_808),
        ("1,000 x 64", 1000, 64_000),
    ],
)
def test_models_have_their_published_sizes(model: str, arrays: int, numbers: int) -> None:
    shapes = models.MODELS[model]()
    assert len(shapes) == arrays
    assert sum(int(np.prod(shape)) for shape in shapes) == numbers
