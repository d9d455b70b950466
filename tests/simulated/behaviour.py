"""Everything that the class offers, with variables on the simulated device.

Run by ``test_cuda_class.py`` in a process of the simulator.
"""

from __future__ import annotations

import copy
import pickle
import sys
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numba import cuda, float64
from numba.cuda.simulator.kernelapi import FakeCUDAShared

from optgen.optimizers import SGD, Adam, NovoGrad, ScheduleFreeAdamW
from optgen.runtime.cuda import running, streams, tables
from optgen.runtime.loss_scale import LossScaleOptimizer
from tests.generated_classes import everything_on
from tests.oracle import thorough_specs
from tests.simulated.arrays import DeviceArray, HostArray, as_bytes, device_arrays

VALUES = (np.array([1.0, -2.0, 3.0]), np.ones((2, 2), np.float32), np.array(0.5))
GRADIENTS = (np.array([0.1, 0.2, -0.3]), np.full((2, 2), 0.5, np.float32), np.array(1.0))


def values() -> list[HostArray]:
    """Fresh host variables."""
    return [value.copy() for value in VALUES]


def stepped(optimizer: Any, variables: list[Any], calls: int = 3) -> Any:
    """An optimizer after some calls with gradients that live where its variables do."""
    on_device = not isinstance(variables[0], np.ndarray)
    for call in range(calls):
        gradients: list[Any] = [g * (call + 1) for g in GRADIENTS]
        gradients = [np.asarray(g, v.dtype) for g, v in zip(gradients, VALUES, strict=True)]
        optimizer.apply(device_arrays(gradients) if on_device else gradients, variables)
    return optimizer


# What is refused ---------------------------------------------------------------------------


def test_a_mixture_at_build_names_the_variable() -> None:
    first, second, _ = values()
    with pytest.raises(ValueError, match="variable 1: expected a device array, as variable 0 is"):
        Adam().build([DeviceArray(first), second])
    with pytest.raises(ValueError, match="variable 1: expected a host array, as variable 0 is"):
        Adam().build([first, DeviceArray(second)])
    with pytest.raises(ValueError, match=r"variable 1: .*received a value \(builtins.str\)"):
        Adam().build([DeviceArray(first), "w"])
    with pytest.raises(ValueError, match="variable 1: expected an array on device 0"):
        Adam().build([DeviceArray(first), DeviceArray(second, device=1)])


def test_a_mixture_of_variables_and_gradients_names_the_gradient() -> None:
    w, g = np.ones(3), np.ones(3)
    message = "gradient of variable 0: expected a {} array, as its variable is .*copy the one"
    with pytest.raises(ValueError, match=message.format("host")):
        Adam().apply([DeviceArray(g)], [w])
    with pytest.raises(ValueError, match=message.format("device")):
        Adam().apply([g], [DeviceArray(w)])
    with pytest.raises(ValueError, match="gradient of variable 0: expected an array on device 0"):
        Adam().apply([DeviceArray(g, device=1)], [DeviceArray(w)])
    on_host, on_device = Adam(), Adam()
    on_host.build([w])
    on_device.build([DeviceArray(w)])
    with pytest.raises(ValueError, match="variable 0 of this call: expected a host array"):
        on_host.apply([g], [DeviceArray(w)])
    with pytest.raises(ValueError, match="variable 0 of this call: expected a device array"):
        on_device.apply([DeviceArray(g)], [w])


REFUSED: dict[str, tuple[Any, str]] = {
    "integers": (DeviceArray(np.arange(3)), "variable 0: expected dtype float32 or float64"),
    "bfloat16": (DeviceArray(np.ones(3), typestr="<V2"), "variable 0: expected dtype float32"),
    "read-only": (
        DeviceArray(np.ones(3), data=(np.ones(3).ctypes.data, True)),
        "variable 0: expected a writable array",
    ),
    "masked": (DeviceArray(np.ones(3), mask=object()), "variable 0: expected no mask"),
    "itself": (
        DeviceArray(np.lib.stride_tricks.as_strided(np.ones(3), (3, 2), (8, 0), writeable=True)),
        "variable 0: expected elements that lie apart",
    ),
    "misaligned": (
        DeviceArray(np.frombuffer(bytearray(33), np.uint8)[1:].view(np.float64)),
        "variable 0: expected an address that is a multiple of 8",
    ),
}


