"""Variables and the state kept for them: building, excluding, finalising."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from optgen.runtime.arguments import checked
from optgen.runtime.arrays import Array
from optgen.runtime.calls import as_arrays, as_list, names_of
from optgen.runtime.configured import Configured
from optgen.runtime.description import Hyperparameter, Mode, Slot, Value
from optgen.runtime.memory import Reader
from optgen.runtime.phases import Scalars
from optgen.runtime.settings import Settings, needs_new_optimizer
from optgen.runtime.state import State
from optgen.runtime.step import Programs, add_counts
from optgen.runtime.variable import Tensor, Variable, snapshot

LARGEST_COUNT = 2**63 - 2
"""The largest count of calls that int64 holds together with its successor."""


def check_is_count(what: str, value: Array) -> None:
    """Raise ValueError unless the value of an array of rank 0 is a count with a successor."""
    if not 0 <= value <= LARGEST_COUNT:
        raise ValueError(f"{what}: expected a count, received {value}.")


Checks = Sequence[Callable[[str, Array], None]]

OWN_CHECKS: Checks = (check_is_count,)
"""What the first arrays of an optimizer's state must be besides numbers."""


class Stateful(Configured):
    """An optimizer's variables, its count of calls, and the tables that kernels read."""

    def __init__(
        self,
        hyperparameters: Mapping[str, object],
        common: Mapping[str, object],
        name: object,
        unknown: Mapping[str, object],
    ) -> None:
        super().__init__(hyperparameters, common, name, unknown)
        self._iteration = np.array(0, np.int64).view(Tensor)
        self._state: State | None = None
        self._reader: Reader | None = None
        self._excluded_variables: tuple[Any, ...] = ()
        self._excluded_names: tuple[str, ...] = ()
        self._added_weights: dict[str, Array] = {}
        self._warned = False
        self._in_training: list[Any] | None = None
        self._programs = self._new_programs()

    def _new_programs(self) -> Programs:
        modes = self._mode, self.accumulate, self.rest, self.finite
        return Programs(*modes, self.stage_scalars, self._settings)

    def _add_learning_rate(self, scalars: Scalars, calls: int) -> None:
        """Add the learning rate of a call, if there is one, with what ``decay`` makes of it.

        Args:
            scalars: the numbers of the call by name.
            calls: how many calls came before it.
        """
        if self._learning_rate is None:
            return
        learning_rate = self._learning_rate.now(calls)
        if decay := scalars.get("decay") if "decay" not in self._own else None:
            learning_rate /= 1.0 + decay * calls
        scalars["learning_rate"] = learning_rate

    def _scalars_at(
        self,
        settings: Settings,
        state: State,
        calls: int,
        updates: int,
        given: Mapping[str, float],
    ) -> Scalars:
        """Return the scalars of a call; schedules and callables that are not given are asked.

        Args:
            settings: the arguments.
            state: whose step slots are among the scalars.
            calls: how many calls came before it.
            updates: how many updates came before it.
            given: scalars that are known.
        """
        scalars = {**settings.constants, **given}
        if settings.callables:
            asked = [name for name in settings.callables if name not in given]
            answers = settings.numbers_now(self._arguments, asked)
            self._check_mode(dict(zip(asked, answers, strict=True)))
            scalars.update(zip(asked, answers, strict=True))
        self._add_learning_rate(scalars, calls)
        add_counts(scalars, settings, updates)
        for slot, array in state.step_slots.items():
            scalars[slot] = float(array)
        return scalars

    @property
    def _checks_of_variables(self) -> Checks:
        """What the first of ``variables`` must be besides numbers."""
        rate = self._learning_rate
        return OWN_CHECKS if rate is None or rate.function else (*OWN_CHECKS, rate.check)

    def _calls(self) -> int:
        return int(self._iteration)

    @property
    def iterations(self) -> Tensor:
        """How many updates have been made, int64 of rank 0: calls, or calls // accumulation.

        Assigning a count sets the number of calls that makes it.

        Raises:
            ValueError: if what is assigned is no integer, or negative.
        """
        steps: int | None = self._settings.values["gradient_accumulation_steps"]
        return snapshot(self._iteration // (steps or 1))

    @iterations.setter
    def iterations(self, value: int) -> None:
        steps: int = self._settings.values["gradient_accumulation_steps"] or 1
        count = Hyperparameter("iterations", "int", 0, minimum=0, maximum=LARGEST_COUNT // steps)
        self._iteration[...] = checked(count, value) * steps

    # Building ------------------------------------------------------------------------------

    @property
    def built(self) -> bool:
        """Whether the optimizer has been given its variables."""
        return self._state is not None

    def build(self, variables: Iterable[Array | Variable]) -> None:
        """Create the state for these variables; a second call with the same ones does nothing.

        Args:
            variables: writable NumPy arrays of float32 or float64, or Variables, or arrays of
                one CUDA device; they are kept alive.

        Raises:
            ValueError: if one cannot be updated in place, two overlap, there is none, some are on
                a device and others are not, or the optimizer was built with others before.
            ImportError: if they are device arrays, and numba-cuda is not installed.
            RuntimeError: if they are, and there is no CUDA driver, device or toolkit.
        """
        given = as_list("variables", variables)
        if self._state is None:
            self._state, self._reader = self._new_state(given)
        elif self._state.positions_of(as_arrays(given)) != [*range(len(self._state.variables))]:
            raise ValueError(
                "variables: expected those that the optimizer was built with, in the same order. "
                "Construct another optimizer for other variables."
            )

    def _new_state(self, variables: Sequence[Any]) -> tuple[State, Reader]:
        state = self._empty_state(as_arrays(variables), names_of(variables), self._initial_slots())
        state.excluded = _matches(state, self._excluded_variables, self._excluded_names)
        self._fill_columns(state, self._settings.values)
        return state, state.tables.reader(state)

    def _initial_slots(self) -> list[Slot]:
        """Return the slots; what starts as a hyperparameter starts as its value now."""
        return [replace(slot, initial=self._initial(slot.initial)) for slot in self.slots]

    def _initial(self, initial: float | str) -> float | str:
        if not isinstance(initial, str) or initial == "w":
            return initial
        if initial == "learning_rate":
            return self.learning_rate
        return self._settings.numbers_now(self._arguments, [initial])[0]

    def _mode_of_tables(self) -> Mode:
        """Return the mode, with all phases that are launched over its tables."""
        return self._mode

    def _empty_state(
        self, arrays: Sequence[object], names: Sequence[str | None], slots: Sequence[Slot]
    ) -> State:
        use_ema = self._settings.values["use_ema"]
        accumulates = self._settings.values["gradient_accumulation_steps"] is not None
        return State(arrays, self._mode_of_tables(), slots, use_ema, accumulates, names)

    def _fill_columns(self, state: State, values: Mapping[str, Value]) -> None:
        """Write the numbers that may differ between variables into the tables.

        A callable's number is written at each call.
        """
        for name, description in self._arguments.items():
            if description.per_variable and name in self._mode.columns:
                value = 0.0 if values[name] is None or callable(values[name]) else values[name]
                column = self._mode.columns.index(name)
                state.fill_column(column, [0.0 if out else float(value) for out in state.excluded])

    def _assign(self, name: str, value: object) -> None:
        before = self._settings
        super()._assign(name, value)
        if self._state is None:
            return
        old, new = before.values[name], self._settings.values[name]
        if new != old and self._only_starts_slots(name):
            self._settings = before
            raise needs_new_optimizer(name, old, new)
        self._fill_columns(self._state, self._settings.values)

    def _only_starts_slots(self, name: str) -> bool:
        """Say whether a hyperparameter has had all its effect when the state was made."""
        read = (name in phase.inputs for phase in self._mode.phases)
        starts = any(slot.initial == name for slot in self.slots)
        return starts and name not in self._mode.columns and not any(read)

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Array | Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Leave variables out of weight decay; a second call replaces the first.

        Args:
            var_list: the variables themselves.
            var_names: regular expressions, searched for in the names of Variables; plain arrays
                have no name.

        Raises:
            ValueError: if a variable is not one of those that the optimizer is built with (before
                ``build``, that will say so), a pattern is malformed, or there are patterns and no
                variable has a name.
        """
        variables = tuple(as_list("var_list", () if var_list is None else var_list))
        names = _checked_patterns(var_names)
        if self._state is not None:
            self._state.excluded = _matches(self._state, variables, names)
            self._fill_columns(self._state, self._settings.values)
        self._excluded_variables, self._excluded_names = variables, names

    def finalize_variable_values(self, var_list: Iterable[Array | Variable] | None = None) -> None:
        """Give the variables the values of their averages; without ``use_ema`` change nothing.

        Before the first step that is the variables' own values.

        Args:
            var_list: all variables that the optimizer was built with; None for these.

        Raises:
            ValueError: if it is not built, or one is missing, unknown or comes twice.
        """
        if not self._settings.values["use_ema"]:
            return
        state = self._state
        if state is None:
            raise ValueError("the optimizer is not built; it has no averages yet.")
        if self._in_training is not None:
            raise ValueError("finalize_variable_values: call train() first, which ends eval().")
        given = state.variables if var_list is None else as_list("variables", var_list)
        arrays = as_arrays(given)
        if len(arrays) != len(state.variables):
            raise ValueError(
                f"variables: expected all {len(state.variables)} variables that the optimizer "
                f"was built with, received {len(arrays)}."
            )
        state.finalize(state.positions_of(arrays))

    def _built_state(self) -> State:
        """Return the state; ValueError if the optimizer is not built."""
        if self._state is None:
            raise ValueError(
                f"{self.name}: expected a built optimizer; call build(variables) first."
            )
        return self._state


def _checked_patterns(patterns: Iterable[str] | None) -> tuple[str, ...]:
    """Return regular expressions; ValueError if one is none."""
    if patterns is not None and not isinstance(patterns, Iterable):
        raise ValueError(f"var_names: expected strings, received {type(patterns).__name__}.")
    found = (patterns,) if isinstance(patterns, str) else tuple(patterns or ())
    for pattern in found:
        try:
            re.compile(pattern)
        except (re.error, TypeError) as error:
            raise ValueError(
                f"var_names: expected regular expressions, received {pattern!r}: {error}."
            ) from None
    return found


def _matches(
    state: State, variables: Sequence[object], patterns: Sequence[str]
) -> tuple[bool, ...]:
    """Say for each variable of a state whether it is among some or has one of some names."""
    positions = set(state.positions_of(as_arrays(variables)))
    if patterns and not any(state.names):
        raise ValueError(
            "var_names: expected variables with names, received arrays, which have none. Build "
            "with optgen.Variable, or give var_list."
        )
    return tuple(
        position in positions or (name is not None and any(re.search(p, name) for p in patterns))
        for position, name in enumerate(state.names)
    )
