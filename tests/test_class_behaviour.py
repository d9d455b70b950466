"""What generated classes do, one known way of going wrong after the other.

The names in brackets are rows of the list of bugs that optimizers have had.
"""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest

from optgen.optimizers import SGD, Adam, AdamW, NovoGrad
from optgen.runtime import Hyperparameter, Optimizer
from optgen.runtime.arguments import COMMON
from optgen.testing.arrays import every_second, state_arrays
from optgen.testing.subject import drawn_float
from tests.generated_classes import (
    EVERYTHING,
    Arguments,
    everything_on,
    hyperparameters_of,
    last_mode,
)
from tests.oracle import CORE, Oracle, compiled, generated, thorough_modes, thorough_specs

Array = np.ndarray[Any, Any]
MODES = pytest.mark.parametrize(
    ("spec", "mode"), thorough_modes(), ids=["-".join(pair) for pair in thorough_modes()]
)
SPECS = pytest.mark.parametrize("spec", thorough_specs())
CORE_SPECS = pytest.mark.parametrize("spec", CORE)
"""What not every rule does: arguments of some have an effect in some states alone."""


def after(optimizer: Optimizer, start: Any, *gradients: Any) -> Array:
    """One float64 variable after a step along each gradient."""
    w = np.array(start, np.float64)
    for gradient in gradients:
        optimizer.apply([np.asarray(gradient, np.float64)], [w])
    return w


def draw(shape: tuple[int, ...], *seed: int) -> Array:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape))


# --- Arithmetic -----------------------------------------------------------------------------


def test_epsilon_is_outside_the_square_root_and_not_corrected() -> None:
    """[B1, B2] Forms that put epsilon elsewhere differ by far more than the tolerance."""
    g, eps, lr = 1e-4, 1e-3, 0.1
    # Adam: the uncorrected second moment is v = 0.001 g^2, and m = 0.1 g.
    alpha = lr * math.sqrt(1 - 0.999) / (1 - 0.9)
    expected = -0.1 * g * alpha / (math.sqrt(0.001 * g * g) + eps)
    inside = -0.1 * g * alpha / math.sqrt(0.001 * g * g + eps)
    corrected = -lr * g / (g + eps)
    for cls in (Adam, AdamW):
        for amsgrad in (False, True):
            w = after(cls(learning_rate=lr, epsilon=eps, amsgrad=amsgrad), [0.0], [g])
            assert w[0] == pytest.approx(expected, rel=1e-12)
            assert abs(w[0] - inside) > 0.1 * abs(expected)
            assert abs(w[0] - corrected) > 0.1 * abs(expected)
    for amsgrad in (False, True):
        w = after(NovoGrad(learning_rate=lr, epsilon=eps, amsgrad=amsgrad), [0.0], [g])
        assert w[0] == pytest.approx(-lr * g / (g + eps), rel=1e-12)


