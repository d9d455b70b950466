"""Random runs of a reference, and of a live peer, that should give the same numbers."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from tests.references.pipeline import Pipeline, Rule
from tests.references.rule import SlottedRule

Array = NDArray[np.float64]
Arguments = dict[str, Any]
Gradients = Sequence[Array | None]


class Peer(Protocol):
    """An optimizer that takes the same steps; it holds copies of the variables."""

    def step(self, learning_rate: float, gradients: Gradients) -> Sequence[Any]:
        """Return the variables after a step with a learning rate and gradients."""
        ...

    def state(self, index: int | None, slot: str) -> Any:
        """Return what stands for a slot, with its elements in the same order.

        Args:
            index: The position of the variable; None for what the optimizer has once.
            slot: The name that references and specs give to it.
        """
        ...


SHAPES: list[tuple[int, ...]] = [(), (5,), (3, 4), (2, 3, 2), (2, 1, 3, 2), (2, 3), (3, 2)]
STARTS_AT_ZERO = 5
RESTS_AT_FIRST = 6
"""Positions of the variable that starts at zero and of the one whose first gradient is zero."""

COUNT = 12
TOLERANCE = 1e-12

FLAGS: dict[str, list[Any]] = {
    "activation": ["sign", "tanh"],
    "amsgrad": [False, True],
    "centered": [False, True],
    "nesterov": [False, True],
    "relative_step": [True, False],
    "steps_before_using_centered": [10, 3],
    "momentum": [0.0, 0.7],
    "beta": [0.6, 0.0],
    "weight_decay": [0.0, 0.1],
    "warmup_steps": [0, 5],
    "t_alpha_beta3": [None, 7.0],
}
"""Arguments that choose between forms of a rule, with a value for every form."""

RANGES: dict[str, tuple[float, float]] = {
    "learning_rate": (0.01, 0.1),
    "final_learning_rate": (0.01, 0.5),
    "beta_1": (0.5, 0.95),
    "beta_2": (0.7, 0.99),
    "beta_3": (0.8, 0.99),
    "beta": (0.3, 0.9),
    "beta_2_decay": (-0.9, -0.5),
    "rho": (0.7, 0.95),
    "epsilon": (1e-6, 1e-2),
    "epsilon_1": (1e-6, 1e-2),
    "epsilon_2": (1e-6, 1e-2),
    "clip_threshold": (0.3, 1.5),
    "initial_accumulator_value": (0.05, 0.5),
    "learning_rate_power": (-0.8, -0.2),
    "l1_regularization_strength": (0.01, 0.3),
    "l2_regularization_strength": (0.01, 0.3),
    "l2_shrinkage_regularization_strength": (0.01, 0.3),
    "lambd": (1e-3, 0.1),
    "alpha": (0.5, 3.0),
    "t0": (2.0, 5.0),
    "eta_minus": (0.3, 0.8),
    "eta_plus": (1.1, 1.6),
    "step_size_min": (1e-3, 5e-3),
    "step_size_max": (0.1, 0.15),
    "gamma": (0.01, 0.5),
    "trust_coefficient": (0.01, 0.5),
    "dampening": (0.1, 0.5),
    "weight_decay": (0.01, 0.2),
    "momentum": (0.3, 0.95),
    "t_alpha_beta3": (4.0, 9.0),
}
"""What the other arguments are drawn from, and those of `FLAGS` in a form that reads them."""

INTEGERS: dict[str, tuple[int, int]] = {
    "warmup_steps": (3, 7),
    "steps_before_using_centered": (2, 6),
}
"""The same for integers: the least, and one more than the largest."""


def cases(rule: type[Rule]) -> Iterator[tuple[str, Arguments]]:
    """Yield names and arguments: the defaults, then random values in every form of the rule.

    Args:
        rule: A reference; each of its arguments is one of `FLAGS`, of `RANGES`, or has a default
            that every case keeps.
    """
    yield "defaults", {}
    parameters = inspect.signature(rule).parameters
    flags = {name: FLAGS[name] for name in parameters if name in FLAGS}
    for values in itertools.product(*flags.values()):
        chosen = dict(zip(flags, values, strict=True))
        label = "-".join(f"{name}={value}" for name, value in chosen.items())
        random = np.random.default_rng([ord(c) for c in rule.__name__ + label])
        drawn = {n: float(random.uniform(*RANGES[n])) for n in parameters if n in RANGES}
        yield label or "random", drawn | chosen


def random_run(
    seed: str, *, missing: bool = False, tiny: bool = False
) -> tuple[list[Array], list[Gradients]]:
    """Return variables of the ranks 0 to 4, and gradients for every step.

    Args:
        seed: What the numbers are drawn from.
        missing: Whether some gradients are None, among them the first ones of two variables.
        tiny: Whether gradients are so small that every epsilon shows: 1e-4 times as large for the
            first variable, and ten times smaller for every further one.
    """
    random = np.random.default_rng([ord(c) for c in seed])
    start = [np.asarray(random.normal(size=shape)) for shape in SHAPES]
    start[STARTS_AT_ZERO] *= 0
    gradients: list[list[Array | None]] = [
        [
            np.asarray(random.normal(scale=1 + 2 * (t % 3), size=shape))
            * (10.0 ** -(4 + index) if tiny else 1.0)
            for index, shape in enumerate(SHAPES)
        ]
        for t in range(COUNT)
    ]
    gradients[0][RESTS_AT_FIRST] = np.zeros(SHAPES[RESTS_AT_FIRST])
    if missing:
        for call, index in [(0, 1), (0, 2), (1, 2), (4, 0), (4, 3), (7, 4)]:
            gradients[call][index] = None
    return start, gradients


def assert_same_run(
    rule: Rule,
    peer: Peer,
    start: Sequence[Array],
    gradients: Sequence[Gradients],
    *,
    rates: Mapping[int, float] | None = None,
    tolerance: float = TOLERANCE,
    **common: Any,
) -> float:
    """Assert equal variables after every step.

    Args:
        rule: The reference.
        peer: Its peer.
        start: The variables.
        gradients: Those of every step.
        rates: Learning rates, by the number of steps before them; by default the learning rate
            is halved halfway.
        tolerance: Absolute and relative.
        **common: Arguments of the pipeline around the reference.

    Returns:
        The largest difference, over `1 + abs(expected)`.
    """
    if rates is None:
        rates = {len(gradients) // 2: rule.learning_rate / 2}
    pipeline = Pipeline(rule, **common)
    pipeline.build(start)
    worst = 0.0
    for count, step_gradients in enumerate(gradients):
        rule.learning_rate = rates.get(count, rule.learning_rate)
        pipeline.step(step_gradients)
        given = [None if g is None else g.copy() for g in step_gradients]
        live = peer.step(rule.learning_rate, given)
        for w, expected in zip(pipeline.variables, live, strict=True):
            expected = np.asarray(expected)
            assert expected.dtype == np.float64
            assert np.all(np.isfinite(expected)), "NaN on both sides would show nothing"
            assert_allclose(w, expected, rtol=tolerance, atol=tolerance)
            worst = max(worst, float(np.max(np.abs(w - expected) / (1 + np.abs(expected)))))
    return worst


def assert_same_slots(rule: SlottedRule, peer: Peer) -> None:
    """Assert that a reference and its peer hold the same state after their last step."""
    for (index, name), slot in rule.slots.items():
        numbers = slot if isinstance(slot, tuple) else (slot,)
        actual = np.concatenate([np.ravel(part) for part in numbers])
        expected = np.ravel(peer.state(index, name))
        message = f"{name} of variable {index}"
        assert_allclose(actual, expected, rtol=TOLERANCE, atol=TOLERANCE, err_msg=message)


def defaults(rule: type[Rule]) -> Arguments:
    """Return the defaults of a reference's arguments."""
    return {name: p.default for name, p in inspect.signature(rule).parameters.items()}
