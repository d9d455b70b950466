"""Everything that an optimizer holds for the variables it was built with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from optgen.runtime.arrays import Array, memory_key
from optgen.runtime.axes import stacked
from optgen.runtime.description import Mode, Slot
from optgen.runtime.device_arrays import assign, interface_of, kind_of, mixture
from optgen.runtime.memory import Tables, memory_of
from optgen.runtime.overlap import MemoryMap, first_overlap
from optgen.runtime.plan import Participants
from optgen.runtime.values import Tensor


class State:
    """Variables, slots, averages, accumulators and the tables over them.

    All of them live where the variables do, but for what there is one of per optimizer, which
    lives on the host. Device arrays are written as ``Array`` here, too.

    Args:
        variables: what the optimizer was given to build with.
        mode: which slots to make and which columns the tables have.
        slots: descriptions of all slots of the optimizer, starting as numbers or as ``"w"``.
        averages: whether every variable has a moving average.
        accumulators: whether every variable has a gradient accumulator.
        names: the variables' names, None for one that has none.

    Attributes:
        memory: where the variables live.
        variables: the arrays themselves, in the order of build.
        layouts: where and how each of them lies; see ``Memory``.
        names: their names, None for one that has none.
        excluded: whether each is left out of what may differ between variables.
        slots: element and per-variable slots in declaration order, one array per variable.
        step_slots: float64 arrays of rank 0.
        added_slots: slots that the user added: by name, an array for the position of a variable.
        averages: arrays like the variables, copies of them at first; empty if off.
        accumulators: arrays like the variables, zero at first; empty if off.
        tables: what kernels see of it.
        regions: where all of it lies, to refuse gradients that overlap it.
        rehearsed: the kinds of calls whose kernels are known to be compiled.

    Raises:
        ValueError: if there is no variable, one cannot be updated in place, or two overlap.
    """

    def __init__(
        self,
        variables: Sequence[object],
        mode: Mode,
        slots: Sequence[Slot],
        averages: bool,
        accumulators: bool,
        names: Sequence[str | None],
    ) -> None:
        if not variables:
            raise ValueError("variables: expected at least one NumPy array, received none.")
        self.memory = memory_of(variables)
        self.layouts = [self.memory.check_variable(i, w) for i, w in enumerate(variables)]
        self.variables: list[Any] = list(variables)
        self.names = tuple(names)
        self.excluded = (False,) * len(variables)
        _refuse_overlap(self.layouts)
        copied, filled = self.memory.copied, self.memory.filled
        self.averages = [copied(w) for w in self.variables if averages]
        self.accumulators = [filled(w, 0.0) for w in self.layouts if accumulators]
        self.slots: dict[str, list[Array]] = {
            slot.name: self._element_slots(slot)
            for slot in slots
            if slot.name in mode.element_slots
        }
        self.step_slots = {
            slot.name: np.array(slot.initial, np.float64).view(Tensor)
            for slot in slots
            if slot.name in mode.step_slots
        }
        streams = [self._streams(mode, position) for position in range(len(self.variables))]
        self.tables: Tables = self.memory.tables(mode, self.layouts, streams)
        self._add_variable_slots(mode, slots)
        self.slots = {slot.name: self.slots[slot.name] for slot in slots if slot.name in self.slots}
        self._optional = {slot.name for slot in slots if slot.optional}
        self._slot_names = [s.name for s in slots if s.name in {**self.slots, **self.step_slots}]
        self.added_slots: dict[str, dict[int, Array]] = {}
        self._position_by_id = {id(w): i for i, w in enumerate(self.variables)}
        self._find_regions()
        self.all_present = self.tables.all_present
        self.rehearsed: set[object] = set()
        self._last_pattern: tuple[bool, ...] = ()
        self._last_participants = self.all_present

    def _element_slots(self, slot: Slot) -> list[Array]:
        if isinstance(slot.initial, str):
            return [self.memory.copied(w) for w in self.variables]
        return [self.memory.filled(layout, slot.initial) for layout in self.layouts]

    def _streams(self, mode: Mode, position: int) -> list[Array | None]:
        return [
            self.averages[position] if self.averages else None,
            self.accumulators[position] if self.accumulators else None,
            *(self.slots[name][position] for name in mode.element_slots),
        ]

    def _add_variable_slots(self, mode: Mode, slots: Sequence[Slot]) -> None:
        """Make each slot of one number per variable, row, column or index a part of the tables."""
        everything = range(len(self.variables))
        for slot in slots:
            if slot.name in mode.variable_slots:
                column = mode.columns.index(slot.name)
                self.slots[slot.name] = [self.tables.number(i, column) for i in everything]
                self.fill_column(column, [float(slot.initial) for _ in everything])
        in_axis_tables = {name for name, _, _ in mode.axes}
        for slot in slots:
            if slot.name in in_axis_tables:
                self.slots[slot.name] = [self.tables.axis_numbers(i, slot.name) for i in everything]
                for array in self.slots[slot.name]:
                    assign(array, np.full(array.shape, slot.initial))
        shapes = [stacked(w.shape) for w in self.layouts]
        for name, numbers in (
            ("size", [float(w.size) for w in self.layouts]),
            ("rank", [float(w.ndim) for w in self.layouts]),
            ("rows", [float(rows) for _, rows, _ in shapes]),
            ("columns", [float(columns) for _, _, columns in shapes]),
        ):
            if name in mode.columns:
                self.fill_column(mode.columns.index(name), numbers)

    def _find_regions(self) -> None:
        named = [(f"variable {position}", layout) for position, layout in enumerate(self.layouts)]
        self.regions = MemoryMap([*named, *self._named_state()])
        self._positions_by_key: dict[object, list[int]] = {}
        for position, layout in enumerate(self.layouts):
            self._positions_by_key.setdefault(memory_key(layout), []).append(position)

    def relocate(self, layouts: list[Array]) -> None:
        """Take notice that variables lie elsewhere than before.

        Args:
            layouts: where and how they lie now; shapes and dtypes are those of before.

        Raises:
            ValueError: if two overlap.
        """
        _refuse_overlap(layouts)
        self.layouts = layouts
        self._find_regions()

    def _named_state(self) -> Iterator[tuple[str, Array]]:
        for name, array in self._named_arrays():
            layout = self.memory.layout(array)
            if layout is not None:
                yield name, layout

    def _named_arrays(self) -> Iterator[tuple[str, Array]]:
        for position, average in enumerate(self.averages):
            yield f"the average of variable {position}", average
        for position, accumulator in enumerate(self.accumulators):
            yield f"the gradient accumulator of variable {position}", accumulator
        for name, arrays in self.slots.items():
            for position, array in enumerate(arrays):
                yield f"slot {name} of variable {position}", array
        for name, array in self.step_slots.items():
            yield f"slot {name}", array

    def fill_column(self, column: int, values: Sequence[float]) -> None:
        """Give every variable its number in one column of the tables.

        Args:
            column: index among the mode's columns.
            values: one per variable, in the order of build.
        """
        self.tables.fill_column(column, values)

    def finalize(self, positions: Sequence[int]) -> None:
        """Give variables the values of their averages; ValueError if one cannot be written."""
        for position in positions:
            self.memory.check_writable(position, self.variables[position])
        self.memory.copy_all([(self.variables[i], self.averages[i]) for i in positions])

    def in_order_of_variables(self) -> list[Array]:
        """Return all arrays that change with steps, apart from the variables, in Keras 3's order.

        All averages, all accumulators, then the slots of each variable in turn, then slots that
        only some modes have, one after the other, then step slots, then added ones.
        """
        required = [arrays for name, arrays in self.slots.items() if name not in self._optional]
        optional = [arrays for name, arrays in self.slots.items() if name in self._optional]
        interleaved = [arrays[i] for i in range(len(self.variables)) for arrays in required]
        grouped = [array for arrays in optional for array in arrays]
        own = [*self.averages, *self.accumulators, *interleaved, *grouped]
        return [*own, *self.step_slots.values(), *self._added_arrays()]

    def in_order_of_slots(self) -> list[Array]:
        """Return the same arrays as ``in_order_of_variables``, in the order of older Keras.

        Slot after slot as they are declared, then added ones, then averages and accumulators.
        """
        own = [
            array
            for name in self._slot_names
            for array in self.slots.get(name) or [self.step_slots[name]]
        ]
        return [*own, *self._added_arrays(), *self.averages, *self.accumulators]

    def by_key(self) -> dict[str, Array]:
        """Return the same arrays by a key that says what each is, for files."""
        found: dict[str, Array] = {f"average/{i}": array for i, array in enumerate(self.averages)}
        found |= {f"accumulator/{i}": array for i, array in enumerate(self.accumulators)}
        for name, arrays in self.slots.items():
            found |= {f"slot/{name}/{i}": array for i, array in enumerate(arrays)}
        found |= {f"slot/{name}": array for name, array in self.step_slots.items()}
        for name, added in self.added_slots.items():
            found |= {f"added_slot/{name}/{i}": array for i, array in added.items()}
        return found

    def slot_names(self) -> list[str]:
        """Return the names of all slots, added ones last."""
        return [*self._slot_names, *self.added_slots]

    def slot_of(self, position: int, name: str) -> Array | None:
        """Return a variable's slot, or None if it has none of that name."""
        if name in self.slots:
            return self.slots[name][position]
        return self.added_slots.get(name, {}).get(position)

    def _added_arrays(self) -> list[Array]:
        return [array for added in self.added_slots.values() for array in added.values()]

    def positions_of(self, variables: Sequence[object]) -> list[int]:
        """Return the index at build of each of these variables.

        A variable is known by its object or, if the object is new, by its memory.

        Raises:
            ValueError: if one is unknown or comes twice.
        """
        positions: list[int] = []
        seen: set[int] = set()
        for index, variable in enumerate(variables):
            position = self._position_by_id.get(id(variable))
            if position is None:
                position = self._position_by_memory(index, variable, seen)
            if position in seen:
                raise ValueError(
                    f"variable {index} of this call: expected each variable once, "
                    f"received variable {position} of build again."
                )
            seen.add(position)
            positions.append(position)
        return positions

    def in_order_of_build(
        self, gradients: Sequence[object], variables: Sequence[object]
    ) -> list[object]:
        """Return one gradient or None per variable, sorted from the order of a call.

        Raises:
            ValueError: if a variable is unknown or comes twice.
        """
        ordered: list[object] = [None] * len(self.variables)
        for position, gradient in zip(self.positions_of(variables), gradients, strict=True):
            ordered[position] = gradient
        return ordered

    def _position_by_memory(self, index: int, variable: object, seen: set[int]) -> int:
        layout = self.memory.layout(variable)
        known = [] if layout is None else self._positions_by_key.get(memory_key(layout), [])
        if not known:
            raise self._unknown(index, variable, layout)
        # Empty arrays may lie at one address: take one that is still free.
        return next((position for position in known if position not in seen), known[0])

    def _unknown(self, index: int, variable: object, layout: Array | None) -> ValueError:
        what = f"variable {index} of this call"
        if layout is None and (isinstance(variable, np.ndarray) or interface_of(variable)):
            return mixture(what, variable, "variable 0 of build", self.variables[0])
        received = kind_of(variable)
        if layout is not None:
            received = f"an array of shape {layout.shape} and dtype {layout.dtype.name}"
        return ValueError(
            f"{what} is unknown: expected one of the {len(self.variables)} variables that the "
            f"optimizer was built with, received {received}. Construct another optimizer for "
            "other variables; a copy of an optimizer has copies of its variables, too, unless both "
            "are copied together."
        )

    def participants(self, pattern: tuple[bool, ...]) -> Participants:
        """Return who takes part for a pattern of present gradients; remembers the last pattern."""
        if pattern != self._last_pattern:
            self._last_participants = self.tables.select(pattern)
            self._last_pattern = pattern
        return self._last_participants


def _refuse_overlap(layouts: Sequence[Array]) -> None:
    named = [(f"variable {position}", layout) for position, layout in enumerate(layouts)]
    overlap = first_overlap(named)
    if overlap is not None:
        raise ValueError(
            f"variables: expected arrays that share no memory, received {overlap[0]} and "
            f"{overlap[1]}, which overlap. Pass each once, or copies."
        )
