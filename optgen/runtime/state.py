"""Everything that an optimizer holds for the variables it was built with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optgen.runtime.arrays import Array, check_variable, memory_key
from optgen.runtime.description import Mode, Slot
from optgen.runtime.launch import PARALLEL_FROM
from optgen.runtime.overlap import MemoryMap, first_overlap
from optgen.runtime.plan import Group, Selection, make_group
from optgen.runtime.values import Tensor


@dataclass(frozen=True)
class Participants:
    """Which variables have a gradient in a call, per dtype group.

    Attributes:
        present: those with a gradient.
        absent: those without.
    """

    present: tuple[Selection, ...]
    absent: tuple[Selection, ...]

    @cached_property
    def large(self) -> tuple[bool, ...]:
        """Whether each selection, present ones first, is large enough for several threads."""
        return tuple(s.elements >= PARALLEL_FROM for s in (*self.present, *self.absent))


class State:
    """Variables, slots, averages, accumulators and the tables over them.

    Args:
        variables: what the optimizer was given to build with.
        mode: which slots to make and which columns the tables have.
        slots: descriptions of all slots of the optimizer, starting as numbers or as ``"w"``.
        averages: whether every variable has a moving average.
        accumulators: whether every variable has a gradient accumulator.
        names: the variables' names, None for one that has none.

    Attributes:
        variables: the arrays themselves, in the order of build.
        names: their names, None for one that has none.
        excluded: whether each is left out of what may differ between variables.
        slots: element and per-variable slots in declaration order, one array per variable.
        step_slots: float64 arrays of rank 0.
        added_slots: slots that the user added: by name, an array for the position of a variable.
        averages: arrays like the variables, copies of them at first; empty if off.
        accumulators: arrays like the variables, zero at first; empty if off.
        groups: the tables, one per dtype.
        places: group index and row of each variable.
        memory: where all of it lies, to refuse gradients that overlap it.
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
        self.variables = [check_variable(i, variable) for i, variable in enumerate(variables)]
        self.names = tuple(names)
        self.excluded = (False,) * len(variables)
        named = [(f"variable {i}", variable) for i, variable in enumerate(self.variables)]
        _refuse_overlap(named)
        self.averages: list[Array] = [_copied(w) for w in self.variables if averages]
        self.accumulators: list[Array] = [_filled(w, 0.0) for w in self.variables if accumulators]
        self.slots: dict[str, list[Array]] = {
            slot.name: [_element_slot(slot, w) for w in self.variables]
            for slot in slots
            if slot.name in mode.element_slots
        }
        self.step_slots = {
            slot.name: np.array(slot.initial, np.float64).view(Tensor)
            for slot in slots
            if slot.name in mode.step_slots
        }
        self._make_groups(mode)
        self._add_variable_slots(mode, slots)
        self.slots = {slot.name: self.slots[slot.name] for slot in slots if slot.name in self.slots}
        self._optional = {slot.name for slot in slots if slot.optional}
        self._slot_names = [s.name for s in slots if s.name in {**self.slots, **self.step_slots}]
        self.added_slots: dict[str, dict[int, Array]] = {}
        self.memory = MemoryMap([*named, *self._named_state()])
        self._position_by_id = {id(w): i for i, w in enumerate(self.variables)}
        self._positions_by_key: dict[object, list[int]] = {}
        for position, variable in enumerate(self.variables):
            self._positions_by_key.setdefault(memory_key(variable), []).append(position)
        everything = tuple(group.everything for group in self.groups)
        nothing = tuple(group.select(lambda position: False) for group in self.groups)
        self.all_present = Participants(everything, nothing)
        self.rehearsed: set[object] = set()
        self._last_pattern: tuple[bool, ...] = ()
        self._last_participants = self.all_present

    def _make_groups(self, mode: Mode) -> None:
        reductions = max((phase.reductions for phase in mode.phases), default=0)
        self.groups: list[Group] = []
        self.places: list[tuple[int, int]] = [(0, 0)] * len(self.variables)
        for dtype in dict.fromkeys(w.dtype for w in self.variables):
            positions = [i for i, w in enumerate(self.variables) if w.dtype == dtype]
            for row, position in enumerate(positions):
                self.places[position] = len(self.groups), row
            group = make_group(
                positions,
                [self.variables[i] for i in positions],
                [self._streams(mode, i) for i in positions],
                len(mode.columns),
                reductions,
            )
            self.groups.append(group)

    def _streams(self, mode: Mode, position: int) -> list[Array | None]:
        return [
            self.averages[position] if self.averages else None,
            self.accumulators[position] if self.accumulators else None,
            *(self.slots[name][position] for name in mode.element_slots),
        ]

    def _add_variable_slots(self, mode: Mode, slots: Sequence[Slot]) -> None:
        """Make each per-variable slot a column of the groups' tables."""
        for slot in slots:
            if slot.name in mode.variable_slots:
                column = mode.columns.index(slot.name)
                self.slots[slot.name] = [
                    self.groups[group].tensor[row, column, ...].view(Tensor)
                    for group, row in self.places
                ]
                for view in self.slots[slot.name]:
                    view[...] = slot.initial
        for name, numbers in (
            ("size", [float(w.size) for w in self.variables]),
            ("rank", [float(w.ndim) for w in self.variables]),
        ):
            if name in mode.columns:
                self.fill_column(mode.columns.index(name), numbers)

    def _named_state(self) -> Iterator[tuple[str, Array]]:
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
        for (group, row), value in zip(self.places, values, strict=True):
            self.groups[group].tensor[row, column] = value

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
        known: list[int] = []
        if isinstance(variable, np.ndarray):
            known = self._positions_by_key.get(memory_key(variable), [])
        if not known:
            received = (
                f"an array of shape {variable.shape} and dtype {variable.dtype.name}"
                if isinstance(variable, np.ndarray)
                else f"{type(variable).__module__}.{type(variable).__qualname__}"
            )
            raise ValueError(
                f"variable {index} of this call is unknown: expected one of the "
                f"{len(self.variables)} variables that the optimizer was built with, received "
                f"{received}. Construct another optimizer for other variables."
            )
        # Empty arrays may lie at one address: take one that is still free.
        return next((position for position in known if position not in seen), known[0])

    def participants(self, pattern: tuple[bool, ...]) -> Participants:
        """Return who takes part for a pattern of present gradients; remembers the last pattern."""
        if pattern != self._last_pattern:
            self._last_participants = Participants(
                tuple(group.select(lambda i: pattern[i]) for group in self.groups),
                tuple(group.select(lambda i: not pattern[i]) for group in self.groups),
            )
            self._last_pattern = pattern
        return self._last_participants


def _element_slot(slot: Slot, variable: Array) -> Array:
    return _copied(variable) if isinstance(slot.initial, str) else _filled(variable, slot.initial)


def _copied(variable: Array) -> Tensor:
    return np.array(variable, order="C", subok=False).view(Tensor)


def _filled(variable: Array, value: float) -> Tensor:
    return np.full(variable.shape, value, variable.dtype).view(Tensor)


def _refuse_overlap(variables: Sequence[tuple[str, Array]]) -> None:
    overlap = first_overlap(variables)
    if overlap is not None:
        raise ValueError(
            f"variables: expected arrays that share no memory, received {overlap[0]} and "
            f"{overlap[1]}, which overlap. Pass each once, or copies."
        )
