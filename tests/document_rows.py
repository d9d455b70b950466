"""What the tests of documents share: a document's rows as cases, and steps to look at."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

from optgen import Variable
from optgen.optimizers import SGD
from optgen.runtime import Optimizer

Array = np.ndarray[Any, Any]
Check = Callable[[], None]
Rows = Sequence[tuple[str, str, Check]]
"""For each row what it is about, what the document says in short, and the check of the class."""

Class = Any
CheckOfClass = Callable[[Class], None]
RowsOfClass = Sequence[tuple[str, str, CheckOfClass]]
"""The same with checks that take the class."""

GRADIENTS = [np.array([0.6, -0.8]), np.array([[1.0]])]
"""Gradients of norm 1, along which the first step of both classes is the learning rate."""

TITLES = {
    "tf2": "tf.keras.optimizers.SGD, TensorFlow 2",
    "r": "optimizer_sgd, keras3 for R",
    "tf20": "tf.keras.optimizers.SGD, TensorFlow r2.0",
    "keras3": "keras.optimizers.SGD, Keras 3",
    "novograd": "tfa.optimizers.NovoGrad, TensorFlow Addons",
}


def cases(tables: Mapping[str, Rows]) -> Any:
    """Parameters of a test: the document, what it says, and the check."""
    parameters = [
        pytest.param(TITLES[key], says, check, id=f"{key}-{about}")
        for key, rows in tables.items()
        for about, says, check in rows
    ]
    return pytest.mark.parametrize(("document", "says", "check"), parameters)


def of(cls: Class, rows: RowsOfClass) -> Rows:
    """Rows about a class."""
    return [(about, says, partial(check, cls)) for about, says, check in rows]


def after(optimizer: Optimizer, start: Any, *gradients: Any) -> Array:
    """One float64 variable after a step along each gradient."""
    w = np.array(start, np.float64)
    for gradient in gradients:
        optimizer.apply_gradients([(np.asarray(gradient, np.float64), w)])
    return w


def near(value: Any) -> Any:
    """Numbers that differ from a closed form by the rounding of float64 only."""
    return pytest.approx(np.asarray(value), rel=1e-12, abs=1e-12)


def with_slots(cls: Class, **arguments: Any) -> Any:
    """An optimizer of a class that keeps at least one slot."""
    return cls(learning_rate=0.1, **({"momentum": 0.9} if cls is SGD else {}), **arguments)


def pair() -> list[Variable]:
    """Two variables for ``GRADIENTS``."""
    return [Variable(np.array([1.0, 2.0]), name="a"), Variable(np.array([[3.0]]), name="b")]


def built(cls: Class, **arguments: Any) -> tuple[Any, list[Variable]]:
    """An optimizer with slots after one step of two variables."""
    optimizer, variables = with_slots(cls, **arguments), pair()
    optimizer.apply_gradients(zip(GRADIENTS, variables, strict=True))
    return optimizer, variables


def half_square(*variables: Variable) -> Callable[[], Any]:
    """A loss whose gradients are the values of the variables."""
    return lambda: sum((w * w).sum() for w in variables) / 2.0


def is_count(value: Any, number: int) -> bool:
    """Whether a value is a snapshot of a count: int64 of rank 0."""
    return bool(value.numpy() == number and value.shape == () and value.dtype == np.int64)


def signature_of(cls: Class, method: str) -> dict[str, Any]:
    """The defaults of a method's parameters by name, in their order."""
    parameters = inspect.signature(getattr(cls(), method)).parameters.values()
    return {p.name: p.default for p in parameters}
