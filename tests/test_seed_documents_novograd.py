"""The page of NovoGrad, row by row: equations, arguments and the example.

See ``test_seed_documents.py``.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from optgen import Variable, schedules
from optgen.optimizers import NovoGrad
from tests.document_rows import Check, Rows, after, cases, near

G1, G2 = np.array([0.3, -0.4, 1.2]), np.array([0.1, 0.2, -0.2])


def second_moment() -> None:
    w, alone = np.zeros(3), np.zeros(1)
    optimizer = NovoGrad(beta_2=0.75)
    optimizer.apply([G1, np.ones(1)], [w, alone])
    assert optimizer.get_slot(w, "v") == near(1.69)
    optimizer.apply([G2, np.ones(1)], [w, alone])
    assert optimizer.get_slot(w, "v") == near(0.75 * 1.69 + 0.25 * 0.09)
    assert optimizer.get_slot(alone, "v") == near(1.0)


def first_moment(weight_decay: float, grad_averaging: bool) -> Check:
    """The check of one mode: its rule on the second step, without averaging on the first."""

    def check() -> None:
        optimizer = NovoGrad(
            learning_rate=0.1,
            beta_2=0.75,
            epsilon=1e-3,
            weight_decay=weight_decay,
            grad_averaging=grad_averaging,
        )
        w0 = np.array([1.0, -2.0, 3.0])
        w = w0.copy()
        optimizer.apply([G1], [w])
        m1, w1 = optimizer.get_slot(w, "m").copy(), w.copy()
        assert m1 == near(G1 / (1.3 + 1e-3) + weight_decay * w0)
        assert w1 == near(w0 - 0.1 * m1)
        optimizer.apply([G2], [w])
        v2 = 0.75 * 1.69 + 0.25 * 0.09
        weight = 1.0 - 0.9 if grad_averaging else 1.0
        m2 = 0.9 * m1 + weight * (G2 / (np.sqrt(v2) + 1e-3) + weight_decay * w1)
        assert optimizer.get_slot(w, "m") == near(m2)
        assert w == near(w1 - 0.1 * m2)

    return check


def rate_outside_the_moment() -> None:
    w = np.array(0.0)
    optimizer = NovoGrad(learning_rate=0.1, epsilon=0.0)
    optimizer.apply([np.array(1.0)], [w])
    optimizer.learning_rate = 0.5
    optimizer.apply([np.array(1.0)], [w])
    assert w == near(-0.1 * 1.0 - 0.5 * (0.9 + 1.0))


def without_memory(**arguments: Any) -> NovoGrad:
    """An optimizer that moves a variable of one element by the learning rate, down its gradient."""
    return NovoGrad(**{"learning_rate": 1.0, "beta_1": 0.0, "epsilon": 0.0, **arguments})


def rates_of_novograd() -> None:
    assert after(without_memory(learning_rate=0.25), 1.0, 3.0) == near(0.75)
    assert after(without_memory(learning_rate=Variable(0.25).value()), 1.0, 3.0) == near(0.75)
    halved = schedules.ExponentialDecay(0.5, decay_steps=1, decay_rate=0.5)
    assert after(without_memory(learning_rate=halved), 1.0, 3.0, 3.0) == near(0.25)


def beta_1_of_novograd() -> None:
    for beta_1 in (0.5, Variable(0.5).value()):
        optimizer = without_memory(beta_1=beta_1)
        assert after(optimizer, 0.0, 3.0, 3.0) == near(-1.0 - (0.5 + 1.0))


def beta_2_of_novograd() -> None:
    for beta_2 in (0.5, Variable(0.5).value()):
        optimizer = without_memory(beta_2=beta_2)
        # Squares of 1 and 4 leave the root of 2.5.
        assert after(optimizer, 0.0, 1.0, 2.0) == near(-1.0 - 2.0 / np.sqrt(2.5))


def epsilon_of_novograd() -> None:
    assert after(without_memory(epsilon=0.25), 0.0, 1.0) == near(-1.0 / 1.25)


def weight_decay_of_novograd() -> None:
    assert after(without_memory(weight_decay=0.25), 2.0, 1.0) == near(2.0 - 1.0 - 0.25 * 2.0)


def averaging_of_novograd() -> None:
    optimizer = without_memory(beta_1=0.75, grad_averaging=True)
    assert after(optimizer, 0.0, 1.0, 1.0) == near(-1.0 - (0.75 + 0.25))


def clipped_squares(**clip: float) -> list[float]:
    """The second moments after gradients of norm 5 and 1."""
    variables = [np.zeros(2), np.zeros(1)]
    optimizer = NovoGrad(**clip)
    optimizer.apply([np.array([3.0, -4.0]), np.ones(1)], variables)
    return [float(optimizer.get_slot(w, "v")) for w in variables]


def clipnorm_of_novograd() -> None:
    assert clipped_squares(clipnorm=2.0) == near([4.0, 1.0])


def clipvalue_of_novograd() -> None:
    assert clipped_squares(clipvalue=3.5) == near([9.0 + 3.5**2, 1.0])


def global_clipnorm_of_novograd() -> None:
    assert clipped_squares(global_clipnorm=2.0) == near([4.0 * 25.0 / 26.0, 4.0 / 26.0])


def clips_as_attributes() -> None:
    for name in ("clipnorm", "clipvalue", "global_clipnorm"):
        assert getattr(NovoGrad(), name) is None
        assert getattr(NovoGrad(**{name: 2.0}), name) == 2.0


def lr_of_novograd() -> None:
    assert NovoGrad(lr=0.25).learning_rate == NovoGrad(lr=0.25).lr == 0.25


def decay_of_novograd() -> None:
    steps = 1.0 + 1.0 / 1.5 + 1.0 / 2.0
    assert after(without_memory(decay=0.5), 0.0, 3.0, 3.0, 3.0) == near(-steps)


def constructor_of_novograd() -> None:
    ours = list(inspect.signature(NovoGrad).parameters.values())
    first = {
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "weight_decay": 0.0,
        "grad_averaging": False,
    }
    assert [(p.name, p.default) for p in ours[:6]] == list(first.items())


def keywords_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match=r"^NovoGrad got unknown argument\(s\) 'rate'"):
        NovoGrad(rate=0.1)


def example_of_novograd() -> None:
    optimizer = NovoGrad(
        lr=1e-3,
        beta_1=0.9,
        beta_2=0.999,
        weight_decay=0.001,
    )
    w = Variable([1.0, 1.0], dtype="float64")
    # The gradient (3, 4) has the norm 5.
    optimizer.minimize(lambda: 3.0 * w[0] + 4.0 * w[1], [w])
    steps = 1e-3 * (np.array([3.0, 4.0]) / (5.0 + 1e-7) + 0.001)
    assert w.numpy() == near(1.0 - steps)


OF_NOVOGRAD_PAGE: Rows = [
    ("second-moment", "an average of each layer's squares, from the first on", second_moment),
    ("mode-1", "the first moment sums normalized gradients", first_moment(0.0, False)),
    ("mode-2", "grad_averaging weighs them by 1 - beta_1", first_moment(0.0, True)),
    ("mode-3", "weight_decay adds a share of the variable", first_moment(0.25, False)),
    ("mode-4", "both; it prints epsilon inside the root here", first_moment(0.25, True)),
    ("update", "the rate of the step times the moment", rate_outside_the_moment),
    ("example", "lr, betas and weight_decay by name", example_of_novograd),
    ("constructor", "the order of its own arguments", constructor_of_novograd),
    ("learning-rate", "a tensor, a number or a schedule", rates_of_novograd),
    ("beta-1", "decay of the first moment, a number or tensor", beta_1_of_novograd),
    ("beta-2", "decay of the second moment, a number or tensor", beta_2_of_novograd),
    ("epsilon", "added to the root", epsilon_of_novograd),
    ("weight-decay", "share of each parameter", weight_decay_of_novograd),
    ("grad-averaging", "an average as Adam's for the first moment", averaging_of_novograd),
    ("clipnorm", "cuts gradients by norm", clipnorm_of_novograd),
    ("clipvalue", "cuts gradients by value", clipvalue_of_novograd),
    ("global-clipnorm", "cuts all gradients by their norm", global_clipnorm_of_novograd),
    ("lr", "an old name of learning_rate", lr_of_novograd),
    ("decay", "lets the rate fall with the inverse of time", decay_of_novograd),
    ("keywords", "no others", keywords_that_nobody_knows),
    ("clips-as-attributes", "numbers or None", clips_as_attributes),
]


@cases({"novograd": OF_NOVOGRAD_PAGE})
def test_class_does_what_the_document_says(document: str, says: str, check: Check) -> None:
    check()
