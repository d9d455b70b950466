"""Reading the gradients of one call: checks first, then their addresses into the tables."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from optgen.runtime import objects
from optgen.runtime.arrays import (
    Array,
    Table,
    address_of,
    check_gradient,
    check_writable,
    memory_key,
)
from optgen.runtime.calls import as_arrays
from optgen.runtime.compiled_checks import (
    ARRAY,
    GIVEN,
    LENGTHS,
    MISSING,
    NONE,
    NOT_THESE_PAIRS,
    PAIR,
    UNUSUAL,
    check_gradients,
)
from optgen.runtime.device_arrays import interface_of, mixture
from optgen.runtime.kernels import IN_PLACE, KIND
from optgen.runtime.plan import Participants, describe

if TYPE_CHECKING:
    from optgen.runtime.host import HostTables
    from optgen.runtime.state import State

Located = tuple[int, int, Array | None]
"""A gradient's position and address; and an array that lies otherwise than its variable's dtype in
C order or that a reader made and has to keep alive, None for any other."""


class Gradients(NamedTuple):
    """The gradients of one call, checked.

    Attributes:
        participants: who takes part.
        missing: the positions of variables that have none.
        given: the list that was checked.
        paired: whether it is one of pairs.
        located: those whose addresses are not in the tables already.
    """

    participants: Participants
    missing: Sequence[int]
    given: Sequence[Any]
    paired: bool
    located: Sequence[Located]


class GradientReader:
    """Checks gradients against the variables of a state and puts their addresses into its tables.

    Compiled code checks all of them at once. Python looks again at those that are not arrays of
    their variable's dtype in C order; and at all of them where ``objects`` says that compiled code
    does not know its way.

    Args:
        state: the variables, which are NumPy arrays.
        tables: their tables.
    """

    def __init__(self, state: State, tables: HostTables) -> None:
        self._state = state
        self._tables = tables
        self._keys = [memory_key(layout) for layout in state.layouts]
        self._typestrs = [layout.dtype.str for layout in state.layouts]
        self._compiled = objects.are_as_expected()
        rows = np.cumsum([0, *(len(group.positions) for group in tables.groups)])
        self._addresses = np.zeros(len(state.layouts), np.int64)
        self._columns = [
            (group.pointers[:, 1], self._addresses[start : start + len(group.positions)])
            for start, group in zip(rows[:-1], tables.groups, strict=True)
        ]
        targets = [rows[group] + row for group, row in tables.places]
        self._expected = _expected_table(state.layouts, address_of(self._addresses), targets)
        self._regions = np.array([state.regions.starts, state.regions.ends], np.int64)
        self._found = np.zeros(len(state.layouts), np.uint8)
        self._given: tuple[object, ...] = ()
        self._latest: Gradients | None = None
        self._checks = 0
        self._gathered: set[int] = set()

    def read(self, gradients: Sequence[Any]) -> Gradients:
        """Check the gradients of one call; changes nothing that anyone can see.

        Args:
            gradients: a list with one per variable in the order of build, None where there is none.

        Raises:
            ValueError: if all are None; if one has another shape than its variable, an
                unsupported dtype, or memory in common with a variable or slot; if a variable has
                become read-only, or does not lie in memory as it did at build.
        """
        return self._result(gradients, False, self._check(gradients, False))

    def read_pairs(self, pairs: Sequence[Any]) -> Gradients | None:
        """Check pairs of gradient and variable as ``read`` does, without taking them apart.

        Args:
            pairs: a list of what a caller gives as pairs, whatever it is.

        Returns:
            None if the list is anything but a tuple for each variable in the order of build.

        Raises:
            ValueError: as ``read`` does.
        """
        if not self._compiled or len(pairs) != self._found.size:
            return None
        others = self._check(pairs, True)
        if others == NOT_THESE_PAIRS:
            if not self._recognizes(pairs):
                return None
            others = self._check(pairs, True)
        return self._result(pairs, True, others)

    def point_at(self, gradients: Gradients) -> None:
        """Put the addresses of checked gradients into the tables.

        Args:
            gradients: the result of ``read``, which the caller keeps alive during the launches.

        Raises:
            ValueError: if a callable argument has changed an array among them.
        """
        if gradients is not self._latest:
            gradients = self._checked_again(gradients)
        tables = self._tables
        for column, addresses in self._columns:
            column[...] = addresses
        if self._gathered:
            self._forget_layouts()
        for position, address, array in gradients.located:
            group_index, row = tables.places[position]
            group = tables.groups[group_index]
            group.pointers[row, 1] = address
            if array is not None:
                describe(group.layout[row, 1], array, group.like.dtype)
                self._gathered.add(position)

    def look_again(self) -> None:
        """Have gradients checked again: a user's code has run since, and may change arrays."""
        self._latest = None

    def find_variables(self) -> None:
        """Raise ValueError if a variable is read-only, or does not lie as it did at build."""
        for position in range(len(self._keys)):
            self._check_variable(position)

    def _check(self, given: Sequence[Any], paired: bool) -> int:
        """Let compiled code note the addresses of what it knows; return how many are left."""
        self._latest = None
        self._checks += 1
        if self._compiled:
            others: int = check_gradients(
                id(given), paired, self._expected, self._regions, self._found
            )
            return others
        self._found.fill(UNUSUAL)
        return self._found.size

    def _checked_again(self, gradients: Gradients) -> Gradients:
        """Check gradients once more after another call, which a user's code has begun.

        What has to be made for the tables is made anew, and is kept alive as the latest.
        """
        try:
            read = self.read_pairs if gradients.paired else self.read
            again = read(gradients.given)
        except ValueError as error:
            raise _changed(str(error)) from None
        if again is None or again is not self._latest or [*again.missing] != [*gradients.missing]:
            raise _changed("others are None now, or a gradient has begun another call")
        return again

    def _result(self, given: Sequence[Any], paired: bool, others: int) -> Gradients:
        checks = self._checks
        if others:
            result = self._with_others(given, paired)
        else:
            result = Gradients(self._state.all_present, (), given, paired, ())
        # Another call, which a strange object begins when it is asked, notes other addresses.
        self._latest = result if self._checks == checks else None
        return result

    def _with_others(self, given: Sequence[Any], paired: bool) -> Gradients:
        """Look at what compiled code has left."""
        # A copy, because what is asked of a strange object may begin another call.
        found = self._found.copy()
        located: list[Located] = []
        for position in np.flatnonzero(found == UNUSUAL).tolist():
            gradient = given[position][0] if paired else given[position]
            self._check_variable(position)
            if gradient is None:
                found[position] = MISSING
            else:
                located.append(self._locate(position, gradient))
        present = found != MISSING
        missing = np.flatnonzero(~present).tolist()
        if len(missing) == found.size:
            raise ValueError(
                "gradients: expected a gradient for at least one variable, received only None."
            )
        state = self._state
        everybody = state.participants(tuple(present.tolist())) if missing else state.all_present
        return Gradients(everybody, missing, given, paired, located)

    def _recognizes(self, pairs: Sequence[Any]) -> bool:
        """Take notice of Variables that stand for the variables, if each has its place."""
        if not all(type(pair) is tuple and len(pair) == 2 for pair in pairs):
            return False
        given = tuple([variable for _, variable in pairs])
        if not all(map(operator.is_, as_arrays(given), self._state.variables)):
            return False
        # Kept alive, so that nothing else can have its identity.
        self._given = given
        self._expected[1:, GIVEN] = [id(variable) for variable in given]
        return True

    def _check_variable(self, position: int) -> None:
        layout, key = self._state.layouts[position], self._keys[position]
        check_writable(position, layout)
        if memory_key(layout) != key:
            _, shape, strides, dtype = key
            raise ValueError(
                f"variable {position} was resized, or changed in place in another way: expected it "
                f"where it was at build, with shape {shape}, strides {strides} and dtype {dtype}, "
                f"received shape {layout.shape}, strides {layout.strides} and dtype "
                f"{layout.dtype}, maybe elsewhere. Construct another optimizer."
            )

    def _locate(self, position: int, gradient: object) -> Located:
        """Return where a gradient lies; ValueError if it is refused."""
        state = self._state
        if type(gradient) is np.ndarray:
            interface, layout = gradient.__array_interface__, state.layouts[position]
            address = interface["data"][0]
            if (
                interface["strides"] is None
                and interface["typestr"] == self._typestrs[position]
                and interface["shape"] == layout.shape
                and address % layout.itemsize == 0
                and not state.regions.may_touch(address, address + layout.nbytes)
            ):
                return position, address, None
        array = self._checked(position, gradient)
        return position, address_of(array), array

    def _checked(self, position: int, gradient: object) -> Array:
        if interface_of(gradient) is not None:
            what, variable = f"gradient of variable {position}", self._state.variables[position]
            raise mixture(what, gradient, "its variable", variable)
        array = check_gradient(position, gradient, self._state.layouts[position])
        name = self._state.regions.name_of_overlap(array)
        if name is not None:
            raise ValueError(
                f"gradient of variable {position}: expected memory of its own, received an array "
                f"that overlaps {name}, which the step changes. Pass a copy."
            )
        return array

    def _forget_layouts(self) -> None:
        """Return all gradients' layouts to the usual one, before addresses go out of date."""
        for position in self._gathered:
            group_index, row = self._tables.places[position]
            self._tables.groups[group_index].layout[row, 1, KIND] = IN_PLACE
        self._gathered.clear()


