"""Every mode on the simulated device, with common arguments, equals the host, through the class.

Run by ``test_cuda_class.py`` in a process of the simulator.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from optgen.runtime.cuda.memory import to_host
from tests.generated_classes import Arguments, declared, hyperparameters_of, last_mode
from tests.oracle import EVERY_SPEC, generated, spec_modes, thorough_specs
from tests.pairwise import COMMON_CHOICES
from tests.parity.measuring import row_of_common_arguments
from tests.simulated.arrays import HostArray, as_bytes, device_arrays

FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)

COMBINATIONS: dict[str, Arguments] = {
    "everything": {
        **COMMON_CHOICES["weight_decay"]["decay"],
        **COMMON_CHOICES["clip"]["clipnorm"],
        **COMMON_CHOICES["ema"]["overwrite"],
        **COMMON_CHOICES["loss_scale"]["scale"],
        **COMMON_CHOICES["accumulation"]["accumulate"],
    },
    "global+ema+accumulate": {
        **COMMON_CHOICES["clip"]["global_clipnorm"],
        **COMMON_CHOICES["ema"]["ema"],
        **COMMON_CHOICES["accumulation"]["accumulate"],
    },
    "clipvalue+overwrite+scale": {
        **COMMON_CHOICES["clip"]["clipvalue"],
        **COMMON_CHOICES["ema"]["overwrite"],
        **COMMON_CHOICES["loss_scale"]["scale"],
    },
}


def cases() -> Iterator[tuple[str, str, str, Arguments, tuple[Any, ...]]]:
    """Spec, mode, label, common arguments, and the dtypes of variables in turn.

    One dtype in one case and the other in the next, to compile half as many CPU kernels; both
    without arguments, and where sums go over all variables.  Where all specs are tested thoroughly,
    each mode has every argument alone; elsewhere they take turns, one for a mode of CORE, and the
    last mode of another spec has the arguments and the dtype of test_catalogue.py, whose kernels
    are compiled once for both.
    """
    alone = {
        label: found for choices in COMMON_CHOICES.values() for label, found in choices.items()
    }
    del alone["-"]
    turns = itertools.cycle(alone)
    for spec, mode in spec_modes():
        if spec not in thorough_specs():
            if mode == last_mode(spec):
                yield spec, mode, "sampled", row_of_common_arguments(spec, mode), (FLOAT32,)
            continue
        own = declared(spec)
        everything: dict[str, Arguments] = {"none": {}, **alone, **COMBINATIONS}
        taken = {next(turns), "none", "everything"}
        for index, (label, arguments) in enumerate(everything.items()):
            given = {name: value for name, value in arguments.items() if name not in own}
            if arguments and not given:
                continue
            if not EVERY_SPEC and label not in taken:
                continue
            both = label in ("none", "global_clipnorm")
            dtypes = (FLOAT32, FLOAT64) if both else ((FLOAT32, FLOAT64)[index % 2],)
            yield spec, mode, label, given, dtypes


CASES = [pytest.param(*case, id="-".join(case[:3])) for case in cases()]


def make_variables(dtypes: Sequence[Any]) -> list[HostArray]:
    """A number, an empty array, a small one, a strided one, and one in the order of Fortran."""
    rng = np.random.default_rng(3)
    strided = rng.standard_normal((3, 4))
    arrays = [
        rng.standard_normal(()),
        np.zeros((0,)),
        rng.standard_normal(3),
        strided,
        rng.standard_normal((2, 2)).T,
    ]
    typed = [np.asarray(a, dtypes[i % len(dtypes)], order="K") for i, a in enumerate(arrays)]
    typed[3] = typed[3][::-2, 1:3]
    return typed


def make_gradients(variables: Sequence[HostArray], call: int) -> list[HostArray | None]:
    """Gradients of a call: a strided one of the other dtype, one that is missing, plain ones."""
    rng = np.random.default_rng(100 + call)
    found: list[HostArray | None] = [
        np.asarray(rng.standard_normal(w.shape), w.dtype) for w in variables
    ]
    if call == 0:
        other = FLOAT64 if variables[2].dtype == FLOAT32 else FLOAT32
        found[2] = np.asarray(rng.standard_normal(6), other)[::2]
    if call == 1:
        found[3] = None
    return found


def assert_equal(host: Any, device: Any, variables: Sequence[Any], copies: Sequence[Any]) -> None:
    """Compare variables, all state and all numbers per variable of two optimizers to the bit."""
    assert as_bytes(copies) == as_bytes(variables)
    assert as_bytes(device.get_weights()) == as_bytes(host.get_weights())
    on_host, on_device = host._state.tables, device._state.tables
    numbers = [on_host.groups[group].tensor[row] for group, row in on_host.places]
    assert on_device._tensor.copy_to_host().tobytes() == np.array(numbers).tobytes()
    for name, _, _ in host._mode.axes:
        for position in range(len(variables)):
            expected = on_host.axis_numbers(position, name)
            assert to_host(on_device.axis_numbers(position, name)).tobytes() == expected.tobytes()


@pytest.mark.filterwarnings("ignore:.*invalid value")  # of the mean of an empty variable
@pytest.mark.parametrize(("spec", "mode", "label", "arguments", "dtypes"), CASES)
def test_the_device_equals_the_host(
    spec: str, mode: str, label: str, arguments: Arguments, dtypes: tuple[Any, ...]
) -> None:
    arguments = {**hyperparameters_of(spec, mode), **arguments}
    host, device = generated(spec)(**arguments), generated(spec)(**arguments)
    variables = make_variables(dtypes)
    copies = device_arrays(variables)
    for call in range(4):
        gradients = make_gradients(variables, call)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of the missing gradient
            host.apply(gradients, variables)
            device.apply(device_arrays(gradients), copies)
        assert_equal(host, device, variables, copies)


SPECS = thorough_specs()
LARGE = [(spec, (4_100, 5)) for spec in SPECS] + [(SPECS[0], (16_400, 7))]
"""Two blocks of a reduction; and for one spec, more than a chunk of the host."""


@pytest.mark.parametrize(("spec", "sizes"), LARGE)
def test_sums_over_many_blocks_are_those_of_the_host(spec: str, sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(8)
    variables: list[HostArray] = [rng.standard_normal(n) for n in sizes]
    gradients: list[HostArray | None] = [rng.lognormal(0.0, 4.0, n) for n in sizes]
    copies = device_arrays(variables)
    host = generated(spec)(global_clipnorm=0.1)
    device = generated(spec)(global_clipnorm=0.1)
    host.apply(gradients, variables)
    device.apply(device_arrays(gradients), copies)
    assert_equal(host, device, variables, copies)


def test_sums_over_variables_are_in_the_order_of_build() -> None:
    """What is lost after the large addend at the front would be kept before it."""
    gradients: list[HostArray | None] = [np.full(1, 1.0 if i == 0 else 1e-8) for i in range(300)]
    variables = [np.ones(1) for _ in gradients]
    copies = device_arrays(variables)
    host = generated(SPECS[0])(global_clipnorm=0.5)
    device = generated(SPECS[0])(global_clipnorm=0.5)
    host.apply(gradients, variables)
    device.apply(device_arrays(gradients), copies)
    assert_equal(host, device, variables, copies)
