"""Whether a step on the device gives what a step on the host gives, and always the same."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numba import cuda

from optgen.gpu_check.package import Arguments, class_names, optimizer_class, selecting
from optgen.runtime import Optimizer
from optgen.runtime.cuda.compilation import SIMULATED

BOUND = 8.0
"""Ulp of the largest value of a variable by which a step may differ."""

STEPS = 3

SHAPES: tuple[tuple[int, ...], ...] = ((5,), (), (0,), (2, 3), (2, 3, 2))
LARGE_SHAPES: tuple[tuple[int, ...], ...] = ((4096,), (7, 4099), (300_001,))

COMMON: dict[str, Arguments] = {
    "none": {},
    "weight_decay": {"weight_decay": 0.02},
    "clipnorm": {"clipnorm": 0.7},
    "clipvalue": {"clipvalue": 0.4},
    "global_clipnorm": {"global_clipnorm": 1.3},
    "average": {"use_ema": True, "ema_momentum": 0.9},
    "overwrite": {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 2},
    "loss_scale": {"loss_scale_factor": 3.0},
    "accumulation": {"gradient_accumulation_steps": 2},
    "clip+average": {"global_clipnorm": 1.3, "use_ema": True, "ema_momentum": 0.9},
    "scale+accumulate+clip": {
        "loss_scale_factor": 3.0,
        "gradient_accumulation_steps": 2,
        "clipnorm": 0.7,
    },
    "everything": {
        "weight_decay": 0.02,
        "global_clipnorm": 1.3,
        "use_ema": True,
        "ema_momentum": 0.9,
        "ema_overwrite_frequency": 2,
        "loss_scale_factor": 3.0,
        "gradient_accumulation_steps": 2,
    },
}
"""Common arguments: none, each alone, three combinations."""


@dataclass(frozen=True)
class Case:
    """An optimizer in a mode, with common arguments, for variables of a dtype."""

    optimizer: str
    mode: str
    common: str
    dtype: str

    @property
    def name(self) -> str:
        """The case in one word."""
        return f"{self.optimizer}-{self.mode}-{self.common}-{self.dtype}"


@dataclass(frozen=True)
class Result:
    """What a case gave.

    Attributes:
        case: the case.
        ulp: the largest difference after one step, in ulp of the largest value of the variable.
        repeatable: whether all steps again, from the start, give the same bytes.
        error: what went wrong instead, if anything did.
    """

    case: Case
    ulp: float = float("inf")
    repeatable: bool = False
    error: str = ""

    @property
    def right(self) -> bool:
        """Whether the case holds what is promised."""
        return not self.error and self.ulp <= BOUND and self.repeatable

    def record(self) -> dict[str, Any]:
        """The result as numbers and words."""
        return {**asdict(self), "right": self.right}


def cases(only: str) -> list[Case]:
    """All cases whose names hold a text."""
    found = [
        Case(name, mode, common, dtype)
        for name in class_names()
        for mode in selecting(name)
        for common in COMMON
        if common == "none" or _given(name, common)
        for dtype in ("float32", "float64")
    ]
    return [case for case in found if only in case.name]


def check_all(only: str, jobs: int) -> list[Result]:
    """Check cases in several processes, most of whose time goes into compilation."""
    wanted = cases(only)
    if SIMULATED:
        # The simulator's threads wait for each other by asking again and again.
        sys.setswitchinterval(1e-5)
    if jobs == 1 or len(wanted) < 2:
        return [check(case) for case in wanted]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        return list(pool.map(check, wanted, chunksize=4))


def check(case: Case) -> Result:
    """Check one case."""
    try:
        ulp = max(_differences(case))
        return Result(case, ulp, _run(case) == _run(case))
    except Exception as error:  # One broken case is reported with all others.
        return Result(case, error=f"{type(error).__name__}: {error}")


def report(results: Sequence[Result]) -> bool:
    """Print a line per optimizer and mode, and what is wrong; returns whether nothing is."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.case.optimizer, result.case.mode), []).append(result)
    print(f"\n{'parity':34} cases   worst ulp")
    for (optimizer, mode), group in groups.items():
        worst = max((result.ulp for result in group if not result.error), default=float("nan"))
        print(f"{optimizer + ' ' + mode:34} {len(group):5} {worst:11.2f}")
    wrong = [result for result in results if not result.right]
    for result in wrong:
        reason = result.error or ("differs" if result.ulp > BOUND else "is not repeatable")
        print(f"WRONG {result.case.name}: {reason} ({result.ulp:.2f} ulp)")
    if not results:
        print("WRONG no case was checked")
    return bool(results) and not wrong


