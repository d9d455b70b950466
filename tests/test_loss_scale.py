"""The dynamic loss scale, and the skipping of calls whose gradients are not finite.

The names in brackets are rows of the list of bugs that optimizers have had.
"""

from __future__ import annotations

import copy
import json
import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optgen import LossScaleOptimizer, Variable
from optgen.optimizers import SGD, Adam
from optgen.runtime.kernels import BLOCK
from optgen.runtime.launch import PARALLEL_FROM
from optgen.schedules import ExponentialDecay
from tests.generated_classes import EVERYTHING, everything_on, hyperparameters_of
from tests.oracle import generated, thorough_modes, thorough_specs

os.environ.setdefault("KERAS_BACKEND", "numpy")

Array = np.ndarray[Any, Any]
SPECS = pytest.mark.parametrize("spec", thorough_specs())
SHAPES = ((3, 4), (), (0,), (5,))
NOT_FINITE = (np.nan, np.inf, -np.inf)


def make_variables(dtype: Any = np.float32) -> list[Array]:
    rng = np.random.default_rng(1)
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]


def make_gradients(call: int, scale: float, dtype: Any = np.float32) -> list[Array]:
    rng = np.random.default_rng([2, call])
    return [np.asarray(scale * rng.standard_normal(shape), dtype) for shape in SHAPES]


def inner(spec: str, **changes: Any) -> Any:
    """Every common stage on but the loss scale."""
    return everything_on(spec, loss_scale_factor=None, **changes)


def every_byte(optimizer: Any, variables: list[Array]) -> list[bytes]:
    return [a.tobytes() for a in [*variables, *optimizer.inner_optimizer.variables]]


@pytest.mark.parametrize(
    ("spec", "mode"), thorough_modes(), ids=["-".join(pair) for pair in thorough_modes()]
)
def test_a_scaled_step_is_the_step_of_that_factor(spec: str, mode: str) -> None:
    """[B29] Bit for bit, and powers of two make it the unscaled step."""
    arguments = {**EVERYTHING, **hyperparameters_of(spec, mode)}
    scaled, told, plain = make_variables(), make_variables(), make_variables()
    without = {**arguments, "loss_scale_factor": None}
    optimizer = LossScaleOptimizer(generated(spec)(**without), initial_scale=1024.0)
    other = generated(spec)(**{**arguments, "loss_scale_factor": 1024.0})
    unscaled = generated(spec)(**without)
    for call in range(4):
        optimizer.apply(make_gradients(call, 1024.0), scaled)
        other.apply(make_gradients(call, 1024.0), told)
        unscaled.apply(make_gradients(call, 1.0), plain)
    assert [w.tobytes() for w in scaled] == [w.tobytes() for w in told]
    assert [w.tobytes() for w in scaled] == [w.tobytes() for w in plain]


@SPECS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_bad_element_anywhere_skips_the_whole_call(spec: str, dtype: Any) -> None:
    """[B7, B27, B28] At every update and every call that only accumulates."""
    answers: list[int] = []

    def rate() -> float:
        answers.append(1)
        return 0.1

    optimizer, variables = (
        LossScaleOptimizer(inner(spec, learning_rate=rate)),
        make_variables(dtype),
    )
    optimizer.build(variables)
    answers.clear()  # a slot may start as the learning rate
    skipped = 0
    for call in range(4):
        before = every_byte(optimizer, variables)
        for bad in NOT_FINITE:
            for position in (0, 1, 3):
                for index in (0, -1):
                    gradients = make_gradients(call, 1.0, dtype)
                    gradients[position].reshape(-1)[index] = bad
                    optimizer.apply(gradients, variables)
                    skipped += 1
                    assert every_byte(optimizer, variables) == before
                    assert optimizer.last_step_skipped
                    assert optimizer.skipped_steps == skipped
        assert len(answers) == call
        optimizer.apply(make_gradients(call, 1.0, dtype), variables)
        assert not optimizer.last_step_skipped
    assert int(optimizer.inner_optimizer.variables[0]) == len(answers) == 4


