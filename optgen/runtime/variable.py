"""Variables, which optimizers update and losses read.

NumPy alone is needed here. While a loss is differentiated, ``optgen.runtime.tape`` decides what
reading a Variable gives; at all other times that is a copy of its current value.
"""

from __future__ import annotations

import operator
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, Protocol, Self, final

import numpy as np

from optgen.runtime.arrays import Array
from optgen.runtime.values import Tensor, checked_dtype, copied, plain_copy, shared

# What writes into its first argument, which would be a copy of the Variable's value.
_WRITING_FUNCTIONS = frozenset({"copyto", "fill_diagonal", "place", "put", "put_along_axis"})
_WRITING_FUNCTIONS |= {"putmask"}

# The attributes of arrays that a Variable has too. None of them changes the array.
_ARRAY_ATTRIBUTES = frozenset(
    "T all any argmax argmin argsort astype clip cumsum diagonal dot flatten max mean min nonzero "
    "prod ravel repeat reshape round squeeze std sum swapaxes take trace transpose var".split()
)


class Trace(Protocol):
    """The differentiation of a loss, as seen by the Variables that it reads."""

    def read(self, variable: Variable) -> Any:
        """Return what stands for the value of a Variable: a traced value, or a constant."""

    def follows(self, variable: Variable) -> bool:
        """Say whether the loss is differentiated with respect to a Variable."""

    def written(self, variable: Variable) -> None:
        """Take notice that a Variable gets another value; later reads give that one."""

    def plain(self, value: Any) -> Any:
        """Return the value of a traced value; anything else as it is."""

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call a function of NumPy with arguments that hold Variables."""

    def call_ufunc(self, ufunc: np.ufunc, method: str, inputs: Any, kwargs: Any) -> Any:
        """Call a method of a ufunc with inputs that hold Variables."""


class _Thread(threading.local):
    """What a thread is differentiating, if anything."""

    trace: Trace | None = None


active = _Thread()


def snapshot(array: Any) -> Tensor:
    """Return a Tensor with a copy of the values of an array or a Variable; the dtype is kept."""
    source = array.array if isinstance(array, Variable) else array
    return np.array(source, copy=True, subok=False).view(Tensor)


def current(variable: Variable) -> Any:
    """Return the value that a computation with a Variable uses; it never shares its memory."""
    trace = active.trace
    return snapshot(variable.array) if trace is None else trace.read(variable)


def plain(value: Any) -> Array:
    """Return a value as an array without derivatives; that of a Variable is its live array."""
    if isinstance(value, Variable):
        return value.array
    trace = active.trace
    return np.asanyarray(value if trace is None else trace.plain(value))


def substituted(value: Any) -> Any:
    """Return an argument of a NumPy function with what stands for Variables in their places."""
    if isinstance(value, Variable):
        return current(value)
    if isinstance(value, list):
        return [substituted(item) for item in value]
    if isinstance(value, tuple):
        return tuple(substituted(item) for item in value)
    return value


def _operand(value: Any) -> Any:
    """Return an operand of a function that makes new memory for its result, without a copy."""
    if not isinstance(value, Variable):
        return value
    trace = active.trace
    return value.array.view(Tensor) if trace is None else trace.read(value)


def _operators(operation: Callable[[Any, Any], Any]) -> tuple[Callable[..., Any], ...]:
    """Return the methods of a binary operator with the Variable to the left and to the right."""

    def left(self: Variable, other: Any) -> Any:
        return operation(_operand(self), _operand(other))

    def right(self: Variable, other: Any) -> Any:
        return operation(other, _operand(self))

    return left, right


def _refused_in_place(self: Variable, other: Any) -> NoReturn:
    raise RuntimeError(
        f"in-place operators are not defined for Variables, received one for {self.name!r}: use "
        "assign, assign_add or assign_sub to change the Variable, or `tensor = variable + value` "
        "for a new value."
    )


@final
class Variable:
    """Values that an optimizer updates, and that a loss reads to be differentiated.

    Operators, methods such as ``sum`` and ``reshape``, indexing, ``numpy`` and ``autograd.numpy``
    functions take Variables like arrays. Outside of differentiation the result is a Tensor, or an
    array, that shares no memory with the Variable. In a loss given to ``minimize`` the result is
    traced instead, and has ``numpy()`` to look at its value.

    ``variable == array`` compares elements. Two Variables are equal only if they are the same
    object, so that lists, sets and dictionaries of Variables work; ``numpy.equal`` compares their
    elements. In-place operators raise RuntimeError, as TensorFlow's do: ``assign_add`` changes
    the Variable.

    Args:
        initial_value: a Python number or nested list of them, which make float32; a NumPy scalar,
            an array, a Tensor, a Variable or a list of these, which keep their dtype.
        name: what messages call it.
        dtype: float32 or float64, to convert the values to.
        copy: False takes a writable NumPy array of float32 or float64 as it is, and shares its
            memory: ``Variable(parameter.detach().numpy(), copy=False)`` updates a model of torch.

    Raises:
        ValueError: if the values are neither float32 nor float64 and no dtype is given, if the
            dtype is another, the name no string, or an array to be shared cannot be updated.
    """

    __slots__ = ("__weakref__", "_array", "_name")

    def __init__(
        self, initial_value: Any, name: str = "Variable", dtype: Any = None, copy: bool = True
    ) -> None:
        if not isinstance(name, str):
            raise ValueError(f"name: expected a string, received {name!r}.")
        self._name = name
        wanted = None if dtype is None else checked_dtype(dtype)
        if copy:
            self._array = copied(plain(initial_value), initial_value, wanted)
        else:
            self._array = shared(initial_value, wanted)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        raise TypeError(
            "Variable cannot be subclassed, because autograd knows traced values by their exact "
            "type; keep a Variable in an attribute instead."
        )

    # Values --------------------------------------------------------------------------------

    @property
    def array(self) -> Array:
        """The live values, which optimizers update in place: the same object for life.

        Computing with it in a loss gives no gradient.
        """
        return self._array

    @property
    def name(self) -> str:
        """What messages call it."""
        return self._name

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        shape: tuple[int, ...] = self._array.shape
        return shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """float32 or float64."""
        return self._array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._array.size

    def value(self) -> Tensor:
        """Return a snapshot of the values; in a loss that is differentiated, a traced one."""
        tensor: Tensor = current(self)
        return tensor

    def numpy(self) -> Any:
        """Return a copy of the values; in a loss too, where it is a constant.

        At rank 0 it is a NumPy scalar.
        """
        return plain_copy(self._array)

    def item(self) -> float:
        """Return the only element as a Python float; ValueError if there are more."""
        number: float = self._array.item()
        return number

    def tolist(self) -> Any:
        """Return the values as nested lists of Python floats."""
        return self._array.tolist()

    def assign(self, value: Any) -> Self:
        """Give it other values, in place; in a loss, what is read later is the new value.

        Args:
            value: real numbers of the Variable's shape; they are converted to its dtype.

        Returns:
            The Variable.

        Raises:
            ValueError: if the shape is another, or the values are no real numbers.
        """
        return self._write(self._checked(value))

    def assign_add(self, delta: Any) -> Self:
        """Add to the values in place; see ``assign``."""
        return self._write(self._array + self._checked(delta))

    def assign_sub(self, delta: Any) -> Self:
        """Subtract from the values in place; see ``assign``."""
        return self._write(self._array - self._checked(delta))

    def _checked(self, value: Any) -> Array:
        array = plain(value)
        if isinstance(array, np.ma.MaskedArray):
            raise ValueError(f"{self._name}: expected no mask; fill a masked array with filled().")
        if array.dtype.kind not in "fiu":
            raise ValueError(
                f"{self._name}: expected real numbers to assign, received dtype {array.dtype}."
            )
        if array.shape != self.shape:
            raise ValueError(
                f"{self._name}: expected values of the Variable's shape {self.shape}, received "
                f"shape {array.shape}. Use numpy.broadcast_to to repeat values."
            )
        return array

    def _write(self, array: Array) -> Self:
        trace = active.trace
        if trace is not None:
            trace.written(self)
        np.copyto(self._array, array, casting="same_kind")
        return self

    # Conversions ---------------------------------------------------------------------------

    def _constant(self, what: str) -> Array:
        """Return the array to be converted; TypeError where that would lose a derivative."""
        trace = active.trace
        if trace is not None and trace.follows(self):
            raise TypeError(
                f"{what} of Variable {self._name!r} would make a constant of it in a loss that is "
                "differentiated. Use numpy or autograd.numpy functions, such as numpy.stack "
                "instead of numpy.array; use .numpy() where a constant is meant."
            )
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = self._constant("the array")
        if copy is False:
            return np.array(array, dtype, copy=False)
        return np.array(array, dtype, copy=True, subok=False)

    def __float__(self) -> float:
        return float(self._constant("float()").item())

    def __int__(self) -> int:
        return int(self._constant("int()").item())

    def __bool__(self) -> bool:
        return bool(self._array)

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[Any]:
        if self.ndim == 0:
            raise TypeError(f"{self._name}: expected a Variable with axes, received one of rank 0.")
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        trace = active.trace
        return snapshot(self._array[index]) if trace is None else trace.read(self)[index]

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TypeError(
            f"{self._name}: elements of a Variable cannot be assigned; assign all values with "
            "assign(values), or write into variable.array."
        )

    def __repr__(self) -> str:
        values = str(self._array) if self.ndim == 0 else repr(np.asarray(self._array))
        return f"<Variable {self._name!r} shape={self.shape} dtype={self.dtype}, numpy={values}>"

    def __format__(self, specification: str) -> str:
        return format(self._array, specification) if specification else str(self)

    def __copy__(self) -> Variable:
        return Variable(self._array, self._name)

    # Computing -----------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name in _ARRAY_ATTRIBUTES:
            return getattr(current(self), name)
        raise AttributeError(
            f"'Variable' object has no attribute {name!r}; .array is the live NumPy array, "
            ".numpy() a copy of it.",
            name=name,
            obj=self,
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        written = [*kwargs.get("out", ()), *(inputs[:1] if method == "at" else ())]
        if any(isinstance(array, Variable) for array in written):
            raise TypeError(
                f"numpy.{ufunc.__name__} cannot write into a Variable; use assign, or give "
                "variable.array."
            )
        trace = active.trace
        if trace is not None:
            return trace.call_ufunc(ufunc, method, inputs, kwargs)
        return getattr(ufunc, method)(*map(_operand, inputs), **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        first = args[0] if args and function.__name__ in _WRITING_FUNCTIONS else None
        if isinstance(first, Variable) or isinstance(kwargs.get("out"), Variable):
            raise TypeError(
                f"numpy.{function.__name__} cannot write into a Variable; use assign, or give "
                "variable.array."
            )
        trace = active.trace
        if trace is not None:
            return trace.call(function, args, kwargs)
        named = {name: substituted(value) for name, value in kwargs.items()}
        return function(*substituted(args), **named)

    __add__, __radd__ = _operators(operator.add)
    __sub__, __rsub__ = _operators(operator.sub)
    __mul__, __rmul__ = _operators(operator.mul)
    __truediv__, __rtruediv__ = _operators(operator.truediv)
    __floordiv__, __rfloordiv__ = _operators(operator.floordiv)
    __mod__, __rmod__ = _operators(operator.mod)
    __divmod__, __rdivmod__ = _operators(divmod)
    __pow__, __rpow__ = _operators(operator.pow)
    __matmul__, __rmatmul__ = _operators(operator.matmul)
    __lt__, __gt__ = _operators(operator.lt)
    __le__, __ge__ = _operators(operator.le)
    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ifloordiv__ = _refused_in_place
    __imod__ = __ipow__ = __imatmul__ = _refused_in_place

    def __eq__(self, other: object) -> Any:
        if isinstance(other, Variable):
            return self is other
        if isinstance(other, int | float | complex | list | tuple) or hasattr(other, "shape"):
            return operator.eq(_operand(self), other)
        return NotImplemented

    def __ne__(self, other: object) -> Any:
        if isinstance(other, Variable):
            return self is not other
        if isinstance(other, int | float | complex | list | tuple) or hasattr(other, "shape"):
            return operator.ne(_operand(self), other)
        return NotImplemented

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __neg__(self) -> Any:
        return -_operand(self)

    def __pos__(self) -> Any:
        return +_operand(self)

    def __abs__(self) -> Any:
        return abs(_operand(self))
