"""Launches of generated kernels on the PTX machine, beside the CPU function of the same name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optgen.backends.layout import ModeLayout, PhaseLayout, Scalar, phase_names, summed_values
from optgen.backends.numba_cuda.emit import DIALECT
from optgen.backends.numba_text.phase import PhaseText
from optgen.ir.program import Phase
from optgen.ir.rate import COLUMN, MATRIX, ROW, TENSOR
from tests.cuda_kernels import Variation, modes_of, ptx, stem_of
from tests.ptx_machine import Access, Machine, parse

PAGE = 1 << 16
"""Bytes from one array to the next; larger than any array."""

CHUNK = (3, 2, 4096)
"""Variable, first block of the table, and first element of the chunks that are launched."""

ROWS, BLOCKS = 5, 4

MATRICES = (260, 7, 5)
"""Matrices of the variable, their rows and their columns, if there are numbers for these."""

AXIS_COLUMNS, AXIS_NUMBERS, VALUES, AXIS_PAGES = 16, 2048, 4, 10
"""Kinds of such numbers, how many there are of each at most; arrays of elements to be combined;
pages for all of that."""

SHORT = 512
"""The longest chunk that shares a block."""


@dataclass
class Launch:
    """Chunks of one variable, each behind the other, before and after a kernel.

    Attributes:
        arrays: the parameters of the CPU function that are arrays, as they are before.
        scalars: its other parameters, rounded to the type of the elements.
        memory: device memory.
        pages: where each array begins there.
    """

    arrays: dict[str, Any]
    scalars: dict[str, Any]
    memory: bytearray
    pages: dict[str, int]

    def on_device(self, name: str) -> Any:
        """An array of the chunks, from device memory."""
        like = self.arrays[name]
        return np.frombuffer(self.memory, like.dtype, like.size, self.pages[name])


def chunks_phase(variation: Variation) -> tuple[ModeLayout, Phase]:
    """The phase behind a kernel that runs over chunks."""
    modes = modes_of(variation.module)
    names = phase_names(modes)
    wanted = variation.name.removesuffix("_chunks")
    return next(
        (mode, phase)
        for mode in modes
        for phase in mode.schedule.phases
        if names[mode.schedule.name, phase.name] == wanted
    )


def cpu_function(variation: Variation) -> Any:
    """The kernel of the same name in the CPU module."""
    module = importlib.import_module(f"optgen.optimizers.{stem_of(variation.module)}_cpu")
    return getattr(module, variation.name.removesuffix("_chunks"))


def run(
    variation: Variation, lengths: Sequence[int], threads: int, tiles: int = 1
) -> tuple[Launch, list[Access]]:
    """Run one block of threads of a kernel over random elements, in PTX.

    Args:
        variation: the kernel.
        lengths: of the chunks that the block is for.
        threads: how many threads a tile has.
        tiles: how many tiles the block has.
    """
    elements = sum(lengths)
    mode, phase = chunks_phase(variation)
    layout = mode.phase(phase)
    real = np.dtype(variation.dtype).type
    rng = np.random.default_rng(elements)
    behind = 12 + len(mode.streams)
    memory = bytearray(PAGE * (behind + AXIS_PAGES))
    tensor = np.zeros((ROWS, max(1, len(mode.table))))
    step = np.zeros(16)
    scalars, stages, given = _numbers(variation, mode, layout, rng, tensor, step)

    arrays, pages = {}, {}
    pointers = np.zeros((ROWS, len(mode.streams)), np.int64)
    variable, first_block, first = CHUNK
    for index, stream in enumerate(layout.streams):
        if stream.stage is not None and not variation.stages:
            given[stream.name] = None
            continue
        arrays[stream.name] = rng.uniform(0.5, 1.5, elements).astype(real)
        pages[stream.name] = PAGE * (12 + index)
        pointers[variable, stream.column] = pages[stream.name] - first * real(0).itemsize
        _write(memory, pages[stream.name], arrays[stream.name])
    if phase.reductions and not phase.reduces_axes:
        arrays["block_sums"] = np.zeros(((elements + 4095) // 4096, len(phase.reductions)))
        pages["block_sums"] = PAGE * 6 + first_block * len(phase.reductions) * 8

    starts = [first + sum(lengths[:index]) for index in range(len(lengths))]
    others = [(variable, *part, first_block) for part in zip(starts, lengths, strict=True)]
    chunks = np.array([(0, 0, 4096, 0), *others], np.int64)
    count_of_long = int(np.count_nonzero(chunks[:, 2] > SHORT))
    longer = np.append(chunks, chunks[1:2], axis=0)  # of no concern to the launch
    for page, table in ((1, longer), (4, pointers), (5, tensor), (7, step)):
        _write(memory, PAGE * page, table)
    counts = (ROWS, ROWS, len(mode.streams), tensor.shape[1], BLOCKS, len(phase.reductions), 16)
    addresses = [PAGE * (1 + index) for index in range(7)]
    tables = [*addresses, len(chunks), *counts, count_of_long]
    if layout.needs_axes:
        text = PhaseText(mode, layout, "", "", DIALECT)
        for index, name in enumerate(text.values.values()):
            arrays[name] = np.zeros(elements)
            pages[name] = PAGE * (behind + index)
        tables += _axis_tables(memory, PAGE * behind)
        given |= _spread_numbers(memory, PAGE * behind, layout, elements, rng)
    on = [1 if variation.stages else 0] * 2
    arguments = [0.0, *tables, *scalars, *stages, *on]
    machine = Machine(parse(ptx(variation)), arguments, memory, threads, tiles, block=1)
    log = machine.run()
    return Launch(
        arrays, {n: None if x is None else real(x) for n, x in given.items()}, memory, pages
    ), log


def _axis_tables(memory: bytearray, begin: int) -> list[int]:
    """The entries for numbers per row and column, of one variable; arrays of values come first."""
    variable, _, first = CHUNK
    shapes = np.zeros((ROWS, 3), np.int64)
    shapes[variable] = MATRICES
    starts = np.arange(ROWS * AXIS_COLUMNS, dtype=np.int64).reshape(ROWS, -1)
    starts = (starts - variable * AXIS_COLUMNS) * AXIS_NUMBERS
    numbers = begin + PAGE * VALUES
    tables = numbers + AXIS_COLUMNS * AXIS_NUMBERS * 8
    places = tables + starts.nbytes + shapes.nbytes
    _write(memory, tables, starts)
    _write(memory, tables + starts.nbytes, shapes)
    _write(memory, places, np.zeros(ROWS, np.int64))
    addresses = [numbers, tables, tables + starts.nbytes, 0, 0, 0, begin - first * 8, places, 0]
    counts = [AXIS_COLUMNS * AXIS_NUMBERS, AXIS_COLUMNS, 0, 0, PAGE // 8, 0]
    return addresses + counts


def _spread_numbers(
    memory: bytearray, begin: int, layout: PhaseLayout, elements: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Write random numbers per matrix, row and column; what they are at each element."""
    _, rows, columns = MATRICES
    positions = np.arange(CHUNK[2], CHUNK[2] + elements)
    places = {
        MATRIX: positions // (rows * columns),
        ROW: positions // columns,
        COLUMN: positions // (rows * columns) * columns + positions % columns,
    }
    found = {}
    for spread in layout.spreads:
        numbers = rng.uniform(0.5, 1.5, AXIS_NUMBERS)
        _write(memory, begin + PAGE * VALUES + spread.column * AXIS_NUMBERS * 8, numbers)
        found[spread.name] = numbers[places[spread.symbol.rate]]
    return found


