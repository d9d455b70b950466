"""Values of the variables between steps: `eval()` gives them, `train()` takes them back."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

import optgen
from optgen import LossScaleOptimizer
from optgen.optimizers import SGD, ScheduleFreeAdamW
from tests.oracle import Oracle, compiled

SPEC = """
name = "Polyak"
summary = "Gradient descent that is evaluated at the mean of its steps."
update = '''
w = w - learning_rate * g
center = center + (w - center) / t
'''
evaluation = '''
weight = minimum(t, 2) / 2 + beta * norm(center)
w = weight * center + (1 - weight) * w
'''

[hyperparameters]
learning_rate = { default = 0.1, doc = "How far a step goes." }
beta = { default = 0.0, doc = "Weight of the norm." }

[slots]
center = { initial = "w", doc = "Mean of the variable over all steps." }
"""

Arrays = list[np.ndarray[Any, Any]]


def arrays(dtype: str = "float64") -> Arrays:
    """A number, an empty array, a strided one, and one of two chunks."""
    rng = np.random.default_rng(1)
    shapes: list[tuple[int, ...]] = [(), (0,), (3, 4), (20_000,)]
    found = [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]
    found[2] = np.asarray(rng.standard_normal((4, 6)), dtype).T[::2]
    return found


def stepped(optimizer: Any, variables: Arrays, calls: int = 3) -> Any:
    """The optimizer after some calls."""
    rng = np.random.default_rng(2)
    for _ in range(calls):
        optimizer.apply(
            [np.asarray(rng.standard_normal(w.shape), w.dtype) for w in variables], variables
        )
    return optimizer


def bits(variables: Arrays) -> list[bytes]:
    return [w.tobytes() for w in variables]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("warmup_steps", [0, 2])
def test_values_are_those_of_the_language_and_training_goes_on_bit_for_bit(
    dtype: str, warmup_steps: int
) -> None:
    arguments = {"learning_rate": 0.05, "warmup_steps": warmup_steps}
    variables, others = arrays(dtype), arrays(dtype)
    optimizer = ScheduleFreeAdamW(**arguments)
    mode = "warmup" if warmup_steps else "plain"
    program = compiled("schedule_free_adamw").program
    oracle = Oracle(program, mode, [np.array(w) for w in variables], arguments)
    rng = np.random.default_rng(3)
    undisturbed = ScheduleFreeAdamW(**arguments)
    for _ in range(4):
        gradients = [np.asarray(rng.standard_normal(w.shape), dtype) for w in variables]
        optimizer.apply(gradients, variables)
        undisturbed.apply(gradients, others)
        oracle.step(gradients)
        for _ in range(3):
            before = bits(variables)
            optimizer.eval()
            optimizer.eval()
            assert optimizer.evaluating
            assert bits(variables) == bits(oracle.evaluate())
            assert bits(variables) != before
            optimizer.train()
            optimizer.train()
            assert not optimizer.evaluating
            assert bits(variables) == before
    assert bits(variables) == bits(others)
    assert bits(optimizer.get_weights()) == bits(undisturbed.get_weights())


def test_schedule_free_is_evaluated_at_the_mean_of_its_fast_sequence() -> None:
    """The definition in the paper, which the equations reach in another way."""
    variables = arrays()
    optimizer = ScheduleFreeAdamW(learning_rate=0.3)
    history = []
    for call in range(1, 8):
        stepped(optimizer, variables, 1)
        history.append([np.array(optimizer.get_slot(w, "z")) for w in variables])
        optimizer.eval()
        for position, w in enumerate(variables):
            mean = sum(z[position] for z in history) / call
            assert_allclose(w, mean, rtol=1e-12, atol=1e-12)
        optimizer.train()


def test_schedule_free_is_evaluated_as_by_its_authors() -> None:
    """The library's version weighs steps by their learning rate, which is constant here."""
    torch = pytest.importorskip("torch")
    library = pytest.importorskip("pytorch_optimizer")
    start = np.random.default_rng(4).standard_normal((3, 4))
    ours, theirs = start.copy(), torch.nn.Parameter(torch.tensor(start))
    optimizer = ScheduleFreeAdamW(learning_rate=0.1, epsilon=1e-3)
    peer = library.ScheduleFreeAdamW([theirs], lr=0.1, eps=1e-3, betas=(0.9, 0.999))
    rng = np.random.default_rng(5)
    for _ in range(6):
        gradient = rng.standard_normal((3, 4))
        optimizer.apply([gradient], [ours])
        theirs.grad = torch.tensor(gradient)
        peer.step()
        assert_allclose(ours, theirs.detach().numpy(), rtol=1e-9)
        optimizer.eval()
        peer.eval()
        assert_allclose(ours, theirs.detach().numpy(), rtol=1e-9)
        optimizer.train()
        peer.train()


