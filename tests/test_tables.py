"""Tables in compiled code: each is where its description says, and nothing else is there."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from optgen.runtime import tables as module
from optgen.runtime.tables import Description, tables_at

NAMES = tuple(module._TABLES)


def drawn(name: str) -> np.ndarray[Any, np.dtype[Any]]:
    """A table of a name, with axes of different lengths and no two equal elements."""
    dtype, axes = module._TABLES[name]
    shape = (3, 4, 5)[:axes]
    return np.arange(NAMES.index(name), NAMES.index(name) + np.prod(shape)).reshape(shape) + dtype()


def reader(name: str) -> Any:
    """A compiled function that copies a table, and says how it lies in memory."""

    @njit
    def read(address: int) -> Any:
        table = getattr(tables_at(address), name)
        return table.copy(), table.strides

    return read


@pytest.mark.parametrize("name", NAMES)
def test_a_table_is_where_its_description_says(name: str) -> None:
    arrays = {each: drawn(each) for each in NAMES}
    description = Description(arrays)
    copy, strides = reader(name)(description.address)
    assert copy.dtype == arrays[name].dtype
    assert np.array_equal(copy, arrays[name])
    assert strides == arrays[name].strides
    without = Description({each: array for each, array in arrays.items() if each != name})
    empty, _ = reader(name)(without.address)
    assert empty.size == 0


def test_what_is_written_is_seen_in_python() -> None:
    @njit
    def write(address: int) -> None:
        tables = tables_at(address)
        for row in tables.rows:
            tables.tensor[row, 1] = row + 0.5

    tensor = np.zeros((3, 2))
    description = Description({"rows": np.array([2, 0]), "tensor": tensor})
    write(description.address)
    assert tensor.tolist() == [[0.0, 0.5], [0.0, 0.0], [0.0, 2.5]]


def test_other_names_are_refused_where_they_are_compiled() -> None:
    @njit
    def read(address: int) -> Any:
        return tables_at(address).other.copy()

    with pytest.raises(TypingError, match="Unknown attribute 'other' of type Tables"):
        read(0)


@pytest.mark.parametrize(
    "array",
    [np.zeros((2, 4), np.int32), np.zeros(4, np.int64), np.zeros((4, 3), np.int64).T],
    ids=["dtype", "axes", "order"],
)
def test_an_array_that_is_no_such_table_is_never_described(array: Any) -> None:
    with pytest.raises(AssertionError, match="chunks"):
        Description({"chunks": array})


def test_a_copy_describes_copies() -> None:
    tensor = np.ones((2, 2))
    original = Description({"tensor": tensor})
    for copied in (copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
        tensor[:] = 2.0
        values, _ = reader("tensor")(copied.address)
        assert values.tolist() == [[1.0, 1.0], [1.0, 1.0]]
        tensor[:] = 1.0
