"""Optimizers of NumPy arrays: their arrays in host memory, and launches of CPU kernels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from optgen.runtime.arrays import Array, check_variable, check_writable
from optgen.runtime.description import Mode
from optgen.runtime.gradients import GradientReader
from optgen.runtime.launch import PARALLEL_FROM, launch, threads_for
from optgen.runtime.phases import PreparedPhase, Scalars
from optgen.runtime.plan import Group, Participants, Selection, make_group
from optgen.runtime.values import Tensor

if TYPE_CHECKING:
    from optgen.runtime.state import State


class HostMemory:
    """Host memory, as a ``Memory``."""

    def check_variable(self, position: int, variable: object) -> Array:
        """Return a variable, which is its own layout; see ``check_variable``."""
        return check_variable(position, variable)

    def check_writable(self, position: int, variable: Array) -> None:
        """Raise ValueError if a variable has become read-only."""
        check_writable(position, variable)

    def layout(self, array: object) -> Array | None:
        """Return a NumPy array itself; None for anything else."""
        return array if isinstance(array, np.ndarray) else None

    def filled(self, layout: Array, value: float) -> Tensor:
        """Return an array like a variable that holds one value."""
        return np.full(layout.shape, value, layout.dtype).view(Tensor)

    def copied(self, variable: Array) -> Tensor:
        """Return a copy of a variable, in C order."""
        return np.array(variable, order="C", subok=False).view(Tensor)

    def placed(self, array: Array) -> Tensor:
        """Return a host array as a part of the state."""
        return array.view(Tensor)

    def copy_all(self, pairs: Iterable[tuple[Array, Array]]) -> None:
        """Copy the second array of each pair into the first."""
        for target, source in pairs:
            np.copyto(target, source)

    def check_copyable(self, variables: Sequence[Array]) -> None:
        """Accept everything: NumPy arrays can be copied and pickled."""

    def tables(
        self, mode: Mode, layouts: Sequence[Array], streams: Sequence[Sequence[Array | None]]
    ) -> HostTables:
        """Return the tables of variables and the arrays that are kept for them."""
        return HostTables(mode, layouts, streams)


HOST = HostMemory()


class HostTables:
    """The tables over all variables, one group per dtype, and launches over them.

    Args:
        mode: which columns the tables have.
        layouts: the variables.
        streams: for each its average, its accumulator and its element slots; None for what is off.

    Attributes:
        groups: the tables, one per dtype.
        places: group index and row of each variable.
        all_present: the participants of a call in which every variable has a gradient.
    """

    def __init__(
        self, mode: Mode, layouts: Sequence[Array], streams: Sequence[Sequence[Array | None]]
    ) -> None:
        self.groups: list[Group] = []
        self.places: list[tuple[int, int]] = [(0, 0)] * len(layouts)
        for dtype in dict.fromkeys(w.dtype for w in layouts):
            positions = [i for i, w in enumerate(layouts) if w.dtype == dtype]
            for row, position in enumerate(positions):
                self.places[position] = len(self.groups), row
            variables, arrays = [layouts[i] for i in positions], [streams[i] for i in positions]
            self.groups.append(make_group(positions, variables, arrays, mode))
        everything = tuple(group.everything for group in self.groups)
        nothing = tuple(group.select(lambda position: False) for group in self.groups)
        self.all_present = _participants(everything, nothing)

    def reader(self, state: State) -> GradientReader:
        """Return what checks gradients of the variables, which are those of a state."""
        return GradientReader(state, self)

    def number(self, position: int, column: int) -> Tensor:
        """Return a number of a variable as a live array of rank 0."""
        group, row = self.places[position]
        return self.groups[group].tensor[row, column, ...].view(Tensor)

    def axis_numbers(self, position: int, name: str) -> Tensor:
        """Return a variable's numbers per row, column or index as a live array."""
        group, row = self.places[position]
        axes = self.groups[group].axes
        assert axes is not None
        return axes.slot(row, name).view(Tensor)

    def fill_column(self, column: int, values: Sequence[float]) -> None:
        """Give every variable its number in a column; ``values`` are in the order of build."""
        for (group, row), value in zip(self.places, values, strict=True):
            self.groups[group].tensor[row, column] = value

    def select(self, pattern: Sequence[bool]) -> Participants:
        """Return who takes part in a call, given which variables have a gradient."""
        return _participants(
            tuple(group.select(lambda i: pattern[i]) for group in self.groups),
            tuple(group.select(lambda i: not pattern[i]) for group in self.groups),
        )

    def run(
        self,
        phases: Sequence[PreparedPhase],
        selections: Sequence[Selection],
        scalars: Scalars,
        average: int | None,
        accumulator: int | None,
        rehearsal: bool = False,
    ) -> list[tuple[str, float]]:
        """Launch prepared phases over a part of the variables.

        Args:
            phases: in order.
            selections: who takes part, per dtype group.
            scalars: the scalars of this call by name; sums and stage scalars are added.
            average: 1 to update averages, else None.
            accumulator: 1 to use or reset accumulators, else None.
            rehearsal: launch over nothing, which compiles what is not compiled yet.

        Returns:
            New values of step slots, for the caller to store.
        """
        new_values: list[tuple[str, float]] = []
        parts = [selection for selection in selections if selection.rows.size]
        if rehearsal:
            parts = [part.rehearsal() for part in parts]
        # Numba takes longer to say how many threads there are than a small variable takes in all,
        # so that it is asked once for all phases.
        work = [(part, threads_for(part.elements)) for part in parts]
        for prepared in phases:
            phase = prepared.phase
            for entry in prepared.scalars_before:
                results = entry.function(*[scalars[name] for name in entry.inputs])
                for place, name in enumerate(entry.outputs):
                    scalars[name] = results[place]
            values = phase.scalars(*[scalars[name] for name in phase.inputs])
            stages = prepared.stages(scalars)
            for part, threads in work:
                address = part.tables(phase).address
                launch(phase, threads, (part.like, address, values, stages, average, accumulator))
            for name, column in prepared.sums:
                total = 0.0 if rehearsal else _sum_over_variables(self.groups, selections, column)
                scalars[name] = total
            if phase.step_slots:
                new_values += [(name, values[index]) for name, index in phase.step_slots]
        return new_values

    def summed(self, scalars: Scalars, name: str) -> float:
        """Return a sum over all variables that ``run`` added to the scalars."""
        return scalars[name]

    def finish(self) -> None:
        """Take notice that a call is over: host kernels write variables where they are."""


def _participants(present: tuple[Selection, ...], absent: tuple[Selection, ...]) -> Participants:
    # A selection of nothing is not launched at all, so that one of something is another kind.
    kind = tuple((s.rows.size > 0, s.elements >= PARALLEL_FROM) for s in (*present, *absent))
    return Participants(present, absent, kind)


def _sum_over_variables(
    groups: Sequence[Group], selections: Sequence[Selection], column: int
) -> float:
    """Add one number of every selected variable, in the order of build across dtypes."""
    if len(groups) == 1 and selections[0] is groups[0].everything:
        numbers = groups[0].tensor[:, column]
    else:
        # Zeros of variables that do not take part change no bit of the sum.
        numbers = np.zeros(sum(len(group.positions) for group in groups))
        for group, selection in zip(groups, selections, strict=True):
            rows = selection.rows
            numbers[np.take(group.positions, rows)] = group.tensor[rows, column]
    # The last of all partial sums, which are made one after the other: NumPy's sum adds pairs
    # first, and Python's compensates rounding errors in some versions.
    return float(np.add.accumulate(numbers)[-1]) + 0.0
