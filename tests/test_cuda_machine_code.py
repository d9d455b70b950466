"""What kernels are compiled to for a device: small, in the right types, in the right order.

Nothing here needs a device: kernels are compiled to PTX, linked, and run on a machine of our own.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optgen.backends.numba_cuda.emit import emit_cuda_module
from optgen.backends.numba_cuda.ptx import compile_text
from optgen.backends.numba_cuda.signatures import own_signatures
from optgen.driver import compile_spec
from tests.cuda_kernels import (
    CAPABILITIES,
    RUNTIME,
    Variation,
    capabilities_of,
    is_sampled,
    link,
    modules,
    ptx,
    signatures,
    stem_of,
    variations,
)
from tests.cuda_launches import Launch, on_cpu, run
from tests.ptx_machine import Access, Kernel, parse

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed"
)

WITH_AXES = ("adafactor", "sm3")


def kernels_of(module: str) -> list[str]:
    """A module's kernels; of one that is not tested thoroughly, the loop of its last mode.

    Those of rows, columns and indices are in two modules of these.
    """
    names = list(signatures(module, True))
    if is_sampled(module) and stem_of(module) not in WITH_AXES:
        return [name for name in names if name.endswith("update_chunks")][-1:]
    return names


KERNELS = [(module, name) for module in modules() for name in kernels_of(module)]
LOOPS = [(m, name) for m, name in KERNELS if name.endswith("_chunks") and not is_sampled(m)]
"""What is run on the machine; the loops with rows and columns: test_cuda_axis_machine_code.py."""

TILED = [(m, name) for m, name in LOOPS if not Variation(m, name, True, "float32", (9, 0)).reduces]


def label(part: str) -> str:
    """A module or a kernel in the name of a test."""
    return part.rpartition(".")[2]


STAGES = pytest.mark.parametrize("stages", [False, True], ids=["stages_off", "stages_on"])

THREADS = 8
"""Threads of a block for a reduction on the machine: as many as fit into one sector of memory at
least."""

WARP, TILES = 32, 8
"""Threads of a tile, and tiles of a block, in the other loops on every device."""

LONG = [13 * 96 - 7]
"""A long chunk: its tiles take 160 elements each, the last one less."""

SHORTS = [[1, 40, 512, 2, 32, 33], [3] * TILES]
"""Chunks that share a block, and leave tiles over or not."""

Touch = tuple[int, int]
"""A thread, and the element that it reads or writes."""

ULPS = 16
"""How far a contracted multiplication and addition may be off, in ulp of the largest value."""


def operations(kernel: Kernel, *, in_loops: bool = False) -> set[str]:
    """The operations of a kernel, with all modifiers."""
    lines = kernel.in_loops() if in_loops else kernel.instructions
    return {".".join(line.operation) for line in lines}


@pytest.mark.parametrize(("module", "name"), KERNELS, ids=label)
def test_kernels_link_without_spills_and_stay_in_their_type(module: str, name: str) -> None:
    found = [v for v in variations(module) if v.name == name]
    assert {v.capability for v in found} == set(capabilities_of(module))
    for variation in found:
        text = ptx(variation)
        used = link(text, variation.capability)
        assert (used.stack, used.spill_stores, used.spill_loads) == (0, 0, 0), (variation, used)
        kernel = parse(text)
        # CUDA's functions begin with estimates, and correct them.
        in_library = name.endswith("_chunks") and variation.calls_library
        estimates = {"rcp.approx.ftz.f32", "ex2.approx.ftz.f32"} if in_library else set()
        check_rounding(operations(kernel) - estimates)
        if is_float32_loop(variation):
            check_float32(kernel, exchanges=variation.spreads or variation.hands_over)


def is_float32_loop(variation: Variation) -> bool:
    """Whether a kernel goes through float32 elements and reduces nothing."""
    loops = variation.name.endswith("_chunks") and not variation.reduces
    return loops and variation.dtype == "float32"


@STAGES
@pytest.mark.parametrize(("module", "name"), TILED, ids=label)
def test_indices_cost_no_arithmetic_of_signs(module: str, name: str, stages: bool) -> None:
    """A loop of tiles divides no number to learn its length, and counts no index from the end."""
    variation = Variation(module, name, stages, "float32", (9, 0))
    kernel = parse(ptx(variation))
    divides = operations(kernel) & {"div.s64", "div.u64", "div.s32", "div.u32"}
    # The row of an element is found by a division.
    assert bool(divides) == variation.spreads
    assert not divides & {"div.s64", "div.s32"}
    assert "shr.s64" not in operations(kernel, in_loops=True)


def check_rounding(found: set[str]) -> None:
    """Division and roots are IEEE's; denormals are kept."""
    for operation in found:
        parts = operation.split(".")
        assert not {"approx", "ftz", "full"} & set(parts), operation
        if parts[0] in ("div", "sqrt", "rcp") and parts[-1] in ("f32", "f64"):
            assert "rn" in parts, operation