@pytest.mark.parametrize("size", [BLOCK - 1, PARALLEL_FROM + 3])
@pytest.mark.parametrize("layout", ["plain", "reversed", "float64", "column"])
def test_large_gradients_of_any_layout_are_checked_to_the_last(size: int, layout: str) -> None:
    w = np.zeros((size, 1), np.float32)
    optimizer = LossScaleOptimizer(SGD(learning_rate=1.0), initial_scale=1.0)
    g = np.ones((size, 3 if layout == "column" else 1), "f8" if layout == "float64" else "f4")
    g = {"reversed": g[::-1], "column": g[:, 1:2]}.get(layout, g)
    for index in (0, 1, size // 2, size - 2, size - 1):
        for bad in NOT_FINITE:
            g[index, 0] = bad
            optimizer.apply([g], [w])
            assert optimizer.last_step_skipped, (index, bad)
        g[index, 0] = 1.0
    assert not w.any()
    g[...] = np.finfo(np.float32).max
    g[1::2] = -1e-45
    optimizer.apply([g], [w])
    assert not optimizer.last_step_skipped


def test_variables_without_a_gradient_are_not_looked_at() -> None:
    variables = [np.ones(2), np.ones(3)]
    optimizer = LossScaleOptimizer(SGD(learning_rate=0.5), initial_scale=1.0)
    with pytest.warns(UserWarning, match="no gradient"):
        optimizer.apply([None, np.ones(3)], variables)
    optimizer.apply([None, np.full(3, np.nan)], variables)
    assert optimizer.skipped_steps == 1
    assert [w.tolist() for w in variables] == [[1, 1], [0.5] * 3]
    with pytest.raises(ValueError, match="received only None"):
        optimizer.apply([None, None], variables)


def test_a_first_call_that_is_skipped_builds() -> None:
    w = np.ones(2)
    optimizer = LossScaleOptimizer(Adam())
    optimizer.apply([np.array([1.0, np.inf])], [w])
    assert optimizer.built
    assert optimizer.iterations == 0
    assert w.tolist() == [1.0, 1.0]
    optimizer.apply([np.ones(2)])
    assert optimizer.iterations == 1


def test_the_scale_grows_and_shrinks_as_in_keras() -> None:
    keras = pytest.importorskip("keras")
    optimizer = LossScaleOptimizer(
        SGD(learning_rate=0.5), initial_scale=64.0, dynamic_growth_steps=3
    )
    peer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(learning_rate=0.5), initial_scale=64.0, dynamic_growth_steps=3
    )
    w, peers = np.ones(2, np.float32), keras.Variable(np.ones(2, np.float32))
    finite = [1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]
    for call, good in enumerate(finite):
        gradient = np.full(2, 8.0 if good else np.nan, np.float32)
        optimizer.apply([gradient], [w])
        peer.apply([gradient], [peers])
        assert optimizer.dynamic_scale == float(peer.dynamic_scale), call
        assert int(optimizer.variables[0]) == int(peer.step_counter), call
        assert optimizer.iterations == int(peer.iterations), call
        np.testing.assert_allclose(w, np.asarray(peers), rtol=1e-6)
    assert optimizer.skipped_steps == finite.count(0)


def test_the_scale_stays_a_normal_number() -> None:
    w = np.ones(1)
    shrinking = LossScaleOptimizer(SGD(), initial_scale=2.0**-125)
    for _ in range(4):
        shrinking.apply([np.array([np.nan])], [w])
    assert shrinking.dynamic_scale == 2.0**-126
    growing = LossScaleOptimizer(SGD(), initial_scale=2.0**126, dynamic_growth_steps=1)
    for _ in range(4):
        growing.apply([np.zeros(1)], [w])
    assert growing.dynamic_scale == 2.0**127


def test_minimize_scales_and_divides_once() -> None:
    scaled, plain = Variable([1.0, -2.0]), Variable([1.0, -2.0])
    optimizer = LossScaleOptimizer(SGD(learning_rate=0.25), initial_scale=2.0**10)
    other = SGD(learning_rate=0.25)
    for _ in range(3):
        count = optimizer.minimize(lambda: (scaled**2).sum(), [scaled])
        other.minimize(lambda: (plain**2).sum(), [plain])
    assert count.numpy() == 3
    assert scaled.numpy().tobytes() == plain.numpy().tobytes()
    assert optimizer.scale_loss(2.0) == 2.0**11
    # The scaled gradient leaves the range of float32, the unscaled one does not.
    huge = LossScaleOptimizer(SGD(), initial_scale=2.0**127)
    huge.minimize(lambda: (scaled**2).sum() * 8.0, [scaled])
    assert huge.last_step_skipped


