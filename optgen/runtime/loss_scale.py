"""A dynamic loss scale around another optimizer, for gradients that come in low precision."""

from __future__ import annotations

import copy
import importlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from optgen.runtime.arguments import checked, checked_name
from optgen.runtime.arrays import Array
from optgen.runtime.calls import check_operation_name, unzipped
from optgen.runtime.checkpoint import Checkpoint, write
from optgen.runtime.description import Hyperparameter
from optgen.runtime.device_arrays import to_host
from optgen.runtime.minimize import Loss, Minimizer, Variables
from optgen.runtime.optimizer import Optimizer
from optgen.runtime.saving import restore
from optgen.runtime.schedules import LearningRateSchedule
from optgen.runtime.state_access import ArrayList, replace_all
from optgen.runtime.variable import Tensor, Variable

_LARGEST, _SMALLEST = 2.0**127, 2.0**-126
"""The scale stays a normal number of float32, so that kernels never divide by 0 or infinity."""

_INITIAL_SCALE = Hyperparameter(
    "initial_scale", "float", 2.0**15, minimum=_SMALLEST, maximum=_LARGEST
)
_GROWTH_STEPS = Hyperparameter("dynamic_growth_steps", "int", 2000, minimum=1)

_PACKAGE = "optgen.optimizers"
_INNER = "inner/"


