"""The spec's example vectors, through the class."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import numpy as np

from optgen.ir.program import Program
from optgen.ir.trajectory import trajectory
from optgen.testing.arrays import Array
from optgen.testing.case import DTYPES, Case, Check, Finding
from optgen.testing.perturbation import is_rounded, perturbed, spread
from optgen.testing.steps import apply
from optgen.testing.subject import Subject


def check_example(subject: Subject, case: Case) -> Finding:
    """The class gives an example's numbers: in float64 within the tolerance of its source.

    In float32 the tolerance grows by what rounding every number and every operation to float32
    does to the interpreter's result.
    """
    example = subject.examples[case.index]
    expected = _by_step(example.expected)
    allowed = {name: example.tolerance * (1.0 + np.abs(e)) for name, e in expected.items()}
    if case.dtype == "float32":
        eps = float(np.finfo(np.float32).eps)
        exact = _interpreted(subject, case, subject.program)
        programs = perturbed(subject.program, eps, is_rounded)
        moved = spread(exact, [_interpreted(subject, case, program) for program in programs])
        allowed = {
            name: tolerance + moved[name] + eps * np.abs(expected[name])
            for name, tolerance in allowed.items()
        }
    worst = 0.0
    for name, actual in _computed(subject, case).items():
        off = np.abs(actual - expected[name])
        far = ~(off <= allowed[name]) & (actual != expected[name])
        if far.any():
            index = tuple(int(i) for i in np.argwhere(far)[0])
            wanted, received = float(expected[name][index]), float(actual[index])
            raise AssertionError(
                f"{name}, element {list(index)}: expected {wanted} within "
                f"{allowed[name][index]:.2g}, received {received}; the numbers are from "
                f"{example.source}"
            )
        with np.errstate(all="ignore"):
            shares = np.where(off > 0, off / allowed[name], 0.0)
        worst = max(worst, float(np.max(shares, initial=0.0)))
    return Finding(worst)


def _by_step(values: Iterable[object]) -> dict[str, Array]:
    return {f"step {i + 1}": np.array(v, np.float64) for i, v in enumerate(values)}


def _interpreted(subject: Subject, case: Case, program: Program) -> dict[str, Array]:
    """What a program makes of an example in float64, from numbers rounded as the case's are."""
    example = subject.examples[case.index]
    gradients = [np.array(gradient, case.dtype) for gradient in example.gradients]
    start = np.array(example.start, case.dtype)
    way = trajectory(
        program, example.mode, example.hyperparameters, start, lambda number, w: gradients[number]
    )
    return _by_step(islice(way, len(gradients)))


def _computed(subject: Subject, case: Case) -> dict[str, Array]:
    """The variable after each step of the class, in float64."""
    example = subject.examples[case.index]
    optimizer = subject.optimizer_class(**example.hyperparameters)
    variable, found = np.array(example.start, case.dtype), []
    for gradient in example.gradients:
        apply(optimizer, [np.array(gradient, case.dtype)], [variable])
        found.append(variable.copy())
    return _by_step(found)


def _cases(subject: Subject, quick: bool) -> tuple[Case, ...]:
    return tuple(
        Case(example.mode, dtype, {}, (np.shape(example.start),), len(example.gradients), 0, index)
        for index, example in enumerate(subject.examples)
        for dtype in DTYPES
    )


CHECKS = (
    Check(
        "examples",
        "the spec's examples",
        "a class that differs from the published numbers that the spec was checked with",
        check_example,
        _cases,
        "of the tolerance",
        shrinks=(),
    ),
)
