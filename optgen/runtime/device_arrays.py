"""Arrays in the memory of a CUDA device: known by what they say of themselves.

Nothing here needs CUDA: this is where host arrays and device arrays are told apart.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from optgen.runtime.arrays import SUPPORTED, Array

Interface = Mapping[str, Any]
"""What ``__cuda_array_interface__`` gives."""

_NOWHERE = 256
"""The address of arrays without elements, which libraries give as 0; NumPy would allocate."""


def interface_of(value: object) -> Interface | None:
    """Return the CUDA array interface of a device array; None for anything else.

    Tensors of torch that require a gradient are taken as they are: an optimizer is what may
    update them in place.
    """
    if isinstance(value, np.ndarray):
        return None
    found: Any
    try:
        found = value.__cuda_array_interface__  # type: ignore[attr-defined]
    except AttributeError:
        # Numba's simulator keeps its device arrays in host memory and does not tell where.
        if not getattr(value, "__cuda_ndarray__", False):
            return None
        found = value._ary.__array_interface__  # type: ignore[attr-defined]
    except RuntimeError:
        found = value.detach().__cuda_array_interface__  # type: ignore[attr-defined]
    interface: Interface = found
    return interface


def kind_of(value: object) -> str:
    """Return the type of a value with its module, for messages."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


class _Described:
    def __init__(self, interface: Interface) -> None:
        self.__array_interface__ = interface


def layout_of(what: str, value: object, interface: Interface) -> Array:
    """Return a NumPy array that lies as a device array does: for addresses, never for elements.

    Args:
        what: argument and index, for messages.
        value: the device array.
        interface: its interface.

    Raises:
        ValueError: if its dtype is not float32 or float64, it is masked or not aligned.
    """
    if interface.get("mask") is not None:
        raise ValueError(f"{what}: expected no mask, received a masked array. Fill it first.")
    address, read_only = interface["data"]
    strides = interface.get("strides")
    described = {
        "version": 3,
        "shape": tuple(interface["shape"]),
        "typestr": interface["typestr"],
        "strides": None if strides is None else tuple(strides),
        "data": (address or _NOWHERE, read_only),
    }
    layout = np.asarray(_Described(described))
    if layout.dtype not in SUPPORTED:
        dtype = getattr(value, "dtype", layout.dtype)
        raise ValueError(
            f"{what}: expected dtype float32 or float64 in native byte order, received {dtype}."
        )
    if not layout.flags.aligned:
        raise ValueError(
            f"{what}: expected an address that is a multiple of {layout.itemsize}, received "
            f"{address}. Pass a copy."
        )
    return layout


def device_of(value: object) -> int | None:
    """Return the number of the device that holds an array, as far as its library tells."""
    memory = getattr(value, "gpu_data", None)  # Numba's device arrays
    holders = getattr(value, "device", None), getattr(memory, "context", None)
    for holder in (holders[0], getattr(holders[1], "device", None)):
        for name in ("index", "id"):  # torch says index; CuPy, JAX and Numba say id
            number = getattr(holder, name, None)
            if isinstance(number, int):
                return number
    return None


def are_on_device(variables: Sequence[object]) -> bool:
    """Say whether variables are device arrays.

    Raises:
        ValueError: if some are and some are not, or they are on several devices.
    """
    places = [interface_of(variable) is not None for variable in variables]
    if not any(places):
        return False
    device = device_of(variables[0])
    for position, variable in enumerate(variables):
        if places[position] is not places[0]:
            raise mixture(f"variable {position}", variable, "variable 0", variables[0])
        other = device_of(variable)
        if other is not None and device is not None and other != device:
            raise ValueError(
                f"variable {position}: expected an array on device {device}, where variable 0 is, "
                f"received one on device {other}. Use an optimizer for each device."
            )
    return True


def mixture(what: str, value: object, other: str, expected: object) -> ValueError:
    """Return the error for a host array where device arrays are expected, or the reverse.

    Args:
        what: argument and index.
        value: what was given.
        other: what it was to go with.
        expected: that array.
    """
    wanted, received = (
        "a device array" if interface_of(one) is not None else "a host array"
        for one in (expected, value)
    )
    if received == "a host array" and not isinstance(value, np.ndarray):
        received = "a value"
    return ValueError(
        f"{what}: expected {wanted}, as {other} is ({kind_of(expected)}), received {received} "
        f"({kind_of(value)}). All arrays of an optimizer live in host memory or on one device; "
        "copy the one or the other."
    )


def to_host(array: Any) -> Array:
    """Return a copy, as a NumPy array, of an array of an optimizer's state."""
    if isinstance(array, np.ndarray):
        return np.array(array, subok=False)
    return _memory().to_host(array)  # type: ignore[no-any-return]


def on_host(array: Any) -> Array:
    """Return an array of an optimizer's state as a NumPy array, without a copy if it is one."""
    return array if isinstance(array, np.ndarray) else to_host(array)


def assign(array: Any, values: Array) -> None:
    """Give an array of an optimizer's state new values, which have its shape and dtype."""
    if isinstance(array, np.ndarray):
        array[...] = values
    else:
        _memory().assign(array, values)


def _memory() -> Any:
    return importlib.import_module(f"{__package__}.cuda.memory")
