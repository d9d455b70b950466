"""Generated optimizers equal the interpreter: every mode, dtype and common argument, to the bit.

A mode whose lines hold a power, a logarithm or an exponential may differ by a few units in the
last place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from optgen.ir.expr import Apply, walk
from optgen.ir.rate import STEP
from tests.oracle import Oracle, compiled, generated, selecting, spec_modes

ULPS = 4

SHAPES = ((3, 4), (), (7,), (0,), (5000,), (2, 3, 4))

STAGE_SETS: dict[str, dict[str, Any]] = {
    "none": {},
    "decay": {"weight_decay": 0.03},
    "unscale_clipnorm": {"loss_scale_factor": 8.0, "clipnorm": 0.4},
    "accumulate_global_ema": {
        "gradient_accumulation_steps": 2,
        "global_clipnorm": 0.9,
        "use_ema": True,
        "ema_momentum": 0.9,
    },
    "everything": {
        "weight_decay": 0.02,
        "clipvalue": 0.3,
        "use_ema": True,
        "ema_overwrite_frequency": 2,
        "loss_scale_factor": 2.0,
        "gradient_accumulation_steps": 3,
    },
}


def is_exact(spec: str, mode: str) -> bool:
    """Whether the mode's element and variable lines are made of exactly defined functions only."""
    equations = compiled(spec).program.mode(mode).equations
    parts = [part for equation in equations for part in walk(equation.value)]
    return all(p.intrinsic.exact or p.rate <= STEP for p in parts if isinstance(p, Apply))


def gradients_of(rng: np.random.Generator, dtype: Any, call: int) -> list[np.ndarray | None]:
    """Gradients of all shapes, one of them missing in some calls."""
    found: list[np.ndarray | None] = [
        np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES
    ]
    if call % 3 == 1:
        found[2] = None
    return found


def cases() -> list[Any]:
    """Every mode in both dtypes, with all stages in one of them, and with one other set of stages.

    A combination of mode, dtype and stages costs seconds to compile, so the sets take turns.
    """
    found = []
    some = [name for name in STAGE_SETS if name not in ("none", "everything")]
    for number, (spec, mode) in enumerate(spec_modes()):
        one, other = ("float32", "float64")[:: 1 if number % 2 else -1]
        for stages, dtype in (
            ("none", "float32"),
            ("none", "float64"),
            ("everything", one),
            (some[number % len(some)], other),
        ):
            found.append(
                pytest.param(spec, mode, stages, dtype, id=f"{spec}-{mode}-{stages}-{dtype}")
            )
    return found


@pytest.mark.parametrize(("spec", "mode", "stages", "dtype"), cases())
@pytest.mark.filterwarnings("ignore:.*no gradient:UserWarning")
def test_every_mode_and_stage(spec: str, mode: str, stages: str, dtype: Any) -> None:
    arguments = {**selecting(spec, mode), **STAGE_SETS[stages]}
    own = {h.name for h in compiled(spec).program.hyperparameters}
    arguments |= {k: v for k, v in selecting(spec, mode).items() if k in own}
    rng = np.random.default_rng(7)
    variables = [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]
    optimizer = generated(spec)(**arguments)
    oracle = Oracle(compiled(spec).program, mode, variables, arguments)
    for call in range(6):
        gradients = gradients_of(rng, dtype, call)
        optimizer.apply(gradients, variables)
        oracle.step(gradients)
        oracle.assert_equals(optimizer, variables, 0 if is_exact(spec, mode) else ULPS)


def test_the_modes_here_are_made_of_exact_functions() -> None:
    # Powers stand in values of the step only, which the host computes for every backend.
    assert all(is_exact(*pair) for pair in spec_modes())
