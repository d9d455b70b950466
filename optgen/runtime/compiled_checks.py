"""The checks that gradients usually pass, in compiled code: one call for all variables.

Fields of lists, tuples and arrays are read where they lie in memory, without a call into Python.
``objects.py`` says whether they lie there in this interpreter; where they do not, nothing here is
called.  What does not pass is no error yet: Python looks at it again, and knows the sentences.

The table of what is ``expected`` is int64[1 + variables, LENGTHS + 2 * D] for variables of up to D
axes.  Its first row holds the identities of types and values in the columns ``ARRAY``, ``PAIR`` and
``NONE``; each other row describes one variable, in the order of build:

0. the identity of its array;
1. the identity of another object by which it is given, or of the array again;
2. the address of its first element;
3. the identity of its dtype;
4. the identity of the dtype that its gradient usually has;
5. the bytes of one element;
6. the bytes of a gradient in C order;
7. the address at which that of its gradient is to be noted;
8. the number of axes, then D lengths, then D byte strides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import types
from numba.extending import intrinsic

from optgen.runtime.compilation import driver, part_of_kernel

# Fields by their distance from the start of an object, in words of eight bytes.  They stand in this
# file because Numba's cache would not notice a change of them in another one.
TYPE = 1
LENGTH, LIST_ITEMS = 2, 3
TUPLE_ITEMS = tuple.__basicsize__ // 8
DATA, AXES, SHAPE, STRIDES, DTYPE, FLAGS = 2, 3, 4, 5, 7, 8

C_ORDER, ALIGNED, WRITEABLE = 0x1, 0x100, 0x400
"""Bits of an array's flags, as in ``ndarray.flags.num``."""

ARRAY, PAIR, NONE = 0, 1, 2
"""Columns of the first row of what is expected."""

OBJECT, GIVEN, ADDRESS, OWN_DTYPE, USUAL_DTYPE, ITEM_BYTES, BYTES, TARGET, RANK, LENGTHS = range(10)
"""Columns of the other rows."""

USUAL, MISSING, UNUSUAL = 0, 1, 2
"""What is found of a gradient: its address is noted; it is None; Python has to look at it."""

NOT_THESE_PAIRS = -1


def _pointer_to_words(typing_context: Any, address: Any) -> tuple[Any, Callable[..., Any]]:
    """A pointer to int64 words at the int64 `address`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(types.int64)(types.int64), generate


_words_at: Any = intrinsic(_pointer_to_words)


@part_of_kernel
def _low_half(word: Any) -> Any:
    """Return the C int that a word of eight bytes starts with."""
    return word & 0xFFFFFFFF


@part_of_kernel
def _has_changed(expected: Any, row: Any) -> Any:
    """Say whether a variable may not be written, or lies otherwise than at build."""
    variable = _words_at(expected[row, OBJECT])
    axes = expected[row, RANK]
    if (
        not variable[FLAGS] & WRITEABLE
        or variable[DATA] != expected[row, ADDRESS]
        or variable[DTYPE] != expected[row, OWN_DTYPE]
        or _low_half(variable[AXES]) != axes
    ):
        return True
    shape, strides = _words_at(variable[SHAPE]), _words_at(variable[STRIDES])
    most = (expected.shape[1] - LENGTHS) // 2
    for axis in range(axes):
        if shape[axis] != expected[row, LENGTHS + axis]:
            return True
        if strides[axis] != expected[row, LENGTHS + most + axis]:
            return True
    return False


@part_of_kernel
def _is_usual(array: Any, expected: Any, row: Any) -> Any:
    """Say whether an object is an array like a variable, in C order; look at no elements."""
    if array[TYPE] != expected[0, ARRAY] or array[DTYPE] != expected[row, USUAL_DTYPE]:
        return False
    axes = expected[row, RANK]
    wanted = C_ORDER | ALIGNED
    if _low_half(array[AXES]) != axes or array[FLAGS] & wanted != wanted:
        return False
    shape = _words_at(array[SHAPE])
    for axis in range(axes):
        if shape[axis] != expected[row, LENGTHS + axis]:
            return False
    return array[DATA] & (expected[row, ITEM_BYTES] - 1) == 0


@part_of_kernel
def _meets(regions: Any, low: Any, high: Any) -> Any:
    """Say whether the bytes from ``low`` up to ``high`` meet a region; see ``MemoryMap``."""
    first, last = 0, regions.shape[1]
    while first < last:
        middle = (first + last) // 2
        if regions[1, middle] <= low:
            first = middle + 1
        else:
            last = middle
    return first < regions.shape[1] and regions[0, first] < high


@driver
def check_gradients(given: Any, paired: Any, expected: Any, regions: Any, found: Any) -> Any:
    """Check the gradients of one call, and note the addresses of those that pass.

    Args:
        given: identity of a list with an item for each variable, in the order of build.
        paired: 0 if items are gradients; 1 if they are pairs of gradient and variable.
        expected: int64[1 + variables, columns], see above.
        regions: int64[2, n], first bytes and ends of memory that gradients may not share.
        found: uint8[variables], receives ``USUAL``, ``MISSING`` or ``UNUSUAL`` for each.

    Returns:
        How many are not usual; ``NOT_THESE_PAIRS`` if an item is anything but a tuple of a gradient
        and the variable that is next in the order of build.
    """
    items = _words_at(_words_at(given)[LIST_ITEMS])
    others = 0
    for position in range(found.size):
        row = position + 1
        gradient = items[position]
        if paired:
            pair = _words_at(gradient)
            if pair[TYPE] != expected[0, PAIR] or pair[LENGTH] != 2:
                return NOT_THESE_PAIRS
            gradient, variable = pair[TUPLE_ITEMS], pair[TUPLE_ITEMS + 1]
            if variable != expected[row, OBJECT] and variable != expected[row, GIVEN]:
                return NOT_THESE_PAIRS
        address, verdict = 0, UNUSUAL
        if not _has_changed(expected, row):
            array = _words_at(gradient)
            if gradient == expected[0, NONE]:
                verdict = MISSING
            elif _is_usual(array, expected, row):
                low = array[DATA]
                if not _meets(regions, low, low + expected[row, BYTES]):
                    address, verdict = low, USUAL
        _words_at(expected[row, TARGET])[0] = address
        found[position] = verdict
        others += verdict != USUAL
    return others
