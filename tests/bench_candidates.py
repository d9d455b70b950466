"""Candidates of `optgen bench` that tests start as processes: honest ones, and others.

``NesterovMomentum`` shares nothing with optgen, and needs NumPy alone.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from optgen.bench.candidate import Array
from optgen.bench.steps import Step


class NesterovMomentum:
    """The step that the name says, in plain NumPy."""

    form = "by hand"
    threads = 1
    packages = ("numpy",)

    def __init__(self, step: Step, variables: list[Array]) -> None:
        self.rate, self.momentum = step.number("learning_rate"), step.number("momentum")
        self.variables = variables
        self.velocities = [np.zeros_like(w) for w in variables]
        self.gradients: list[Array] = []

    def fresh(self, arrays: Iterable[Array]) -> list[Array]:
        return [array.copy() for array in arrays]

    def again(self) -> list[Array]:
        return self.fresh(self.gradients)

    def place(self, gradients: list[Array]) -> None:
        self.gradients = gradients

    def step(self) -> None:
        for w, v, g in zip(self.variables, self.velocities, self.gradients, strict=True):
            v[...] = self.momentum * v - self.rate * g
            w[...] = w + self.momentum * v - self.rate * g

    def wait(self) -> None:
        pass

    def results(self) -> list[Array]:
        return self.variables


class WithoutMomentum(NesterovMomentum):
    """Does less work, and so another step."""

    def step(self) -> None:
        for w, g in zip(self.variables, self.gradients, strict=True):
            w[...] = w - self.rate * g


class NotANumber(NesterovMomentum):
    """Comes out at NaN."""

    def results(self) -> list[Array]:
        return [np.full_like(w, np.nan) for w in self.variables]


class OnlyTheFirst(NesterovMomentum):
    """Forgets all variables but one."""

    def results(self) -> list[Array]:
        return self.variables[:1]


class Dying(NesterovMomentum):
    """Ends its process in a step, saying why on standard error."""

    def step(self) -> None:
        print("the library gave up", file=sys.stderr, flush=True)
        os._exit(3)


class DyingLater(NesterovMomentum):
    """Ends its process when steps are measured, not when they are compared."""

    def again(self) -> Any:
        os._exit(4)


class Silent(NesterovMomentum):
    """Never comes to the end of a step."""

    def step(self) -> None:
        time.sleep(1000)


def make(step: Step, variables: list[Array], form: str) -> NesterovMomentum:
    """The candidate whose class is called ``form``."""
    print("libraries print what they like")
    if form == "raising":
        raise RuntimeError("no such device\nand a page about it")
    made: NesterovMomentum = globals()[form](step, variables)
    return made


def ours_without(step: Step, variables: list[Array], argument: str) -> Any:
    """Our candidate, one of its arguments left out."""
    from optgen.bench.peers.ours import Ours

    arguments = {name: value for name, value in step.arguments.items() if name != argument}
    return Ours(replace(step, arguments=arguments), variables)