def test_any_spec_can_say_what_is_evaluated(tmp_path: Path) -> None:
    """The step is the last one, learning rates may be schedules, and norms are allowed."""
    (tmp_path / "polyak.toml").write_text(SPEC)
    cls = optgen.load(tmp_path / "polyak.toml")
    optimizer, w = cls(learning_rate=lambda: 0.5), np.array([3.0, 4.0])
    optimizer.build([w])
    optimizer.eval()
    assert w.tolist() == [3.0, 4.0]
    assert not optimizer.evaluating
    optimizer.apply([np.array([2.0, -2.0])], [w])
    assert w.tolist() == [2.0, 5.0]
    optimizer.beta = 0.25
    optimizer.eval()
    weight = 0.5 + 0.25 * np.sqrt(29.0)
    assert_allclose(w, weight * np.array([2.0, 5.0]) + (1 - weight) * np.array([2.0, 5.0]))
    optimizer.train()
    optimizer.apply([np.array([2.0, -2.0])], [w])
    optimizer.beta = 0.0
    optimizer.eval()
    assert w.tolist() == [1.5, 5.5]


def test_without_equations_for_it_an_evaluation_changes_nothing() -> None:
    variables = arrays()
    optimizer = stepped(SGD(0.1), variables)
    before = bits(variables)
    optimizer.eval()
    assert bits(variables) == before
    assert not optimizer.evaluating
    stepped(optimizer, variables, 1)


def test_what_would_lose_values_is_refused_until_training_goes_on(tmp_path: Path) -> None:
    variables = arrays()
    optimizer = stepped(ScheduleFreeAdamW(use_ema=True), variables)
    optimizer.save(tmp_path / "state.npz")
    optimizer.eval()
    before, state = bits(variables), bits(optimizer.get_weights())
    refused: list[tuple[str, Any]] = [
        ("step", lambda: stepped(optimizer, variables)),
        ("step", lambda: optimizer.apply_gradients([(np.ones(w.shape), w) for w in variables])),
        ("save", lambda: optimizer.save(tmp_path / "other.npz")),
        ("load", lambda: optimizer.load(tmp_path / "state.npz")),
        ("copy", lambda: copy.deepcopy(optimizer)),
        ("copy", lambda: pickle.dumps(optimizer)),
        ("finalize_variable_values", optimizer.finalize_variable_values),
    ]
    for what, call in refused:
        with pytest.raises(ValueError, match=rf"{what}: .*train\(\) first"):
            call()
        assert (bits(variables), bits(optimizer.get_weights())) == (before, state)
    optimizer.train()
    stepped(optimizer, variables, 1)
    assert not (tmp_path / "other.npz").exists()


def test_variables_that_cannot_be_written_are_refused_before_the_first_is() -> None:
    variables = [np.ones(3), np.ones(3)]
    optimizer = stepped(ScheduleFreeAdamW(), variables)
    before = bits(variables)
    for call in (optimizer.eval, optimizer.train):
        variables[1].flags.writeable = False
        with pytest.raises(ValueError, match="variable 1 has become read-only"):
            call()
        assert bits(variables) == before
        variables[1].flags.writeable = True
        call()
        before = bits(variables)


def test_an_optimizer_without_variables_has_nothing_to_evaluate() -> None:
    with pytest.raises(ValueError, match="expected a built optimizer"):
        ScheduleFreeAdamW().eval()
    ScheduleFreeAdamW().train()


def test_a_loss_scale_leaves_it_to_the_inner_optimizer() -> None:
    variables, others = arrays(), arrays()
    outer = LossScaleOptimizer(ScheduleFreeAdamW(), initial_scale=1.0)
    stepped(outer, variables)
    inner = stepped(ScheduleFreeAdamW(), others)
    outer.eval()
    inner.eval()
    assert outer.evaluating
    assert bits(variables) == bits(others)
    with pytest.raises(ValueError, match=r"train\(\) first"):
        stepped(outer, variables)
    outer.train()
    inner.train()
    assert bits(variables) == bits(others)


TABLES = """
name = "Tables"
summary = "An evaluation with more reductions than its update, and another kind of them."
update = '''
w = w - learning_rate * g
z = 0.5 * z + 0.5 * w
v = 0.5 * v + row_sum(g * g)
'''
evaluation = '''
a = norm(z)
b = max(abs(w))
c = sum(z * w)
w = (z * a + b * c + column_sum(z) * v) * learning_rate
'''

[hyperparameters]
learning_rate = { default = 0.1, doc = "How far a step goes." }

[slots]
z = { doc = "Average of the variable." }
v = { rate = "row", doc = "Sum of squares." }
"""