@pytest.mark.parametrize(("variable", "message"), REFUSED.values(), ids=list(REFUSED))
def test_variables_that_cannot_be_updated_are_refused(variable: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Adam().build([variable])


def test_memory_in_common_is_refused() -> None:
    memory = np.ones(6)
    with pytest.raises(ValueError, match="variable 0 and variable 1, which overlap"):
        Adam().build([DeviceArray(memory[:4]), DeviceArray(memory[3:])])
    optimizer = SGD(momentum=0.5)
    variable = DeviceArray(memory[:3])
    optimizer.build([variable])
    with pytest.raises(ValueError, match="gradient of variable 0: .*overlaps variable 0"):
        optimizer.apply([DeviceArray(memory[2:5])])
    with pytest.raises(ValueError, match="overlaps slot velocity of variable 0"):
        optimizer.apply([optimizer.get_slot(variable, "velocity")])


def test_one_array_is_no_list() -> None:
    array = DeviceArray(np.ones(3))
    with pytest.raises(ValueError, match="expected a list of arrays, received one array"):
        Adam().build(array)


@pytest.mark.parametrize("spec", thorough_specs())
def test_a_refused_call_changes_no_byte(spec: str) -> None:
    variables = device_arrays(values())
    optimizer = stepped(everything_on(spec), variables)
    before = as_bytes(variables), as_bytes(optimizer.get_weights())
    good = device_arrays(GRADIENTS)
    bad = [
        [*good[:2], DeviceArray(np.ones(2))],
        [*good[:2], np.ones(())],
        [*good[:2], variables[0]],
        [None, None, None],
    ]
    for gradients in bad:
        with pytest.raises(ValueError, match="gradient"):
            optimizer.apply(gradients, variables)
        assert (as_bytes(variables), as_bytes(optimizer.get_weights())) == before


def test_kernels_are_compiled_before_the_first_is_launched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    real = running.launch

    def fails(kernel: Any, arguments: Any) -> None:
        seen.append(kernel.__name__)
        if "plain_update_chunks" in kernel.__name__:
            raise RuntimeError("no compiler")

    monkeypatch.setattr(running, "compile_for", fails)
    monkeypatch.setattr(running, "launch", lambda *a: pytest.fail("launched") or real(*a))
    variables = device_arrays(values())
    with pytest.raises(RuntimeError, match="no compiler"):
        NovoGrad(global_clipnorm=1.0).apply(device_arrays(GRADIENTS), variables)
    assert as_bytes(variables) == as_bytes(values())
    assert "sum_over_variables" in seen
    assert "global_clipnorm_step" in seen


# State -------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", thorough_specs())
def test_files_go_from_host_to_device_and_back(spec: str, tmp_path: Path) -> None:
    on_host, on_device = values(), device_arrays(values())
    host = stepped(everything_on(spec), on_host)
    device = stepped(everything_on(spec), on_device)
    host.save(tmp_path / "host.npz")
    device.save(tmp_path / "device.npz")
    assert (tmp_path / "host.npz").read_bytes() == (tmp_path / "device.npz").read_bytes()
    new_host, new_device = everything_on(spec), everything_on(spec)
    new_host.build(on_host)
    new_device.build(on_device)
    new_host.load(tmp_path / "device.npz")
    new_device.load(tmp_path / "host.npz")
    stepped(new_host, on_host, 2)
    stepped(new_device, on_device, 2)
    assert as_bytes(on_device) == as_bytes(on_host)
    assert as_bytes(new_device.get_weights()) == as_bytes(new_host.get_weights())


@pytest.mark.parametrize("spec", thorough_specs())
def test_lists_of_the_state_are_live_and_their_copies_are_on_the_host(spec: str) -> None:
    variables = device_arrays(values())
    optimizer = stepped(everything_on(spec), variables)
    weights, store = optimizer.get_weights(), {}
    optimizer.save_own_variables(store)
    assert all(isinstance(array, np.ndarray) for array in [*weights, *store.values()])
    assert [a.shape for a in optimizer.weights] == [a.shape for a in weights]
    assert any(not isinstance(a, np.ndarray) for a in optimizer.variables)
    changed = [np.asarray(a + 1, a.dtype) for a in weights]
    optimizer.set_weights(changed)
    assert as_bytes(optimizer.get_weights()) == as_bytes(changed)
    bad = [*changed[:-1], np.ones(77)]
    with pytest.raises(ValueError, match="expected the shape"):
        optimizer.set_weights([np.asarray(a - 1, a.dtype) for a in bad])
    assert as_bytes(optimizer.get_weights()) == as_bytes(changed)
    optimizer.load_own_variables(store)
    assert as_bytes(optimizer.get_weights()) == as_bytes(weights)


def test_slots_are_found_added_and_kept(tmp_path: Path) -> None:
    variables = [cuda.to_device(value) for value in values()]
    optimizer = NovoGrad()
    optimizer.apply([cuda.to_device(g) for g in GRADIENTS], variables)
    v = optimizer.get_slot(variables[0], "v")
    assert v.shape == ()
    assert v.copy_to_host() == pytest.approx(0.14)
    added = optimizer.add_slot(variables[1], "fisher", "ones")
    assert type(added) is type(variables[0])
    assert added.copy_to_host().tolist() == [[1, 1], [1, 1]]
    assert optimizer.add_slot(variables[1], "fisher") is added
    like = optimizer.add_variable_from_reference(variables[1])
    assert (like.shape, like.dtype) == ((2, 2), np.float32)
    optimizer.save(tmp_path / "file.npz")
    other = NovoGrad()
    other.build(variables)
    other.load(tmp_path / "file.npz")
    assert as_bytes(other.get_weights()) == as_bytes(optimizer.get_weights())
    assert type(other.get_slot(variables[1], "fisher")) is type(added)


def test_exclusion_and_hyperparameters_act_on_the_next_step() -> None:
    on_host, on_device = values(), device_arrays(values())
    host, device = Adam(weight_decay=0.1), Adam(weight_decay=0.1)
    for optimizer, variables in ((host, on_host), (device, on_device)):
        optimizer.build(variables)
        optimizer.exclude_from_weight_decay([variables[1]])
        stepped(optimizer, variables, 1)
        optimizer.weight_decay = 0.5
        optimizer.learning_rate = 0.25
        stepped(optimizer, variables, 1)
    assert as_bytes(on_device) == as_bytes(on_host)


def test_callable_arguments_are_asked_at_each_call() -> None:
    on_host, on_device = values(), device_arrays(values())
    for variables in (on_host, on_device):
        decays = iter((0.1, 0.2, 0.3))
        rates = iter((1e-3, 1e-2, 1e-1))
        stepped(Adam(lambda r=rates: next(r), weight_decay=lambda d=decays: next(d)), variables)
    assert as_bytes(on_device) == as_bytes(on_host)


def test_variables_become_their_averages() -> None:
    on_host, on_device = values(), device_arrays([*values()[:2], np.array(0.5)])
    on_device[1] = DeviceArray(np.ones((4, 2), np.float32)[::2])
    for variables in (on_host, on_device):
        optimizer = stepped(Adam(use_ema=True), variables)
        optimizer.finalize_variable_values()
    assert as_bytes(on_device) == as_bytes(on_host)


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_dynamic_loss_scale_skips_what_is_not_finite() -> None:
    on_host, on_device = values(), device_arrays(values())
    found = []
    for variables in (on_host, on_device):
        optimizer = LossScaleOptimizer(Adam(global_clipnorm=1.0))
        stepped(optimizer, variables, 1)
        gradients = [g.copy() for g in GRADIENTS]
        gradients[1][0, 1] = np.inf
        before = as_bytes(variables)
        given = gradients if variables is on_host else device_arrays(gradients)
        optimizer.apply(given, variables)
        assert as_bytes(variables) == before
        stepped(optimizer, variables, 1)
        found.append((optimizer.skipped_steps, *as_bytes(optimizer.get_weights())))
    assert as_bytes(on_device) == as_bytes(on_host)
    assert found[0] == found[1]
    assert found[0][0] == 1


def test_copies_go_on_alone() -> None:
    variables = device_arrays(values())
    optimizer = stepped(Adam(), variables)
    model, twin = copy.deepcopy((variables, optimizer))
    stepped(twin, model, 1)
    assert as_bytes(model) != as_bytes(variables)
    stepped(optimizer, variables, 1)
    assert as_bytes(model) == as_bytes(variables)
    assert as_bytes(twin.get_weights()) == as_bytes(optimizer.get_weights())


def test_numba_arrays_cannot_be_copied_or_pickled() -> None:
    optimizer = Adam()
    optimizer.build([cuda.to_device(np.ones(3))])
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"variable 0: .*Use save\(path\)"):
            attempt(optimizer)


