"""The tables that drivers work on: in Python arrays, in compiled code one address.

Generated kernels see variables through tables of addresses and numbers, so that one launch takes
any number of variables.  A driver gets the address of a description of them, which says of each
table where it is and how long its axes are; compiled code reads ``tables.chunks`` from there.  As
arguments of their own they would be dozens of words for every function between the driver and an
element, to hand over as well as to compile.

Rows are the variables of one dtype unless said otherwise:

- chunks, int64[chunks, 4]: variable, first element in C order, length, first block;
- rows, int64[n]: the variables that take part, empty ones included;
- blocks, int64[variables, 2]: first block, number of blocks;
- pointers, int64[variables, streams]: address of the variable, its gradient, its average, its
  accumulator, its element slots;
- layout, int64[variables, 2, 2 + 2 * D]: how the variable (0) and its gradient (1) lie in memory:
  what to do (see ``IN_PLACE`` in ``kernels.py``), number of dimensions, D lengths, D byte strides;
- tensor, float64[variables, columns]: one number per variable;
- block_sums, float64[blocks, reductions].

Modes with numbers per matrix, row, column or index have more.  There, a variable is a stack of
matrices, which its last two axes span; below rank 2 each of its numbers is a matrix of one row and
one column:

- numbers, float64[...]: all of them; those of one variable and column lie together, in C order;
- starts, int64[variables, columns]: where they start;
- shapes, int64[variables, 3]: matrices, rows of each, columns of each;
- panel_sums, float64[column reductions, ...]: results for panels, for matrices of several;
- panels, int64[variables, 3]: where a variable's results for panels start, panels of each of its
  matrices, rows of each panel;
- runs, int64[n, 3]: variable, first matrix, matrix behind the last: pieces of work on numbers;
- units, int64[n, 3]: variable, first chunk, chunk behind the last: pieces of work on elements
  that are whole panels.

In a phase that combines rows or columns the chunks are parts of units: whole rows, or for rows that
are longer than a chunk, parts of one row.  The chunks of a unit run one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    infer_getattr,
    intrinsic,
    lower_getattr_generic,
    models,
    register_model,
)
from numba.np.arrayobj import populate_array
from numba.np.numpy_support import from_dtype

from optgen.runtime.arrays import Array, address_of

_TABLES = {
    "chunks": (np.int64, 2),
    "rows": (np.int64, 1),
    "blocks": (np.int64, 2),
    "pointers": (np.int64, 2),
    "layout": (np.int64, 3),
    "tensor": (np.float64, 2),
    "block_sums": (np.float64, 2),
    "numbers": (np.float64, 1),
    "starts": (np.int64, 2),
    "shapes": (np.int64, 2),
    "panel_sums": (np.float64, 2),
    "panels": (np.int64, 2),
    "runs": (np.int64, 2),
    "units": (np.int64, 2),
}
"""The tables in the order of a description, their dtypes and how many axes they have."""

_WORD = np.dtype(np.int64).itemsize

_WORDS = 1 + max(axes for _, axes in _TABLES.values())
"""Words of a description for each table: its address, and the lengths of its axes."""


class Description:
    """Where tables are, for drivers; a copy describes copies of them.

    Args:
        arrays: the tables by name, in C order, which are kept alive; those that are not there are
            empty to a driver.

    Attributes:
        address: where the description lies, as long as it is kept.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays
        # int64[tables, words].
        self._words = np.zeros((len(_TABLES), _WORDS), np.int64)
        for row, (name, (dtype, axes)) in enumerate(_TABLES.items()):
            if name in arrays:
                array = arrays[name]
                assert (array.dtype, array.ndim) == (np.dtype(dtype), axes), name
                assert array.flags.c_contiguous, name
                self._words[row, : 1 + axes] = address_of(array), *array.shape
        self.address = address_of(self._words)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what makes a copy."""
        return Description, (self._arrays,)


class TablesType(types.Type):
    """The type of tables in compiled code: a pointer to their description."""

    def __init__(self) -> None:
        super().__init__("Tables")


_tables = TablesType()


@register_model(TablesType)
class _TablesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, cgutils.ir.IntType(64).as_pointer())


@intrinsic
def tables_at(typing_context: Any, address: Any) -> tuple[Any, Callable[..., Any]]:
    """Return the tables whose description lies at an int64 address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(_tables))

    return _tables(types.int64), generate


def _array_type(name: str) -> Any:
    dtype, axes = _TABLES[name]
    return types.Array(from_dtype(np.dtype(dtype)), axes, "C")


@infer_getattr
class _TablesAttributes(AttributeTemplate):
    key = TablesType

    def generic_resolve(self, kind: Any, name: str) -> Any:  # type: ignore[override]
        return _array_type(name) if name in _TABLES else None


@lower_getattr_generic(TablesType)
def _table(context: Any, builder: Any, kind: Any, description: Any, name: str) -> Any:
    """Make an array, which has no owner, of what a description says of a table."""
    kind = _array_type(name)
    first = list(_TABLES).index(name) * _WORDS
    words = []
    for place in range(first, first + 1 + kind.ndim):
        words.append(builder.load(cgutils.gep(builder, description, place)))
        # No launch changes what it works on.
        words[-1].set_metadata("invariant.load", builder.module.add_metadata([]))
    address, *shape = words
    strides = [context.get_constant(types.intp, _WORD)]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    array = context.make_array(kind)(context, builder)
    data = builder.inttoptr(address, context.get_value_type(kind.dtype).as_pointer())
    populate_array(array, data, shape, strides, strides[-1], None)
    return array._getvalue()
