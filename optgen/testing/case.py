"""A case of a check, what a check is, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optgen.runtime import Optimizer
from optgen.testing.arrays import Array, Shape, drawn
from optgen.testing.pairwise import choices_without
from optgen.testing.subject import Arguments, Subject

DTYPES = ("float32", "float64")

SHAPES: tuple[Shape, ...] = ((3, 4), (), (7,), (0,), (5000,), (2, 3, 4))
"""A matrix, a number, an odd length, nothing, more than a block, three axes."""

LARGE: tuple[Shape, ...] = ((30_000,), (7, 4099), (5,), (40_961,))
"""Shapes that together are enough for the parallel drivers, and no multiples of a block."""

EVERYTHING: Arguments = {
    "weight_decay": 0.02,
    "clipnorm": 0.4,
    "use_ema": True,
    "ema_momentum": 0.9,
    "ema_overwrite_frequency": 2,
    "loss_scale_factor": 2.0,
    "gradient_accumulation_steps": 2,
}
"""Every common stage switched on; of the three ways to clip, the one that needs a reduction."""


@dataclass(frozen=True)
class Case:
    """One run of a check; drawing from its seed makes it the same every time.

    Attributes:
        mode: a mode of the optimizer.
        dtype: of the variables, ``"float32"`` or ``"float64"``.
        common: common arguments.
        shapes: of the variables.
        calls: how many calls the optimizer takes.
        seed: where the numbers come from.
        index: which of several things of the same kind, such as examples.
        size: what variables and gradients are multiplied by.
    """

    mode: str
    dtype: str = "float32"
    common: Arguments = field(default_factory=dict, hash=False)
    shapes: tuple[Shape, ...] = SHAPES
    calls: int = 6
    seed: int = 0
    index: int = 0
    size: float = 1.0

    def variables(self) -> list[Array]:
        """New variables, always the same."""
        return [
            np.asarray(self.size * drawn(shape, "float64", self.seed, 0, i)).astype(self.dtype)
            for i, shape in enumerate(self.shapes)
        ]

    def gradients(self, call: int) -> list[Array]:
        """The gradients of a call: long ones for two calls, short ones for the next two."""
        size = self.size * (3.0, 0.1)[call // 2 % 2]
        return [
            np.asarray(size * drawn(shape, "float64", self.seed, 1, call, i)).astype(self.dtype)
            for i, shape in enumerate(self.shapes)
        ]

    def arguments(self, subject: Subject) -> Arguments:
        """All arguments: drawn hyperparameters that select the mode, and the common ones."""
        rng = np.random.default_rng([self.seed, 2])
        return {**self.common, **subject.hyperparameters_of(self.mode, rng)}

    def optimizer(self, subject: Subject, **changes: Any) -> Optimizer:
        """A new optimizer with the case's arguments."""
        made: Optimizer = subject.optimizer_class(**{**self.arguments(subject), **changes})
        return made

    def __str__(self) -> str:
        """Return a short name, unique among the cases of a check."""
        stages = "+".join(name for name in self.common if name != "ema_momentum") or "none"
        number = f"-{self.index}" if self.index else ""
        return f"{self.mode}-{self.dtype}-{stages}{number}"


@dataclass(frozen=True)
class Finding:
    """What a check that passed has to tell.

    Attributes:
        figure: the worst number that it measured, in units of the check; None for none.
        notes: sentences for the report.
    """

    figure: float | None = None
    notes: tuple[str, ...] = ()


NOTHING = Finding()


@dataclass(frozen=True)
class Check:
    """One property of an optimizer, and the cases in which it is shown.

    Attributes:
        name: how it is chosen on the command line.
        title: the property, in a few words.
        protects: which mistakes would be noticed.
        run: shows the property in one case; AssertionError with what was expected and received.
        cases: the cases, all of them or the few of a quick run.
        unit: of the figure in a finding.
        shrinks: what of a failing case may be left out to make it smaller: common arguments,
            shapes, calls.
    """

    name: str
    title: str
    protects: str
    run: Callable[[Subject, Case], Finding]
    cases: Callable[[Subject, bool], tuple[Case, ...]]
    unit: str = ""
    shrinks: tuple[str, ...] = ("common", "shapes", "calls")


def everything_of(subject: Subject) -> Arguments:
    """Every common argument that an optimizer does not declare itself."""
    left = {name for found in choices_without(subject.declared).values() for name in _names(found)}
    return {name: value for name, value in EVERYTHING.items() if name in left}


def _names(choices: dict[str, Arguments]) -> set[str]:
    return {name for arguments in choices.values() for name in arguments}


def each_mode(subject: Subject, quick: bool, **changes: Any) -> tuple[Case, ...]:
    """Every mode with every common stage on, the dtypes in turns; the last mode has float32."""
    everything = everything_of(subject)
    return tuple(
        Case(mode, DTYPES[number % 2], everything, **changes)
        for number, mode in zip(range(len(subject.modes))[::-1], subject.modes, strict=True)
    )


def each_mode_bare(subject: Subject, quick: bool, **changes: Any) -> tuple[Case, ...]:
    """Every mode in both dtypes without a common stage; quickly, the dtypes in turns."""
    return tuple(
        Case(mode, dtype, **changes)
        for number, mode in enumerate(subject.modes)
        for dtype in (DTYPES[number % 2 :][:1] if quick else DTYPES)
    )
