"""The example in a class's docstring: a few steps, and where the reference interpreter ends up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product

import numpy as np

from optgen.ir.interpreter import Array
from optgen.ir.program import Program
from optgen.ir.trajectory import trajectory

START = np.array([1.0, -2.0])
STEPS = (3, 4, 5, 2)
LEARNING_RATES = (0.1, 0.01, 0.001, 1.0)

# Far more than machines differ in powers, exponentials and logarithms.
RELATIVE_MARGIN, ABSOLUTE_MARGIN = 1e-10, 1e-12


@dataclass(frozen=True)
class _Trial:
    """An example that could be shown.

    Attributes:
        learning_rate: the argument of the constructor.
        steps: how many steps are taken.
        text: the variable afterwards, as it is printed.
        descends: whether the loss is less than at the start.
    """

    learning_rate: float
    steps: int
    text: str
    descends: bool


def example_lines(program: Program) -> list[str]:
    """The lines of a doctest; none if no trial ends in numbers that every machine prints alike."""
    # Of equals the first is taken.
    trial = max(_trials(program), key=lambda trial: trial.descends, default=None)
    if trial is None:
        return []
    return [
        ">>> import numpy as np",
        f">>> w = np.array({START.tolist()!r})",
        f">>> optimizer = {program.name}(learning_rate={trial.learning_rate!r})",
        f">>> for _ in range({trial.steps}):",
        "...     optimizer.apply([2 * w], [w])  # the gradient of sum(w * w)",
        ">>> print(w)",
        trial.text,
    ]


def _trials(program: Program) -> Iterator[_Trial]:
    """The examples to choose from, the one to be preferred first."""
    (row,) = (row for row in program.hyperparameters if row.name == "learning_rate")
    assert isinstance(row.default, float)
    for learning_rate in (*LEARNING_RATES, row.default):
        if not row.smallest <= learning_rate <= row.largest:
            continue
        values = {"learning_rate": learning_rate}
        way = trajectory(program, program.default_mode, values, START, lambda number, w: 2 * w)
        after = dict(enumerate(islice(way, max(STEPS)), 1))
        for steps in STEPS:
            text = printed(after[steps])
            if text is not None:
                with np.errstate(over="ignore"):
                    descends = bool(np.sum(after[steps] ** 2) < np.sum(START**2))
                yield _Trial(learning_rate, steps, text, descends)


def printed(values: Array) -> str | None:
    """What ``print`` shows of two numbers; None if a small error would change a digit of it."""
    if not np.isfinite(values).all():
        return None
    margin = RELATIVE_MARGIN * np.abs(values) + ABSOLUTE_MARGIN
    texts = {_text(values + np.multiply(signs, margin)) for signs in product((0, -1, 1), repeat=2)}
    return texts.pop() if len(texts) == 1 else None


def _text(values: Array) -> str:
    # Every option is given: whoever compiles may have set others.
    return np.array2string(
        values, max_line_width=75, precision=8, suppress_small=False, sign="-", floatmode="maxprec"
    )