def test_tensors_that_require_a_gradient_are_variables() -> None:
    parameter = DeviceArray(np.ones(3), needs_gradient=True)
    Adam(0.5).apply([DeviceArray(np.ones(3))], [parameter])
    assert parameter.values == pytest.approx(0.5, abs=1e-5)


def test_a_variable_whose_memory_is_replaced_is_followed() -> None:
    variable, gradient = DeviceArray(np.ones(3)), DeviceArray(np.ones(3))
    optimizer = SGD(0.5)
    optimizer.apply([gradient], [variable])
    old, variable.values = variable.values, np.full(3, 7.0)
    optimizer.apply([gradient], [variable])
    assert old.tolist() == [0.5] * 3
    assert variable.values.tolist() == [6.5] * 3
    variable.values = np.full((6,), 7.0)[::2]
    optimizer.apply([gradient])
    assert variable.values.tolist() == [6.5] * 3
    variable.values = np.ones(4)
    with pytest.raises(ValueError, match=r"variable 0: expected shape \(3,\)"):
        optimizer.apply([DeviceArray(np.ones(4))])


def test_a_variable_that_left_the_device_is_refused() -> None:
    class Tensor(DeviceArray):
        @property
        def __cuda_array_interface__(self) -> dict[str, Any]:
            if self.device.index is None:
                raise AttributeError("not on a device")
            return super().__cuda_array_interface__

    variable = Tensor(np.ones(3))
    optimizer = SGD(0.5)
    optimizer.build([variable])
    variable.device.index = None
    with pytest.raises(ValueError, match="variable 0: expected it on device 0, where it was"):
        optimizer.apply([DeviceArray(np.ones(3))])


