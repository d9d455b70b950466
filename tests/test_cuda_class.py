"""The class on device arrays: in Numba's simulator, and without anything of CUDA."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from optgen.optimizers import Adam
from optgen.runtime import device_arrays
from optgen.runtime.cuda import support
from tests.oracle import spec_names, thorough_specs

ROOT = Path(__file__).parent.parent

HOST_STEPS = """
import json, sys
import numpy as np
import optgen.optimizers
variables = [np.ones(3), np.ones((2, 2), np.float32)]
optgen.optimizers.Adam(clipnorm=1.0).apply([np.ones_like(w) for w in variables], variables)
print(json.dumps(sorted(sys.modules)))
"""


def run(*arguments: str, simulated: bool) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, since the simulator's switch is read at import."""
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1" if simulated else "0"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def run_simulated(file: str, *options: str) -> None:
    """Run a file of tests/simulated; the failures that it reports are those of this test."""
    arguments = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *options)
    result = run(*arguments, f"tests/simulated/{file}", simulated=True)
    assert result.returncode == 0, result.stdout[-8000:] + result.stderr[-2000:]


def groups() -> list[list[str]]:
    """The specs that one process takes: one that is tested thoroughly, or several others."""
    thorough = thorough_specs()
    others = [spec for spec in spec_names() if spec not in thorough]
    return [*([spec] for spec in thorough), *(others[i::4] for i in range(4) if others[i::4])]


@pytest.mark.parametrize("specs", groups(), ids="-".join)
def test_every_mode_equals_the_host(specs: list[str]) -> None:
    run_simulated("equality.py", "-k", " or ".join(f"[{spec}-" for spec in specs))


def test_the_class_offers_everything_on_a_device() -> None:
    run_simulated("behaviour.py")


def test_small_variables_share_blocks() -> None:
    run_simulated("blocks.py")


def test_rows_and_columns_are_those_of_the_host() -> None:
    run_simulated("rows_and_columns.py")


def test_steps_on_the_host_import_nothing_of_cuda() -> None:
    result = run("-c", HOST_STEPS, simulated=False)
    assert result.returncode == 0, result.stderr
    loaded = json.loads(result.stdout)
    assert "optgen.runtime.device_arrays" in loaded
    assert not [name for name in loaded if name.startswith(("numba.cuda", "optgen.runtime.cuda"))]


class Somewhere:
    """A device array that nobody needs to read."""

    __cuda_array_interface__ = {  # noqa: RUF012
        "data": (4096, False),
        "shape": (3,),
        "typestr": "<f4",
        "version": 3,
    }


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "find_spec", lambda name: None)
    support.check_support.cache_clear()
    with pytest.raises(ImportError, match="need the package numba-cuda, .*pip install 'numba-cuda"):
        Adam().build([Somewhere()])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("error", "devices", "message"),
    [
        ("CUDA driver\nnot found", (), r"a working NVIDIA driver.*\(CUDA driver not found\)"),
        (None, (), "a CUDA device, of which the driver finds none"),
        (None, (0,), "the CUDA toolkit .*install it with pip install 'numba-cuda"),
    ],
)
def test_a_missing_part_of_cuda_is_named(
    monkeypatch: pytest.MonkeyPatch, error: str | None, devices: tuple[int, ...], message: str
) -> None:
    from numba import cuda

    monkeypatch.setattr(support, "find_spec", lambda name: True)
    monkeypatch.setattr(cuda, "cuda_error", lambda: error)
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    monkeypatch.setattr(cuda, "gpus", devices)
    support.check_support.cache_clear()
    with pytest.raises(RuntimeError, match=message):
        Adam().build([Somewhere()])  # type: ignore[list-item]


def test_tensors_of_torch_on_the_host_are_no_device_arrays() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.ones(3, requires_grad=True)
    assert device_arrays.interface_of(tensor) is None
    with pytest.raises(ValueError, match=r"received torch\.Tensor\. Pass its detach\(\)\.numpy"):
        Adam().build([tensor])
    with pytest.raises(ValueError, match="gradient of variable 0: expected a NumPy array"):
        Adam().apply([tensor], [np.ones(3, np.float32)])
