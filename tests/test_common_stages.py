"""Promises of single common stages that a comparison with the interpreter does not show."""

from __future__ import annotations

import numpy as np
import pytest

from tests.generated_classes import hyperparameters_of
from tests.oracle import compiled, generated, thorough_modes

DECAYED = [
    (spec, mode)
    for spec, mode in thorough_modes()
    if any(stage.name == "weight_decay" for stage in compiled(spec).program.stages)
]
SPECIAL = [-0.0, 0.0, np.inf, -np.inf, np.nan, 1e-42, 1.5]


@pytest.mark.parametrize(("spec", "mode"), DECAYED, ids="-".join)
def test_an_excluded_variable_keeps_every_bit(spec: str, mode: str) -> None:
    after = []
    for weight_decay in (None, 0.5):
        excluded, decayed = (np.array(SPECIAL, np.float32) for _ in range(2))
        arguments = hyperparameters_of(spec, mode)
        optimizer = generated(spec)(**arguments, weight_decay=weight_decay)
        optimizer.build([excluded, decayed])
        if weight_decay is not None:
            column = optimizer._mode.columns.index("weight_decay")
            optimizer._state.fill_column(column, [0.0, weight_decay])
        for _ in range(2):
            optimizer.apply([np.zeros_like(excluded), np.zeros_like(decayed)])
        after.append((excluded.tobytes(), decayed.tobytes()))
    assert after[0][0] == after[1][0]
    assert after[0][1] != after[1][1]


def test_there_are_modes_with_the_common_decay() -> None:
    assert DECAYED
