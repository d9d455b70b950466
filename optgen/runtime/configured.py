"""The arguments of an optimizer: given, assigned, written down and read back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, cast

from optgen.runtime.arguments import (
    COMMON,
    LEGACY,
    checked_name,
    not_zero,
    split_legacy,
    unknown_arguments,
)
from optgen.runtime.attributes import Attributes
from optgen.runtime.configuration import check_function_names, from_config, to_config, to_text
from optgen.runtime.description import Hyperparameter, Mode, Slot, StageScalars, Value
from optgen.runtime.schedules import LearningRateSchedule
from optgen.runtime.settings import (
    LearningRate,
    Settings,
    changed_settings,
    checked_settings,
    needs_new_optimizer,
)


class _HyperparameterAttribute:
    """Attribute access to a hyperparameter: reading gives its value, assigning checks it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, optimizer: Configured | None, owner: type[Configured]) -> Value:
        return self if optimizer is None else optimizer._settings.values[self._name]

    def __set__(self, optimizer: Configured, value: object) -> None:
        optimizer._assign(self._name, value)


class Configured(Attributes):
    """Hyperparameters and common arguments, which are attributes, and the mode they select."""

    hyperparameters: ClassVar[tuple[Hyperparameter, ...]] = ()
    slots: ClassVar[tuple[Slot, ...]] = ()
    stage_scalars: ClassVar[tuple[StageScalars, ...]] = ()
    accumulate: ClassVar[Mode]
    rest: ClassVar[Mode]
    finite: ClassVar[Mode]
    _own: ClassVar[dict[str, Hyperparameter]] = {}
    _arguments: ClassVar[dict[str, Hyperparameter]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._own = {h.name: h for h in cls.hyperparameters}
        legacy = LEGACY if "learning_rate" in cls._own else ()
        others = [h for h in (*COMMON, *legacy) if h.name not in cls._own]
        cls._arguments = {**cls._own, **{h.name: h for h in others}}
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
        legacy, unknown = split_legacy(unknown, self._arguments)
        defaults = {h.name: h.default for h in self._arguments.values()}
        given = {**defaults, **hyperparameters, **common, **legacy}
        self._settings, self._learning_rate = checked_settings(
            type(self).__name__, self._arguments, self._own, given, unknown
        )
        self._name = checked_name(name)
        self._mode = self.select_mode()

    def select_mode(self) -> Mode:
        """Return the mode that the hyperparameters select; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not select a mode.")

    def mode_value(self, name: str) -> Value:
        """Return the value of a hyperparameter, for the conditions of modes.

        A callable counts as a number that is not zero; what it gives is looked at in each call.
        """
        value = self._settings.values[name]
        return not_zero(self._arguments[name]) if callable(value) else value

    def _assign(self, name: str, value: object) -> None:
        """Change a hyperparameter; refuse what would need another mode or other state."""
        old = self._settings
        new = changed_settings(old, name, value, self._arguments, self._own)
        if self._mode_of(new) is not self._mode:
            raise needs_new_optimizer(name, old.values[name], new.values[name])
        self._settings = new

    def _mode_of(self, settings: Settings) -> Mode:
        """Return the mode that other settings would select."""
        own = self._settings
        self._settings = settings
        try:
            return self.select_mode()
        finally:
            self._settings = own

    def _check_mode(self, answers: Mapping[str, float]) -> None:
        """Raise ValueError if what callables have given needs another mode.

        A zero counts as the number beside it, on the side of what the callable stands for.
        """
        own = {name: number for name, number in answers.items() if name in self._own}
        if not own:
            return
        numbers = {
            name: number or math.nextafter(0.0, not_zero(self._arguments[name]))
            for name, number in own.items()
        }
        settings = self._settings
        wanted = self._mode_of(settings._replace(values={**settings.values, **numbers}))
        if wanted is not self._mode:
            received = ", ".join(f"{name}={number!r}" for name, number in own.items())
            raise ValueError(
                f"{self.name}: expected callables to give numbers of the mode {self._mode.name!r}, "
                f"which was chosen when it was constructed, received {received} from them, which "
                f"needs the mode {wanted.name!r}. Give callables that stay within a mode, or "
                "numbers."
            )

    # Learning rate -------------------------------------------------------------------------

    @property
    def learning_rate(self) -> float:
        """The learning rate of the next step, before a legacy ``decay``.

        Assigning a number stores it in the array that ``variables`` holds; assigning a schedule
        (of ``optgen.schedules``) or a callable without arguments replaces it by what that gives
        at each call. Each may be replaced by any other at any time.

        Raises:
            ValueError: if a number, or what a schedule or callable gives, is refused.
            AttributeError: if the optimizer has no learning rate.
        """
        return self._checked_learning_rate().now(self._calls())

    @learning_rate.setter
    def learning_rate(self, value: float | LearningRateSchedule | Callable[[], float]) -> None:
        self._checked_learning_rate().assign(value)

    @property
    def lr(self) -> float:
        """Another name of ``learning_rate``, from older versions of Keras."""
        return self.learning_rate

    @lr.setter
    def lr(self, value: float | LearningRateSchedule | Callable[[], float]) -> None:
        self.learning_rate = value

    def _checked_learning_rate(self) -> LearningRate:
        if self._learning_rate is None:
            raise AttributeError(f"{type(self).__name__} has no learning rate.")
        return self._learning_rate

    def _calls(self) -> int:
        """Return how many calls have been counted."""
        raise NotImplementedError

    # Configuration -------------------------------------------------------------------------

    def _values(self) -> dict[str, Value]:
        """Return the value of every argument, as the constructor takes it."""
        values = {name: self._settings.values.get(name) for name in self._arguments}
        if self._learning_rate is not None:
            values["learning_rate"] = self._learning_rate.value
        for legacy in LEGACY:
            if legacy.name not in self._own and values.get(legacy.name) == legacy.default:
                del values[legacy.name]
        return {**values, "name": self.name}

    def get_config(self) -> dict[str, Value]:
        """Return the constructor's arguments as objects that JSON can hold.

        A schedule stands as a dictionary with its class and arguments, a callable as one with its
        name alone.
        """
        return {name: to_config(value) for name, value in self._values().items()}

    @classmethod
    def from_config(
        cls, config: Mapping[str, Value], custom_objects: Mapping[str, Any] | None = None
    ) -> Self:
        """Return a new, unbuilt optimizer with the arguments of ``get_config``.

        Args:
            config: a dictionary that ``get_config`` returned, possibly by way of JSON.
            custom_objects: by name, the callables and classes of your own that it mentions.

        Raises:
            ValueError: if an argument is refused or unknown, or a name is not in
                ``custom_objects`` or stands for several functions.
        """
        known = {} if custom_objects is None else custom_objects
        for what, value in (("config", config), ("custom_objects", known)):
            if not isinstance(value, Mapping):
                raise ValueError(f"{what}: expected a dictionary, received {type(value).__name__}.")
        check_function_names(config)
        unknown = [n for n in config if n not in cls._arguments and n not in ("name", "lr")]
        if unknown:
            raise unknown_arguments(cls.__name__, cls._arguments, unknown)
        values = {name: from_config(name, value, known) for name, value in config.items()}
        return cast("Callable[..., Self]", cls)(**values)

    def __repr__(self) -> str:
        """Return the call of the constructor, without arguments that have their defaults."""
        defaults = {h.name: h.default for h in self._arguments.values()}
        defaults["name"] = type(self).__name__
        arguments = [
            f"{name}={to_text(value)}"
            for name, value in self._values().items()
            if callable(value) or value != defaults[name]
        ]
        return f"{type(self).__name__}({', '.join(arguments)})"