def test_an_evaluation_has_room_for_reductions_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "tables.toml").write_text(TABLES)
    optimizer = optgen.load(tmp_path / "tables.toml")(
        learning_rate=optgen.schedules.ExponentialDecay(0.5, 1, 0.5)
    )
    rng = np.random.default_rng(6)
    shapes = [(), (0, 3), (3, 4), (2, 70, 90)]
    variables = [np.asarray(rng.standard_normal(shape)) for shape in shapes]
    for _ in range(3):
        stepped(optimizer, variables, 1)
    z = [np.array(optimizer.get_slot(w, "z")) for w in variables]
    v = [np.array(optimizer.get_slot(w, "v")) for w in variables]
    before = [w.copy() for w in variables]
    optimizer.eval()
    for w, x, slow, rows in zip(variables, before, z, v, strict=True):
        if x.size:
            columns = slow if x.ndim < 2 else slow.sum(axis=-2, keepdims=True)
            numbers = rows if x.ndim < 2 else rows[..., np.newaxis]
            offset = np.abs(x).max() * np.sum(slow * x)
            expected = slow * np.sqrt(np.sum(slow * slow)) + offset + columns * numbers
            # The rate of the last of three calls.
            assert_allclose(w, expected * 0.125, rtol=1e-12)
    optimizer.train()
    assert bits(variables) == bits(before)


def test_a_variable_that_was_resized_is_refused() -> None:
    w = np.ones(3)
    optimizer = stepped(ScheduleFreeAdamW(), [w])
    w.resize(100_000, refcheck=False)
    with pytest.raises(ValueError, match="variable 0"):
        optimizer.eval()
    assert not optimizer.evaluating


@pytest.mark.parametrize("action", ["eval", "step"])
def test_a_callable_cannot_evaluate_or_step_in_between(action: str) -> None:
    w = np.ones(3)
    optimizer = stepped(ScheduleFreeAdamW(), [w])
    asked: list[str] = []

    def beta() -> float:
        asked.append(action)
        if len(asked) == 1:
            optimizer.eval() if action == "eval" else stepped(optimizer, [w], 1)
        return 0.5

    optimizer.beta_1 = beta
    with pytest.raises(ValueError, match=r"callable argument"):
        optimizer.eval()
    assert len(asked) > 1


def test_the_names_of_evaluations_are_no_modes(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(
        TABLES.replace("update = ", "[[modes]]\nname = 'a_evaluation'\nwhen = 'x'\nupdate = ", 1)
    )
    with pytest.raises(optgen.CompileError, match="a_evaluation"):
        optgen.load(tmp_path / "bad.toml")


RATED = """
name = "Rated"
summary = "Evaluated ahead by the rate and the decay of the last step."
update = 'w = w - learning_rate * g'
evaluation = 'w = w - learning_rate - weight_decay * 100'

[hyperparameters]
learning_rate = { default = 0.1, doc = "How far a step goes." }
weight_decay = { default = 0.0, doc = "How much further an evaluation goes." }
"""


@pytest.mark.parametrize("calls", [4, 6, 7])
def test_between_accumulating_calls_the_rate_is_that_of_the_last_update(
    calls: int, tmp_path: Path
) -> None:
    (tmp_path / "rated.toml").write_text(RATED)
    rates = optgen.schedules.ExponentialDecay(1.0, 1, 0.5)
    optimizer = optgen.load(tmp_path / "rated.toml")(rates, gradient_accumulation_steps=4)
    w = np.zeros(3)
    stepped(optimizer, [w], calls)
    before = w.copy()
    optimizer.eval()
    assert_allclose(w, before - rates(3), rtol=1e-12)


def test_callables_are_asked_in_an_evaluation(tmp_path: Path) -> None:
    (tmp_path / "rated.toml").write_text(RATED)
    decay = 0.25
    optimizer = optgen.load(tmp_path / "rated.toml")(0.5, weight_decay=lambda: decay)
    w, out = np.zeros(3), np.zeros(3)
    stepped(optimizer, [w, out], 2)
    optimizer.exclude_from_weight_decay([out])
    before, decay = [w.copy(), out.copy()], 0.75
    optimizer.eval()
    assert_allclose(w, before[0] - 0.5 - 75.0, rtol=1e-12)
    assert_allclose(out, before[1] - 0.5, rtol=1e-12)


def test_nothing_comes_back_to_a_variable_that_was_resized() -> None:
    first, second = np.ones(3), np.ones((2, 2))
    optimizer = stepped(ScheduleFreeAdamW(), [first, second])
    optimizer.eval()
    evaluated = first.copy()
    second.resize((1, 2), refcheck=False)
    with pytest.raises(ValueError, match="variable 1 was resized"):
        optimizer.train()
    assert optimizer.evaluating
    assert np.array_equal(first, evaluated)
