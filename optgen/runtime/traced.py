"""NumPy's functions on the traced values of a loss that is differentiated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import numpy as np

from optgen.runtime.values import plain_copy
from optgen.runtime.variable import substituted


@dataclass(frozen=True)
class Functions:
    """How functions of NumPy are applied to traced values: by counterparts that record them.

    Attributes:
        box: the base class of traced values.
        modules: the counterparts of NumPy's modules, by the names of those.
        sees_lists: whether a counterpart finds the traced values in a list or in keywords.
    """

    box: type[Any]
    modules: Mapping[str, Any]
    sees_lists: Callable[[Any], bool]

    def plain(self, value: Any) -> Any:
        """Return the value of a traced value; anything else as it is."""
        while isinstance(value, self.box):
            value = value._value
        return value

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call a NumPy function whose arguments hold Variables or traced values.

        Raises:
            TypeError: if it has no counterpart, or that does not find the traced values.
            NotImplementedError: if it has no derivative.
        """
        args = substituted(args)
        kwargs = {name: substituted(value) for name, value in kwargs.items()}
        if not (self._in(args) or self._in(kwargs.values())):
            return function(*args, **kwargs)
        counterpart = getattr(self.modules.get(function.__module__), function.__name__, None)
        if counterpart is None:
            raise _without_counterpart(function)
        hidden = [value for value in args if not isinstance(value, self.box)]
        if not self.sees_lists(counterpart) and self._in([*hidden, *kwargs.values()]):
            raise TypeError(
                f"numpy.{function.__name__}: a value that is differentiated cannot be given by "
                "keyword or in a list here. Give it by position; join several with numpy.stack "
                "or numpy.concatenate."
            )
        return _recorded(counterpart, function, args, kwargs)

    def call_ufunc(self, ufunc: np.ufunc, method: str, inputs: Any, kwargs: Any) -> Any:
        """Call a method of a ufunc whose inputs hold Variables or traced values.

        Raises:
            TypeError: if it has no counterpart, or is to write into an array.
            NotImplementedError: if it has no derivative.
        """
        inputs = substituted(inputs)
        if not (self._in(inputs) or self._in(kwargs.get("out", ()))):
            return getattr(ufunc, method)(*inputs, **kwargs)
        if method != "__call__" or "out" in kwargs:
            raise TypeError(
                f"numpy.{ufunc.__name__}: methods of ufuncs, out=, and in-place operators on "
                "arrays cannot be differentiated. Write `x = x + y` instead of `x += y`, and "
                "numpy.sum instead of numpy.add.reduce."
            )
        if getattr(np, ufunc.__name__, None) is not ufunc:
            raise _without_counterpart(ufunc)
        counterpart = getattr(self.modules["numpy"], ufunc.__name__)
        return _recorded(counterpart, ufunc, inputs, kwargs)

    def _in(self, values: Iterable[Any]) -> bool:
        """Say whether traced values are among some values, in their lists included."""
        return any(
            isinstance(value, self.box) or (isinstance(value, list | tuple) and self._in(value))
            for value in values
        )


def _recorded(counterpart: Any, function: Any, args: Any, kwargs: Any) -> Any:
    try:
        return counterpart(*args, **kwargs)
    except (NotImplementedError, AssertionError) as error:
        raise NotImplementedError(
            f"{error}: autograd has no derivative of {function.__name__} for these arguments. "
            "Write the loss with other functions, or use .numpy() where a constant is meant."
        ) from error


def _without_counterpart(function: Any) -> TypeError:
    return TypeError(
        f"{function.__name__}: autograd.numpy has no such function, so it cannot be "
        "differentiated. Use other functions, those of autograd.scipy included, or .numpy() "
        "where a constant is meant."
    )


class TracedMethods:
    """A value in a loss that is differentiated; ``numpy()`` gives it without its derivative.

    It takes part in operators, and in functions of ``numpy`` and ``autograd.numpy``.
    """

    __slots__ = ()

    _functions: ClassVar[Functions]
    _value: Any

    def numpy(self) -> Any:
        """Return a copy of the value, without its derivative; at rank 0 a NumPy scalar."""
        return plain_copy(self._functions.plain(self))

    def item(self) -> Any:
        """Return the only element as a Python number, without its derivative."""
        return self.numpy().item()

    def tolist(self) -> Any:
        """Return the value as nested lists of Python numbers, without its derivative."""
        return self.numpy().tolist()

    def dot(self, other: Any) -> Any:
        """Return the dot product, as ``numpy.dot`` does."""
        return self._functions.call(np.dot, (self, other), {})

    def transpose(self, *axes: Any) -> Any:
        """Return it with its axes reversed or permuted, as the method of arrays does."""
        order = axes[0] if len(axes) == 1 else axes or None
        return self._functions.call(np.transpose, (self, order), {})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return self._functions.call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return self._functions.call(function, args, kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise TypeError(
            "an array of a value that is differentiated would make a constant of it. Use numpy "
            "or autograd.numpy functions, such as numpy.stack instead of numpy.array; use "
            ".numpy() where a constant is meant."
        )

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(index)  # type: ignore[misc]

    def __iter__(self) -> Iterator[Any]:
        if np.ndim(self._value) == 0:
            raise TypeError("expected a traced value with axes to iterate, received one of rank 0.")
        return (self[index] for index in range(len(self._value)))

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise TypeError(
            "elements of a value that is differentiated cannot be assigned; build a new array "
            "with numpy.where, numpy.stack or numpy.concatenate."
        )

    def __pos__(self) -> Any:
        return self

    def __floordiv__(self, other: Any) -> Any:
        return self._functions.call_ufunc(np.floor_divide, "__call__", (self, other), {})

    def __rfloordiv__(self, other: Any) -> Any:
        return self._functions.call_ufunc(np.floor_divide, "__call__", (other, self), {})

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        remainder = self._functions.call_ufunc(np.remainder, "__call__", (self, other), {})
        return self // other, remainder

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        remainder = self._functions.call_ufunc(np.remainder, "__call__", (other, self), {})
        return other // self, remainder
