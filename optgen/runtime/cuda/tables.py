"""The tables of an optimizer on a device, and launches of its kernels over them.

All variables share one table, whatever their dtype; only kernels that see elements are launched
once per dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import cuda

from optgen.runtime.arrays import Array, Table, address_of
from optgen.runtime.cuda.axes import DeviceAxes, Pieces
from optgen.runtime.cuda.copies import Copies, Uploaded, device_address
from optgen.runtime.cuda.gradients import DeviceGradientReader
from optgen.runtime.cuda.kernels import BLOCK, SHORT
from optgen.runtime.cuda.launch import threads_for
from optgen.runtime.cuda.running import Run
from optgen.runtime.description import Mode
from optgen.runtime.device_arrays import interface_of, layout_of
from optgen.runtime.phases import PreparedPhase, Scalars
from optgen.runtime.plan import Participants, cut_chunks, number_blocks

if TYPE_CHECKING:
    from optgen.runtime.cuda.memory import DeviceMemory
    from optgen.runtime.state import State

CHUNK = BLOCK
"""The most elements of a block of threads: the fewest that reductions allow, so that a device is
filled soonest."""


@dataclass(frozen=True)
class Chunks:
    """The chunks of one dtype that take part in a launch.

    Attributes:
        like: a number of the dtype.
        address: of int64[count, 4] on the device.
        count: how many there are.
        count_of_long: how many are longer than SHORT; they come first.
        threads: how many threads work on each in a loop with a reduction.
    """

    like: Any
    address: int
    count: int
    count_of_long: int
    threads: int


@dataclass(frozen=True)
class Selection:
    """The variables that take part in a launch.

    Attributes:
        rows: address of int64[count] on the device.
        count: how many variables there are, empty ones included.
        chunks: per dtype.
        pieces: of the work on rows and columns, by kind; none if the mode has no numbers for these.
    """

    rows: int
    count: int
    chunks: tuple[Chunks, ...]
    pieces: dict[str, Pieces]

    @property
    def kind(self) -> tuple[bool, ...]:
        """Which launches there are."""
        counts = [chunks.count for chunks in self.chunks]
        counts += [pieces.count for pieces in self.pieces.values()]
        return (self.count > 0, *(count > 0 for count in counts))


class DeviceTables:
    """The tables over all variables, and launches over them; see ``kernels.py``.

    Args:
        memory: the device.
        mode: which columns the tables have.
        layouts: the variables.
        streams: for each its average, its accumulator and its element slots; None for what is off.

    Attributes:
        device: the number of the device.
        all_present: the participants of a call in which every variable has a gradient.
    """

    def __init__(
        self,
        memory: DeviceMemory,
        mode: Mode,
        layouts: Sequence[Array],
        streams: Sequence[Sequence[Any]],
    ) -> None:
        self._memory = memory
        self.device = memory.device
        blocks = number_blocks(layouts)
        dtypes = dict.fromkeys(w.dtype for w in layouts)
        pieces = cut_chunks(layouts, blocks, CHUNK)
        pieces = pieces[np.argsort(pieces[:, 2] <= SHORT, kind="stable")]
        of_dtype = {d: np.array([w.dtype == d for w in layouts]) for d in dtypes}
        self._pieces = [(d.type(0), pieces[of_dtype[d][pieces[:, 0]]]) for d in dtypes]
        self._blocks = memory.placed(blocks)
        self._fold_threads = threads_for(int(blocks[:, 1].max()))
        reductions = max(1, *(phase.reductions for phase in mode.phases))
        self._block_sums = memory.placed(np.zeros((max(1, int(blocks[:, 1].sum())), reductions)))
        self._tensor = memory.placed(np.zeros((len(layouts), max(1, len(mode.columns)))))
        self._step = memory.placed(np.zeros(1))
        self._step_names: dict[str, int] = {}
        self._axes = DeviceAxes(memory, mode, layouts) if mode.axes else None
        self._pointers = np.array([[0, 0, *map(_address, arrays)] for arrays in streams], np.int64)
        self._scratch: dict[tuple[int, int], Any] = {}
        self._place_variables(list(layouts))
        self._uploads = {name: Uploaded() for name in ("pointers", "all", "some", "column")}
        self._gather, self._scatter, self._fill = Copies(), Copies(), Copies()
        everything, nothing = self._select("all", np.ones(len(layouts), np.bool_))
        self.all_present = Participants(everything, nothing, (everything.kind, nothing.kind))

    def reader(self, state: State) -> DeviceGradientReader:
        """Return what checks gradients of the variables, which are those of a state."""
        return DeviceGradientReader(state, self)

    # Numbers per variable -----------------------------------------------------------------

    def number(self, position: int, column: int) -> Any:
        """Return a number of a variable as a live array of rank 0."""
        with self._memory.context():
            return self._tensor[position, column : column + 1].reshape(())

    def axis_numbers(self, position: int, name: str) -> Any:
        """Return a variable's numbers per row, column or index as a live array."""
        assert self._axes is not None
        with self._memory.context():
            return self._axes.slot(position, name)

    def fill_column(self, column: int, values: Sequence[float]) -> None:
        """Give every variable its number in a column; ``values`` are in the order of build."""
        numbers = np.array(values, np.float64)
        target = _layout(self._tensor)[:, column]
        with self._memory.context():
            stream = self._memory.stream()
            address = self._uploads["column"].address(numbers, stream)
            source = _described(address, numbers)
            self._fill.run([(target, source)], stream)

    # Who takes part -----------------------------------------------------------------------

    def select(self, pattern: Sequence[bool]) -> Participants:
        """Return who takes part in a call; earlier results may not be used any more."""
        with self._memory.context():
            present, absent = self._select("some", np.array(pattern, np.bool_))
        return Participants(present, absent, (present.kind, absent.kind))

    def _select(self, name: str, chosen: Array) -> tuple[Selection, Selection]:
        """Upload the rows and chunks of some variables, and of the others."""
        tables: list[Table] = []
        for mask in (chosen, ~chosen):
            tables.append(np.flatnonzero(mask))
            tables += [pieces[mask[pieces[:, 0]]] for _, pieces in self._pieces]
            tables += () if self._axes is None else self._axes.chosen(mask)
        everything = np.concatenate([table.ravel() for table in tables])
        address = self._uploads[name].address(everything, self._memory.stream())
        addresses = []
        for table in tables:
            addresses.append(address)
            address += table.nbytes
        half = len(tables) // 2
        return (
            self._selection(tables[:half], addresses[:half]),
            self._selection(tables[half:], addresses[half:]),
        )

    def _selection(self, tables: Sequence[Table], addresses: Sequence[int]) -> Selection:
        behind = 1 + len(self._pieces)
        chunks = tuple(
            _chunks(like, address, table)
            for (like, _), table, address in zip(
                self._pieces, tables[1:behind], addresses[1:behind], strict=True
            )
        )
        axes = self._axes
        pieces = {} if axes is None else axes.at(addresses[behind:], tables[behind:])
        return Selection(addresses[0], len(tables[0]), chunks, pieces)

    # A call -------------------------------------------------------------------------------

    def point_at(
        self,
        layouts: list[Array],
        addresses: Sequence[int],
        unusual: Sequence[tuple[int, Array]],
    ) -> None:
        """Put addresses into the tables, and gather what does not lie in C order.

        Args:
            layouts: the variables.
            addresses: of the gradients, one per variable, 0 for none.
            unusual: position and layout of gradients in another order or dtype.
        """
        with self._memory.context():
            if layouts is not self._layouts:
                self._place_variables(layouts)
            pairs = [(scratch, variable) for variable, scratch in self._strided]
            self._pointers[:, 1] = addresses
            for position, gradient in unusual:
                scratch = self._scratch_for(position, 1)
                self._pointers[position, 1] = address_of(scratch)
                pairs.append((scratch, gradient))
            stream = self._memory.stream()
            self._uploads["pointers"].address(self._pointers, stream)
            self._gather.run(pairs, stream)

    def _place_variables(self, layouts: list[Array]) -> None:
        self._layouts = layouts
        self._strided: list[tuple[Array, Array]] = []
        for position, layout in enumerate(layouts):
            place = layout
            if not layout.flags.c_contiguous:
                place = self._scratch_for(position, 0)
                self._strided.append((layout, place))
            self._pointers[position, 0] = address_of(place)

    def _scratch_for(self, position: int, stream: int) -> Array:
        """Return the layout of scratch for a variable (0) or its gradient (1), made once."""
        layout = self._layouts[position]
        if (position, stream) not in self._scratch:
            made = cuda.device_array(layout.shape, layout.dtype)
            self._scratch[position, stream] = made
        return _layout(self._scratch[position, stream])

    def run(
        self,
        phases: Sequence[PreparedPhase],
        selections: Selection,
        scalars: Scalars,
        average: int | None,
        accumulator: int | None,
        rehearsal: bool = False,
    ) -> list[tuple[str, float]]:
        """Launch prepared phases over a part of the variables, or only compile their kernels.

        Sums over all variables stay on the device: the scalars receive their indices there.
        Otherwise as ``HostTables.run``.
        """
        with self._memory.context():
            self._reserve(phases)
            run = Run(
                selection=selections,
                addresses=self._addresses(),
                counts=self._counts(),
                step_names=self._step_names,
                fold_threads=self._fold_threads,
                axes=self._axes,
                stream=self._memory.stream(),
                rehearsal=rehearsal,
            )
            return run.phases(phases, scalars, average, accumulator)

    def _reserve(self, phases: Sequence[PreparedPhase]) -> None:
        """Give every sum over all variables, and what follows from it, a place on the device."""
        for prepared in phases:
            names = [
                name for entry in prepared.scalars_before if entry.cuda for name in entry.outputs
            ]
            for name in (*names, *(name for name, _ in prepared.sums)):
                self._step_names.setdefault(name, len(self._step_names))
        if len(self._step_names) > self._step.size:
            self._step = cuda.device_array(len(self._step_names), np.float64)

    def _addresses(self) -> tuple[int, ...]:
        """Return entries 2 to 6 of a kernel's tables."""
        pointers = self._uploads["pointers"].address(self._pointers, self._memory.stream())
        others = (self._tensor, self._block_sums, self._step)
        return (device_address(self._blocks), pointers, *map(device_address, others))

    def _counts(self) -> tuple[int, ...]:
        """Return the last entries but one of a kernel's tables, from how many variables on."""
        rows, streams = self._pointers.shape
        blocks, reductions = self._block_sums.shape
        return (rows, streams, self._tensor.shape[1], blocks, reductions, self._step.size)

    def summed(self, scalars: Scalars, name: str) -> float:
        """Return a sum over all variables that ``run`` left on the device, when it is known."""
        with self._memory.context():
            stream = self._memory.stream()
            copy = np.empty(self._step.size)
            self._step.copy_to_host(copy, stream=stream)
            if stream:
                stream.synchronize()
        return float(copy[int(scalars[name])])

    def finish(self) -> None:
        """Bring what a call's launches computed to variables that are not in C order."""
        if self._strided:
            with self._memory.context():
                self._scatter.run(self._strided, self._memory.stream())


def _chunks(like: Any, address: int, table: Table) -> Chunks:
    """Return chunks that are at an address on the device and in a table here."""
    lengths = table[:, 2]
    count_of_long = int(np.count_nonzero(lengths > SHORT))
    threads = threads_for(int(lengths.max(initial=1)))
    return Chunks(like, address, len(table), count_of_long, threads)


def _address(array: object) -> int:
    return 0 if array is None else device_address(array)


def _layout(array: Any) -> Array:
    interface = interface_of(array)
    assert interface is not None
    return layout_of("array", array, interface)


def _described(address: int, like: Array) -> Array:
    """Return the layout of a C-ordered array at an address."""
    interface = {"data": (address, False), "shape": like.shape, "typestr": like.dtype.str}
    return layout_of("array", like, interface)