def _changed(reason: str) -> ValueError:
    """Return the error for gradients that are not what they were when a call began."""
    return ValueError(
        "gradients: expected arrays that stay as they are during a call, received one that a "
        f"callable argument changed ({reason.rstrip('.')})."
    )


def _expected_table(layouts: Sequence[Array], addresses: int, targets: Sequence[int]) -> Table:
    """Return the table of what is expected; see ``compiled_checks.py``.

    Args:
        layouts: the variables.
        addresses: address of int64[variables], where gradients' addresses are to be noted.
        targets: the index in there for each variable.
    """
    most = max(layout.ndim for layout in layouts)
    table = np.zeros((1 + len(layouts), LENGTHS + 2 * most), np.int64)
    table[0, [ARRAY, PAIR, NONE]] = id(np.ndarray), id(tuple), id(None)
    for position, layout in enumerate(layouts):
        usual = np.dtype(layout.dtype.type)
        table[1 + position, :LENGTHS] = (
            id(layout),
            id(layout),
            address_of(layout),
            id(layout.dtype),
            id(usual),
            layout.itemsize,
            layout.nbytes,
            addresses + np.dtype(np.int64).itemsize * targets[position],
            layout.ndim,
        )
        table[1 + position, LENGTHS : LENGTHS + layout.ndim] = layout.shape
        table[1 + position, LENGTHS + most : LENGTHS + most + layout.ndim] = layout.strides
    return table
