"""The base class of generated optimizers."""

from __future__ import annotations

import difflib
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self, cast

import numpy as np

from optgen.runtime.arguments import COMMON, as_list, check_count, checked_name, unzipped
from optgen.runtime.arrays import Array
from optgen.runtime.description import Hyperparameter, Mode, Slot, StageScalars, Value
from optgen.runtime.gradients import GradientReader
from optgen.runtime.settings import (
    LearningRate,
    changed_settings,
    checked_settings,
    needs_new_optimizer,
)
from optgen.runtime.state import State
from optgen.runtime.step import prepare_program, run_call, scalars_of_call


class _HyperparameterAttribute:
    """Attribute access to a hyperparameter: reading gives its value, assigning checks it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, optimizer: Optimizer | None, owner: type[Optimizer]) -> Value:
        return self if optimizer is None else optimizer._settings.values[self._name]

    def __set__(self, optimizer: Optimizer, value: object) -> None:
        optimizer._assign(self._name, value)


class Optimizer:
    """What all generated optimizers share: arguments, state and the order of one step.

    A subclass describes its optimizer by class attributes and chooses its mode. Variables are
    writable NumPy arrays of float32 or float64, of any shape, and are updated in place.
    Hyperparameters and common arguments are attributes. A call that raises changes nothing.

    Attributes:
        name: the name given to the constructor.
        hyperparameters: what the optimizer's own arguments are.
        slots: the state that it keeps.
        stage_scalars: scalars of the common stages.
        accumulate: the common stages of a call that only accumulates gradients.
        rest: the common stages of variables without a gradient.
    """

    hyperparameters: ClassVar[tuple[Hyperparameter, ...]] = ()
    slots: ClassVar[tuple[Slot, ...]] = ()
    stage_scalars: ClassVar[tuple[StageScalars, ...]] = ()
    accumulate: ClassVar[Mode]
    rest: ClassVar[Mode]
    _own: ClassVar[dict[str, Hyperparameter]] = {}
    _arguments: ClassVar[dict[str, Hyperparameter]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._own = {h.name: h for h in cls.hyperparameters}
        cls._arguments = {**cls._own, **{h.name: h for h in COMMON if h.name not in cls._own}}
        for name in cls._arguments:
            if name != "learning_rate":
                setattr(cls, name, _HyperparameterAttribute(name))

    def __init__(
        self,
        hyperparameters: Mapping[str, object],
        common: Mapping[str, object],
        name: object,
        unknown: Mapping[str, object],
    ) -> None:
        """Check all arguments and choose the mode.

        Args:
            hyperparameters: the optimizer's own arguments, by name.
            common: the common arguments, by name, without those that it declares itself.
            name: the optimizer's name.
            unknown: keywords that no parameter took.

        Raises:
            ValueError: naming the argument, what was received and what is expected.
        """
        self._settings, self._learning_rate = checked_settings(
            type(self).__name__, self._arguments, self._own, {**hyperparameters, **common}, unknown
        )
        self.name = checked_name(name)
        self._iteration = np.array(0, np.int64)
        self._mode = self.select_mode()
        self._state: State | None = None
        self._reader: GradientReader | None = None
        self._warned = False
        self._program = prepare_program(
            self._mode, self.accumulate, self.rest, self.stage_scalars, self._settings
        )

    def select_mode(self) -> Mode:
        """Return the mode that the hyperparameters select; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not select a mode.")

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute; AttributeError for a public one that the class does not know."""
        if not name.startswith("_") and name != "name" and not hasattr(type(self), name):
            close = difflib.get_close_matches(name, [*self._arguments, "name"], n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}")
        super().__setattr__(name, value)

    def mode_value(self, name: str) -> Value:
        """Return the value of a hyperparameter, for the conditions of modes."""
        return self.learning_rate if name == "learning_rate" else self._settings.values[name]

    # Building ------------------------------------------------------------------------------

    def build(self, variables: Iterable[Array]) -> None:
        """Create the state for these variables; a second call with the same ones does nothing.

        Args:
            variables: writable NumPy arrays of float32 or float64; they are kept alive.

        Raises:
            ValueError: if one cannot be updated in place, two overlap, there is none, or the
                optimizer was built with others before.
        """
        arrays = as_list("variables", variables)
        if self._state is None:
            self._keep(*self._new_state(arrays))
        elif self._state.positions_of(arrays) != list(range(len(self._state.variables))):
            raise ValueError(
                "variables: expected those that the optimizer was built with, in the same order. "
                "Construct another optimizer for other variables."
            )

    def _new_state(self, variables: Sequence[object]) -> tuple[State, GradientReader]:
        use_ema = self._settings.values["use_ema"]
        accumulates = self._settings.values["gradient_accumulation_steps"] is not None
        state = State(variables, self._mode, self.slots, use_ema, accumulates)
        self._fill_columns(state, self._settings.values)
        return state, GradientReader(state)

    def _keep(self, state: State, reader: GradientReader) -> None:
        self._state, self._reader = state, reader

    def _fill_columns(self, state: State, values: Mapping[str, Value]) -> None:
        """Write the hyperparameters that may differ between variables into the tables."""
        for name, description in self._arguments.items():
            if description.per_variable and name in self._mode.columns:
                value = 0.0 if values[name] is None else float(values[name])
                column = self._mode.columns.index(name)
                state.fill_column(column, [value] * len(state.variables))

    # Stepping ------------------------------------------------------------------------------

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Array]]) -> np.int64:
        """Update variables by their gradients.

        Args:
            grads_and_vars: pairs of gradient and variable; see ``apply``.

        Returns:
            How many calls have been counted, this one included.

        Raises:
            TypeError: if an item is not a pair.
            ValueError: as ``apply`` does.
        """
        self._apply(*unzipped(grads_and_vars))
        return np.int64(self._iteration)

    def apply(self, gradients: Iterable[Any], variables: Iterable[Array] | None = None) -> None:
        """Update variables in place by their gradients.

        Args:
            gradients: arrays shaped like their variables, float32 or float64, read-only or
                strided if need be; None for a variable without a gradient in this call.
            variables: the variables, in the order of the gradients; without them, those of
                ``build``. The first call with variables builds.

        Raises:
            ValueError: if there is no gradient, numbers of gradients and variables differ, a
                variable is unknown or comes twice, or a gradient's shape, dtype or memory is
                refused.
        """
        self._apply(gradients, variables)

    def _apply(self, gradients: Iterable[Any], variables: Iterable[Array] | None) -> None:
        given = as_list("gradients", gradients)
        if not given:
            raise ValueError("gradients: expected at least one gradient, received none.")
        if variables is None:
            self._apply_in_order(given)
        else:
            self._apply_to(given, as_list("variables", variables))

    def _apply_in_order(self, gradients: list[Any]) -> None:
        if self._state is None or self._reader is None:
            raise ValueError(
                "variables: expected the variables, because the optimizer is not built; "
                "pass them, or call build(variables) first."
            )
        check_count(gradients, self._state.variables)
        self._step(self._state, self._reader, gradients)

    def _apply_to(self, gradients: list[Any], variables: list[Any]) -> None:
        check_count(gradients, variables)
        if self._state is None or self._reader is None:
            self._step(*self._new_state(variables), gradients)
            return
        known = self._state.variables
        if len(variables) != len(known) or not all(map(operator.is_, variables, known)):
            gradients = self._state.in_order_of_build(gradients, variables)
        self._step(self._state, self._reader, gradients)

    def _step(self, state: State, reader: GradientReader, gradients: list[Any]) -> None:
        """Take one call's gradients, one or None per variable in the order of build."""
        # Everything that can raise comes first; from `_keep` on, memory is written.
        found = reader.read(gradients)
        raw = int(self._iteration)
        steps = self._settings.values["gradient_accumulation_steps"]
        updates = steps is None or (raw + 1) % steps == 0
        learning_rate = self._learning_rate_of_call(raw) if updates else None
        scalars = scalars_of_call(self._settings, raw if steps is None else raw // steps)
        for slot, array in state.step_slots.items():
            scalars[slot] = float(array)
        if learning_rate is not None:
            scalars["learning_rate"] = learning_rate
        if found.missing and not self._warned:
            self._warn_of_missing(found.missing)
        self._keep(state, reader)
        reader.point_at(found)
        run_call(self._program, state, found.participants, scalars, self._settings, updates)
        self._iteration[...] = raw + 1

    def _learning_rate_of_call(self, raw: int) -> float | None:
        """The learning rate of a call; a callable must leave the optimizer alone."""
        if self._learning_rate is None:
            return None
        value = self._learning_rate.now()
        if int(self._iteration) != raw:
            raise ValueError("learning_rate: the callable stepped the optimizer that called it.")
        return value

    def _warn_of_missing(self, missing: int) -> None:
        warnings.warn(
            f"{self.name}: {missing} variable(s) have no gradient in this call and are "
            "not updated. This is said once per optimizer.",
            UserWarning,
            stacklevel=6,  # the line that calls apply or apply_gradients
        )
        self._warned = True

    # Hyperparameters -----------------------------------------------------------------------

    def _assign(self, name: str, value: object) -> None:
        """Change a hyperparameter; refuse what would need another mode or other state."""
        old = self._settings
        new = changed_settings(old, name, value, self._arguments, self._own)
        self._settings = new
        try:
            changed = self.select_mode() is not self._mode
        finally:
            self._settings = old
        if changed:
            raise needs_new_optimizer(name, old.values[name], new.values[name])
        if self._state is not None:
            self._fill_columns(self._state, new.values)
        self._settings = new

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step.

        Assigning a number stores it in the array that ``variables`` holds; assigning a callable
        without arguments replaces it by what the callable returns at each step.

        Raises:
            ValueError: if a number, or what a callable returns, is refused.
            AttributeError: if the optimizer has no learning rate.
        """
        return self._checked_learning_rate().now()

    @learning_rate.setter
    def learning_rate(self, value: float | Callable[[], float]) -> None:
        self._checked_learning_rate().assign(value)

    def _checked_learning_rate(self) -> LearningRate:
        if self._learning_rate is None:
            raise AttributeError(f"{type(self).__name__} has no learning rate.")
        return self._learning_rate

    # State ---------------------------------------------------------------------------------

    @property
    def iterations(self) -> int:
        """How many updates have been made: calls, divided by the steps of accumulation."""
        steps: int | None = self._settings.values["gradient_accumulation_steps"]
        return int(self._iteration) // (steps or 1)

    @property
    def variables(self) -> list[Array]:
        """The optimizer's own state as live arrays.

        The count of calls (rank 0, int64); the learning rate (rank 0, float64) unless it is a
        callable; then, once built, all averages, all gradient accumulators, the slots of each
        variable in turn, and the slots of the optimizer as a whole. Writing into them changes
        the next step.
        """
        own: list[Array] = [self._iteration]
        if self._learning_rate is not None and self._learning_rate.function is None:
            own.append(self._learning_rate.array)
        return own if self._state is None else own + self._state.live_arrays()

    def finalize_variable_values(self, variables: Iterable[Array]) -> None:
        """Give the variables the values of their averages; without ``use_ema`` change nothing.

        Args:
            variables: all variables that the optimizer was built with.

        Raises:
            ValueError: if it is not built, or one is missing, unknown or comes twice.
        """
        if not self._settings.values["use_ema"]:
            return
        arrays = as_list("variables", variables)
        state = self._state
        if state is None:
            raise ValueError("the optimizer is not built; it has no averages yet.")
        if len(arrays) != len(state.variables):
            raise ValueError(
                f"variables: expected all {len(state.variables)} variables that the optimizer "
                f"was built with, received {len(arrays)}."
            )
        positions = state.positions_of(arrays)
        for position in positions:
            if not state.variables[position].flags.writeable:
                raise ValueError(f"variable {position} has become read-only; make it writable.")
        for position in positions:
            np.copyto(state.variables[position], state.averages[position])

    def get_config(self) -> dict[str, Value]:
        """Return the constructor's arguments as plain Python objects."""
        config = {name: self._settings.values.get(name) for name in self._arguments}
        if self._learning_rate is not None:
            config["learning_rate"] = self._learning_rate.config()
        return {**config, "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Value]) -> Self:
        """Return a new, unbuilt optimizer with the arguments of ``get_config``.

        Raises:
            ValueError: if an argument is refused or unknown.
        """
        return cast("Callable[..., Self]", cls)(**config)

    def __getstate__(self) -> object:
        """Refuse copies of a built optimizer, which would update the original's variables."""
        if getattr(self, "_state", None) is not None:
            raise TypeError(
                f"a built {type(self).__name__} cannot be copied or pickled, because it is bound "
                "to its variables; use from_config(get_config()) and build the new one."
            )
        return self.__dict__

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"
