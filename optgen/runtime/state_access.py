"""The state of an optimizer as users read, save and extend it: variables, weights, slots."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from optgen.runtime.arrays import Array
from optgen.runtime.calls import as_arrays
from optgen.runtime.device_arrays import interface_of, layout_of, to_host
from optgen.runtime.evaluation import Evaluating
from optgen.runtime.replacement import load_all, replace_all, store_all
from optgen.runtime.values import Tensor
from optgen.runtime.variable import Variable

Initializer = str | Callable[..., ArrayLike] | ArrayLike

_CONSTANTS = {"zeros": 0.0, "ones": 1.0}


class ArrayList(list[Array]):
    """A list of arrays that may also be called, as in older versions of Keras."""

    def __call__(self) -> ArrayList:
        """Return the list itself."""
        return self


class StateAccess(Evaluating):
    """Lists of the state in the two orders of Keras, and slots by name."""

    @property
    def variables(self) -> ArrayList:
        """The optimizer's own state as live arrays, in the order of Keras 3.

        The count of calls (rank 0, int64); the learning rate (rank 0, float64) if it is a number;
        then, once built, all averages, all gradient accumulators, the slots of each variable in
        turn, slots that only some modes have, and slots of the optimizer as a whole; then what
        ``add_slot`` and ``add_variable`` added. Writing into them changes the next step. May also
        be called, which gives the same list.
        """
        own = ArrayList([self._iteration])
        if self._learning_rate is not None and self._learning_rate.function is None:
            own.append(self._learning_rate.array)
        if self._state is not None:
            own += self._state.in_order_of_variables()
        return ArrayList([*own, *self._added_weights.values()])

    @property
    def weights(self) -> ArrayList:
        """The optimizer's own state as live arrays, in the order of TensorFlow 2.

        The count of calls (rank 0, int64); then, once built, one slot after the other, each for
        all variables, slots of ``add_slot``, averages and accumulators if on, and what
        ``add_variable`` added. May also be called, which gives the same list.
        """
        own = [] if self._state is None else self._state.in_order_of_slots()
        return ArrayList([self._iteration, *own, *self._added_weights.values()])

    def get_weights(self) -> list[Array]:
        """Return copies of ``weights``; ``set_weights`` resumes from them bit for bit."""
        return [to_host(array) for array in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Give ``weights`` new values; changes nothing if one is refused.

        Args:
            weights: one array, or what NumPy makes one of, for each of ``weights`` in their order.

        Raises:
            ValueError: if there are more or fewer, or one has another shape or holds no numbers.
        """
        replace_all("weights", self.weights, weights, self.built)

    def save_own_variables(self, store: MutableMapping[str, Array]) -> None:
        """Put copies of ``variables`` into a store under the keys ``"0"``, ``"1"``, ...

        Raises:
            ValueError: if a count of calls or a learning rate that would be refused was written
                into its array.
        """
        store_all(store, self.variables, self._checks_of_variables)

    def load_own_variables(self, store: Mapping[str, ArrayLike]) -> None:
        """Give ``variables`` the values of a store; changes nothing if one is refused.

        Args:
            store: what ``save_own_variables`` filled.

        Raises:
            ValueError: if keys are missing or left over, or a shape differs.
        """
        load_all(store, self.variables, self.built, self._checks_of_variables)

    # Slots ---------------------------------------------------------------------------------

    def get_slot_names(self) -> list[str]:
        """Return the names of the optimizer's slots, those of ``add_slot`` last."""
        if self._state is not None:
            return self._state.slot_names()
        mode = self._mode
        known = {*mode.element_slots, *mode.variable_slots, *mode.step_slots}
        known |= {name for name, _, _ in mode.axes}
        return [slot.name for slot in self.slots if slot.name in known]

    def get_slot(self, var: Array | Variable, slot_name: str) -> Array:
        """Return a slot of a variable as a live array.

        Args:
            var: a variable that the optimizer was built with.
            slot_name: one of ``get_slot_names``.

        Raises:
            ValueError: if the optimizer is not built, the variable is unknown, or it has no slot
                of that name.
        """
        state = self._built_state()
        (position,) = state.positions_of(as_arrays([var]))
        slot = state.slot_of(position, slot_name)
        if slot is None:
            names = [n for n in state.slot_names() if state.slot_of(position, n) is not None]
            raise ValueError(
                f"slot_name: expected one of {', '.join(map(repr, names)) or 'none'} for this "
                f"variable, received {slot_name!r}."
            )
        return slot

    def add_slot(
        self,
        var: Array | Variable,
        slot_name: str,
        initializer: Initializer = "zeros",
        shape: Sequence[int] | None = None,
    ) -> Array:
        """Return a slot of a variable, after creating it if there is none of that name.

        A slot that is added here belongs to the state that is saved; no step reads or writes it.

        Args:
            var: a variable that the optimizer was built with.
            slot_name: a non-empty string.
            initializer: ``"zeros"``, ``"ones"``, a callable that takes a shape and ``dtype=``, or
                an array, whose own shape is used.
            shape: the slot's shape; that of the variable without.

        Raises:
            ValueError: if the optimizer is not built, the variable is unknown, or an argument is
                refused.
        """
        state = self._built_state()
        (position,) = state.positions_of(as_arrays([var]))
        existing = state.slot_of(position, _checked_key("slot_name", slot_name))
        if existing is not None:
            return existing
        layout = state.layouts[position]
        own_shape = layout.shape if shape is None and not _is_array(initializer) else shape
        values = initial_array(initializer, own_shape, layout.dtype)
        array: Array = state.memory.placed(values)
        state.added_slots.setdefault(slot_name, {})[position] = array
        return array

    def add_weight(
        self,
        name: str,
        shape: Sequence[int] | None = None,
        dtype: DTypeLike | None = None,
        initializer: Initializer = "zeros",
        trainable: bool | None = None,
        synchronization: object = None,
        aggregation: object = None,
    ) -> Array:
        """Create an array that belongs to the optimizer's state, and return it.

        Args:
            name: a non-empty string that no other such array has.
            shape: its shape; without, that of an initializer that is an array, else none.
            dtype: its dtype; float32 without.
            initializer: as for ``add_slot``.
            trainable: has no meaning here and is accepted for compatibility.
            synchronization: likewise.
            aggregation: likewise.

        Raises:
            ValueError: if an argument is refused.
        """
        if _checked_key("name", name) in self._added_weights:
            raise ValueError(f"name: expected a new name, received {name!r}, which is taken.")
        own_shape = () if shape is None and not _is_array(initializer) else shape
        array = initial_array(initializer, own_shape, np.float32 if dtype is None else dtype)
        self._added_weights[name] = array
        return array

    def add_variable(
        self,
        shape: Sequence[int],
        initializer: Initializer = "zeros",
        dtype: DTypeLike | None = None,
        aggregation: object = None,
        layout: object = None,
        name: str | None = None,
    ) -> Array:
        """Create an array that belongs to the optimizer's state, as ``add_weight`` does.

        Args:
            shape: its shape.
            initializer: as for ``add_slot``.
            dtype: its dtype; float32 without.
            aggregation: has no meaning here and is accepted for compatibility.
            layout: likewise.
            name: its name; ``variable_0``, ``variable_1`` and so on without.

        Raises:
            ValueError: if an argument is refused.
        """
        name = name or _free_name("variable", self._added_weights)
        return self.add_weight(name, shape, dtype, initializer)

    def add_variable_from_reference(
        self,
        reference_variable: Array | Variable,
        name: str | None = None,
        initializer: Initializer = "zeros",
    ) -> Array:
        """Create an array of a variable's shape and dtype that belongs to the optimizer's state.

        Args:
            reference_variable: a variable, of this optimizer or not.
            name: its name; ``variable_0``, ``variable_1`` and so on without.
            initializer: as for ``add_slot``.

        Raises:
            ValueError: if an argument is refused.
        """
        (reference,) = as_arrays([reference_variable])
        if (interface := interface_of(reference)) is not None:
            reference = layout_of("reference_variable", reference, interface)
        if not isinstance(reference, np.ndarray):
            raise ValueError(
                "reference_variable: expected an array or a Variable, received "
                f"{type(reference).__name__}."
            )
        return self.add_variable(reference.shape, initializer, reference.dtype, name=name)


