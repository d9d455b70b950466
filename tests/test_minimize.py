"""``minimize``, ``get_gradients`` and ``get_updates``: of a plain class, and of generated ones."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from optgen.optimizers import SGD
from optgen.runtime.minimize import Minimizer
from optgen.runtime.tape import gradients
from optgen.runtime.variable import Tensor, Variable, active, snapshot

Array = np.ndarray[Any, Any]
RATE = 0.1


class Descent(Minimizer):
    """Gradient descent, written out; every gradient is divided by the loss scale."""

    def __init__(self, learning_rate: float = RATE, loss_scale_factor: float = 1.0) -> None:
        self.learning_rate = learning_rate
        self.factor = loss_scale_factor
        self.steps = 0
        self.seen: list[tuple[Any, Variable]] = []
        self.name: str | None = None

    def scale_loss(self, loss: Any) -> Any:
        return loss * self.factor

    def apply_gradients(
        self, grads_and_vars: Iterable[tuple[Any, Any]], name: str | None = None
    ) -> Tensor:
        self.seen, self.name = list(grads_and_vars), name
        given = [(g, v) for g, v in self.seen if g is not None]
        if not given:
            raise ValueError("gradients: expected at least one gradient, received none.")
        if len(given) < len(self.seen):
            warnings.warn("variable(s) have no gradient", UserWarning, stacklevel=3)
        for gradient, variable in given:
            variable.assign_sub(self.learning_rate / self.factor * gradient)
        self.steps += 1
        return snapshot(np.array(self.steps))


OPTIMIZERS = [pytest.param(Descent, id="descent"), pytest.param(SGD, id="generated")]
Factory = Callable[..., Any]


# The examples of the documentation of tf.keras.optimizers.SGD ----------------------------------


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_the_example_of_tensorflow(cls: Factory) -> None:
    opt = cls(learning_rate=0.1)
    var = Variable(1.0)
    loss = lambda: (var**2) / 2.0  # noqa: E731
    step_count = opt.minimize(loss, [var]).numpy()
    assert step_count == 1
    assert type(step_count) is np.int64
    assert var.numpy() == np.float32(1.0) - np.float32(0.1)
    assert opt.minimize(loss, [var]).numpy() == 2


def test_the_example_of_tensorflow_with_momentum() -> None:
    opt = SGD(learning_rate=0.1, momentum=0.9)
    var = Variable(1.0)
    val0 = var.value()
    loss = lambda: (var**2) / 2.0  # noqa: E731
    step_count = opt.minimize(loss, [var]).numpy()
    assert step_count == 1
    val1 = var.value()
    np.testing.assert_allclose((val0 - val1).numpy(), 0.1, rtol=1e-6)
    step_count = opt.minimize(loss, [var]).numpy()
    assert step_count == 2
    val2 = var.value()
    np.testing.assert_allclose((val1 - val2).numpy(), 0.18, rtol=1e-6)


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_linear_regression(cls: Factory) -> None:
    x = np.random.default_rng(0).standard_normal((64, 3))
    truth = np.array([[1.0], [-2.0], [0.5]])
    y = x @ truth + 0.25
    w, b = Variable(np.zeros((3, 1)), "w"), Variable(0.0, "b", dtype="float64")
    opt = cls(learning_rate=0.1)
    for _ in range(300):
        opt.minimize(lambda: np.mean((x @ w + b - y) ** 2), [w, b])
    np.testing.assert_allclose(w.numpy(), truth, atol=1e-9)
    np.testing.assert_allclose(b.numpy(), 0.25, atol=1e-9)


# What is differentiated ------------------------------------------------------------------------


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_the_forms_of_a_list_of_variables(cls: Factory) -> None:
    for form in (list, tuple, iter, lambda v: lambda: v, lambda v: lambda: iter(v)):
        a, b = Variable(1.0), Variable(2.0)
        cls(learning_rate=0.5).minimize(lambda a=a, b=b: a * b, form([a, b]))
        assert (a.item(), b.item()) == (0.0, 1.5)


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_variables_may_be_created_by_the_loss(cls: Factory) -> None:
    model: dict[str, Variable] = {}
    calls = []

    def loss() -> Any:
        calls.append(len(model))
        if not model:
            model["kernel"] = Variable([1.0, 2.0], "kernel")
            model["bias"] = Variable(3.0, "bias")
        return (model["kernel"] * [3.0, 4.0]).sum() + 2 * model["bias"]

    opt = cls(learning_rate=1.0)
    opt.minimize(loss, lambda: list(model.values()))
    assert model["kernel"].tolist() == [-2, -2]
    assert model["bias"].item() == 1.0
    opt.minimize(loss, lambda: list(model.values()))
    assert model["bias"].item() == -1.0
    assert calls == [0, 2]


def test_the_loss_is_called_once_and_the_callable_after_it() -> None:
    order: list[str] = []
    v = Variable(1.0)

    def loss() -> Any:
        order.append("loss")
        return v * 2

    def variables() -> list[Variable]:
        order.append("variables")
        assert active.trace is None
        return [v]

    Descent().minimize(loss, variables)
    assert order == ["loss", "variables"]


def test_only_the_listed_variables_are_traced() -> None:
    a, b = Variable(np.float64(2.0)), Variable(np.float64(3.0))
    seen: list[Any] = []

    def loss() -> Any:
        seen.append(b * 2)
        return a * b

    found = gradients(loss, [a])
    assert type(seen[0]) is Tensor
    assert found == ([a], [3.0])
    assert type(gradients(loss, lambda: [a])[1][0]) is np.ndarray
    assert type(seen[1]) is not Tensor


def test_the_loss_itself_may_be_a_variable() -> None:
    v = Variable([1.0, 2.0])
    assert Descent().get_gradients(lambda: v, [v])[0].tolist() == [1, 1]


@pytest.mark.parametrize(
    "weights",
    [
        pytest.param(np.array(3.0), id="rank-0"),
        pytest.param(np.array([1.0, 2.0, 3.0]), id="row"),
        pytest.param(np.array([[1.0], [5.0]]), id="column"),
        pytest.param(np.arange(6.0).reshape(2, 3), id="whole"),
    ],
)
def test_grad_loss_weights_the_elements_of_the_loss(weights: Array) -> None:
    x = np.arange(1.0, 7.0).reshape(2, 3)
    for form in (weights, weights.astype(int), weights.tolist(), snapshot(weights)):
        opt, v = Descent(), Variable(x)
        opt.minimize(lambda v=v: v**2, [v], grad_loss=form)
        np.testing.assert_allclose(opt.seen[0][0], 2 * x * weights)
        np.testing.assert_allclose(v.numpy(), x - RATE * (2 * x * weights), atol=1e-15)
    opt, v = Descent(), Variable(x)
    opt.minimize(lambda: v**2, [v], grad_loss=Variable(weights))
    np.testing.assert_allclose(opt.seen[0][0], 2 * x * weights)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(3), r"grad_loss: expected the shape \(2,\) of the loss, .*received \(3,\)"),
        (np.ones((2, 2)), r"grad_loss: expected the shape \(2,\)"),
        (1j, "grad_loss: expected real numbers"),
        ("text", "grad_loss: expected real numbers"),
        ([[1.0], [1.0, 2.0]], "grad_loss: expected real numbers"),
        (True, "grad_loss: expected real numbers"),
    ],
)
def test_refused_weights(weight: Any, message: str) -> None:
    v = Variable([1.0, 2.0])
    with pytest.raises(ValueError, match=message):
        Descent().minimize(lambda: v * v, [v], grad_loss=weight)
    assert v.tolist() == [1, 2]


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_the_scaled_loss_is_differentiated_and_scaled_back(cls: Factory) -> None:
    a, b = Variable([1.0, 2.0]), Variable([1.0, 2.0])
    plain, scaled = cls(learning_rate=0.25), cls(learning_rate=0.25, loss_scale_factor=1024.0)
    for opt, v in ((plain, a), (scaled, b)):
        opt.minimize(lambda v=v: v**2, [v], grad_loss=[1.0, 0.5])
        opt.get_updates(lambda v=v: v**3, [v])
        assert opt.get_gradients(lambda v=v: v * 5, [v])[0].tolist() == [5, 5]
    assert a.tolist() == b.tolist() == [0.5 - 0.75 * 0.25, 1.5 - 0.75 * 2.25]


def test_apply_gradients_sees_the_gradients_of_the_scaled_loss() -> None:
    opt, v = Descent(loss_scale_factor=8.0), Variable(np.array([1.0, 2.0]))
    opt.minimize(lambda: v**2, [v], grad_loss=[1.0, 10.0], name="step")
    assert opt.seen[0][0].tolist() == [16, 320]
    assert opt.name == "step"


def test_small_gradients_survive_in_float32_by_the_loss_scale() -> None:
    tiny = np.float32(1e-30)
    for factor, survives in ((1.0, False), (2.0**60, True)):
        opt, v = Descent(loss_scale_factor=factor), Variable(1.0)
        opt.minimize(lambda v=v: (v * tiny) * tiny, [v])
        assert bool(opt.seen[0][0]) is survives


# Independence ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_a_variable_without_dependence_has_no_gradient(cls: Factory) -> None:
    a, unused, cut = Variable(1.0, "a"), Variable(1.0, "unused"), Variable(1.0, "cut")
    loss = lambda: a**2 + np.sign(cut) + 0 * cut.numpy()  # noqa: E731
    opt = cls()
    with pytest.warns(UserWarning, match="no gradient"):
        opt.minimize(loss, [a, unused, cut])
    assert a.item() < 1.0
    assert unused.item() == cut.item() == 1.0
    for method in (opt.get_gradients, opt.get_updates):
        with pytest.raises(ValueError, match=r"received 'unused' as item 1, on which"):
            method(loss, [a, unused, cut])
    with pytest.raises(ValueError, match="params: .* 'cut' as item 0"):
        opt.get_gradients(loss, lambda: [cut])


@pytest.mark.parametrize("cls", OPTIMIZERS)
@pytest.mark.parametrize("value", [1.5, np.float32(1.5), np.ones(2), np.float16(1)])
def test_a_loss_that_depends_on_nothing_is_refused_by_apply(cls: Factory, value: Any) -> None:
    v = Variable(1.0)
    assert gradients(lambda: value, [v]) == ([v], [None])
    opt = cls()
    with pytest.raises(ValueError, match="loss: expected one that depends on a Variable"):
        opt.minimize(lambda: value, [v])
    assert v.item() == 1.0


def test_zero_is_a_gradient() -> None:
    v = Variable(1.0)
    assert Descent().get_gradients(lambda: v * 0.0, [v])[0] == 0.0


# Refusals --------------------------------------------------------------------------------------

V = Variable(1.0, "v")


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (np.ones(1), "received a value of type ndarray. Put the computation .* `lambda: ...`"),
        (V, "received a value of type Variable"),
        (None, "received a value of type NoneType"),
        (lambda x: x, "which takes arguments. Use `lambda: loss"),
        (lambda: None, r"received None \(NoneType\) from it"),
        (lambda: "text", r"received 'text' \(str\) from it"),
        (lambda: 3, r"received 3 \(int\) from it"),
        (lambda: True, r"received True \(bool\) from it"),
        (lambda: 1j, r"received 1j \(complex\) from it"),
        (lambda: V * 1j, r"received np.complex64\(1j\)"),
        (lambda: V * np.array([1j]), "received dtype complex128"),
        (lambda: np.arange(3), r"received dtype int64 \(ndarray\) from it"),
        (lambda: np.array([None]), r"received dtype object \(ndarray\) from it"),
        (lambda: [V * 2], r"\(list\) from it"),
        (lambda: np.split(V * np.ones(2), 2), r"from it"),
    ],
)
@pytest.mark.parametrize("method", ["minimize", "get_gradients", "get_updates"])
def test_refused_losses(loss: Any, message: str, method: str) -> None:
    opt = Descent()
    with pytest.raises(ValueError, match=message) as caught:
        getattr(opt, method)(loss, [V])
    assert str(caught.value).startswith("loss: expected")
    assert (V.item(), opt.steps, active.trace) == (1.0, 0, None)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (V, "expected a list of Variables, received one Variable. Put a Variable in a list"),
        (np.ones(2), "received one ndarray"),
        (3, "received one int"),
        ("v", "received one str"),
        (None, "received one NoneType"),
        ([], "expected at least one Variable, received none"),
        ([V, np.ones(2)], "received ndarray as item 1. Make a Variable .*optgen.Variable"),
        ([2.0], "received float as item 0"),
        ([V.value()], "received Tensor as item 0"),
        ([[V]], "received list as item 0"),
        ([V, Variable(1.0), V], "received 'v' as items 0 and 2"),
    ],
)
@pytest.mark.parametrize(
    ("method", "argument"),
    [("minimize", "var_list"), ("get_gradients", "params"), ("get_updates", "params")],
)
def test_refused_variables(variables: Any, message: str, method: str, argument: str) -> None:
    opt, called = Descent(), []
    loss = lambda: called.append(1) or V * V  # noqa: E731
    with pytest.raises(ValueError, match=message) as caught:
        getattr(opt, method)(loss, variables)
    assert str(caught.value).startswith(f"{argument}: ")
    assert not called
    with pytest.raises(ValueError, match=message) as caught:
        getattr(opt, method)(loss, lambda: variables)
    assert str(caught.value).startswith(f"{argument}(): ")
    assert called
    assert V.item() == 1.0


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_a_name_is_a_string_or_none(cls: Factory) -> None:
    v = Variable(1.0)
    opt = cls()
    for name in (3, b"step", ["step"]):
        with pytest.raises(ValueError, match="name: expected a string or None"):
            opt.minimize(lambda: v * v, [v], name=name)
    assert v.item() == 1.0
    opt.minimize(lambda: v * v, [v], None, "step")
    assert v.item() != 1.0


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_get_updates_is_a_list_with_the_step(cls: Factory) -> None:
    v = Variable(1.0)
    updates = cls(learning_rate=0.25).get_updates(lambda: v**2, [v])
    assert isinstance(updates, list)
    assert [int(update) for update in updates] == [1]
    assert v.item() == 0.5


def test_get_gradients_changes_nothing() -> None:
    v, w = Variable([1.0, 2.0]), Variable(np.float64(3.0))
    opt = Descent()
    found = opt.get_gradients(lambda: (v * v * w).sum(), [w, v])
    assert [g.tolist() for g in found] == [5, [6, 12]]
    assert [(g.shape, g.dtype.name) for g in found] == [((), "float64"), ((2,), "float32")]
    assert (v.tolist(), w.item(), opt.steps) == ([1, 2], 3, 0)


# Exceptions, nesting, threads ------------------------------------------------------------------


@pytest.mark.parametrize("cls", OPTIMIZERS)
def test_an_exception_of_the_loss_leaves_nothing_behind(cls: Factory) -> None:
    v = Variable(1.0)
    error = KeyError("from the loss")

    def failing() -> Any:
        hidden = v * 2
        raise error if hidden > 0 else ValueError

    opt = cls(learning_rate=0.25)
    for variables in ([v], lambda: [v]):
        with pytest.raises(KeyError) as caught:
            opt.minimize(failing, variables)
        assert caught.value is error
        assert active.trace is None
        assert isinstance(v * 2, Tensor)
        assert float(v) == 1.0
    assert opt.minimize(lambda: v**2, [v]) == 1
    assert v.item() == 0.5


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RecursionError])
def test_interruptions_leave_nothing_behind(error: type[BaseException]) -> None:
    v = Variable(1.0)

    def interrupted() -> Any:
        raise error if v > 0 else ValueError

    with pytest.raises(error):
        Descent().minimize(interrupted, [v])
    assert active.trace is None


def test_an_exception_of_the_callable_leaves_nothing_behind() -> None:
    v = Variable(1.0)

    def variables() -> list[Variable]:
        raise KeyError

    with pytest.raises(KeyError):
        Descent().minimize(lambda: v * v, variables)
    assert active.trace is None
    assert v.item() == 1.0


@pytest.mark.parametrize("method", ["minimize", "get_gradients", "get_updates"])
def test_a_loss_cannot_minimize(method: str) -> None:
    v, w = Variable(1.0), Variable(1.0)
    opt = Descent()

    def loss() -> Any:
        inner = getattr(opt, method)(lambda: w * w, [w])
        return v * v + np.sum(inner)

    with pytest.raises(RuntimeError, match=r"cannot differentiate another one .*autograd\.grad"):
        opt.minimize(loss, [v])
    assert (v.item(), w.item(), active.trace) == (1.0, 1.0, None)
    opt.minimize(lambda: v * v, [v])
    assert v.item() != 1.0


def test_a_function_that_autograd_differentiates_cannot_minimize() -> None:
    v = Variable(np.float64(1.0))

    def function(x: Any) -> Any:
        Descent().minimize(lambda: v * x, [v])
        return x

    with pytest.raises(RuntimeError, match="belongs to a function that autograd differentiates"):
        autograd.grad(function)(2.0)
    assert v.item() == 1.0
    # A loss that does not use what is differentiated outside is its own affair.
    assert autograd.grad(lambda x: Descent().minimize(lambda: v * v, [v]).item() * x)(2.0) == 1.0
    assert v.item() == 1.0 - RATE * 2


def test_a_loss_may_wait_for_a_thread_that_minimizes() -> None:
    v, w = Variable(1.0), Variable(1.0)

    def loss() -> Any:
        thread = threading.Thread(target=lambda: Descent(0.25).minimize(lambda: w * w, [w]))
        thread.start()
        thread.join(timeout=60)
        assert not thread.is_alive()
        return v * v

    Descent(0.25).minimize(loss, [v])
    assert (v.item(), w.item()) == (0.5, 0.5)


def test_threads_minimize_at_once() -> None:
    """Two losses are inside of their computation at the same time, with the same constant."""
    shared = Variable(np.full(50, 2.0), "shared")
    both = threading.Barrier(2, timeout=60)
    results: dict[int, Array] = {}
    errors: list[BaseException] = []

    def work(factor: int) -> None:
        v = Variable(np.full(50, 1.0), f"v{factor}")
        other = Variable(np.full(50, 3.0), "other")
        opt = Descent(0.01)
        traced = [v, other] if factor == 1 else [v]

        def loss() -> Any:
            hidden = factor * v * shared
            both.wait()
            # A derivative inside of the loss, which uses autograd's own counter of traces.
            slope = autograd.grad(lambda z: anp.sum(hidden * z**2))(np.ones(50))
            both.wait()
            return np.sum(hidden**2) + np.sum(slope) + np.sum(other * 0.0)

        try:
            for _ in range(25):
                opt.minimize(loss, traced)
            results[factor] = v.numpy()
        except BaseException as error:
            errors.append(error)
            both.abort()

    threads = [threading.Thread(target=work, args=(factor,)) for factor in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not errors
    for factor in (1, 2):
        expected = 1.0
        for _ in range(25):
            slope = 2 * factor * 2.0
            expected -= 0.01 * (2 * expected * (factor * 2.0) ** 2 + slope)
        np.testing.assert_allclose(results[factor], expected, rtol=1e-12)


def test_the_same_variable_can_be_traced_by_two_threads() -> None:
    v = Variable(np.array([1.0, 2.0]))
    both = threading.Barrier(2, timeout=60)
    found: dict[int, Any] = {}

    def work(power: int) -> None:
        def loss() -> Any:
            hidden = v**power
            both.wait()
            return hidden.sum() * v[0]

        found[power] = gradients(loss, [v])[1][0]

    threads = [threading.Thread(target=work, args=(power,)) for power in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert found[2].tolist() == [2 + 5, 4]
    assert found[3].tolist() == [3 + 9, 12]