def check_float32(kernel: Kernel, exchanges: bool = False) -> None:
    """Float64 occurs where scalars are fetched and rounded, and in no loop.

    Args:
        kernel: the kernel.
        exchanges: whether its loop reads or writes numbers of rows and columns, and rounds them.
    """
    moved = {"ld.param.f64", "ld.global.f64", "ld.f64", "cvt.rn.f32.f64"}
    inside = {"ld.global.f64", "ld.f64", "st.f64", "cvt.rn.f32.f64", "cvt.f64.f32"}
    inside = inside if exchanges else set()
    assert {o for o in operations(kernel, in_loops=True) if "f64" in o} <= inside
    assert {o for o in operations(kernel) if "f64" in o} <= moved | inside


@STAGES
@pytest.mark.parametrize(("module", "name"), LOOPS, ids=label)
def test_compiled_float32_kernels_run_as_promised(module: str, name: str, stages: bool) -> None:
    """Neighbouring threads touch neighbouring elements, and results are those of the CPU."""
    variation = Variation(module, name, stages, "float32", (9, 0))
    if variation.reduces:
        lengths = [4096 + 256 + 13 * THREADS]
        launch, log = run(variation, lengths, THREADS)
        check_accesses(variation, launch, log, check_neighbours)
        return
    for lengths in (LONG, *SHORTS):
        launch, log = run(variation, lengths, WARP, TILES)
        runs = lengths if lengths != LONG else [160] * 7 + [121]
        check_accesses(variation, launch, log, partial(check_tiles, runs))