# Launches ----------------------------------------------------------------------------------


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[Any, ...]]]:
    """The names of launched kernels of phases, and the types of their arguments."""
    found: list[tuple[str, tuple[Any, ...]]] = []
    real = running.launch

    def recorded(kernel: Any, blocks: int, threads: int, stream: Any, arguments: Any) -> None:
        if blocks:
            found.append((kernel.__name__, types_of(arguments)))
        real(kernel, blocks, threads, stream, arguments)

    monkeypatch.setattr(running, "launch", recorded)
    return found


def types_of(value: Any) -> Any:
    """The type of an argument, for a tuple those of its entries."""
    return tuple(map(types_of, value)) if isinstance(value, tuple) else type(value)


def test_a_phase_is_one_launch_for_all_variables_of_a_dtype(launches: Any) -> None:
    optimizer = Adam()
    variables = [DeviceArray(np.ones(n, np.float32)) for n in (3, 0, 2, 4, 1)]
    optimizer.apply([DeviceArray(np.ones(v.shape, np.float32)) for v in variables], variables)
    assert [name for name, _ in launches] == ["plain_update_chunks"]


def test_norms_stay_on_the_device_and_are_a_launch_per_part(launches: Any) -> None:
    optimizer = NovoGrad(global_clipnorm=1.0)
    variables = device_arrays(values())  # of two dtypes
    optimizer.apply(device_arrays(GRADIENTS), variables)
    assert [name for name, _ in launches] == [
        "gradient_norm_chunks",
        "gradient_norm_chunks",
        "gradient_norm_fold",
        "sum_over_variables",
        "global_clipnorm_step",
        "reduce_squares_chunks",
        "reduce_squares_chunks",
        "reduce_squares_fold",
        "plain_update_variables",
        "plain_update_chunks",
        "plain_update_chunks",
    ]


