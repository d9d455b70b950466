"""Arrays of the checks: drawing them, laying them out in memory, comparing them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from optgen.runtime import Optimizer

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


def drawn(shape: Shape, dtype: str, *seed: int) -> Array:
    """Normally distributed numbers; the same seed gives the same ones."""
    return np.asarray(np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


def state_arrays(optimizer: Optimizer, variables: Sequence[Array]) -> dict[str, Array]:
    """All that a step changes, by name: the variables, and the optimizer's live state.

    Args:
        optimizer: the optimizer; built, unless there is no state to be seen yet.
        variables: its variables.

    Returns:
        ``variable/0``, ``average/0``, ``accumulator/0`` and ``<slot>/0`` for each variable, and
        ``<slot>`` for a slot of the optimizer as a whole.
    """
    found = {f"variable/{i}": array for i, array in enumerate(variables)}
    state = optimizer._state
    if state is None:
        return found
    lists = {"average": state.averages, "accumulator": state.accumulators, **state.slots}
    for name, arrays in lists.items():
        found |= {f"{name}/{i}": array for i, array in enumerate(arrays)}
    return {**found, **state.step_slots}


def copies_of(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Copies that later steps leave alone."""
    return {name: np.array(array, subok=False) for name, array in arrays.items()}


# Comparing -------------------------------------------------------------------------------


def units_apart(actual: Array, expected: Array) -> Array:
    """How many units in the last place values differ: 0 for equal ones and two NaN.

    Infinite where only one is finite, or only one is NaN.
    """
    with np.errstate(all="ignore"):
        larger = np.maximum(np.abs(actual), np.abs(expected)).astype(actual.dtype)
        apart = np.abs(actual - expected) / np.spacing(larger)
    same = (actual == expected) | (np.isnan(actual) & np.isnan(expected))
    found: Array = np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))
    return found


def assert_near(
    actual: Mapping[str, Array],
    expected: Mapping[str, Array],
    ulps: float = 0,
    tolerances: Mapping[str, Array] | None = None,
    when: str = "",
) -> float:
    """Compare arrays by name; two NaN count as equal, and so do the two zeros.

    Args:
        actual: what was computed.
        expected: what it should be, by the same names.
        ulps: how many units in the last place a value may differ.
        tolerances: how far a value may be off besides; by name, shaped like the values.
        when: what the values belong to, for the message.

    Returns:
        The largest difference, in units in the last place of its array's largest value.

    Raises:
        AssertionError: naming the first array that differs, its worst element, and both values.
    """
    assert actual.keys() == expected.keys(), (
        f"{when}: expected {sorted(expected)}, received {sorted(actual)}"
    )
    worst = 0.0
    for name, value in actual.items():
        value, wanted = np.asarray(value), np.asarray(expected[name])
        assert value.dtype == wanted.dtype, (
            f"{_place(when, name)}: expected dtype {wanted.dtype}, received {value.dtype}"
        )
        assert value.shape == wanted.shape, (
            f"{_place(when, name)}: expected shape {wanted.shape}, received {value.shape}"
        )
        if not value.size or np.array_equal(value, wanted, equal_nan=True):
            continue
        apart = units_apart(value, wanted)
        worst = max(worst, _relative_to_largest(value, wanted))
        excess = apart - ulps
        if tolerances is not None:
            near = np.abs(value - wanted) <= tolerances[name]
            excess = np.where(near, 0.0, excess)
        if (excess > 0).any():
            index = tuple(int(i) for i in np.unravel_index(int(excess.argmax()), value.shape))
            place = f"{_place(when, name)}{list(index) or ''}"
            raise AssertionError(
                f"{place}: expected {_text(wanted[index])}, received {_text(value[index])}, "
                f"{_units(float(apart[index]))}"
            )
    return worst


def _relative_to_largest(actual: Array, expected: Array) -> float:
    """The largest difference, in units in the last place of the largest value."""
    finite = np.isfinite(actual) & np.isfinite(expected)
    if not finite.any():
        return 0.0
    largest = np.max(np.abs(expected[finite]))
    return float(np.max(np.abs(actual[finite] - expected[finite])) / np.spacing(largest))


def assert_same_bytes(
    actual: Mapping[str, Array], expected: Mapping[str, Array], when: str
) -> None:
    """Compare arrays by name, to the byte except for what kind of NaN a NaN is."""
    assert_near(actual, expected, when=when)
    for name, value in actual.items():
        signs = np.signbit(value) == np.signbit(expected[name])
        zeros = np.asarray(value) == 0
        assert np.all(signs | ~zeros), f"{_place(when, name)}: a zero has another sign"


def _place(when: str, name: str) -> str:
    return f"{when}: {name}" if when else name


def _text(value: Any) -> str:
    """A number so that it reads back as itself."""
    return repr(value.item()) if value.dtype == np.float64 else f"{value.dtype}({value})"


def _units(apart: float) -> str:
    if not math.isfinite(apart):
        return "which is not finite as expected"
    unit = "unit" if apart == 1 else "units"
    return f"{apart:.3g} {unit} in the last place apart"


# Layouts ---------------------------------------------------------------------------------


def misaligned(array: Array) -> Array:
    """The same numbers, starting at an odd address."""
    packed = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    packed[...] = array
    return packed


def every_second(array: Array) -> Array:
    """The same numbers with NaN between them."""
    wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), math.nan, array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def read_only(array: Array) -> Array:
    """The same numbers, which nobody may write."""
    copied = array.copy()
    copied.setflags(write=False)
    return copied


LAYOUTS: dict[str, Callable[[Array], Array]] = {
    "Fortran order": lambda a: np.array(a, order="F"),
    "every second element": every_second,
    "reversed axes": lambda a: np.flip(np.flip(a).copy()),
    "axes in another order": lambda a: np.moveaxis(np.moveaxis(a, 1, -1).copy(), -1, 1),
    "an odd address": misaligned,
}
"""Ways in which the same numbers may lie in memory, for arrays of two axes or more."""