def initial_array(initializer: Initializer, shape: Sequence[int] | None, dtype: DTypeLike) -> Array:
    """Return a new array with the values that an initializer gives.

    Args:
        initializer: ``"zeros"``, ``"ones"``, a callable that takes a shape and ``dtype=``, or an
            array.
        shape: the array's shape; None for that of the values.
        dtype: the array's dtype.

    Raises:
        ValueError: if the initializer is unknown or gives another shape, or an argument is none.
    """
    dtype, shape = _checked_dtype(dtype), _checked_shape(shape)
    if isinstance(initializer, str):
        if initializer not in _CONSTANTS:
            raise ValueError(
                f"initializer: expected 'zeros', 'ones', a callable or an array, received "
                f"{initializer!r}."
            )
        return np.full(shape or (), _CONSTANTS[initializer], dtype).view(Tensor)
    values = initializer(shape, dtype=dtype) if callable(initializer) else initializer
    (values,) = as_arrays([values])
    try:
        array = np.array(values, dtype=dtype, order="C", subok=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"initializer: expected numbers; {error}.") from None
    if shape is not None and array.shape != shape:
        raise ValueError(f"initializer: expected the shape {shape}, received {array.shape}.")
    return array.view(Tensor)


def _checked_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.kind not in "biufc":
        raise ValueError(f"dtype: expected a dtype of numbers, received {dtype!r}.")
    return found


def _checked_shape(shape: object) -> tuple[int, ...] | None:
    if shape is None:
        return None
    lengths = tuple(shape) if isinstance(shape, Iterable) else (None,)
    if not all(isinstance(length, int | np.integer) and length >= 0 for length in lengths):
        raise ValueError(f"shape: expected a tuple of lengths, received {shape!r}.")
    return tuple(map(int, lengths))


def _is_array(initializer: Initializer) -> bool:
    return not isinstance(initializer, str) and not callable(initializer)


def _checked_key(what: str, name: object) -> str:
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ValueError(f"{what}: expected a non-empty printable string, received {name!r}.")
    return name


def _free_name(stem: str, taken: Iterable[str]) -> str:
    taken = set(taken)
    return next(n for i in range(len(taken) + 1) if (n := f"{stem}_{i}") not in taken)