@pytest.mark.parametrize("spec", thorough_specs())
def test_no_value_changes_the_type_of_an_argument(spec: str, launches: Any) -> None:
    """Kernels are compiled for types: nothing that differs between steps is a new type."""
    optimizer = everything_on(spec, gradient_accumulation_steps=None)
    variables = device_arrays(values())
    rounds = []
    for learning_rate in (0.001, 1.0, 0.25):
        optimizer.learning_rate = learning_rate
        optimizer.clipnorm = learning_rate * 3
        stepped(optimizer, variables, 1)
        rounds.append(list(launches))
        launches.clear()
    assert rounds[0] == rounds[1] == rounds[2]


@pytest.mark.filterwarnings("ignore:.*no gradient")
def test_tables_are_uploaded_only_when_they_change(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, variables = Adam(clipnorm=1.0), device_arrays(values())
    gradients = device_arrays(GRADIENTS)
    optimizer.apply(gradients, variables)
    uploads: list[int] = []
    array_type = type(cuda.device_array(1))
    real = array_type.copy_to_device
    monkeypatch.setattr(
        array_type,
        "copy_to_device",
        lambda self, ary, stream=0: uploads.append(ary.size) or real(self, ary, stream),
    )
    synchronised: list[int] = []
    monkeypatch.setattr(cuda, "synchronize", lambda: synchronised.append(1))
    optimizer.apply(gradients, variables)
    optimizer.learning_rate = 0.5
    optimizer.apply(gradients)
    assert uploads == []
    optimizer.apply(device_arrays(GRADIENTS))
    assert len(uploads) == 1  # addresses of gradients
    optimizer.apply([gradients[0], None, gradients[2]])
    assert len(uploads) == 3  # addresses, and who takes part
    assert synchronised == []


def test_each_library_is_asked_for_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    torch, cupy = ModuleType("torch"), ModuleType("cupy")
    torch.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        current_stream=lambda device: SimpleNamespace(cuda_stream=1000 + device)
    )
    cupy.cuda = SimpleNamespace(  # type: ignore[attr-defined]
        get_current_stream=lambda: SimpleNamespace(ptr=77)
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    tensor = type("Tensor", (DeviceArray,), {"__module__": "torch"})
    parameter = type("Parameter", (tensor,), {"__module__": "my_model"})
    ndarray = type("ndarray", (DeviceArray,), {"__module__": "cupy"})
    assert streams.stream_pointer(parameter(np.ones(1)), 2) == 1002
    assert streams.stream_pointer(ndarray(np.ones(1)), 0) == 77
    assert streams.stream_pointer(DeviceArray(np.ones(1), stream=5), 0) == 5
    assert streams.stream_pointer(DeviceArray(np.ones(1)), 0) == 0


def test_a_block_of_threads_is_as_large_as_its_work() -> None:
    assert [tables.threads_for(n) for n in (0, 1, 2, 3, 33, 256, 4096)] == [
        1, 1, 2, 4, 64, 256, 256,
    ]  # fmt: skip


# Evaluation --------------------------------------------------------------------------------


def test_values_for_evaluation_are_those_of_the_host() -> None:
    on_host, on_device = values(), device_arrays(values())
    host = stepped(ScheduleFreeAdamW(), on_host)
    device = stepped(ScheduleFreeAdamW(), on_device)
    before = as_bytes(on_device)
    for _ in range(2):
        host.eval()
        device.eval()
        assert as_bytes(on_device) == as_bytes(on_host) != before
        host.train()
        device.train()
        assert as_bytes(on_device) == as_bytes(on_host) == before


def test_threads_that_come_at_once_share_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba's simulator would give them one each, and a sum would lack what one of them added."""
    shared, found, make = FakeCUDAShared(0), [], np.empty
    at_once = threading.Barrier(2)

    def make_at_once(*arguments: Any) -> Any:
        array = make(*arguments)
        at_once.wait(timeout=10.0)
        return array

    monkeypatch.setattr(np, "empty", make_at_once)
    threads = [
        threading.Thread(target=lambda: found.append(shared.array(4, float64))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] is found[1]