class LossScaleOptimizer(Minimizer):
    """An optimizer whose loss is scaled up as far as the gradients allow.

    The loss is multiplied by a scale before it is differentiated, so that small gradients survive
    a low precision; the kernels of the inner optimizer divide by it again. If any gradient of any
    variable holds NaN or infinity, the whole call is skipped: no variable, slot, count or schedule
    moves, and the scale is halved. After ``dynamic_growth_steps`` calls in a row without a skip it
    is doubled. What is not listed here is that of the inner optimizer.

    Args:
        inner_optimizer: the optimizer that makes the updates, without a ``loss_scale_factor``.
        initial_scale: the first scale.
        dynamic_growth_steps: calls without a skip until the scale is doubled.
        name: the optimizer's name.
        **kwargs: the arguments of optimizers, which belong to the inner one, are refused.

    Attributes:
        inner_optimizer: the optimizer that makes the updates.

    Raises:
        ValueError: if an argument is refused.

    References:
        Micikevicius et al. 2018, Mixed precision training
        ``keras.optimizers.LossScaleOptimizer`` of Keras 3
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str = "LossScaleOptimizer",
        **kwargs: object,
    ) -> None:
        _check_inner(inner_optimizer, kwargs)
        self.inner_optimizer = inner_optimizer
        self.name = checked_name(name)
        self._initial_scale = _number(_INITIAL_SCALE, initial_scale)
        self._growth_steps = checked(_GROWTH_STEPS, dynamic_growth_steps)
        self._scale = np.array(self._initial_scale).view(Tensor)
        self._step_counter = np.array(0, np.int64).view(Tensor)
        self._skipped = np.array(0, np.int64).view(Tensor)
        self._last_skipped = False

    # Stepping ------------------------------------------------------------------------------

    def build(self, variables: Iterable[Array | Variable]) -> None:
        """Create the inner optimizer's state; see ``Optimizer.build``."""
        self.inner_optimizer.build(variables)

    def apply_gradients(
        self,
        grads_and_vars: Iterable[tuple[Any, Array | Variable]],
        name: str | None = None,
        experimental_aggregate_gradients: bool = True,
    ) -> Tensor:
        """Update variables by gradients of the scaled loss, or skip the call.

        Args:
            grads_and_vars: pairs of gradient and variable.
            name: has no effect.
            experimental_aggregate_gradients: has no effect.

        Returns:
            The inner optimizer's ``iterations``, int64 of rank 0.

        Raises:
            TypeError: if an item is not a pair.
            ValueError: as ``Optimizer.apply`` does.
        """
        check_operation_name(name)
        self.apply(*unzipped(grads_and_vars))
        return self.iterations

    def apply(
        self, gradients: Iterable[Any], variables: Iterable[Array | Variable] | None = None
    ) -> None:
        """Update variables by gradients of the scaled loss, or skip the call.

        Args:
            gradients: as for ``Optimizer.apply``, of the loss that ``scale_loss`` returned.
            variables: as for ``Optimizer.apply``.

        Raises:
            ValueError: as ``Optimizer.apply`` does; gradients that are not finite are no error.
        """
        taken = self.inner_optimizer._apply(
            gradients, variables, self.dynamic_scale, only_if_finite=True
        )
        self._last_skipped = not taken
        if not taken:
            self._skipped += 1
            self._step_counter[...] = 0
            self._scale[...] = max(self.dynamic_scale * 0.5, _SMALLEST)
        elif self._step_counter == self._growth_steps - 1:
            self._step_counter[...] = 0
            self._scale[...] = min(self.dynamic_scale * 2.0, _LARGEST)
        else:
            self._step_counter += 1

    def minimize(
        self,
        loss: Loss,
        var_list: Variables,
        grad_loss: Any = None,
        name: str | None = None,
        tape: None = None,
    ) -> Tensor:
        """Update Variables by one step that makes a loss smaller; see ``Optimizer.minimize``.

        Gradients that overflow are no reason for a warning: the call is skipped.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            return super().minimize(loss, var_list, grad_loss, name, tape)

    def scale_loss(self, loss: Any) -> Any:
        """Return a loss times the scale of the next call."""
        return loss * self.dynamic_scale

    def finalize_variable_values(self, var_list: Iterable[Array | Variable] | None = None) -> None:
        """Give variables the values of their averages; see the inner optimizer."""
        self.inner_optimizer.finalize_variable_values(var_list)

    # What can be seen ----------------------------------------------------------------------

    @property
    def dynamic_scale(self) -> float:
        """By what the loss of the next call is multiplied."""
        return float(self._scale)

    @property
    def initial_scale(self) -> float:
        """By what the first loss was multiplied."""
        return self._initial_scale

    @property
    def dynamic_growth_steps(self) -> int:
        """Calls without a skip until the scale is doubled."""
        steps: int = self._growth_steps
        return steps

    @property
    def skipped_steps(self) -> int:
        """How many calls were skipped so far."""
        return int(self._skipped)

    @property
    def last_step_skipped(self) -> bool:
        """Whether the last call was skipped because a gradient was not finite."""
        return self._last_skipped

    @property
    def built(self) -> bool:
        """Whether the inner optimizer has been given its variables."""
        return self.inner_optimizer.built

    @property
    def iterations(self) -> Tensor:
        """How many updates the inner optimizer has made; skipped calls are none."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> float:
        """The learning rate of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float | LearningRateSchedule | Callable[[], float]) -> None:
        self.inner_optimizer.learning_rate = value

    # State ---------------------------------------------------------------------------------

    @property
    def _own(self) -> list[Array]:
        return [self._step_counter, self._scale, self._skipped]

    @property
    def variables(self) -> ArrayList:
        """Calls since the last change of the scale, the scale, skipped calls; then the inner's."""
        return ArrayList([*self._own, *self.inner_optimizer.variables])

    @property
    def weights(self) -> ArrayList:
        """As ``variables``, with the inner optimizer's ``weights``."""
        return ArrayList([*self._own, *self.inner_optimizer.weights])

    def get_weights(self) -> list[Array]:
        """Return copies of ``weights``."""
        return [to_host(array) for array in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Give ``weights`` new values; ValueError, and no change, if one is refused."""
        if len(weights) > 1:
            _check_scale(weights[1])
        replace_all("weights", self.weights, weights, self.built)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write arguments and state to a file; see ``Optimizer.save``."""
        write(path, self._checkpoint())

    def load(
        self, path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None
    ) -> None:
        """Take over what ``save`` wrote; see ``Optimizer.load``."""
        restore(self, path, custom_objects)

    def _checkpoint(self) -> Checkpoint:
        inner = self.inner_optimizer._checkpoint()
        header = {
            "class": type(self).__name__,
            "config": {
                name: x for name, x in self.get_config().items() if name != "inner_optimizer"
            },
            "last_step_skipped": self._last_skipped,
            "inner": inner.header,
        }
        own = {"step_counter": self._step_counter, "scale": self._scale, "skipped": self._skipped}
        return Checkpoint(header, {**own, **{_INNER + k: a for k, a in inner.arrays.items()}})

    def _restore(self, checkpoint: Checkpoint, custom_objects: Mapping[str, Any]) -> None:
        header, arrays = checkpoint
        if header.get("class") != type(self).__name__:
            raise ValueError(
                f"class: expected a file of {type(self).__name__}, received one of "
                f"{header.get('class')!r}."
            )
        new = type(self)(self.inner_optimizer, **header["config"])
        values = [arrays["step_counter"], arrays["scale"], arrays["skipped"]]
        _check_scale(arrays["scale"])
        replace_all("state", new._own, values, True)
        new._last_skipped = bool(header["last_step_skipped"])
        inner = {k.removeprefix(_INNER): a for k, a in arrays.items() if k.startswith(_INNER)}
        self.inner_optimizer._restore(Checkpoint(header["inner"], inner), custom_objects)
        self.__dict__.update(vars(new))

    def __copy__(self) -> Self:
        """Return a copy that shares nothing."""
        return copy.deepcopy(self)

    # Configuration -------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as objects that JSON can hold."""
        inner = self.inner_optimizer
        return {
            "name": self.name,
            "inner_optimizer": {"class_name": type(inner).__name__, "config": inner.get_config()},
            "initial_scale": self._initial_scale,
            "dynamic_growth_steps": self._growth_steps,
        }

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        """Return a new, unbuilt optimizer with the arguments of ``get_config``.

        Args:
            config: a dictionary that ``get_config`` returned, possibly by way of JSON.
            custom_objects: by name, callables, and classes that are not in ``optgen.optimizers``.

        Raises:
            ValueError: if an argument is refused or unknown, or a name is not in
                ``custom_objects``.
        """
        inner = config.get("inner_optimizer")
        if isinstance(inner, Mapping):
            known = custom_objects or {}
            made = _class_of(inner.get("class_name"), known).from_config(inner["config"], known)
            config = {**config, "inner_optimizer": made}
        return cls(**config)

    def __repr__(self) -> str:
        """Return the call of the constructor, without arguments that have their defaults."""
        arguments = [repr(self.inner_optimizer)]
        for h, value in (
            (_INITIAL_SCALE, self._initial_scale),
            (_GROWTH_STEPS, self._growth_steps),
        ):
            arguments += [f"{h.name}={value!r}"] if value != h.default else []
        arguments += [f"name={self.name!r}"] if self.name != type(self).__name__ else []
        return f"{type(self).__name__}({', '.join(arguments)})"


def _check_inner(inner: object, others: Mapping[str, object]) -> None:
    """Raise ValueError unless an optimizer can be given a dynamic scale."""
    if not isinstance(inner, Optimizer):
        raise ValueError(
            f"inner_optimizer: expected an optimizer, received {type(inner).__name__}."
        )
    if others:
        names = ", ".join(map(repr, others))
        raise ValueError(
            f"LossScaleOptimizer got unknown argument(s) {names}; set arguments of optimizers on "
            "the inner_optimizer."
        )
    if "loss_scale_factor" in inner._own:
        raise ValueError(
            f"inner_optimizer: expected one whose loss scale is the common argument, received "
            f"{type(inner).__name__}, which declares a loss_scale_factor of its own."
        )
    if inner._settings.values["loss_scale_factor"] is not None:
        raise ValueError(
            "inner_optimizer: expected loss_scale_factor=None, because the dynamic scale takes its "
            f"place, received {inner._settings.values['loss_scale_factor']!r}."
        )


def _check_scale(value: ArrayLike) -> None:
    """Raise ValueError unless a saved scale is one that the optimizer could have had."""
    scale = np.asarray(value)
    if scale.shape == () and not _SMALLEST <= float(scale) <= _LARGEST:
        raise ValueError(
            f"dynamic scale: expected a number from {_SMALLEST:g} to {_LARGEST:g}, received "
            f"{float(scale):g}."
        )


def _number(hyperparameter: Hyperparameter, value: object) -> float:
    if callable(value):
        raise ValueError(f"{hyperparameter.name}: expected a number, received a callable.")
    number: float = checked(hyperparameter, value)
    return number


def _class_of(name: object, custom_objects: Mapping[str, Any]) -> Any:
    """Return a class by name: one of ``custom_objects``, else one of the generated package."""
    if name in custom_objects:
        return custom_objects[str(name)]
    package = importlib.import_module(_PACKAGE)
    if name not in package.__all__:
        raise ValueError(
            f"inner_optimizer: expected one of {', '.join(package.__all__)}, received {name!r}; "
            f"pass custom_objects={{{name!r}: ...}} for a class of your own."
        )
    return getattr(package, str(name))
