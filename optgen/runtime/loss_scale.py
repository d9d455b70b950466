"""A dynamic loss scale around another optimizer, for gradients that come in low precision."""

from __future__ import annotations

import copy
import importlib
import os
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any, ClassVar, Self

from numpy.typing import ArrayLike

from optgen.runtime.arguments import checked_name
from optgen.runtime.arrays import Array
from optgen.runtime.attributes import Attributes
from optgen.runtime.calls import check_operation_name
from optgen.runtime.checkpoint import Checkpoint, write
from optgen.runtime.device_arrays import to_host
from optgen.runtime.dynamic_scale import CHECKS, GROWTH_STEPS, INITIAL_SCALE, KEYS, DynamicScale
from optgen.runtime.header import check_class
from optgen.runtime.minimize import Minimizer
from optgen.runtime.optimizer import Optimizer
from optgen.runtime.replacement import check_all, load_all, replace_all, store_all
from optgen.runtime.saving import restore
from optgen.runtime.schedules import LearningRateSchedule
from optgen.runtime.state_access import ArrayList
from optgen.runtime.stateful import OWN_CHECKS, Checks
from optgen.runtime.variable import Tensor, Variable, snapshot

_PACKAGE = "optgen.optimizers"
_INNER = "inner/"


class LossScaleOptimizer(Attributes, Minimizer):
    """An optimizer whose loss is scaled up as far as the gradients allow.

    The loss is multiplied by a scale before it is differentiated, so that small gradients survive
    a low precision; the kernels of the inner optimizer divide by it again. If any gradient of any
    variable holds NaN or infinity, the whole call is skipped: no variable, slot, count or schedule
    moves, and the scale is halved. After ``dynamic_growth_steps`` calls in a row without a skip it
    is doubled. Hyperparameters and slots are reached through ``inner_optimizer``.

    Args:
        inner_optimizer: the optimizer that makes the updates, without a ``loss_scale_factor``.
        initial_scale: the first scale.
        dynamic_growth_steps: calls without a skip until the scale is doubled.
        name: the optimizer's name.
        **kwargs: the arguments of optimizers, which belong to the inner one, are refused.

    Raises:
        ValueError: if an argument is refused.

    References:
        Micikevicius et al. 2018, Mixed precision training
        ``keras.optimizers.LossScaleOptimizer`` of Keras 3
    """

    # A scaled loss may overflow, which skips the call and is no reason for a warning.
    _expects_overflow: ClassVar[bool] = True

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str = "LossScaleOptimizer",
        **kwargs: object,
    ) -> None:
        _check_unknown(kwargs)
        _check_inner(inner_optimizer)
        self._inner = inner_optimizer
        self._name = checked_name(name)
        self._dynamic_scale = DynamicScale(initial_scale, dynamic_growth_steps)

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
            How many calls the inner optimizer has counted; skipped ones are none. int64 of rank 0.

        Raises:
            TypeError: if an item is not a pair.
            ValueError: as ``Optimizer.apply`` does.
        """
        check_operation_name(name)
        self._scaled_call(self.inner_optimizer._apply_pairs, grads_and_vars)
        return snapshot(self.inner_optimizer._iteration)

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
        self._scaled_call(self.inner_optimizer._apply, gradients, variables)

    def _scaled_call(self, call: Callable[..., bool], *given: Any) -> None:
        """Let the inner optimizer take or skip a call, and adapt the scale."""
        _check_inner(self.inner_optimizer)
        self._dynamic_scale.check()
        taken = call(*given, self.dynamic_scale, only_if_finite=True)
        self._dynamic_scale.count(taken)

    def scale_loss(self, loss: Any) -> Any:
        """Return a loss times the scale of the next call."""
        return loss * self.dynamic_scale

    def finalize_variable_values(self, var_list: Iterable[Array | Variable] | None = None) -> None:
        """Give variables the values of their averages; see the inner optimizer."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def eval(self) -> None:
        """Give variables the values for evaluation; see ``Optimizer.eval``."""
        self.inner_optimizer.eval()

    def train(self) -> None:
        """Give variables back the values of training; see ``Optimizer.train``."""
        self.inner_optimizer.train()

    @property
    def evaluating(self) -> bool:
        """Whether the variables have the values for evaluation."""
        return self.inner_optimizer.evaluating

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Array | Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Leave variables out of weight decay; see ``Optimizer.exclude_from_weight_decay``."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    # What can be seen ----------------------------------------------------------------------

    @property
    def inner_optimizer(self) -> Optimizer:
        """The optimizer that makes the updates."""
        return self._inner

    @property
    def dynamic_scale(self) -> float:
        """By what the loss of the next call is multiplied."""
        return self._dynamic_scale.value

    @property
    def initial_scale(self) -> float:
        """By what the first loss was multiplied."""
        return self._dynamic_scale.initial

    @property
    def dynamic_growth_steps(self) -> int:
        """Calls without a skip until the scale is doubled."""
        return self._dynamic_scale.growth_steps

    @property
    def skipped_steps(self) -> int:
        """How many calls were skipped so far."""
        return self._dynamic_scale.skipped

    @property
    def last_step_skipped(self) -> bool:
        """Whether the last call was skipped because a gradient was not finite."""
        return self._dynamic_scale.last_skipped

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

    @property
    def lr(self) -> float:
        """Another name of ``learning_rate``, from older versions of Keras."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: float | LearningRateSchedule | Callable[[], float]) -> None:
        self.learning_rate = value

    # State ---------------------------------------------------------------------------------

    @property
    def variables(self) -> ArrayList:
        """Calls since the last change of the scale, the scale, skipped calls; then the inner's."""
        return ArrayList([*self._dynamic_scale.arrays, *self.inner_optimizer.variables])

    @property
    def weights(self) -> ArrayList:
        """As ``variables``, with the inner optimizer's ``weights``."""
        return ArrayList([*self._dynamic_scale.arrays, *self.inner_optimizer.weights])

    def get_weights(self) -> list[Array]:
        """Return copies of ``weights``."""
        return [to_host(array) for array in self.weights]

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Give ``weights`` new values; ValueError, and no change, if one is refused."""
        replace_all("weights", self.weights, weights, self.built, _CHECKS_OF_WEIGHTS)

    @property
    def _checks_of_variables(self) -> Checks:
        """What the first of ``variables`` must be besides numbers."""
        return *CHECKS, *self.inner_optimizer._checks_of_variables

    def save_own_variables(self, store: MutableMapping[str, Array]) -> None:
        """Put copies of ``variables`` into a store; see ``Optimizer.save_own_variables``."""
        store_all(store, self.variables, self._checks_of_variables)

    def load_own_variables(self, store: Mapping[str, ArrayLike]) -> None:
        """Give ``variables`` the values of a store; ValueError, and no change, if refused."""
        load_all(store, self.variables, self.built, self._checks_of_variables)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write arguments and state to a file; see ``Optimizer.save``."""
        write(path, self._checkpoint())

    def load(
        self, path: str | os.PathLike[str], custom_objects: Mapping[str, Any] | None = None
    ) -> None:
        """Take over what ``save`` wrote; see ``Optimizer.load``."""
        restore(self, path, custom_objects)

    def _checkpoint(self) -> Checkpoint:
        check_all("variables", self.variables, self._checks_of_variables)
        inner = self.inner_optimizer._checkpoint()
        header = {
            "class": type(self).__name__,
            "config": {
                name: x for name, x in self.get_config().items() if name != "inner_optimizer"
            },
            "last_step_skipped": self.last_step_skipped,
            "inner": inner.header,
        }
        own = dict(zip(KEYS, self._dynamic_scale.arrays, strict=True))
        return Checkpoint(header, {**own, **{_INNER + k: a for k, a in inner.arrays.items()}})

    def _restore(self, checkpoint: Checkpoint, custom_objects: Mapping[str, Any]) -> None:
        header, arrays = checkpoint
        check_class(header, type(self).__name__)
        config, inner_header = header.get("config"), header.get("inner")
        if not isinstance(config, dict) or not isinstance(inner_header, dict):
            raise ValueError("the header is malformed: expected 'config' and 'inner'.")
        if config.keys() != _ARGUMENTS or not arrays.keys() >= {*KEYS}:
            raise ValueError("the header is malformed: expected other arguments and arrays.")
        new = type(self)(self.inner_optimizer, **config)
        scale = new._dynamic_scale
        replace_all("state", scale.arrays, [arrays[key] for key in KEYS], True, CHECKS)
        scale.last_skipped = header.get("last_step_skipped") is True
        inner = {k.removeprefix(_INNER): a for k, a in arrays.items() if k.startswith(_INNER)}
        self.inner_optimizer._restore(Checkpoint(inner_header, inner), custom_objects)
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
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
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
        if not isinstance(config, Mapping):
            raise ValueError(f"config: expected a dictionary, received {type(config).__name__}.")
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
            (INITIAL_SCALE, self.initial_scale),
            (GROWTH_STEPS, self.dynamic_growth_steps),
        ):
            arguments += [f"{h.name}={value!r}"] if value != h.default else []
        arguments += [f"name={self.name!r}"] if self.name != type(self).__name__ else []
        return f"{type(self).__name__}({', '.join(arguments)})"


def _check_unknown(others: Mapping[str, object]) -> None:
    """Raise ValueError if there are keywords that no parameter took."""
    if others:
        names = ", ".join(map(repr, others))
        raise ValueError(
            f"LossScaleOptimizer got unknown argument(s) {names}; set arguments of optimizers on "
            "the inner_optimizer."
        )


def _check_inner(inner: object) -> None:
    """Raise ValueError unless an optimizer can be given a dynamic scale."""
    if not isinstance(inner, Optimizer):
        raise ValueError(
            "inner_optimizer: expected one of optgen.optimizers, or another generated class, "
            f"received {type(inner).__name__}."
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


_CHECKS_OF_WEIGHTS: Checks = (*CHECKS, *OWN_CHECKS)

_ARGUMENTS = {"name", INITIAL_SCALE.name, GROWTH_STEPS.name}


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
