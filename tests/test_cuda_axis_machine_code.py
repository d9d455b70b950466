"""Compiled kernels that combine rows and columns give the interpreter's sums to the bit.

Nothing is multiplied in them, so that a device has nothing to fuse.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from optgen.backends.layout import phase_names
from optgen.ir.axes import column_totals, row_totals
from optgen.ir.rate import COLUMN, ROW
from optgen.runtime.axes import panels_of, stacked
from tests.cuda_kernels import Variation, modes_of, ptx
from tests.ptx_machine import Machine, parse

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("numba_cuda") is None, reason="numba-cuda is not installed"
)

MODULE = "optgen.optimizers.adafactor_cuda"

PAGE = 1 << 18
"""Bytes from one table to the next; larger than any."""

NUMBERS, PIECES = 16, 24
"""Where the entries of rows and columns begin in the tables, and which one is of the pieces."""

AXIS_COLUMNS, AXIS_NUMBERS = 8, 1024
"""Kinds of numbers, and how many there are of each at most."""

THREADS = 8


def combining_phase() -> tuple[str, dict[Any, int]]:
    """The kernels' stem of a phase that adds up rows and columns, and where its sums are."""
    (mode,) = modes_of(MODULE)
    phase = next(phase for phase in mode.schedule.phases if phase.reduces_axes)
    columns = {line.target.rate: mode.axes.column(line.target) for line in phase.reductions}
    return phase_names([mode])[mode.schedule.name, phase.name], columns


class Device:
    """Device memory with the tables of one variable, and what a loop left in it.

    Args:
        elements: float64, in the shape of the variable.
    """

    def __init__(self, elements: Any) -> None:
        stacks = np.array([stacked(elements.shape)], np.int64)
        panels, length = panels_of(stacks)
        starts = np.arange(AXIS_COLUMNS, dtype=np.int64) * AXIS_NUMBERS
        numbers = np.full(AXIS_COLUMNS * AXIS_NUMBERS, np.nan)
        place, piece = np.zeros(1, np.int64), np.zeros(3, np.int64)
        tables = [numbers, starts, stacks, np.full(length, np.nan), panels, place]
        tables += [elements, place, piece]
        self.memory = bytearray(PAGE * (1 + len(tables)))
        for index, table in enumerate(tables):
            self.write(NUMBERS + index, table)
        # One variable, one piece; whatever else a kernel asked for would be at address 0.
        plain = [0] * 9 + [1] + [0] * 6
        counts = [numbers.size, AXIS_COLUMNS, length, 1, elements.size, 1]
        self.arguments = [*plain, *(PAGE * (1 + i) for i in range(len(tables))), *counts]

    def write(self, entry: int, table: Any) -> None:
        """Put an array where an entry of the tables points to."""
        data, begin = table.tobytes(), PAGE * (1 + entry - NUMBERS)
        self.memory[begin : begin + len(data)] = data

    def run(self, kernel: str, count: int) -> None:
        """Run a kernel by one block of threads, over one piece."""
        self.write(PIECES, np.array([0, 0, count], np.int64))
        text = ptx(Variation(MODULE, kernel, True, "float32", (9, 0)))
        Machine(parse(text), self.arguments, self.memory, THREADS).run()

    def numbers(self, column: int, count: int) -> Any:
        """The first numbers of a column."""
        return np.frombuffer(self.memory, np.float64, count, PAGE + column * AXIS_NUMBERS * 8)


@pytest.mark.parametrize("shape", [(5,), (2, 5, 3), (129, 64), (2, 4_100), (40, 1)], ids=str)
def test_compiled_sums_of_rows_and_columns_are_those_of_the_interpreter(
    shape: tuple[int, ...],
) -> None:
    elements = np.random.default_rng(3).lognormal(0.0, 4.0, shape)
    device, (stem, at) = Device(elements), combining_phase()
    stack, rows, columns = stacked(shape)
    ((_, panels, _),) = panels_of(np.array([stacked(shape)], np.int64))[0]
    if columns <= AXIS_NUMBERS:
        expected = column_totals(elements, np.add, 0.0).ravel()
        device.run(f"{stem}_columns", stack * panels * columns)
        if panels > 1:
            assert np.isnan(device.numbers(at[COLUMN], 1))
            device.run(f"{stem}_panels", stack * columns)
        assert device.numbers(at[COLUMN], expected.size).tobytes() == expected.tobytes()
    expected = row_totals(elements, np.add, 0.0).ravel()
    device.run(f"{stem}_rows", stack * rows)
    assert device.numbers(at[ROW], expected.size).tobytes() == expected.tobytes()
