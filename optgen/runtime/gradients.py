"""Reading the gradients of one call: checks first, then their addresses into the tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from optgen.runtime.arrays import Array, address_of, check_gradient
from optgen.runtime.device_arrays import interface_of, mixture
from optgen.runtime.kernels import IN_PLACE
from optgen.runtime.plan import Participants, describe

if TYPE_CHECKING:
    from optgen.runtime.host import HostTables
    from optgen.runtime.state import State


@dataclass(frozen=True)
class Gradients:
    """The gradients of one call, checked.

    Attributes:
        addresses: per dtype group, the address for each row; 0 where there is none.
        unusual: position and array of gradients that lie otherwise than their variables' dtype
            in C order, or that this module made and has to keep alive.
        missing: how many variables have none.
        participants: who takes part.
    """

    addresses: list[list[int]]
    unusual: list[tuple[int, Array]]
    missing: int
    participants: Participants


class GradientReader:
    """Checks gradients against the variables of a state and puts their addresses into its tables.

    Args:
        state: the variables, which are NumPy arrays.
        tables: their tables.
    """

    def __init__(self, state: State, tables: HostTables) -> None:
        self._state = state
        self._tables = tables
        self._expected = [
            (group, w.dtype.str, w.shape, w.itemsize, w.nbytes)
            for (group, _), w in zip(self._tables.places, state.layouts, strict=True)
        ]
        self._gathered: set[int] = set()

    def read(self, gradients: Sequence[object]) -> Gradients:
        """Check the gradients of one call; changes nothing.

        Args:
            gradients: one per variable in the order of build, None where there is none.

        Raises:
            ValueError: if all are None; if one has another shape than its variable, an
                unsupported dtype, or memory in common with a variable or slot; if a variable has
                become read-only.
        """
        state = self._state
        may_touch = state.regions.may_touch
        addresses: list[list[int]] = [[] for _ in self._tables.groups]
        unusual: list[tuple[int, Array]] = []
        missing = 0
        for position, gradient in enumerate(gradients):
            group, typestr, shape, itemsize, nbytes = self._expected[position]
            if not state.layouts[position].flags.writeable:
                raise ValueError(f"variable {position} has become read-only; make it writable.")
            if gradient is None:
                missing += 1
                addresses[group].append(0)
                continue
            if type(gradient) is np.ndarray:
                interface = gradient.__array_interface__
                address = interface["data"][0]
                if (
                    interface["strides"] is None
                    and interface["typestr"] == typestr
                    and interface["shape"] == shape
                    and address % itemsize == 0
                    and not may_touch(address, address + nbytes)
                ):
                    addresses[group].append(address)
                    continue
            array = self._check(position, gradient)
            unusual.append((position, array))
            addresses[group].append(address_of(array))
        if not missing:
            return Gradients(addresses, unusual, 0, state.all_present)
        if missing == len(gradients):
            raise ValueError(
                "gradients: expected a gradient for at least one variable, received only None."
            )
        pattern = tuple(gradient is not None for gradient in gradients)
        return Gradients(addresses, unusual, missing, state.participants(pattern))

    def _check(self, position: int, gradient: object) -> Array:
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

    def point_at(self, gradients: Gradients) -> None:
        """Put the addresses of checked gradients into the tables.

        Args:
            gradients: the result of ``read``, which the caller keeps alive during the launches.
        """
        tables = self._tables
        for group, addresses in zip(tables.groups, gradients.addresses, strict=True):
            group.pointers[:, 1] = addresses
        if self._gathered:
            self._forget_layouts()
        for position, array in gradients.unusual:
            group_index, row = tables.places[position]
            group = tables.groups[group_index]
            describe(group.layout[row, 1], array, group.like.dtype)
            self._gathered.add(position)

    def _forget_layouts(self) -> None:
        """Return all gradients' layouts to the usual one, before addresses go out of date."""
        for position in self._gathered:
            group_index, row = self._tables.places[position]
            self._tables.groups[group_index].layout[row, 1, 0] = IN_PLACE
        self._gathered.clear()
