"""Values that the variables have while a model is evaluated, between steps."""

from __future__ import annotations

from dataclasses import replace

from optgen.runtime.description import Mode
from optgen.runtime.phases import prepare
from optgen.runtime.stateful import Stateful


class Evaluating(Stateful):
    """What gives the variables other values for an evaluation, and takes them back.

    Attributes:
        evaluations: what computes these values, in the order of the modes; empty if a model is
            evaluated with the variables as steps leave them.
    """

    evaluations: tuple[Mode, ...] = ()

    @property
    def evaluating(self) -> bool:
        """Whether the variables have the values for evaluation."""
        return self._in_training is not None

    def eval(self) -> None:
        """Give the variables the values that a model should be evaluated and shipped with.

        What they held is kept, at the cost of a copy of them, and comes back with ``train``, every
        bit of it; steps are refused until then. A second call changes nothing, and neither does
        one to an optimizer whose variables always have these values, or that has made no step.

        Raises:
            ValueError: if the optimizer is not built, a variable has become read-only or lies
                elsewhere, or a callable gives a number that is refused or changes the optimizer.
        """
        state = self._built_state()
        mode = self._evaluation()
        calls, done = int(self._iteration), int(self.iterations)
        if mode is None or self.evaluating or done == 0:
            return
        phases = prepare(mode, (), frozenset(), ())
        settings, reader = self._settings, self._reader
        steps = settings.values["gradient_accumulation_steps"] or 1
        # Between steps the step is the last one, whose values the slots hold.
        scalars = self._scalars_at(settings, state, done * steps - 1, done - 1, {})
        if (
            reader is None
            or self.evaluating
            or self._state is not state
            or int(self._iteration) != calls
        ):
            raise ValueError(f"{self.name}: a callable argument changed the optimizer in eval().")
        reader.find_variables()
        if settings.callables:
            self._fill_columns(state, {**settings.values, **scalars})
        everyone = state.all_present.present
        state.tables.run(phases, everyone, dict(scalars), None, None, True)
        kept = [state.memory.copied(variable) for variable in state.variables]
        # Kept first: what interrupts a launch must not lose the values of training.
        self._in_training = kept
        state.tables.run(phases, everyone, scalars, None, None)
        state.tables.finish()

    def train(self) -> None:
        """Give the variables back the values that they had before ``eval``.

        Whatever was written into them in between is lost. Without ``eval`` nothing changes.

        Raises:
            ValueError: if a variable has become read-only, or lies elsewhere.
        """
        if self._in_training is None:
            return
        state, reader = self._built_state(), self._reader
        assert reader is not None
        reader.find_variables()
        state.memory.copy_all(list(zip(state.variables, self._in_training, strict=True)))
        self._in_training = None

    def _mode_of_tables(self) -> Mode:
        mode = self._evaluation()
        if mode is None:
            return self._mode
        return replace(self._mode, phases=(*self._mode.phases, *mode.phases))

    def _evaluation(self) -> Mode | None:
        name = f"{self._mode.name}_evaluation"
        return next((mode for mode in self.evaluations if mode.name == name), None)

    def _check_training(self, what: str) -> None:
        """Raise ValueError if the variables have the values for evaluation."""
        if self._in_training is not None:
            raise ValueError(
                f"{what}: expected the variables as steps leave them, but they have the values for "
                "evaluation; call train() first."
            )
