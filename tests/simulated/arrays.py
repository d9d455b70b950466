"""Device arrays in Numba's simulator, whose device memory is host memory."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

HostArray = np.ndarray[Any, Any]


class DeviceArray:
    """What a library's device arrays show of themselves: an interface and a device.

    Args:
        values: where the elements are; strides are kept.
        device: the number of the device.
        needs_gradient: refuse the interface as torch does, but for ``detach()``.
        **interface: entries of the interface to replace.
    """

    def __init__(
        self, values: HostArray, device: int = 0, needs_gradient: bool = False, **interface: Any
    ) -> None:
        self.values = values
        self.device = SimpleNamespace(index=device)
        self.needs_gradient = needs_gradient
        self.replaced = interface

    def detach(self) -> DeviceArray:
        """The same memory, of which the interface is given."""
        return DeviceArray(self.values, self.device.index, **self.replaced)

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.values.shape

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        if self.needs_gradient:
            raise RuntimeError("Can't get __cuda_array_interface__ on Variable that requires grad.")
        found = dict(self.values.__array_interface__, version=3, stream=None)
        if self.values.size == 0:
            found["data"] = (0, False)  # as torch, CuPy and Numba have it
        return {**found, **self.replaced}


def device_arrays(arrays: Sequence[HostArray | None]) -> list[Any]:
    """Arrays of the simulated device with copies of arrays, strides included."""
    return [None if array is None else DeviceArray(strided_copy(array)) for array in arrays]


def strided_copy(array: HostArray) -> HostArray:
    """A copy that lies as the original does: each element as far from the next."""
    if array.flags.c_contiguous or not array.size:
        return array.copy()
    low = sum((n - 1) * min(s, 0) for n, s in zip(array.shape, array.strides, strict=True))
    high = sum((n - 1) * max(s, 0) for n, s in zip(array.shape, array.strides, strict=True))
    memory = np.zeros(high - low + array.itemsize, np.uint8)
    copy = np.ndarray(array.shape, array.dtype, memory.data, -low, array.strides)
    copy[...] = array
    return copy


def as_bytes(arrays: Sequence[Any]) -> list[bytes]:
    """The elements of host or device arrays in C order."""
    return [getattr(array, "values", array).tobytes() for array in arrays]
