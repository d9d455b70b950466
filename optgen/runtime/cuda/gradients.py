"""Reading the gradients of one call on a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from optgen.runtime.arrays import Array, address_of, check_gradient
from optgen.runtime.device_arrays import (
    Interface,
    device_of,
    interface_of,
    layout_of,
    mixture,
)
from optgen.runtime.gradients import Gradients, Located

if TYPE_CHECKING:
    from optgen.runtime.cuda.tables import DeviceTables
    from optgen.runtime.state import State


class DeviceGradientReader:
    """Checks gradients against the variables of a state and puts their addresses into its tables.

    Args:
        state: the variables, which are device arrays.
        tables: their tables.
    """

    def __init__(self, state: State, tables: DeviceTables) -> None:
        self._state = state
        self._tables = tables
        self._expected = [(w.dtype.str, w.shape, w.itemsize, w.nbytes) for w in state.layouts]
        self._places = [_place(variable) for variable in state.variables]

    def read(self, gradients: Sequence[Any]) -> Gradients:
        """Check the gradients of one call; changes no array that anyone can see.

        Args:
            gradients: one per variable in the order of build, None where there is none.

        Raises:
            ValueError: if all are None; if one is a host array or on another device, has another
                shape than its variable, an unsupported dtype, or memory in common with a variable
                or slot; if a variable cannot be updated any more.
        """
        state = self._state
        self._follow_variables()
        may_touch = state.regions.may_touch
        located: list[Located] = []
        missing: list[int] = []
        for position, gradient in enumerate(gradients):
            if gradient is None:
                missing.append(position)
                continue
            interface = self._interface(position, gradient)
            typestr, shape, itemsize, nbytes = self._expected[position]
            address = interface["data"][0]
            if (
                interface.get("strides") is None
                and interface.get("mask") is None
                and interface["typestr"] == typestr
                and interface["shape"] == shape
                and address % itemsize == 0
                and not may_touch(address, address + nbytes)
            ):
                located.append((position, address, None))
                continue
            layout = self._check(position, gradient, interface)
            is_usual = layout.dtype.str == typestr and layout.flags.c_contiguous
            located.append((position, address_of(layout), None if is_usual else layout))
        if len(missing) == len(gradients):
            raise ValueError(
                "gradients: expected a gradient for at least one variable, received only None."
            )
        pattern = tuple(gradient is not None for gradient in gradients)
        participants = state.participants(pattern) if missing else state.all_present
        return Gradients(participants, missing, gradients, False, located)

    def read_pairs(self, pairs: Sequence[Any]) -> Gradients | None:
        """Return None: pairs of device arrays have to be taken apart."""
        return None

    def _interface(self, position: int, gradient: object) -> Interface:
        what, variable = f"gradient of variable {position}", self._state.variables[position]
        interface = interface_of(gradient)
        if interface is None:
            raise mixture(what, gradient, "its variable", variable)
        device = device_of(gradient)
        if device is not None and device != self._tables.device:
            raise ValueError(
                f"{what}: expected an array on device {self._tables.device}, where its variable "
                f"is, received one on device {device}. Copy it to the other."
            )
        return interface

    def _check(self, position: int, gradient: object, interface: Interface) -> Array:
        what = f"gradient of variable {position}"
        layout = layout_of(what, gradient, interface)
        layout = check_gradient(position, layout, self._state.layouts[position])
        name = self._state.regions.name_of_overlap(layout)
        if name is not None:
            raise ValueError(
                f"{what}: expected memory of its own, received an array that overlaps {name}, "
                "which the step changes. Pass a copy."
            )
        return layout

    def _follow_variables(self) -> None:
        """Take notice of variables whose memory was replaced, as ``parameter.data = ...`` does."""
        state = self._state
        places = [_place(variable) for variable in state.variables]
        if places == self._places:
            return
        layouts = [state.memory.check_variable(i, w) for i, w in enumerate(state.variables)]
        for position, (layout, (dtype, shape, *_)) in enumerate(
            zip(layouts, self._expected, strict=True)
        ):
            if (layout.dtype.str, layout.shape) != (dtype, shape):
                raise ValueError(
                    f"variable {position}: expected shape {shape} and dtype {dtype}, as at build, "
                    f"received {layout.shape} and {layout.dtype.str}. Construct another optimizer."
                )
        state.relocate(layouts)
        self._places = places

    def point_at(self, gradients: Gradients) -> None:
        """Put the addresses of checked gradients into the tables.

        Args:
            gradients: the result of ``read``, which the caller keeps alive during the launches.
        """
        addresses = [0] * len(gradients.given)
        unusual = []
        for position, address, layout in gradients.located:
            addresses[position] = address
            if layout is not None:
                unusual.append((position, layout))
        self._tables.point_at(self._state.layouts, addresses, unusual)

    def look_again(self) -> None:
        """Nothing: what a library's arrays refer to is not moved."""

    def find_variables(self) -> None:
        """Take notice of where variables are, and gather those that are not in C order."""
        self._follow_variables()
        self._tables.point_at(self._state.layouts, [0] * len(self._expected), [])


def _place(variable: object) -> tuple[object, ...]:
    """Return what changes when a variable lies elsewhere or otherwise."""
    interface = interface_of(variable) or {}
    return tuple(interface.get(name) for name in ("data", "shape", "strides", "typestr"))
