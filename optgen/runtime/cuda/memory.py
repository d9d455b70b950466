"""The memory of a device: arrays of an optimizer's state in it, and copies from and to the host."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numba import cuda

from optgen.runtime.arrays import Array, check_variable
from optgen.runtime.cuda.copies import Copies
from optgen.runtime.cuda.streams import stream_of, stream_pointer
from optgen.runtime.cuda.tables import DeviceTables
from optgen.runtime.description import Mode
from optgen.runtime.device_arrays import device_of, interface_of, kind_of, layout_of


class DeviceMemory:
    """The memory of one device, as a ``Memory``; arrays of the state are Numba's.

    Args:
        variables: device arrays, all on one device.

    Attributes:
        device: its number.
    """

    def __init__(self, variables: Sequence[object]) -> None:
        self._first = variables[0]
        found = device_of(self._first)
        current = cuda.gpus.current
        self.device: int = found if found is not None else (0 if current is None else current.id)
        self._copies = Copies()

    def context(self) -> Any:
        """Return a context manager that makes the device the current one."""
        return cuda.gpus[self.device]

    def stream(self) -> Any:
        """Return the current stream of the variables' library; the device must be current."""
        return stream_of(stream_pointer(self._first, self.device), self.device)

    def check_variable(self, position: int, variable: object) -> Array:
        """Return the layout of a variable that can be updated in place, or raise ValueError."""
        what, interface = f"variable {position}", interface_of(variable)
        if interface is None:
            raise ValueError(
                f"{what}: expected it on device {self.device}, where it was at build, received "
                f"{kind_of(variable)} that has left it. Construct another optimizer."
            )
        return check_variable(position, layout_of(what, variable, interface))

    def check_writable(self, position: int, variable: Any) -> None:
        """Raise ValueError if a variable has become read-only."""
        self.check_variable(position, variable)

    def layout(self, array: object) -> Array | None:
        """Return the layout of a device array; None for anything else."""
        interface = interface_of(array)
        return None if interface is None else layout_of("array", array, interface)

    def filled(self, layout: Array, value: float) -> Any:
        """Return an array like a variable that holds one value."""
        return self.placed(np.full(layout.shape, value, layout.dtype))

    def copied(self, variable: Any) -> Any:
        """Return a copy of a variable, in C order."""
        layout = self.check_variable(0, variable)
        with self.context():
            copy = cuda.device_array(layout.shape, layout.dtype)
            self.copy_all([(copy, variable)])
            cuda.synchronize()
        return copy

    def placed(self, array: Array) -> Any:
        """Return a copy of a host array on the device."""
        with self.context():
            copy = cuda.device_array(array.shape, array.dtype)
            copy.copy_to_device(np.array(array, order="C", subok=False))
            # Steps may be on streams that do not wait for this copy.
            cuda.synchronize()
        return copy

    def copy_all(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Copy the second array of each pair into the first, on the current stream."""
        layouts = [(self._layout(target), self._layout(source)) for target, source in pairs]
        with self.context():
            self._copies.run(layouts, self.stream())

    def _layout(self, array: object) -> Array:
        layout = self.layout(array)
        assert layout is not None
        return layout

    def check_copyable(self, variables: Sequence[Any]) -> None:
        """Raise TypeError for arrays of Numba, which cannot be copied or pickled."""
        for position, variable in enumerate(variables):
            if kind_of(variable).startswith("numba."):
                raise TypeError(
                    f"variable {position}: expected an array whose library can copy and pickle "
                    f"it, received {kind_of(variable)}. Use save(path), and load(path) of an "
                    "optimizer that is built with other arrays."
                )

    def tables(
        self, mode: Mode, layouts: Sequence[Array], streams: Sequence[Sequence[Any]]
    ) -> DeviceTables:
        """Return tables; see ``Memory``."""
        with self.context():
            return DeviceTables(self, mode, layouts, streams)


def to_host(array: Any) -> Array:
    """Return a copy of a device array of an optimizer's state, when all work on it is done."""
    with cuda.gpus[device_of(array) or 0]:
        cuda.synchronize()
        copy: Array = array.copy_to_host()
    return copy


def assign(array: Any, values: Array) -> None:
    """Give a device array of an optimizer's state new values, for all streams to see."""
    if not values.size:
        return
    with cuda.gpus[device_of(array) or 0]:
        cuda.synchronize()
        array.copy_to_device(np.array(values, order="C", subok=False))
        cuda.synchronize()