@pytest.mark.parametrize("cls", [Adam, AdamW])
def test_bias_correction_at_steps_one_and_two(cls: Any) -> None:
    """[B3, B42] Without epsilon the first step is the learning rate, whatever the gradient."""
    b1, b2, lr, g1, g2 = 0.8, 0.9, 0.05, 3.0, -0.7
    decay = {"weight_decay": 0.0} if cls is AdamW else {}
    optimizer = cls(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=0, **decay)
    assert after(optimizer, [0.0], [g1])[0] == pytest.approx(-lr, rel=1e-12)
    m = (b1 * (1 - b1) * g1 + (1 - b1) * g2) / (1 - b1**2)
    v = (b2 * (1 - b2) * g1**2 + (1 - b2) * g2**2) / (1 - b2**2)
    optimizer = cls(learning_rate=lr, beta_1=b1, beta_2=b2, epsilon=0, **decay)
    expected = -lr - lr * m / math.sqrt(v)
    assert after(optimizer, [0.0], [g1], [g2])[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("averaging", [False, True])
def test_novograd_starts_from_the_first_norm(averaging: bool) -> None:
    """[B3, B42] The first second moment is the squared norm; averaging begins at step two."""
    b1, b2, lr = 0.8, 0.9, 0.05
    g1, g2 = np.array([3.0, -4.0]), np.array([0.5, 1.0])
    arguments = {"learning_rate": lr, "beta_1": b1, "beta_2": b2, "epsilon": 0}
    m1 = g1 / 5
    m2 = b1 * m1 + ((1 - b1) if averaging else 1) * g2 / math.sqrt(b2 * 25 + (1 - b2) * 1.25)
    first = after(NovoGrad(grad_averaging=averaging, **arguments), [0.0, 0.0], g1)
    np.testing.assert_allclose(first, -lr * m1, rtol=1e-12)
    second = after(NovoGrad(grad_averaging=averaging, **arguments), [0.0, 0.0], g1, g2)
    np.testing.assert_allclose(second, -lr * (m1 + m2), rtol=1e-12)


@CORE_SPECS
def test_decay_with_a_zero_gradient_is_an_exact_factor(spec: str) -> None:
    """[B4] Decoupled, once, and times the learning rate, also when that is halved."""
    w, optimizer = np.array([2.0, -3.0]), generated(spec)(learning_rate=0.5, weight_decay=0.25)
    if generated(spec) is NovoGrad:  # its decay goes through the momentum, as its spec says
        after_one = w - 0.5 * (0.25 * w)
        after_two = after_one - 0.25 * (0.9 * (0.25 * w) + 0.25 * after_one)
    else:
        after_one = w - w * 0.25 * 0.5
        after_two = after_one - after_one * 0.25 * 0.25
    optimizer.apply([np.zeros(2)], [w])
    np.testing.assert_array_equal(w, after_one)
    optimizer.learning_rate = 0.25
    optimizer.apply([np.zeros(2)], [w])
    np.testing.assert_allclose(w, after_two, rtol=1e-15)


def test_each_update_asks_once_for_its_learning_rate() -> None:
    """[B6] The first three updates see the first three numbers, with any number of variables."""
    rates = iter([1.0, 0.1, 0.01])
    optimizer = SGD(learning_rate=lambda: next(rates), weight_decay=0.0)
    variables = [np.zeros(2), np.zeros(3, np.float32), np.zeros(())]
    moves = []
    for _ in range(3):
        before = float(variables[2])
        optimizer.apply([np.ones(w.shape) for w in variables], variables)
        moves.append(before - float(variables[2]))
    np.testing.assert_allclose(moves, [1.0, 0.1, 0.01], rtol=1e-12)
    assert next(rates, None) is None


def test_a_callable_learning_rate_is_asked_once_per_call() -> None:
    """[B6] Calls that only accumulate included."""
    rates = iter([5.0, 1.0, 7.0, 0.1])
    optimizer = SGD(learning_rate=lambda: next(rates), gradient_accumulation_steps=2)
    w = after(optimizer, [0.0], [1.0], [1.0], [1.0], [1.0])
    assert w[0] == pytest.approx(-1.1)
    assert next(rates, None) is None


def test_a_learning_rate_assigned_or_written_acts_on_the_next_step() -> None:
    """[B6] Whether the attribute is assigned or the array in ``variables`` is written."""
    optimizer, w = SGD(learning_rate=1.0), np.zeros(1)
    optimizer.apply([np.ones(1)], [w])
    optimizer.learning_rate = 0.25
    optimizer.apply([np.ones(1)], [w])
    optimizer.variables[1][...] = 0.5
    optimizer.apply([np.ones(1)], [w])
    optimizer.learning_rate = lambda: 2.0
    optimizer.apply([np.ones(1)], [w])
    assert w[0] == -3.75
    assert optimizer.learning_rate == 2.0


def test_a_callable_learning_rate_may_empty_the_list_of_gradients() -> None:
    """The gradients stay alive while they are read, whoever else forgets them."""
    gradients: list[Array] = []

    def rate() -> float:
        gradients.clear()
        [np.full(1000, math.nan) for _ in range(100)]
        return 1.0

    optimizer, w = SGD(learning_rate=rate), np.zeros(1000)
    optimizer.build([w])
    gradients.append(np.ones(1000))
    optimizer.apply(gradients)
    np.testing.assert_array_equal(w, -1.0)


def test_a_beta_near_one_is_not_rounded_before_it_is_subtracted() -> None:
    """[B25] In float32 too, 1 - beta_2 is computed in float64."""
    found = {}
    for beta in (0.999, 0.9999):
        optimizer, w = Adam(beta_2=beta, learning_rate=0.0), np.zeros(1, np.float32)
        optimizer.apply([np.ones(1, np.float32)], [w])
        found[beta] = optimizer.variables[-1]
        assert found[beta].dtype == np.float32
        assert found[beta][0] == np.float32(1 - beta)
    assert found[0.999][0] != found[0.9999][0]


def refuses_end(h: Hyperparameter, edge: float) -> bool:
    """Whether the end of its range, 0 or 1, is none of its values."""
    return h.exclusive_maximum if edge else h.exclusive_minimum


def with_values(spec: str, values: Arguments) -> tuple[str, Arguments]:
    """The last mode that values of some hyperparameters leave possible, and what selects it."""
    for mode in reversed(compiled(spec).program.modes):
        arguments = {**hyperparameters_of(spec, mode.name), **values}
        try:
            selected = generated(spec)(**arguments).select_mode().name
        except ValueError:
            continue
        if selected == mode.name:
            return selected, arguments
    raise AssertionError(f"no mode of {spec} has {values}")


@SPECS
@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_betas_at_their_ends_keep_or_replace_the_state_in_place(spec: str, edge: float) -> None:
    """[B17] State is the same array after each step, and what the interpreter says it is."""
    betas = {
        h.name: math.nextafter(edge, 0.5) if refuses_end(h, edge) else edge
        for h in generated(spec).hyperparameters
        if h.maximum == 1.0 and h.minimum == 0.0
    }
    mode, arguments = with_values(spec, betas)
    w = [draw((3, 2), 1)]
    optimizer = generated(spec)(**arguments)
    oracle = Oracle(compiled(spec).program, mode, w, arguments)
    optimizer.build(w)
    state = optimizer.variables
    with np.errstate(all="ignore"):
        for call in range(3):
            optimizer.apply([draw((3, 2), 2, call)])
            oracle.step([draw((3, 2), 2, call)])
    assert all(a is b for a, b in zip(state, optimizer.variables, strict=True))
    np.testing.assert_array_equal(w[0], oracle.variables[0])


# --- Gradients ------------------------------------------------------------------------------


def test_layouts_of_gradients_may_change_between_steps() -> None:
    """[B23] No layout is remembered from an earlier call."""
    arrange = [lambda g: g, np.asfortranarray, lambda g: g.astype(np.float64), every_second]
    results = set()
    for turn in range(4):
        optimizer, w = everything_on("adam"), draw((4, 5), 3).astype(np.float32)
        for call in range(8):
            gradient = draw((4, 5), 4, call).astype(np.float32)
            optimizer.apply([arrange[call * turn % 4](gradient)], [w])
        results.add(w.tobytes())
    assert len(results) == 1


def test_broadcast_and_shared_gradients_are_read() -> None:
    """[B18, B23] A gradient may have stride 0 and serve two variables."""
    optimizer, variables = SGD(learning_rate=1.0), [np.zeros((2, 3)), np.zeros((2, 3))]
    shared = np.broadcast_to(np.arange(3.0), (2, 3))
    optimizer.apply([shared, shared], variables)
    for w in variables:
        np.testing.assert_array_equal(w, -shared)


def test_a_gradient_of_a_number_is_a_number_or_an_array() -> None:
    """[B21] Rank 0 is a shape like any other."""
    for gradient in (0.5, np.float64(0.5), np.float32(0.5), np.array(0.5), np.array(0.5, "f4")):
        for dtype in (np.float32, np.float64):
            w = np.array(1.0, dtype)
            SGD(learning_rate=1.0).apply([gradient], [w])
            assert w == 0.5


def test_a_float64_gradient_of_a_float32_variable_is_rounded_first() -> None:
    """[B24] Before unscaling and clipping, as if the caller had rounded it."""
    wide = draw((50,), 5) * math.pi
    results = []
    for gradient in (wide, wide.astype(np.float32)):
        optimizer, w = everything_on("adam"), np.zeros(50, np.float32)
        for _ in range(4):
            optimizer.apply([gradient], [w])
        results.append(w.tobytes())
    assert results[0] == results[1]


# --- Variables ------------------------------------------------------------------------------


@SPECS
def test_only_empty_variables_are_no_trouble(spec: str) -> None:
    """[B21] Sums over nothing are zero, means of no rows are NaN; the count goes on."""
    optimizer, w = everything_on(spec), np.zeros((0, 3), np.float32)
    for _ in range(4):
        optimizer.apply([np.zeros((0, 3), np.float32)], [w])
    assert optimizer.iterations == 2
    of_axes = {name for name, _, _ in optimizer.select_mode().axes}
    arrays = state_arrays(optimizer, [w])
    assert all(
        np.all(np.isfinite(array))
        for name, array in arrays.items()
        if name.partition("/")[0] not in of_axes
    )


def test_axes_of_length_one_have_any_stride() -> None:
    """[B23] It is never used."""
    results = set()
    for w in (np.ones((1, 5, 1)), np.ones((5, 1)).T[..., None], np.ones((7, 5, 9))[3:4, :, 4:5]):
        SGD(clipnorm=1.0).apply([draw((1, 5, 1), 12)], [w])
        results.add(np.ascontiguousarray(w).tobytes())
    assert len(results) == 1


@pytest.mark.filterwarnings("ignore:.*no gradient:UserWarning")
@MODES
def test_variables_may_join_late(spec: str, mode: str) -> None:
    """[B9] A variable without gradients at first sees the optimizer's count, and fresh slots."""
    arguments = hyperparameters_of(spec, mode)
    variables = [draw((2, 3), 13), draw((4,), 14)]
    optimizer = generated(spec)(**arguments)
    oracle = Oracle(compiled(spec).program, mode, variables, arguments)
    for call in range(5):
        late = None if call < 3 else draw((4,), 15, call)
        before = variables[1].tobytes()
        optimizer.apply([draw((2, 3), 16, call), late], variables)
        oracle.step([draw((2, 3), 16, call), late])
        assert (variables[1].tobytes() == before) == (late is None)
    for actual, expected in zip(variables, oracle.variables, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-14, atol=0)


def test_variables_of_a_torch_model_are_known_by_their_memory() -> None:
    torch = pytest.importorskip("torch")
    p = torch.nn.Parameter(torch.ones(3, 2))
    optimizer = SGD(learning_rate=0.5, momentum=0.5)
    optimizer.build([p.detach().numpy()])
    for _ in range(2):
        (p * p).sum().backward()
        optimizer.apply_gradients([(p.grad.numpy(), p.detach().numpy())])
        p.grad = None
    assert torch.equal(p.detach(), torch.full((3, 2), -0.5))
    assert optimizer.iterations == 2


def test_the_order_of_a_call_and_the_mix_of_dtypes_are_free() -> None:
    """One norm is taken over variables of both dtypes, in the order of build."""
    arguments = {"momentum": 0.5, "global_clipnorm": 1.3, "weight_decay": 0.03}
    start = [draw((2,), 17), draw((3,), 18).astype(np.float32), draw((4,), 19)]
    oracle = Oracle(compiled("sgd").program, "momentum", start, arguments)
    given = [[draw(w.shape, 20, call) for w in start] for call in range(4)]
    for gradients in given:
        oracle.step(gradients)
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):
        optimizer, variables = SGD(**arguments), [w.copy() for w in start]
        optimizer.build(variables)
        for gradients in given:
            optimizer.apply([gradients[i] for i in order], [variables[i] for i in order])
        for actual, expected in zip(variables, oracle.variables, strict=True):
            np.testing.assert_array_equal(actual, expected)