def check_accesses(
    variation: Variation,
    launch: Launch,
    log: list[Access],
    check: Callable[[list[Touch], int], None],
) -> None:
    """Results are close to those of the CPU, and all arrays are gone through in the right order."""
    expected = on_cpu(variation, launch)
    check_results(launch, expected)
    for array, before in launch.arrays.items():
        accesses = touched(log, launch, array)
        writes = [access for access in accesses if access.store]
        changed = not np.array_equal(before, expected[array])
        assert bool(writes) >= changed, array
        if array == "block_sums":
            continue
        for same in filter(None, (writes, [access for access in accesses if not access.store])):
            assert {access.size for access in same} == {before.itemsize}
            begin = launch.pages[array]
            check([(a.thread, (a.address - begin) // before.itemsize) for a in same], before.size)


def check_tiles(runs: list[int], touches: list[Touch], elements: int) -> None:
    """Each tile goes through a run of elements, in rounds of a warp; the runs cover them all."""
    assert sum(runs) == elements
    starts = [sum(runs[:tile]) for tile in range(len(runs))]
    expected = {
        tile * WARP + lane: list(range(start + lane, start + length, WARP))
        for tile, (start, length) in enumerate(zip(starts, runs, strict=True))
        for lane in range(min(WARP, length))
    }
    found: dict[int, list[int]] = {}
    for thread, element in touches:
        found.setdefault(thread, []).append(element)
    assert found == expected


def touched(log: list[Access], launch: Launch, array: str) -> list[Access]:
    """What touches an array."""
    begin = launch.pages[array]
    end = begin + launch.arrays[array].nbytes
    return [access for access in log if begin <= access.address < end]


def check_neighbours(touches: list[Touch], elements: int) -> None:
    """In each round all threads touch one run of elements; all rounds touch each element once."""
    orders = [[element for own, element in touches if own == thread] for thread in range(THREADS)]
    for thread, own in enumerate(orders):
        assert own == [first + thread for first in orders[0]], thread
    assert sorted(element for _, element in touches) == list(range(elements))


@pytest.mark.parametrize(("module", "name"), LOOPS, ids=label)
def test_compiled_float64_kernels_give_what_cpu_kernels_give(module: str, name: str) -> None:
    variation = Variation(module, name, True, "float64", (9, 0))
    if variation.reduces:
        launch, _ = run(variation, [4096 + 37], THREADS)
    else:
        launch, _ = run(variation, SHORTS[0], WARP, TILES)
    check_results(launch, on_cpu(variation, launch))


def check_results(launch: Launch, expected: dict[str, Any]) -> None:
    """All arrays are close to those that the CPU gives."""
    elements = next(iter(launch.arrays.values())).dtype
    for array, values in expected.items():
        # Elements that are left in float64 to be combined were computed as the others were.
        dtype = values.dtype if array == "block_sums" else elements
        check_close(launch.on_device(array), values.ravel(), dtype)


def check_close(found: Any, expected: Any, dtype: Any) -> None:
    """Equal up to a few ulp of the largest value; all numbers of a launch are about one."""
    largest = max(1.0, float(np.max(np.abs(expected))))
    bound = ULPS * float(np.finfo(dtype).eps) * largest
    assert np.all(np.isfinite(expected))
    assert np.max(np.abs(found.astype(np.float64) - expected.astype(np.float64))) <= bound


def test_multiplications_and_additions_are_contracted() -> None:
    """What makes results on a device differ from the interpreter's, see docs/performance.md."""
    module, name = next((m, n) for m, n in LOOPS if n.endswith("update_chunks"))
    kernel = parse(ptx(Variation(module, name, True, "float32", (9, 0))))
    assert "fma.rn.f32" in operations(kernel, in_loops=True)


def test_all_kinds_of_kernels_are_covered() -> None:
    suffixes = {name.rpartition("_")[2] for _, name in KERNELS}
    assert {"chunks", "variables", "fold", "step"} <= suffixes
    assert {"runs", "indices", "rows", "columns", "panels"} <= suffixes
    assert (RUNTIME, "sum_over_variables") in KERNELS


EVERY_FUNCTION = """
name = "EveryFunction"
summary = "Uses every elementwise function, and every reduction."
update = '''
a = exp(-abs(g)) + log(1 + g * g) + sqrt(abs(w)) + sign(g) * 0.5
b = minimum(a, 2) + maximum(g, -2) + clip(w, -1, 1) + g ** 2 + abs(w) ** 1.5
c = where(g > 0 and not (w <= 0) or g == 0, a, b / 3)
m = beta * m + (1 - beta) * c
w = w - learning_rate * m / (1 + norm(g) + max(g) + mean(w))
'''
[hyperparameters]
learning_rate = { default = 0.1, doc = "x" }
beta = { default = 0.9, doc = "x" }
[slots]
m = { doc = "x" }
"""


@pytest.mark.parametrize("capability", CAPABILITIES)
def test_every_function_of_the_language_compiles_in_float32(
    capability: tuple[int, int], tmp_path: Path
) -> None:
    path = tmp_path / "every_function.toml"
    path.write_text(EVERY_FUNCTION, "utf-8")
    optimizer = compile_spec(path)
    file = emit_cuda_module("every_function", "x", optimizer.modes, optimizer.source)
    wanted = own_signatures(optimizer.modes, None)
    texts = compile_text(file.text, wanted, "float32", capability)
    reducing = {name.removesuffix("fold") + "chunks" for name in texts if name.endswith("_fold")}
    assert reducing
    for name, text in texts.items():
        used = link(text, capability)
        assert (used.stack, used.spill_stores, used.spill_loads) == (0, 0, 0), (name, used)
        if name.endswith("_chunks") and name not in reducing:
            check_float32(parse(text))