def _made(case: Case) -> Optimizer:
    own = selecting(case.optimizer)[case.mode]
    arguments = {**own, **_given(case.optimizer, case.common)}
    return optimizer_class(case.optimizer)(**arguments)


def _given(optimizer: str, common: str) -> Arguments:
    """Common arguments, without those that are the author's own and belong to the mode."""
    own = {h.name for h in optimizer_class(optimizer).hyperparameters}
    return {name: value for name, value in COMMON[common].items() if name not in own}


def _inputs(case: Case) -> tuple[list[Any], list[list[Any]]]:
    """Variables, and the gradients of every call."""
    shapes = SHAPES if SIMULATED else SHAPES + LARGE_SHAPES
    rng = np.random.default_rng(7)
    dtype = np.dtype(case.dtype)

    def arrays() -> list[Any]:
        return [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]

    return arrays(), [arrays() for _ in range(STEPS)]


def _differences(case: Case) -> Iterator[float]:
    """After each step from the host's state, how far the device is from the host."""
    host, device = _made(case), _made(case)
    variables, calls = _inputs(case)
    copies = [cuda.to_device(w) for w in variables]
    host.build(variables)
    device.build(copies)
    for gradients in calls:
        for copy, variable in zip(copies, variables, strict=True):
            if variable.size:
                copy.copy_to_device(variable)
        device.set_weights(host.get_weights())
        largest = _largest(variables, gradients, host)
        host.apply(gradients)
        device.apply([cuda.to_device(g) for g in gradients])
        largest = max(largest, _largest(variables, gradients, host))
        ulp = float(np.finfo(case.dtype).eps) * largest
        pairs = [
            *zip((c.copy_to_host() for c in copies), variables, strict=True),
            *zip(device.get_weights(), host.get_weights(), strict=True),
        ]
        yield max(_distance(found, expected) for found, expected in pairs) / ulp


def _largest(variables: Sequence[Any], gradients: Sequence[Any], host: Optimizer) -> float:
    """The largest value that a step works with: of variables, gradients, their squares, state.

    Counters among the state are values as well, but no element meets them.
    """
    squares = [np.square(g) for g in gradients]
    state = [a for a in host.get_weights() if np.issubdtype(a.dtype, np.floating)]
    arrays = [*variables, *gradients, *squares, *state]
    return max(float(np.max(np.abs(a), initial=0.0)) for a in arrays)


def _distance(found: Any, expected: Any) -> float:
    if not np.all(np.isfinite(np.asarray(found, np.float64))):
        return float("inf")
    difference = np.asarray(found, np.float64) - np.asarray(expected, np.float64)
    return float(np.max(np.abs(difference), initial=0.0))


def _run(case: Case) -> list[bytes]:
    """All bytes after all steps on the device alone."""
    optimizer = _made(case)
    variables, calls = _inputs(case)
    copies = [cuda.to_device(w) for w in variables]
    optimizer.build(copies)
    for gradients in calls:
        optimizer.apply([cuda.to_device(g) for g in gradients])
    arrays = [*(copy.copy_to_host() for copy in copies), *optimizer.get_weights()]
    return [np.asarray(array).tobytes() for array in arrays]