# --- Common stages --------------------------------------------------------------------------


@SPECS
def test_averages_start_as_the_variables(spec: str) -> None:
    """[B31] Finalising before the first step is harmless, and afterwards gives the average."""
    optimizer, w = generated(spec)(use_ema=True, ema_momentum=0.75), draw((3,), 21)
    start = w.copy()
    optimizer.build([w])
    np.testing.assert_array_equal(optimizer.variables[2], start)
    optimizer.finalize_variable_values([w])
    np.testing.assert_array_equal(w, start)
    optimizer.apply([draw((3,), 22)], [w])
    first = w.copy()
    np.testing.assert_array_equal(optimizer.variables[2], first)
    optimizer.apply([draw((3,), 23)], [w])
    expected = 0.75 * first + 0.25 * w
    np.testing.assert_array_equal(optimizer.variables[2], expected)
    optimizer.finalize_variable_values([w])
    np.testing.assert_array_equal(w, expected)


def test_averages_and_accumulation_as_keras_traced_them() -> None:
    """[B31] The average moves at every micro-step."""
    optimizer = SGD(
        learning_rate=1.0, use_ema=True, ema_momentum=0.9, gradient_accumulation_steps=2
    )
    w, seen = np.array([10.0]), []
    for _ in range(7):
        optimizer.apply([np.ones(1)], [w])
        seen.append((w[0], optimizer.variables[2][0]))
    expected = [(10, 10), (9, 9), (9, 9), (8, 8.9), (8, 8.81), (7, 8.629), (7, 8.4661)]
    np.testing.assert_allclose(seen, expected, rtol=1e-12)


