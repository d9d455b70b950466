"""The launches of one call, in order: per phase one for variables, for chunks and for sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optgen.runtime.cuda.compilation import has_work
from optgen.runtime.cuda.kernels import sum_over_variables
from optgen.runtime.cuda.launch import (
    Threads,
    compile_for,
    kernel_of,
    launch,
    threads_for,
    tiled_grid,
)
from optgen.runtime.description import Phase, StageScalars
from optgen.runtime.phases import PreparedPhase, Scalars

if TYPE_CHECKING:
    from optgen.runtime.cuda.axes import DeviceAxes, Pieces
    from optgen.runtime.cuda.tables import Chunks, Selection


@dataclass(frozen=True)
class Run:
    """Launches over some variables.

    Attributes:
        selection: which ones.
        addresses: entries 2 to 6 of a kernel's tables; see ``kernels.py``.
        counts: the last entries but one, from the number of variables on.
        step_names: where on the device sums over all variables, and what follows from them, are.
        fold_threads: how many threads combine the blocks of a variable.
        axes: the numbers per matrix, row, column and index; None if the mode has none.
        stream: on which everything takes its turn.
        rehearsal: compile and load the kernels instead of launching them.
    """

    selection: Selection
    addresses: tuple[int, ...]
    counts: tuple[int, ...]
    step_names: dict[str, int]
    fold_threads: int
    axes: DeviceAxes | None
    stream: Any
    rehearsal: bool

    def phases(
        self,
        phases: Sequence[PreparedPhase],
        scalars: Scalars,
        average: int | None,
        accumulator: int | None,
    ) -> list[tuple[str, float]]:
        """Launch prepared phases; see ``HostTables.run``."""
        new_values: list[tuple[str, float]] = []
        for prepared in phases:
            phase = prepared.phase
            for entry in prepared.scalars_before:
                self._compute(entry, scalars)
            values = phase.scalars(*[scalars[name] for name in phase.inputs])
            stages = tuple([None if n is None else scalars[n] for n in prepared.stage_names])
            self._launch_phase(phase, values, stages, average, accumulator)
            for name, column in prepared.sums:
                self._sum(column, self.step_names[name])
                scalars[name] = self.step_names[name]
            new_values += [(name, values[index]) for name, index in phase.step_slots]
        return new_values

    def _compute(self, entry: StageScalars, scalars: Scalars) -> None:
        """Compute a stage's scalars: on the device if they follow from sums that are there."""
        inputs = tuple([scalars[name] for name in entry.inputs])
        if not entry.cuda:
            scalars.update(zip(entry.outputs, entry.function(*inputs), strict=True))
            return
        outputs = tuple([self.step_names[name] for name in entry.outputs])
        self._launch(kernel_of(entry.cuda, "step"), 1, 1, (self._tables(None), inputs, outputs))
        scalars.update(zip(entry.outputs, outputs, strict=True))

    def _launch_phase(
        self,
        phase: Phase,
        values: tuple[float, ...],
        stages: tuple[float | None, ...],
        average: int | None,
        accumulator: int | None,
    ) -> None:
        rows = self.selection.count
        kernel = kernel_of(phase.cuda, "variables")
        if kernel and has_work(kernel, stages):
            threads = threads_for(rows)
            blocks = -(-rows // threads)
            self._launch(kernel, blocks, threads, (self._tables(None), values, stages))
        if phase.axes:
            self._compute_axes(phase, values)
        fold = kernel_of(phase.cuda, "fold")
        if kernel := kernel_of(phase.cuda, "chunks"):
            for chunks in self.selection.chunks:
                tables = self._tables(chunks) + self._axis_entries(phase)
                arguments = (chunks.like, tables, values, stages, average, accumulator)
                if fold:
                    self._launch(kernel, chunks.count, chunks.threads, arguments)
                else:
                    grid = tiled_grid(chunks.count, chunks.count_of_long)
                    self._launch(kernel, *grid, arguments)
        if phase.panels is not None:
            self._combine_axes(phase)
        if fold:
            self._launch(fold, rows, self.fold_threads, (self._tables(None),))

    def _compute_axes(self, phase: Phase, values: tuple[float, ...]) -> None:
        """Compute numbers per matrix, row, column and index in front of a phase's loop."""
        assert self.axes is not None
        runs = self.selection.pieces["runs"]
        for kernel, place in kernel_of(phase.cuda, "axis_kernels") or ():
            tables = self._tables(None) + self._axis_entries(phase, runs)
            if place == "runs":
                blocks, threads = runs.count, runs.threads
            else:
                blocks, threads = self.selection.count, self.axes.threads_per_variable
            self._launch(kernel, blocks, threads, (tables, values))

    def _combine_axes(self, phase: Phase) -> None:
        """Combine what a phase's loop handed over by rows and columns."""
        for part in ("rows", "columns", "panels"):
            if kernel := kernel_of(phase.cuda, part):
                pieces = self.selection.pieces[part]
                tables = self._tables(None) + self._axis_entries(phase, pieces)
                self._launch(kernel, pieces.count, pieces.threads, (tables,))

    def _axis_entries(self, phase: Phase, pieces: Pieces | None = None) -> tuple[int, ...]:
        """Return the entries of a kernel's tables that only phases with such numbers have."""
        if not phase.axes:
            return ()
        assert self.axes is not None
        return self.axes.entries(pieces)

    def _sum(self, column: int, index: int) -> None:
        rows = self.selection.count
        arguments = (self._tables(None), self.selection.rows, rows, column, index)
        self._launch(sum_over_variables, 1, threads_for(rows), arguments)

    def _tables(self, chunks: Chunks | None) -> tuple[int, ...]:
        """Return the tables of a kernel."""
        address, count, count_of_long = (
            (0, 0, 0) if chunks is None else (chunks.address, chunks.count, chunks.count_of_long)
        )
        rows, variables = self.selection.rows, self.selection.count
        return (address, rows, *self.addresses, count, variables, *self.counts, count_of_long)

    def _launch(
        self, kernel: Any, blocks: int, threads: Threads, arguments: tuple[Any, ...]
    ) -> None:
        if not self.rehearsal:
            launch(kernel, blocks, threads, self.stream, arguments)
        elif blocks:
            compile_for(kernel, arguments)
