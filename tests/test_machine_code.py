"""Float32 kernels are vectorised and hold no float64 outside reductions."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest
from numba import float32, float64, njit, types

from tests.oracle import compiled, spec_modes, thorough_specs

ARRAY = float32[::1]
ARRAYS_OF_STAGES = {"average", "accumulator"}
VECTOR = re.compile(r"<(\d+) x float>")


def kernels() -> list[tuple[str, str]]:
    """The (module, kernel) pairs of all specs: what runs over the elements."""
    found = []
    for spec in sorted({spec for spec, _ in spec_modes()}):
        module = importlib.import_module(f"optgen.optimizers.{spec}_cpu")
        for name in vars(module):
            if hasattr(module, f"{name}_chunk"):
                found.append((spec, name))
    return found


def signature(spec: str, parameters: list[str], on: bool) -> list[Any]:
    """Types of a float32 call with all common stages on, or all off."""
    program = compiled(spec).program
    slots = {slot.name for slot in program.slots}
    arrays = {"w", "g", *slots}
    arrays |= {
        spread.name
        for mode in compiled(spec).modes
        for phase in mode.schedule.phases
        for spread in mode.phase(phase).spreads
    }
    owned = {symbol for stage in program.stages for symbol in stage_names(stage)}
    found: list[Any] = []
    for name in parameters:
        if name == "block_sums":
            found.append(float64[:, ::1])
        elif name.endswith("_values"):
            found.append(float64[::1])
        elif name in ARRAYS_OF_STAGES:
            found.append(ARRAY if on else types.none)
        elif name in arrays:
            found.append(ARRAY)
        else:
            found.append(float32 if on or name not in owned else types.none)
    return found


def stage_names(stage: Any) -> set[str]:
    """The scalars that exist only while a stage is on."""
    names = {"minus_clipvalue", "one_minus_average_momentum", "overwrite_now_is_one"}
    names |= {"weight_decay_is_zero"}
    names |= {"gradient_accumulation_steps", stage.name}
    names |= {e.target.name for e in stage.equations if e.target.kind.value == "local"}
    return names


def body(module: str, kernel: str, on: bool) -> str:
    """The optimised LLVM code of a kernel, without what Python needs to call it."""
    function = getattr(importlib.import_module(f"optgen.optimizers.{module}_cpu"), kernel).py_func
    parameters = list(inspect.signature(function).parameters)
    # Compiled anew: what comes from the cache cannot be inspected.
    fresh = njit(error_model="numpy")(function)
    fresh.compile(tuple(signature(module, parameters, on)))
    (text,) = fresh.inspect_llvm().values()
    # Beside it are entries for Python and C, and what it calls where that is not inlined, which
    # depends on the processor.
    path = [*function.__module__.split("."), kernel]
    mangled = "@_ZN" + "".join(f"{len(name)}{name}" for name in path) + "B"
    (found,) = re.findall(rf"^define [^@\n]*{mangled}.*?^}}", text, re.MULTILINE | re.DOTALL)
    return str(found)


def cases() -> list[Any]:
    """Kernels with stages on, and those of specs that are tested thoroughly without them, too."""
    return [
        pytest.param(*pair, on, id=f"{'-'.join(pair)}-stages_{'on' if on else 'off'}")
        for pair in kernels()
        for on in (False, True)
        if on or pair[0] in thorough_specs()
    ]


@pytest.mark.parametrize(("module", "kernel", "on"), cases())
def test_float32_kernels_are_vectorised_and_stay_float32(
    module: str, kernel: str, on: bool
) -> None:
    code = body(module, kernel, on)
    assert VECTOR.search(code), "no packed float32 arithmetic"
    function = getattr(importlib.import_module(f"optgen.optimizers.{module}_cpu"), kernel).py_func
    source = inspect.getsource(function)
    if "np.sqrt" in source:
        assert re.search(r"@llvm\.sqrt\.v\d+f32", code), "a square root is not packed"
    if " / " in source and on:
        assert re.search(r"fdiv <\d+ x float>", code), "a division is not packed"
    if "block_sums" not in source and "_values" not in source:
        assert not re.search(r"\bdouble\b", code), "float64 in a float32 kernel"


def test_there_are_kernels_of_every_mode() -> None:
    assert len(kernels()) > len({spec for spec, _ in spec_modes()})
