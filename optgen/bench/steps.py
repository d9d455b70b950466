"""The steps that are measured: an optimizer, its arguments, and the memory that it goes through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

FLOAT32_BYTES = 4

MOMENTUM = "nesterov"
ADAPTIVE = "adam"
CLIPPED = "adamw-clip-ema"
NORMED = "novograd"


@dataclass(frozen=True)
class Step:
    """A step that every candidate takes with the same numbers.

    Attributes:
        name: what options call it.
        title: what tables call it.
        optimizer: the generated class.
        arguments: of the class; candidates read theirs from here.
        state: how many arrays like the variables it keeps, averages of them included.
        norm_first: whether gradients are read once more, before the update, for a norm.
    """

    name: str
    title: str
    optimizer: str
    arguments: Mapping[str, float | bool]
    state: int
    norm_first: bool

    @property
    def bytes_per_parameter(self) -> int:
        """What has to be read and written for a float32 parameter.

        The gradient is read, once more if its norm comes first; the variable and every array of
        the state are read and written.
        """
        streams = 1 + int(self.norm_first) + 2 * (1 + self.state)
        return FLOAT32_BYTES * streams

    def number(self, argument: str) -> float:
        """An argument that is a number."""
        return float(self.arguments[argument])


# Libraries add epsilon before or after the correction of the bias.  It is small enough here for
# both to be the same step, and every library is given it.
_EPSILON = 1e-12

STEPS = (
    Step(
        MOMENTUM,
        "SGD, Nesterov",
        "SGD",
        MappingProxyType({"learning_rate": 0.01, "momentum": 0.9, "nesterov": True}),
        state=1,
        norm_first=False,
    ),
    Step(
        ADAPTIVE,
        "Adam",
        "Adam",
        MappingProxyType(
            {"learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "epsilon": _EPSILON}
        ),
        state=2,
        norm_first=False,
    ),
    Step(
        CLIPPED,
        "AdamW + global clip + EMA",
        "AdamW",
        MappingProxyType(
            {
                "learning_rate": 0.001,
                "beta_1": 0.9,
                "beta_2": 0.999,
                "epsilon": _EPSILON,
                "weight_decay": 0.1,
                "global_clipnorm": 1.0,
                "use_ema": True,
                "ema_momentum": 0.999,
            }
        ),
        state=3,
        norm_first=True,
    ),
    Step(
        NORMED,
        "NovoGrad + decay",
        "NovoGrad",
        MappingProxyType(
            {
                "learning_rate": 0.01,
                "beta_1": 0.9,
                "beta_2": 0.999,
                "epsilon": _EPSILON,
                "weight_decay": 0.1,
            }
        ),
        state=1,
        norm_first=True,
    ),
)


def step_named(name: str) -> Step:
    """The step of a name.

    Raises:
        ValueError: if there is none.
    """
    for step in STEPS:
        if step.name == name:
            return step
    known = ", ".join(step.name for step in STEPS)
    raise ValueError(f"expected a step among {known}, received {name!r}")
