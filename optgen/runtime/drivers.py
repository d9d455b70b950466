"""What generated drivers call: views without owners, and pieces of work on one thread or all.

A driver is compiled once for both: it is told by what function pieces are spread over threads, if
at all.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from numba import get_num_threads, prange, types
from numba.core import cgutils
from numba.core.callconv import errcode_t, excinfo_ptr_t
from numba.core.errors import TypingError
from numba.extending import intrinsic

from optgen.runtime.compilation import callback

ir: Any = cgutils.ir
_WORD = ir.IntType(64)
_POINTER = ir.IntType(8).as_pointer()
_CODE = errcode_t
_PIECES = ir.FunctionType(ir.VoidType(), [_POINTER, _WORD, _WORD])
"""Runs the pieces of a range: where its arguments are, the first piece, one behind the last."""

_SPREAD = ir.FunctionType(_POINTER, [_WORD, _WORD, _WORD, _WORD])
"""Spreads pieces over threads: addresses of what runs them and of its arguments, how many pieces
there are, how many threads; what it returns means nothing."""

ONE_THREAD = 0, 1
"""What makes ``for_each`` run pieces in the calling thread."""


@cache
def spreading() -> Any:
    """Return the function that spreads pieces over threads, compiled or from Numba's cache."""
    return callback((types.int64,) * 4, types.void, _spread_over_threads)


def all_threads() -> tuple[int, int]:
    """Return what makes ``for_each`` run pieces on as many threads as Numba is set to use."""
    return spreading().address, get_num_threads()


def without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return a value whose arrays, which may be parts of a tuple, do not keep memory alive."""
    if isinstance(kind, types.Tuple | types.UniTuple):
        parts = zip(kind.types, cgutils.unpack_tuple(builder, value), strict=True)
        views = [without_owner(context, builder, *part) for part in parts]
        return context.make_tuple(builder, kind, views)
    if not isinstance(kind, types.Array):
        return value
    array = context.make_array(kind)(context, builder, value)
    array.meminfo = cgutils.get_null_value(array.meminfo.type)
    array.parent = cgutils.get_null_value(array.parent.type)
    return array._getvalue()


@intrinsic
def borrowed(typing_context: Any, arrays: Any) -> tuple[Any, Callable[..., Any]]:
    """Return an array as a view that does not keep its memory alive.

    Arguments of compiled code need not be kept alive, because the caller holds them until it
    returns.  Where no view has an owner, no references are counted, which is atomic and takes
    longer than the elements of a small variable.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return without_owner(context, builder, signature.return_type, arguments[0])

    return arrays(arrays), generate


@intrinsic
def for_each(
    typing_context: Any, threads: Any, places: Any, function: Any, arguments: Any
) -> tuple[Any, Callable[..., Any]]:
    """Call a compiled function for every piece of work, in compiled code.

    Args:
        typing_context: Numba's, which hands it over.
        threads: ``ONE_THREAD`` or ``all_threads()``.
        places: how many pieces there are, or int64[n] in C order, what stands for each of them.
        function: is called with the index of a piece, or what stands for it, in front of the
            others, and returns nothing. Its error is raised when all the others have been run.
        arguments: a tuple, the other arguments; pieces borrow its arrays, see ``borrowed``.

    Raises:
        TypingError: where it is compiled, if ``places`` is anything else.
    """
    if not (isinstance(places, types.Integer) or places == types.Array(types.int64, 1, "C")):
        raise TypingError(f"expected a number of pieces, or int64[n] in C order, received {places}")
    wanted = function.get_call_type(typing_context, (types.int64, *arguments), {})

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        compiled = function.dispatcher.get_compile_result(wanted)
        context.active_code_library.add_linking_library(compiled.library)
        frame = _Frame(context, builder, signature.args[1], arguments)
        pieces = frame.pieces(compiled.fndesc, wanted)
        memory = frame.filled(values[1], values[3])
        address, count = builder.bitcast(memory, _POINTER), frame.count(values[1])
        spread, number = cgutils.unpack_tuple(builder, values[0])
        is_set = builder.icmp_signed("!=", spread, _WORD(0))
        several = builder.icmp_signed(">", count, _WORD(1))
        with builder.if_else(builder.and_(is_set, several)) as (on_threads, here):
            with on_threads:
                words = [builder.ptrtoint(pointer, _WORD) for pointer in (pieces, address)]
                function_there = builder.inttoptr(spread, _SPREAD.as_pointer())
                builder.call(function_there, [*words, count, number])
            with here:
                builder.call(pieces, [address, _WORD(0), count])
        status = frame.status(memory)
        with builder.if_then(status.is_error, likely=False):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(threads, places, function, arguments), generate


