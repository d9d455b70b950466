"""What tests of all generated classes share: the classes, their modes and arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from optgen.runtime import Optimizer
from optgen.testing.case import EVERYTHING, LARGE
from optgen.testing.pairwise import covering_arguments
from tests.oracle import compiled, generated, subject, thorough_modes

__all__ = [
    "EVERYTHING",
    "LARGE",
    "Arguments",
    "bytes_after_steps",
    "covering_cases",
    "declared",
    "everything_on",
    "hyperparameters_of",
    "last_mode",
]

Arguments = dict[str, Any]


def last_mode(spec: str) -> str:
    """The mode of a spec that is declared last, which has the most slots."""
    return compiled(spec).program.modes[-1].name


def everything_on(spec: str, **changes: Any) -> Optimizer:
    """An optimizer of a spec's last mode with every common stage on."""
    optimizer: Optimizer = generated(spec)(
        **{**EVERYTHING, **hyperparameters_of(spec, last_mode(spec)), **changes}
    )
    return optimizer


def hyperparameters_of(spec: str, mode: str, rng: np.random.Generator | None = None) -> Arguments:
    """Hyperparameters that select a mode, drawn inside their bounds.

    Args:
        spec: a spec's stem.
        mode: one of its modes.
        rng: where draws come from; a generator of its own, always the same, without.
    """
    return subject(spec).hyperparameters_of(mode, rng)


def bytes_after_steps(spec: str) -> list[bytes]:
    """Large variables and all state after two updates with every stage on."""
    rng = np.random.default_rng(35)
    variables = [rng.standard_normal(shape, np.float32) for shape in LARGE]
    optimizer = everything_on(spec)
    for _ in range(4):
        optimizer.apply([rng.standard_normal(shape, np.float32) for shape in LARGE], variables)
    return [array.tobytes() for array in [*variables, *optimizer.variables]]


def declared(spec: str) -> set[str]:
    """The names of a spec's own hyperparameters."""
    return set(subject(spec).declared)


def covering_cases() -> list[tuple[str, str, str, Arguments]]:
    """Spec, mode, label and common arguments.

    Every mode comes with no arguments and with two rows at least; every row of a spec's covering
    set comes with one of its modes.
    """
    cases = []
    for spec in dict.fromkeys(spec for spec, _ in thorough_modes()):
        modes = [mode for name, mode in thorough_modes() if name == spec]
        rows = [(k, v) for k, v in covering_arguments(declared(spec)).items() if v]
        cases += [(spec, mode, "none", {}) for mode in modes]
        for index in range(max(2 * len(modes), len(rows))):
            label, arguments = rows[index % len(rows)]
            cases.append((spec, modes[index % len(modes)], label, arguments))
    return cases
