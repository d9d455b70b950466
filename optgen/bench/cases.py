"""What is measured: steps over the variables of models."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optgen.bench.steps import ADAPTIVE, CLIPPED, MOMENTUM, NORMED, STEPS, Step, step_named
from optgen.gpu_check.models import Shapes, gpt2_small, many_small, multilayer_perceptron, resnet50


def two_tiny() -> Shapes:
    """A matrix of 4 x 3 and a bias of 3: what is left is the call itself."""
    return [(4, 3), (3,)]


@dataclass(frozen=True)
class Model:
    """The variables of a model.

    Attributes:
        name: what options call it.
        title: what tables call it.
        shapes: those of its variables.
    """

    name: str
    title: str
    shapes: tuple[tuple[int, ...], ...]

    @property
    def parameters(self) -> int:
        """How many numbers all variables hold together."""
        return sum(map(math.prod, self.shapes))


@dataclass(frozen=True)
class Case:
    """One step over the variables of one model."""

    model: Model
    step: Step

    @property
    def bytes(self) -> int:
        """What a step has to read and write."""
        return self.model.parameters * self.step.bytes_per_parameter


MODELS = (
    Model("mlp", "MLP 784-128-10", tuple(multilayer_perceptron())),
    Model("resnet50", "ResNet-50", tuple(resnet50())),
    Model("gpt2", "GPT-2 small", tuple(gpt2_small())),
    Model("many", "1,000 of 64", tuple(many_small())),
    Model("tiny", "two tiny", tuple(two_tiny())),
)

_USUAL = (
    ("mlp", (MOMENTUM, ADAPTIVE, CLIPPED)),
    ("resnet50", (MOMENTUM, ADAPTIVE, CLIPPED, NORMED)),
    ("gpt2", (ADAPTIVE,)),
    ("many", (ADAPTIVE, CLIPPED)),
    ("tiny", (ADAPTIVE,)),
)
_QUICK = (("tiny", (ADAPTIVE,)), ("mlp", (ADAPTIVE,)))


def model_named(name: str) -> Model:
    """The model of a name.

    Raises:
        ValueError: if there is none.
    """
    for model in MODELS:
        if model.name == name:
            return model
    known = ", ".join(model.name for model in MODELS)
    raise ValueError(f"expected a model among {known}, received {name!r}")


def cases(models: list[str], steps: list[str], quick: bool) -> list[Case]:
    """The cases to measure.

    Args:
        models: names of models; empty for the usual ones.
        steps: names of steps; empty for the usual ones.
        quick: whether only the smallest models are usual.

    Returns:
        Every combination of the models and steps that are named; if neither are, the rows of the
        project's own table.

    Raises:
        ValueError: if a name is unknown.
    """
    if not models and not steps:
        rows = _QUICK if quick else _USUAL
        return [Case(model_named(m), step_named(s)) for m, names in rows for s in names]
    small = ["tiny", "mlp"] if quick else [model.name for model in MODELS]
    chosen = [step_named(name) for name in steps] or list(STEPS)
    return [Case(model_named(name), step) for name in models or small for step in chosen]