@SPECS
@pytest.mark.parametrize("k", [2, 4])
def test_micro_steps_equal_one_step_along_their_mean(spec: str, k: int) -> None:
    """[B32] With decay, clipping and unscaling; exact, because all sums are."""
    common: Arguments = {"weight_decay": 0.25, "global_clipnorm": 1.5, "loss_scale_factor": 4.0}
    arguments = {**common, **hyperparameters_of(spec, last_mode(spec))}
    small = np.random.default_rng(24).integers(-8, 8, (3, k, 5)).astype(np.float64)
    whole, parts = draw((5,), 25), draw((5,), 25)
    one, many = (
        generated(spec)(**arguments),
        generated(spec)(**arguments, gradient_accumulation_steps=k),
    )
    for step in small:
        one.apply([step.mean(axis=0)], [whole])
        for gradient in step:
            many.apply([gradient], [parts])
    np.testing.assert_array_equal(whole, parts)
    assert one.iterations == many.iterations == 3


def changed(h: Hyperparameter, old: Any) -> Any:
    """Another valid value of an argument."""
    others: dict[str, Any] = {"use_ema": False, "gradient_accumulation_steps": 3}
    if h.kind == "bool":
        return not old
    if h.name in others:
        return others[h.name]
    if h.kind == "int":
        return old + 1
    return old / 2 if old else 0.5