def test_a_schedule_does_not_move_in_skipped_calls() -> None:
    """[B7]"""
    w = np.zeros(1)
    optimizer = LossScaleOptimizer(SGD(ExponentialDecay(1.0, 1, 0.5)), initial_scale=1.0)
    for gradient in (1.0, np.nan, np.inf, 1.0):
        optimizer.apply([np.array([gradient])], [w])
    assert w[0] == -3.0  # the second step divides by a quarter
    assert optimizer.learning_rate == 0.25
    optimizer.learning_rate = 1.0
    assert optimizer.inner_optimizer.learning_rate == 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SGD,), "inner_optimizer: expected one of optgen.optimizers, .*received type"),
        ((LossScaleOptimizer(SGD()),), "inner_optimizer: .*received LossScaleOptimizer"),
        ((SGD(loss_scale_factor=2.0),), "loss_scale_factor=None, .*received 2.0"),
        ((SGD(), 0.0), "initial_scale: expected .*received 0.0"),
        ((SGD(), np.inf), "initial_scale"),
        ((SGD(), lambda: 2.0), "initial_scale: expected a number"),
        ((SGD(), 2.0, 0), "dynamic_growth_steps: expected an integer >= 1, received 0"),
        ((SGD(), 2.0, 2.5), "dynamic_growth_steps"),
        ((SGD(), 2.0, 2, ""), "name: expected a non-empty printable string"),
    ],
)
def test_arguments_that_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LossScaleOptimizer(*arguments)


def test_arguments_of_the_inner_optimizer_are_refused() -> None:
    with pytest.raises(ValueError, match="'clipnorm', 'dynamic'; .* on the inner_optimizer"):
        LossScaleOptimizer(SGD(), clipnorm=1.0, dynamic=False)


# --- Saving -----------------------------------------------------------------------------------


def run(optimizer: Any, variables: list[Array], calls: range) -> None:
    for call in calls:
        gradients = make_gradients(call, 1.0)
        if call % 3 == 1:
            gradients[0][0, 0] = np.inf
        optimizer.apply(gradients, variables)


def scaled(spec: str, **changes: Any) -> LossScaleOptimizer:
    return LossScaleOptimizer(inner(spec, **changes), initial_scale=8.0, dynamic_growth_steps=2)


def everything(optimizer: Any, variables: list[Array]) -> list[bytes]:
    return [a.tobytes() for a in [*variables, *optimizer.variables]]


@SPECS
def test_it_resumes_bit_for_bit(spec: str, tmp_path: Path) -> None:
    whole, expected = scaled(spec), make_variables()
    run(whole, expected, range(9))
    first, variables = scaled(spec), make_variables()
    run(first, variables, range(5))
    first.save(tmp_path / "state.npz")
    weights = first.get_weights()
    for how in ("load", "weights", "pickle", "copy"):
        copies = [w.copy() for w in variables]
        second = LossScaleOptimizer(inner(spec, learning_rate=0.7))
        if how == "load":
            second.build(copies)
            second.load(tmp_path / "state.npz")
        elif how == "weights":
            second = scaled(spec)
            second.build(copies)
            second.set_weights(weights)
        elif how == "pickle":
            second, copies = pickle.loads(pickle.dumps((first, variables)))
        else:
            second, copies = copy.deepcopy((first, variables))
        run(second, copies, range(5, 9))
        assert everything(second, copies) == everything(whole, expected), how
        assert second.get_config() == whole.get_config()
    assert copy.copy(first).inner_optimizer is not first.inner_optimizer


def test_files_that_do_not_fit_change_nothing(tmp_path: Path) -> None:
    optimizer, variables = scaled("sgd"), make_variables()
    run(optimizer, variables, range(3))
    before = everything(optimizer, variables), repr(optimizer)
    other = LossScaleOptimizer(Adam())
    other.build([np.ones(2)])
    other.save(tmp_path / "adam.npz")
    optimizer.inner_optimizer.save(tmp_path / "inner.npz")
    for name, message in {
        "adam": "class: expected a file of SGD, received one of 'Adam'",
        "inner": "expected a file of LossScaleOptimizer, received one of 'SGD'",
    }.items():
        with pytest.raises(ValueError, match=message):
            optimizer.load(tmp_path / f"{name}.npz")
        assert (everything(optimizer, variables), repr(optimizer)) == before
    with pytest.raises(ValueError, match="expected a scale from .*received 0"):
        optimizer.set_weights([optimizer.weights[0], 0.0, *optimizer.weights[2:]])
    assert (everything(optimizer, variables), repr(optimizer)) == before