def on_cpu(variation: Variation, launch: Launch) -> dict[str, Any]:
    """The arrays after the CPU function."""
    function = cpu_function(variation)
    arrays = {name: array.copy() for name, array in launch.arrays.items()}
    values = {**launch.scalars, **arrays}
    function(*(values[name] for name in inspect.signature(function.py_func).parameters))
    return arrays


def _numbers(
    variation: Variation,
    mode: ModeLayout,
    layout: PhaseLayout,
    rng: np.random.Generator,
    tensor: Any,
    step: Any,
) -> tuple[list[float], list[float], dict[str, Any]]:
    """The ``scalars`` and ``stages`` of a launch, and the loop's scalars by name.

    Every number is random and stands in one place only, where the loop has to find it.
    """
    scalars = [float(x) for x in rng.uniform(0.1, 0.9, len(layout.scalars))]
    stages: list[float] = [0.0] * len(layout.stages)
    given: dict[str, Any] = {}
    for scalar in layout.loop:
        value = float(rng.uniform(0.1, 0.9))
        if scalar.stage is not None and not variation.stages:
            given[scalar.name] = None
            continue
        given[scalar.name] = value
        _place(scalar, value, mode, layout, scalars, stages, tensor, step)
    return scalars, stages, given


def _place(
    scalar: Scalar,
    value: float,
    mode: ModeLayout,
    layout: PhaseLayout,
    scalars: list[float],
    stages: list[float],
    tensor: Any,
    step: Any,
) -> None:
    if scalar.symbol.rate == TENSOR:
        tensor[CHUNK[0], mode.columns[mode.column_name(scalar.symbol, layout.phase)]] = value
    elif scalar.stage is None:
        scalars[layout.scalars.index(scalar.symbol)] = value
    else:
        position = layout.stages.index((scalar.stage, scalar.key))
        if scalar.symbol in summed_values(mode.schedule):
            stages[position] = position % 16
            step[position % 16] = value
        else:
            stages[position] = value


def _write(memory: bytearray, address: int, array: Any) -> None:
    data = array.tobytes()
    memory[address : address + len(data)] = data