class _Frame:
    """What the pieces of one call have in common, in memory for all threads to see.

    Args:
        context: Numba's target.
        builder: writes the calling function.
        places: the type of what stands for the pieces.
        arguments: the type of the other arguments.
    """

    def __init__(self, context: Any, builder: Any, places: Any, arguments: Any) -> None:
        self._context, self._builder = context, builder
        self._places, self._arguments = places, arguments
        kinds = [context.get_value_type(kind) for kind in (places, arguments)]
        # What follows says how a piece failed, as compiled functions tell their callers.
        self._type = ir.LiteralStructType([*kinds, _CODE, _WORD])

    def filled(self, places: Any, arguments: Any) -> Any:
        """Return the frame of a call, of which no piece has failed yet."""
        memory = cgutils.alloca_once(self._builder, self._type)
        for index, value in enumerate((places, arguments, _CODE(0), _WORD(0))):
            self._builder.store(value, cgutils.gep_inbounds(self._builder, memory, 0, index))
        return memory

    def status(self, memory: Any) -> Any:
        """Return how the pieces of a call ended, as if one function had run them."""
        code, error = self._loaded(self._builder, memory, 2), self._loaded(self._builder, memory, 3)
        error = self._builder.inttoptr(error, excinfo_ptr_t)
        return self._context.call_conv._get_return_status(self._builder, code, error)

    def _loaded(self, builder: Any, memory: Any, index: int) -> Any:
        return builder.load(cgutils.gep_inbounds(builder, memory, 0, index))

    def _note(self, builder: Any, memory: Any, status: Any) -> None:
        """Note how a piece failed; of several, one of them is reported."""
        error = builder.ptrtoint(status.excinfoptr, _WORD)
        builder.store(error, cgutils.gep_inbounds(builder, memory, 0, 3))
        builder.store(status.code, cgutils.gep_inbounds(builder, memory, 0, 2))

    def count(self, places: Any) -> Any:
        """Return how many pieces there are."""
        if not isinstance(self._places, types.Array):
            return self._context.cast(self._builder, places, self._places, types.int64)
        return self._context.make_array(self._places)(self._context, self._builder, places).nitems

    def pieces(self, described: Any, signature: Any) -> Any:
        """Return the function that runs the pieces of a range.

        Args:
            described: the function that runs a piece, as Numba describes it.
            signature: its types.
        """
        context, module = self._context, self._builder.module
        name = described.qualname.rpartition(".")[2]
        function = ir.Function(module, _PIECES, module.get_unique_name(f"{name}_pieces"))
        function.linkage = "internal"
        # It would be compiled twice, once for the calling thread.
        function.attributes.add("noinline")
        builder = ir.IRBuilder(function.append_basic_block("entry"))
        memory = builder.bitcast(function.args[0], self._type.as_pointer())
        places, packed = (self._loaded(builder, memory, index) for index in range(2))
        packed = without_owner(context, builder, self._arguments, packed)
        rest = [
            context.cast(builder, value, found, wanted)
            for value, found, wanted in zip(
                cgutils.unpack_tuple(builder, packed),
                self._arguments,
                signature.args[1:],
                strict=True,
            )
        ]
        with cgutils.for_range_slice(
            builder, function.args[1], function.args[2], _WORD(1), _WORD
        ) as (index, _):
            place = self._place(builder, places, index)
            callee = context.declare_function(module, described)
            status, _ = context.call_conv.call_function(
                builder, callee, signature.return_type, signature.args, [place, *rest]
            )
            with builder.if_then(status.is_error, likely=False):
                self._note(builder, memory, status)
        builder.ret_void()
        return function

    def _place(self, builder: Any, places: Any, index: Any) -> Any:
        if not isinstance(self._places, types.Array):
            return index
        data = self._context.make_array(self._places)(self._context, builder, places).data
        return builder.load(builder.gep(data, [index]))


def _run_pieces(
    typing_context: Any, pieces: Any, frame: Any, start: Any, stop: Any
) -> tuple[Any, Callable[..., Any]]:
    """Run a range of pieces, given the addresses of what runs them and of its arguments."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        function = builder.inttoptr(values[0], _PIECES.as_pointer())
        builder.call(function, [builder.inttoptr(values[1], _POINTER), *values[2:]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64, types.int64), generate


_run: Any = intrinsic(_run_pieces)


def _spread_over_threads(pieces: Any, frame: Any, count: Any, threads: Any) -> None:
    for thread in prange(threads):
        _run(pieces, frame, thread * count // threads, (thread + 1) * count // threads)