def test_what_is_set_is_checked() -> None:
    optimizer, variables = scaled("sgd"), make_variables()
    run(optimizer, variables, range(2))
    before = everything(optimizer, variables)
    weights = optimizer.get_weights()
    for index in (0, 2, 3):
        changed = [*weights[:index], np.array(-1), *weights[index + 1 :]]
        with pytest.raises(ValueError, match=rf"weights\[{index}\]: expected a count, received -1"):
            optimizer.set_weights(changed)
    store: dict[str, Any] = {}
    optimizer.save_own_variables(store)
    with pytest.raises(ValueError, match=r"store\[1\]: expected a scale"):
        optimizer.load_own_variables({**store, "1": np.array(np.inf)})
    assert everything(optimizer, variables) == before
    # A counter from elsewhere may lie beyond the number of calls at which the scale grows.
    optimizer.set_weights([np.array(10**6), *weights[1:]])
    run(optimizer, variables, range(2, 3))
    assert optimizer.dynamic_scale == 2 * float(weights[1])
    optimizer.load_own_variables(store)
    assert optimizer.dynamic_scale == float(weights[1])
    with pytest.raises(AttributeError, match="has no attribute 'learning_rat'; did you mean"):
        optimizer.learning_rat = 1.0
    with pytest.raises(AttributeError):
        optimizer.inner_optimizer = SGD()
    optimizer.lr = 0.25
    assert optimizer.inner_optimizer.learning_rate == optimizer.lr == 0.25
    with pytest.raises(ValueError, match="name: expected a non-empty"):
        optimizer.name = 3


def test_exclusion_reaches_the_inner_optimizer() -> None:
    w, b = np.ones(2), np.ones(2)
    optimizer = LossScaleOptimizer(SGD(1.0, weight_decay=0.5))
    optimizer.exclude_from_weight_decay([b])
    optimizer.apply([np.zeros(2), np.zeros(2)], [w, b])
    assert (w.tolist(), b.tolist()) == ([0.5, 0.5], [1.0, 1.0])


def test_only_the_backward_pass_is_quiet() -> None:
    """Gradients that overflow are what the scale is for; a loss that overflows is not."""
    w = Variable(np.full(2, 1e30, np.float32))
    optimizer = LossScaleOptimizer(SGD(), initial_scale=2.0**127)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.minimize(lambda: (w * 2.0).sum() * 1e3, [w])
        optimizer.get_updates(lambda: (w * 2.0).sum() * 1e3, [w])
    assert optimizer.skipped_steps == 2
    with pytest.warns(RuntimeWarning, match="overflow"):
        optimizer.minimize(lambda: (w * w).sum(), [w])


def test_an_inner_factor_that_appears_later_is_refused(tmp_path: Path) -> None:
    source = SGD(loss_scale_factor=4.0)
    source.save(tmp_path / "state.npz")
    optimizer = LossScaleOptimizer(SGD())
    optimizer.inner_optimizer.load(tmp_path / "state.npz")
    w = np.ones(2)
    with pytest.raises(ValueError, match="inner_optimizer: expected loss_scale_factor=None"):
        optimizer.apply([np.ones(2)], [w])
    assert w.tolist() == [1, 1]


def test_the_count_of_calls_is_returned() -> None:
    """As ``Optimizer.apply_gradients`` does: calls, not updates; skipped ones are none."""
    w = np.ones(2)
    optimizer = LossScaleOptimizer(SGD(gradient_accumulation_steps=2))
    gradients = [[1.0, 1.0], [np.inf, 1.0], [1.0, 1.0], [1.0, 1.0]]
    counts = [int(optimizer.apply_gradients([(np.array(g), w)])) for g in gradients]
    assert counts == [1, 1, 2, 3]


def test_configurations_name_the_inner_class() -> None:
    class Mine(SGD):
        pass

    first = LossScaleOptimizer(Adam(0.5, amsgrad=True), 2.0, 3, name="scaled")
    config = json.loads(json.dumps(first.get_config()))
    second = LossScaleOptimizer.from_config(config)
    assert second.get_config() == first.get_config()
    assert repr(second) == repr(first)
    assert repr(first) == (
        "LossScaleOptimizer(Adam(learning_rate=0.5, amsgrad=True), initial_scale=2.0, "
        "dynamic_growth_steps=3, name='scaled')"
    )
    own = LossScaleOptimizer(Mine(0.5)).get_config()
    with pytest.raises(ValueError, match="inner_optimizer: expected one of .*received 'Mine'"):
        LossScaleOptimizer.from_config(own)
    assert type(LossScaleOptimizer.from_config(own, {"Mine": Mine}).inner_optimizer) is Mine
