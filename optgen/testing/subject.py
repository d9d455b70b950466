"""What is tested: a compiled optimizer and the class that is generated for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optgen import driver, loading
from optgen.frontend.schema import ExampleSpec
from optgen.ir.expr import Apply, Expr, walk
from optgen.ir.program import Hyperparameter, Program
from optgen.ir.rate import STEP
from optgen.shipped import spec_file

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """A compiled optimizer and its class, which checks compare with each other.

    Attributes:
        program: the optimizer as the compiler understood it.
        optimizer_class: its generated class.
        examples: the example vectors of its spec.
        spec: the spec's file, for messages; empty if there is none.
    """

    program: Program
    optimizer_class: Any
    examples: tuple[ExampleSpec, ...] = ()
    spec: str = ""

    @property
    def modes(self) -> tuple[str, ...]:
        """The names of all modes."""
        return tuple(mode.name for mode in self.program.modes)

    @property
    def declared(self) -> frozenset[str]:
        """The names of the optimizer's own hyperparameters."""
        return frozenset(h.name for h in self.program.hyperparameters)

    def selecting(self, mode: str) -> Arguments:
        """Hyperparameters that select a mode, as the program's cells say."""
        cells = [choice.cell for choice in self.program.choices if choice.mode == mode]
        return dict(cells[0])

    def mode_of(self, arguments: Arguments) -> str:
        """The mode that arguments select."""
        name: str = self.optimizer_class(**arguments).select_mode().name
        return name

    def is_exact(self, mode: str) -> bool:
        """Whether the class must give the interpreter's bits in a mode.

        Values of the step alone are computed by the same functions on both sides.
        """
        return all(part.intrinsic.exact or part.rate <= STEP for part in self._parts(mode))

    def is_elementwise(self, mode: str) -> bool:
        """Whether no element of a variable has a part in another one's update."""
        return not any(part.intrinsic.changes_rate for part in self._parts(mode))

    def _parts(self, mode: str) -> list[Apply]:
        values: list[Expr] = [line.value for line in self.program.mode(mode).equations]
        return [part for value in values for part in walk(value) if isinstance(part, Apply)]

    def hyperparameters_of(self, mode: str, rng: np.random.Generator | None = None) -> Arguments:
        """Hyperparameters that select a mode, drawn inside their bounds.

        Args:
            mode: one of the modes.
            rng: where draws come from; a generator of its own, always the same, without.
        """
        rng = rng or np.random.default_rng(0)
        cell = self.selecting(mode)
        found = {h.name: cell.get(h.name, h.default) for h in self.program.hyperparameters}
        for h in self.program.hyperparameters:
            # Zeros and all that are not numbers are as the mode says.
            if h.kind == "float" and found[h.name] is not None and cell.get(h.name) != 0:
                other = {**found, h.name: drawn_float(h, rng)}
                found = other if self.mode_of(other) == mode else found
        return found


def drawn_float(h: Hyperparameter, rng: np.random.Generator) -> float:
    """A number inside a hyperparameter's bounds."""
    if h.minimum is not None and h.maximum is not None:
        return float(h.minimum + (h.maximum - h.minimum) * rng.uniform(0.05, 0.95))
    size = 10 ** rng.uniform(-3, -1)
    return float(h.maximum - size if h.maximum is not None else (h.minimum or 0.0) + size)


def load_subject(spec: str | os.PathLike[str]) -> Subject:
    """Compile a spec and load its class, for the checks.

    Args:
        spec: the path of a spec, or the name of one that ships with optgen.

    Raises:
        optgen.CompileError: with every mistake in the spec.
        FileNotFoundError: if there is neither.
        OSError: if the file cannot be read, or the cache folder cannot be written.
    """
    path = spec_file(Path(spec))
    optimizer = driver.compile_spec(path)
    examples = tuple(optimizer.spec.example)
    return Subject(optimizer.program, loading.load(path), examples, str(spec))