def run_everything(spec: str, arguments: Arguments) -> list[bytes]:
    optimizer, w = generated(spec)(**arguments), draw((4,), 26).astype(np.float32)
    for call in range(9):
        # Short gradients are not clipped, and long ones after them are.
        optimizer.apply([(0.1, 3.0)[call // 2 % 2] * draw((4,), 27, call)], [w])
    optimizer.finalize_variable_values([w])
    return [w.tobytes()]


@CORE_SPECS
def test_every_argument_changes_the_result(spec: str) -> None:
    """[B33] Mutations: an argument that is ignored would leave some result as it is."""
    mode = last_mode(spec)
    own = {**hyperparameters_of(spec, mode), "learning_rate": 0.1}
    base = {**EVERYTHING, "ema_overwrite_frequency": 3, **own}
    expected = run_everything(spec, base)
    cls = generated(spec)
    names = {h.name: h for h in (*COMMON, *cls.hyperparameters)}
    clips = {"clipvalue", "global_clipnorm"}
    for name in names.keys() - clips:
        other = {**base, name: changed(names[name], base.get(name))}
        assert run_everything(spec, other) != expected, name
    for name in clips:
        without = {key: value for key, value in base.items() if key != "clipnorm"}
        plain = run_everything(spec, without)
        once, twice = (run_everything(spec, {**without, name: c}) for c in (0.2, 0.4))
        assert plain != once != twice != plain, name


@SPECS
def test_arguments_assigned_between_steps_act_as_if_given_then(spec: str) -> None:
    """A clean copy of the state under the new arguments takes the same step."""
    mode = last_mode(spec)
    own = hyperparameters_of(spec, mode)
    base = {**EVERYTHING, **own}
    rng = np.random.default_rng(30)
    initial = {slot.initial for slot in compiled(spec).program.slots}
    for h in (*COMMON, *generated(spec).hyperparameters):
        name = h.name
        if h.kind != "float" or base.get(name) is None or name in initial:
            continue
        value = drawn_float(h, rng)
        first, second = generated(spec)(**base), generated(spec)(**{**base, name: value})
        w, other = draw((4,), 28).astype(np.float32), np.zeros(4, np.float32)
        second.build([other])
        for call in range(2):
            first.apply([draw((4,), 29, call)], [w])
        for source, target in zip(first.variables, second.variables, strict=True):
            if target is not second.variables[1]:  # the learning rate, which is an argument
                target[...] = source
        other[...] = w
        setattr(first, name, value)
        for call in range(2, 4):
            first.apply([draw((4,), 29, call)])
            second.apply([draw((4,), 29, call)])
        assert w.tobytes() == other.tobytes(), name
        assert getattr(first, name) == value


# --- Large variables ------------------------------------------------------------------------


@SPECS
def test_a_large_step_allocates_next_to_nothing(spec: str) -> None:
    """A step over ten million parameters with every stage on needs less than 1 MiB."""
    w, g = np.zeros((2500, 4000), np.float32), np.ones((2500, 4000), np.float32)
    optimizer = everything_on(spec)
    for _ in range(2):
        optimizer.apply([g], [w])
    tracemalloc.start()
    try:
        for _ in range(2):
            optimizer.apply([g], [w])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20
    assert optimizer.iterations == 2
