"""What tests of all generated classes share: the classes, their modes and arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from optgen.runtime import Hyperparameter, Optimizer
from tests.oracle import generated, selecting, spec_modes
from tests.pairwise import covering_arguments

Arguments = dict[str, Any]

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


def last_mode(spec: str) -> str:
    """The mode of a spec that is declared last, which has the most slots."""
    return [mode for name, mode in spec_modes() if name == spec][-1]


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
    rng = rng or np.random.default_rng(0)
    cell = selecting(spec, mode)
    return {h.name: _drawn(h, cell, rng) for h in generated(spec).hyperparameters}


def _drawn(h: Hyperparameter, cell: Arguments, rng: np.random.Generator) -> Any:
    """A value of a hyperparameter; zeros and all that are not numbers are as the mode says."""
    if h.kind != "float" or cell.get(h.name) == 0:
        return cell.get(h.name, h.default)
    if h.minimum is not None and h.maximum is not None:
        return float(h.minimum + (h.maximum - h.minimum) * rng.uniform(0.05, 0.95))
    return float((h.minimum or 0.0) + 10 ** rng.uniform(-3, -1))


LARGE = ((30_000,), (7, 4099), (5,), (40_961,))
"""Shapes that together are enough for the parallel drivers, and no multiples of a block."""


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
    return {h.name for h in generated(spec).hyperparameters}


def covering_cases() -> list[tuple[str, str, str, Arguments]]:
    """Spec, mode, label and common arguments.

    Every mode comes with no arguments and with two rows at least; every row of a spec's covering
    set comes with one of its modes.
    """
    cases = []
    for spec in dict.fromkeys(spec for spec, _ in spec_modes()):
        modes = [mode for name, mode in spec_modes() if name == spec]
        rows = [(k, v) for k, v in covering_arguments(declared(spec)).items() if v]
        cases += [(spec, mode, "none", {}) for mode in modes]
        for index in range(max(2 * len(modes), len(rows))):
            label, arguments = rows[index % len(rows)]
            cases.append((spec, modes[index % len(modes)], label, arguments))
    return cases
