"""Numbers per row, column and index on the simulated device are those of the host, to the bit.

Run by ``test_cuda_class.py`` in a process of the simulator.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optgen.backends.numba_cuda.signatures import AXIS_TABLES, TABLES
from optgen.runtime.cuda import axes, running
from tests.generated_classes import hyperparameters_of
from tests.oracle import EVERY_SPEC, generated, spec_modes
from tests.simulated.arrays import DeviceArray, HostArray, as_bytes, device_arrays
from tests.simulated.equality import assert_equal

pytestmark = pytest.mark.filterwarnings("ignore:.*invalid value", "ignore:.*no gradient")


def modes_with_axes() -> list[tuple[str, str]]:
    """The specs and modes that keep numbers per row, column or index."""
    return [
        (spec, mode)
        for spec, mode in spec_modes()
        if generated(spec)(**hyperparameters_of(spec, mode))._mode.axes
    ]


EVERY_MODE = modes_with_axes()
ONE_EACH = list({spec: (spec, mode) for spec, mode in EVERY_MODE}.values())
KINDS = [pair for pair in ONE_EACH if EVERY_SPEC or pair[0] in ("adafactor", "sm3")]
"""Between them they have numbers of all rates and all kinds of reductions."""

MODES = EVERY_MODE if EVERY_SPEC else KINDS

SHAPES = (
    (),
    (5,),
    (3, 1),
    (1, 4),
    (4, 3),
    (2, 3, 5),
    (2, 3, 2, 3),
    (3, 0),
    (0, 3),
    (2, 0, 3),
    (0,),
)


def variables_of_all_ranks(dtype: Any) -> list[HostArray]:
    """Ranks 0 to 4, without elements or with, and some that do not lie in C order."""
    rng = np.random.default_rng(5)
    arrays = [np.asarray(rng.standard_normal(shape)) for shape in SHAPES]
    arrays.append(rng.standard_normal((6, 5))[::2, ::-2])
    arrays.append(np.asfortranarray(rng.standard_normal((3, 2, 4))))
    typed = [np.asarray(array, dtype, order="K") for array in arrays]
    typed[-2] = np.ascontiguousarray(rng.standard_normal((6, 5)), dtype)[::2, ::-2]
    return typed


def compare(
    spec: str, mode: str, variables: list[HostArray], calls: int, missing: int | None = None
) -> None:
    """Steps on host and device give the same variables, state and numbers."""
    rng = np.random.default_rng(6)
    arguments = hyperparameters_of(spec, mode)
    host, device = generated(spec)(**arguments), generated(spec)(**arguments)
    copies = device_arrays(variables)
    for call in range(calls):
        gradients: list[HostArray | None] = [
            np.asarray(rng.lognormal(0.0, 3.0, w.shape) * rng.choice([-1, 1], w.shape), w.dtype)
            for w in variables
        ]
        if call == 1 and missing is not None:
            gradients[missing] = None
        host.apply(gradients, variables)
        device.apply(device_arrays(gradients), copies)
        assert_equal(host, device, variables, copies)


@pytest.mark.parametrize(("spec", "mode"), MODES)
def test_all_ranks(spec: str, mode: str) -> None:
    dtype = (np.float32, np.float64)[MODES.index((spec, mode)) % 2]
    compare(spec, mode, variables_of_all_ranks(dtype), calls=2, missing=4)


@pytest.mark.parametrize(("spec", "mode"), KINDS)
@pytest.mark.parametrize("shape", [(129, 64), (2, 8_200)], ids=str)
def test_several_panels_and_long_rows(
    spec: str, mode: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns of three panels, and rows of three blocks: the order of two makes no difference."""
    monkeypatch.setattr(axes, "threads_for", lambda items: min(items, 4) or 1)
    rng = np.random.default_rng(7)
    compare(spec, mode, [rng.standard_normal(shape).astype(np.float32)], calls=1)


@pytest.mark.parametrize(("spec", "mode"), KINDS)
def test_slots_go_from_host_to_device_and_back(spec: str, mode: str, tmp_path: Path) -> None:
    """Files, lists of weights and copies hold them, and steps go on from there."""
    rng = np.random.default_rng(9)
    arguments = hyperparameters_of(spec, mode)
    variables: list[HostArray] = [rng.standard_normal(s) for s in [(), (3,), (2, 3, 2), (0, 2)]]
    gradients: list[HostArray | None] = [rng.standard_normal(w.shape) for w in variables]
    copies = device_arrays(variables)
    host, device = generated(spec)(**arguments), generated(spec)(**arguments)
    host.apply(gradients, variables)
    device.apply(device_arrays(gradients), copies)
    host.save(tmp_path / "host.npz")
    device.save(tmp_path / "device.npz")
    assert (tmp_path / "host.npz").read_bytes() == (tmp_path / "device.npz").read_bytes()

    loaded = generated(spec)(**arguments)
    loaded.build(copies)
    loaded.load(tmp_path / "host.npz")
    assert as_bytes(loaded.get_weights()) == as_bytes(host.get_weights())
    model, twin = copy.deepcopy((copies, device))
    for optimizer, own in ((host, variables), (loaded, copies), (twin, model)):
        optimizer.apply(gradients if optimizer is host else device_arrays(gradients), own)
    assert as_bytes(copies) == as_bytes(model) == as_bytes(variables)
    assert as_bytes(loaded.get_weights()) == as_bytes(host.get_weights())
    assert as_bytes(twin.get_weights()) == as_bytes(host.get_weights())

    device.set_weights(host.get_weights())
    assert as_bytes(device.get_weights()) == as_bytes(host.get_weights())


@pytest.mark.parametrize(("spec", "mode"), KINDS)
def test_launches_do_not_depend_on_how_many_variables_there_are(
    spec: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def launches(count: int) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []

        def recorded(kernel: Any, blocks: int, threads: Any, stream: Any, arguments: Any) -> None:
            tables = next(entry for entry in arguments if isinstance(entry, tuple))
            found.append((kernel.__name__, len(tables)))

        monkeypatch.setattr(running, "launch", recorded)
        variables = [DeviceArray(np.ones((70, 64), np.float32)) for _ in range(count)]
        gradients = [DeviceArray(np.ones((70, 64), np.float32)) for _ in range(count)]
        generated(spec)(**hyperparameters_of(spec, mode)).apply(gradients, variables)
        return found

    found = launches(1)
    assert launches(40) == found
    assert {length for _, length in found} == {len(TABLES), len(AXIS_TABLES)}
    assert {name.rpartition("_")[2] for name, _ in found} >= {"runs", "rows", "columns", "panels"}


@pytest.mark.parametrize(("spec", "mode"), KINDS)
def test_tall_matrices(spec: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More rows than a thread adds up alone, and several runs of matrices of one variable."""
    monkeypatch.setattr(axes, "threads_for", lambda items: min(items, 4) or 1)
    monkeypatch.setattr(axes, "BLOCK", 8)
    rng = np.random.default_rng(8)
    variables: list[HostArray] = [rng.standard_normal((300, 2)), rng.standard_normal((5, 2, 3))]
    compare(spec, mode, variables, calls=1)
