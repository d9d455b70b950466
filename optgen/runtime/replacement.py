"""New values for the arrays of an optimizer's state: all are taken, or none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from optgen.runtime.arrays import Array
from optgen.runtime.calls import as_list
from optgen.runtime.device_arrays import assign, to_host
from optgen.runtime.stateful import OWN_CHECKS, Checks


def check_all(what: str, arrays: Iterable[Array], checks: Checks) -> None:
    """Raise ValueError if one of the first arrays is not what its check expects.

    Args:
        what: what the arrays are, for messages.
        arrays: at least as many as there are checks.
        checks: functions that raise ValueError.
    """
    for index, (check, array) in enumerate(zip(checks, arrays, strict=False)):
        check(f"{what}[{index}]", array)


def store_all(store: MutableMapping[str, Array], arrays: Sequence[Array], checks: Checks) -> None:
    """Put copies of arrays into a store under the keys ``"0"``, ``"1"``, ...

    Nothing that ``load_all`` would refuse, because someone wrote it into an array, is stored.
    """
    check_all("variables", arrays, checks)
    for index, array in enumerate(arrays):
        store[str(index)] = to_host(array)


def load_all(
    store: Mapping[str, ArrayLike],
    targets: Sequence[Array],
    built: bool,
    checks: Checks,
) -> None:
    """Copy what ``store_all`` stored into arrays, all or none; see ``replace_all``."""
    if not isinstance(store, Mapping):
        raise ValueError(f"store: expected a dictionary, received {type(store).__name__}.")
    keys = [str(index) for index in range(len(targets))]
    if set(store.keys()) != set(keys):
        raise ValueError(
            f"store: expected the keys '0' to '{keys[-1]}', received {len(store)} keys: "
            f"{', '.join(sorted(map(repr, store.keys()))[:8])}. The optimizer that saved it "
            "had other arguments or variables, or one of the two is not built."
        )
    replace_all("store", targets, [store[key] for key in keys], built, checks)


def replace_all(
    what: str,
    targets: Sequence[Array],
    values: Sequence[ArrayLike],
    built: bool,
    checks: Checks = OWN_CHECKS,
) -> None:
    """Copy values into arrays of state, all or none.

    Args:
        what: what the values are, for messages.
        targets: the arrays.
        values: one for each.
        built: whether the optimizer is built, for a hint.
        checks: functions that raise ValueError, one for each of the first arrays.

    Raises:
        ValueError: if there are more or fewer values, or one is refused.
    """
    values = as_list(what, values)
    if len(values) != len(targets):
        hint = "" if built else " The optimizer is not built; call build(variables) first."
        raise ValueError(f"{what}: expected {len(targets)} arrays, received {len(values)}.{hint}")
    converted = [
        converted_for(f"{what}[{index}]", target, value)
        for index, (target, value) in enumerate(zip(targets, values, strict=True))
    ]
    check_all(what, converted, checks)
    for target, array in zip(targets, converted, strict=True):
        assign(target, array)


def converted_for(what: str, target: Array, value: ArrayLike) -> Array:
    """Return new values for an array of state, in its dtype.

    Args:
        what: what the values are, for messages.
        target: the array.
        value: what was given.

    Raises:
        ValueError: if the shape differs, or the values are no numbers that the dtype holds.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError(f"{what}: expected no mask; fill a masked array with filled().")
    array = np.asarray(value)
    if array.shape != target.shape:
        raise ValueError(f"{what}: expected the shape {target.shape}, received {array.shape}.")
    if not np.can_cast(array.dtype, target.dtype, "same_kind") or array.dtype == np.bool_:
        raise ValueError(f"{what}: expected {target.dtype.name}, received {array.dtype.name}.")
    with np.errstate(over="ignore"):
        converted = np.array(array, target.dtype)
    if np.any(np.isinf(converted) & ~np.isinf(array)):
        raise ValueError(f"{what}: expected numbers within {target.dtype.name}, received larger.")
    return converted
