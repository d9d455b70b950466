"""The base class of generated optimizers: one step, in the order of Keras 3."""

from __future__ import annotations

import operator
import os
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optgen.runtime.arrays import Array
from optgen.runtime.calls import (
    as_arrays,
    as_list,
    as_pairs,
    check_count,
    check_operation_name,
    unzipped,
)
from optgen.runtime.gradients import Gradients
from optgen.runtime.memory import Reader
from optgen.runtime.minimize import Minimizer
from optgen.runtime.phases import Scalars
from optgen.runtime.saving import Saving
from optgen.runtime.settings import Settings
from optgen.runtime.state import State
from optgen.runtime.stateful import LARGEST_COUNT
from optgen.runtime.step import are_finite, run_call
from optgen.runtime.variable import Tensor, Variable, snapshot

_MOST_NAMED = 5
"""How many variables a warning names."""

_RUNTIME = str(Path(__file__).parent) + os.sep


class Optimizer(Saving, Minimizer):
    """What all generated optimizers share: arguments, state and the order of one step.

    A subclass describes its optimizer by class attributes and chooses its mode. Variables are
    writable NumPy arrays of float32 or float64, of any shape, or ``optgen.Variable``s that hold
    one, and are updated in place. They may be arrays of one CUDA device instead (of torch, CuPy,
    Numba: what has ``__cuda_array_interface__``). Gradients then are, too, and so is the state; a
    step works on the current stream of their library, on which gradients must be ready, and does
    not wait for it. Hyperparameters and common arguments are attributes. A call that raises
    changes nothing.

    Attributes:
        name: the name given to the constructor.
        hyperparameters: what the optimizer's own arguments are.
        slots: the state that it keeps.
        stage_scalars: scalars of the common stages.
        accumulate: the common stages of a call that only accumulates gradients.
        rest: the common stages of variables without a gradient.
        finite: the check of a call's gradients for NaN and infinities.
    """

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Array | Variable]],
        name: str | None = None,
        experimental_aggregate_gradients: bool = True,
    ) -> Tensor:
        """Update variables by their gradients.

        Args:
            grads_and_vars: pairs of gradient and variable; see ``apply``.
            name: a name for the operation in a graph; here it has no effect.
            experimental_aggregate_gradients: whether to sum gradients over replicas; as there is
                one process, it has no effect.

        Returns:
            How many calls have been counted, this one included: int64 of rank 0.

        Raises:
            TypeError: if an item is not a pair.
            ValueError: as ``apply`` does, or if ``name`` is neither a string nor None.
        """
        check_operation_name(name)
        self._apply_pairs(grads_and_vars)
        return self._iteration.copy()

    def apply(
        self, gradients: Iterable[Any], variables: Iterable[Array | Variable] | None = None
    ) -> None:
        """Update variables in place by their gradients.

        Args:
            gradients: arrays shaped like their variables, float32 or float64, read-only or
                strided if need be; None for a variable without a gradient in this call.
            variables: the variables, in the order of the gradients; without them, those of
                ``build``. The first call with variables builds.

        Raises:
            ValueError: if there is no gradient, numbers of gradients and variables differ, a
                variable is unknown or comes twice, a gradient's shape, dtype or memory is
                refused, or a schedule or callable gives a number that is refused.
        """
        self._apply(gradients, variables)

    def scale_loss(self, loss: Any) -> Any:
        """Return a loss times ``loss_scale_factor``, by which gradients are divided again.

        Args:
            loss: anything that can be multiplied by a float. Without a factor it is returned as
                it is.

        Raises:
            ValueError: if the factor is a callable and gives a number that is refused.
        """
        if "loss_scale_factor" not in self._settings.stages:
            return loss
        return loss * self._settings.numbers_now(self._arguments, ["loss_scale_factor"])[0]

    def _apply_scaled(
        self,
        gradients: Sequence[Any],
        variables: Sequence[Variable],
        scale: float,
        name: str | None,
    ) -> Tensor:
        if "loss_scale_factor" not in self._settings.callables:
            return super()._apply_scaled(gradients, variables, scale, name)
        # The factor was asked for when the loss was scaled, and is not asked for again.
        self._apply(gradients, variables, loss_scale=scale)
        return snapshot(self._iteration)

    def _apply_pairs(
        self,
        grads_and_vars: Any,
        loss_scale: float | None = None,
        only_if_finite: bool = False,
    ) -> bool:
        """Take one call whose gradients come in pairs with their variables; see ``_apply``."""
        pairs = as_pairs(grads_and_vars)
        state, reader = self._state, self._reader
        if state is not None and reader is not None:
            found = reader.read_pairs(pairs)
            if found is not None:
                return self._step(state, reader, found, loss_scale, only_if_finite)
        return self._apply(*unzipped(pairs), loss_scale, only_if_finite)

    def _apply(
        self,
        gradients: Any,
        variables: Any,
        loss_scale: float | None = None,
        only_if_finite: bool = False,
    ) -> bool:
        """Take one call.

        Args:
            gradients: as for ``apply``.
            variables: as for ``apply``.
            loss_scale: what the loss was multiplied by; None for ``loss_scale_factor``.
            only_if_finite: change nothing if a gradient is not finite.

        Returns:
            Whether the call was taken.
        """
        given = as_list("gradients", gradients)
        if not given:
            raise ValueError("gradients: expected at least one gradient, received none.")
        known, state, reader = variables is None, self._state, self._reader
        if known and state is None:
            raise ValueError(
                "variables: expected the variables, because the optimizer is not built; "
                "pass them, or call build(variables) first."
            )
        arrays = as_list("variables", variables if state is None or not known else state.variables)
        check_count(given, arrays)
        if state is None or reader is None:
            state, reader = self._new_state(arrays)
        elif not known:
            given = _in_order(state, given, as_arrays(arrays))
        return self._step(state, reader, reader.read(given), loss_scale, only_if_finite)

    def _step(
        self,
        state: State,
        reader: Reader,
        found: Gradients,
        loss_scale: float | None,
        only_if_finite: bool,
    ) -> bool:
        """Take one call's gradients; keep a new state if nothing fails."""
        # Everything that can raise comes first; only then memory is written.
        self._check_training("step")
        programs, settings, raw = self._programs, self._settings, self._checked_calls()
        if only_if_finite:
            reader.point_at(found)
            if not are_finite(programs.finite_check, state, found.participants):
                self._keep(state, reader)
                return False
        given = {} if loss_scale is None else {"loss_scale_factor": loss_scale}
        scalars = self._scalars_of_call(settings, state, raw, given)
        if found.missing and not self._warned:
            self._warn_of_missing(state, found.missing)
        if settings.callables:
            self._fill_columns(state, {**settings.values, **scalars})
        steps = settings.values["gradient_accumulation_steps"]
        updates = steps is None or (raw + 1) % steps == 0
        rate = self._learning_rate
        if settings.callables or (rate is not None and rate.function is not None):
            reader.look_again()
        program = programs.plain if loss_scale is None else programs.scaled
        reader.point_at(found)
        run_call(program, state, found.participants, scalars, settings, updates)
        self._iteration[...] = raw + 1
        self._keep(state, reader)
        return True

    def _keep(self, state: State, reader: Reader) -> None:
        """Take over the state of a first call, which has not failed."""
        if self._state is not state:
            self._state, self._reader = state, reader

    def _scalars_of_call(
        self, settings: Settings, state: State, raw: int, given: Mapping[str, float]
    ) -> Scalars:
        """Return the scalars of a call; ValueError if a callable changes the optimizer."""
        before, steps = self._state, settings.values["gradient_accumulation_steps"]
        updates = raw if steps is None else raw // steps
        scalars = self._scalars_at(settings, state, raw, updates, given)
        stepped = int(self._iteration) != raw
        if stepped or self._settings is not settings or self._state is not before:
            did = "stepped" if stepped else "changed"
            raise ValueError(f"{self.name}: a callable argument {did} the optimizer that asked it.")
        return scalars

    def _checked_calls(self) -> int:
        """Return the count of calls; ValueError if what was written into its array is none."""
        raw = int(self._iteration)
        if not 0 <= raw <= LARGEST_COUNT:
            raise ValueError(f"iterations: expected a count of calls, received {raw}.")
        return raw

    def _warn_of_missing(self, state: State, positions: Sequence[int]) -> None:
        missing = [
            f"variable {position}" if state.names[position] is None else repr(state.names[position])
            for position in positions
        ]
        rest = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        warnings.warn(
            f"{self.name}: no gradient in this call for {', '.join(missing[:_MOST_NAMED])}{rest}; "
            "not updated. This is said once per optimizer.",
            UserWarning,
            stacklevel=_level_of_caller(),
        )
        self._warned = True


def _in_order(state: State, gradients: list[Any], variables: list[Any]) -> list[Any]:
    """Return one gradient or None per variable of a state, whatever the order of a call."""
    known = state.variables
    if len(variables) == len(known) and all(map(operator.is_, variables, known)):
        return gradients
    return state.in_order_of_build(gradients, variables)


def _level_of_caller() -> int:
    """Return the ``stacklevel`` by which the calling function warns the line of a user."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_RUNTIME):
        level, frame = level + 1, frame.f_back
    return level
