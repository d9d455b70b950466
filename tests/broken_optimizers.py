"""Optimizers with one fault each, of the kinds that optimizers have had."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

import numba
import numpy as np

from optgen.optimizers import SGD

Array = np.ndarray[Any, Any]


def nudged(variable: Array) -> None:
    """Move the last element of a variable by one unit in the last place."""
    if variable.size:
        last = tuple(n - 1 for n in variable.shape)
        variable[last] = np.nextafter(variable[last], np.inf, dtype=variable.dtype)


class Broken(SGD):
    """SGD whose gradients, or whose variables after a step, come out otherwise."""

    def apply(self, gradients: Iterable[Any], variables: Any = None) -> None:
        given = list(gradients)
        known = list(self._built_state().variables if variables is None else variables)
        super().apply(self.changed(given), known)
        self.afterwards(given, known)

    def changed(self, gradients: list[Any]) -> list[Any]:
        return gradients

    def afterwards(self, gradients: list[Any], variables: Sequence[Array]) -> None:
        pass


class OffByOneUnitInOneMode(Broken):
    def afterwards(self, gradients: list[Any], variables: Sequence[Array]) -> None:
        if self.select_mode().name == "nesterov":
            nudged(variables[0])


class OffByOneUnitBeyondAChunk(Broken):
    def afterwards(self, gradients: list[Any], variables: Sequence[Array]) -> None:
        for variable in variables:
            if variable.size > 16_384:
                nudged(variable)


class OtherEverySecondTime(Broken):
    calls: ClassVar[int] = 0

    def afterwards(self, gradients: list[Any], variables: Sequence[Array]) -> None:
        OtherEverySecondTime.calls += 1
        if OtherEverySecondTime.calls % 2:
            nudged(variables[0])


class InHalfPrecision(Broken):
    def changed(self, gradients: list[Any]) -> list[Any]:
        return [g.astype(np.float16).astype(g.dtype) for g in gradients]


class IgnoresMomentum(SGD):
    def __init__(self, **arguments: Any) -> None:
        if arguments.get("nesterov") and arguments.get("momentum"):
            arguments["momentum"] = 0.5
        super().__init__(**arguments)


class IgnoresNesterov(SGD):
    def select_mode(self) -> Any:
        held = self._settings.values["nesterov"]
        self._settings.values["nesterov"] = False
        try:
            return super().select_mode()
        finally:
            self._settings.values["nesterov"] = held


class IgnoresClipping(SGD):
    def __init__(self, **arguments: Any) -> None:
        super().__init__(**{**arguments, "clipvalue": None})


class ForgetsAnOption(SGD):
    def get_config(self) -> dict[str, Any]:
        return {name: x for name, x in super().get_config().items() if name != "clipnorm"}


class DividesByTheNorm(Broken):
    def changed(self, gradients: list[Any]) -> list[Any]:
        with np.errstate(all="ignore"):
            return [g if g is None else g * (np.sum(g) / np.sum(g)) for g in gradients]


class CountsEmptyVariables(Broken):
    def changed(self, gradients: list[Any]) -> list[Any]:
        empty = any(g.size == 0 for g in gradients)
        return [g * 2 if empty else g for g in gradients]


class UpdatesACopy(Broken):
    def apply(self, gradients: Iterable[Any], variables: Any = None) -> None:
        own = self.__dict__.setdefault("_copies", [np.ascontiguousarray(w) for w in variables])
        super().apply(gradients, own)


class ChangesGradients(Broken):
    def afterwards(self, gradients: list[Any], variables: Sequence[Array]) -> None:
        if gradients[0].flags.writeable:
            gradients[0][...] = 0.0


class ReadsTheLastGradient(Broken):
    def changed(self, gradients: list[Any]) -> list[Any]:
        kept = self.__dict__.get("_kept", gradients)
        self.__dict__["_kept"] = gradients
        return kept


class FlushesDenormals(Broken):
    def changed(self, gradients: list[Any]) -> list[Any]:
        return [np.where(np.abs(g) < np.finfo(g.dtype).tiny, g.dtype.type(0), g) for g in gradients]


class AssumesFiniteNumbers(Broken):
    def changed(self, gradients: list[Any]) -> list[Any]:
        return [np.nan_to_num(g) for g in gradients]


class MovesWithoutGradients(Broken):
    def apply(self, gradients: Iterable[Any], variables: Any = None) -> None:
        zeros = [np.zeros_like(w) for w in variables]
        given = [z if g is None else g for g, z in zip(gradients, zeros, strict=True)]
        super().apply(given, variables)


class MixesVariables(Broken):
    def changed(self, gradients: list[Any]) -> list[Any]:
        return [g / np.sqrt(len(gradients)).astype(g.dtype) for g in gradients]


class SavesNoState(SGD):
    def _checkpoint(self) -> Any:
        found = super()._checkpoint()
        arrays = {
            key: np.zeros_like(array) if key.startswith("slot/velocity") else array
            for key, array in found.arrays.items()
        }
        return found._replace(arrays=arrays)


class RoundsItsWeights(SGD):
    def get_weights(self) -> list[Array]:
        return [w.astype(np.float16).astype(w.dtype) for w in super().get_weights()]


class SharesItsState(SGD):
    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self


class LosesItsStateInPickles(SGD):
    def __getstate__(self) -> dict[str, Any]:
        found = copy.copy(super().__getstate__())
        kept = found["_state"]
        zeros = {key: np.zeros_like(array) for key, array in kept["arrays"].items()}
        return {**found, "_state": {**kept, "arrays": zeros}}


class UpdatesBeforeItChecks(SGD):
    def apply(self, gradients: Iterable[Any], variables: Any = None) -> None:
        try:
            super().apply(gradients, variables)
        except ValueError:
            variables[0][...] = 0.0
            raise


class DependsOnThreads(Broken):
    def afterwards(self, gradients: list[Any], variables: Sequence[Array]) -> None:
        if numba.get_num_threads() > 1:
            nudged(variables[0])


class Crashes(Broken):
    def changed(self, gradients: list[Any]) -> list[Any]:
        if not all(np.isfinite(g).all() for g in gradients):
            raise ZeroDivisionError("a gradient is not finite")
        return gradients


FAULTS: dict[type[SGD], tuple[str, str]] = {
    OffByOneUnitInOneMode: ("parity", r"after call 1 of 6: variable/0.*1 unit in the last place"),
    OffByOneUnitBeyondAChunk: ("large", r"variable/0.29999.: .*1 unit in the last place"),
    OtherEverySecondTime: ("repeat", "variable/0"),
    InHalfPrecision: ("examples", "step 1, element .*the numbers are from Lasagne"),
    IgnoresMomentum: ("hyperparameters", "in mode nesterov, momentum=.*expected other results"),
    IgnoresNesterov: ("hyperparameters", "nesterov: expected another value of it to change"),
    IgnoresClipping: ("common_arguments", "clipvalue=0.2 instead of clipvalue=0.4: expected other"),
    ForgetsAnOption: ("configuration", r"from_config\(get_config\(\)\): variable/0"),
    DividesByTheNorm: ("zeros", "expected .*received .*nan"),
    CountsEmptyVariables: ("empty", "with an empty variable at position 0: variable/0"),
    UpdatesACopy: ("layouts", "variables in Fortran order: variable/0"),
    ChangesGradients: ("layouts", "gradient 0 was changed by the call"),
    ReadsTheLastGradient: ("layouts", "gradients in .*received .*nan"),
    FlushesDenormals: ("magnitudes", "gradients of about .*e-3"),
    AssumesFiniteNumbers: ("non_finite", "expected .*nan.*which is not finite as expected"),
    Crashes: ("non_finite", "ZeroDivisionError: a gradient is not finite"),
    MovesWithoutGradients: ("missing", "the variable has no gradient: variable/"),
    MixesVariables: ("one_by_one", "variable 0 alone, against all together"),
    SavesNoState: ("resume", "saved after 3 calls and loaded into one with the same arguments"),
    RoundsItsWeights: ("weights", "continued by set_weights after 3 calls"),
    SharesItsState: ("copies", "the original after steps of its copy"),
    LosesItsStateInPickles: ("copies", "copy: average/0"),
    UpdatesBeforeItChecks: ("failing_calls", "after a gradient of another shape: variable/0"),
    DependsOnThreads: ("threads", "2 threads, against 1: variable/0"),
}
"""Per optimizer the check that notices its fault, and what that says."""
