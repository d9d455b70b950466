"""Variables: what they hold, how they compute, and how what they compute is differentiated."""

from __future__ import annotations

import copy
import gc
import operator
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from optgen.runtime import tape
from optgen.runtime.tape import gradients
from optgen.runtime.variable import Tensor, Variable, active, snapshot

Array = np.ndarray[Any, Any]
ROOT = Path(__file__).parent.parent

X = np.random.default_rng(0).uniform(0.5, 1.5, (4, 3))
M = X[:3, :3] + 2 * np.eye(3)


class Group:
    """One Variable of each rank, float64: ``w`` (3, 2), ``b`` (2,), ``s`` (), ``q`` (3, 3)."""

    def __init__(self, dtype: Any = np.float64) -> None:
        random = np.random.default_rng(1)
        self.w = Variable(random.uniform(0.5, 1.5, (3, 2)), "w", dtype)
        self.b = Variable(random.uniform(0.5, 1.5, 2), "b", dtype)
        self.s = Variable(np.float64(0.7), "s", dtype)
        self.q = Variable(random.uniform(0.5, 1.5, (3, 3)) + 2 * np.eye(3), "q", dtype)
        self.all = [self.w, self.b, self.s, self.q]


# Operators by the form in which they are used; v is the Variable w.
OPERATORS: dict[str, Callable[[Any], Any]] = {
    "add": lambda v: v + 2.0,
    "radd": lambda v: 2.0 + v,
    "sub": lambda v: v - 2.0,
    "rsub": lambda v: 2.0 - v,
    "mul": lambda v: v * 3,
    "rmul": lambda v: 3 * v,
    "truediv": lambda v: v / 3.0,
    "rtruediv": lambda v: 3.0 / v,
    "mod": lambda v: v % 0.4,
    "rmod": lambda v: 5.0 % v,
    "divmod": lambda v: divmod(v, 0.4)[1],
    "rdivmod": lambda v: divmod(5.0, v)[1],
    "floordiv": lambda v: v // 0.4 + v,
    "rfloordiv": lambda v: 5.0 // v + v,
    "pow": lambda v: v**3,
    "rpow": lambda v: 2.0**v,
    "matmul": lambda v: v @ X[:2, :2],
    "rmatmul": lambda v: X @ v,
    "neg": lambda v: -v,
    "pos": lambda v: +v * v,
    "abs": lambda v: abs(v - 1.0),
    "array-add": lambda v: X[:3, :2] + v,
    "array-sub": lambda v: X[:3, :2] - v,
    "array-mul": lambda v: X[:3, :2] * v,
    "array-truediv": lambda v: X[:3, :2] / v,
    "array-pow": lambda v: X[:3, :2] ** v,
    "add-array": lambda v: v + X[:3, :2],
    "pow-array": lambda v: v ** X[:3, :2],
    "scalar-mul": lambda v: np.float64(3.0) * v,
    "scalar-sub": lambda v: np.float64(3.0) - v,
    "list-add": lambda v: [1.0, 2.0] + v,
    "add-list": lambda v: v + [1.0, 2.0],
    "tensor-sub": lambda v: snapshot(X[:3, :2]) - v,
    "sub-tensor": lambda v: v - snapshot(X[:3, :2]),
    "itself": lambda v: v * v + v / v - v,
    "compared": lambda v: v * (v > 1.0) + v * (1.0 >= v),
    "equal": lambda v: v * (v != 0.0) + (v == 0.0),
}

METHODS: dict[str, Callable[[Any], Any]] = {
    "T": lambda v: v.T @ v,
    "astype": lambda v: v.astype(np.float64) ** 2,
    "clip": lambda v: v.clip(0.8, 1.2),
    "cumsum": lambda v: v.cumsum(axis=0) ** 2,
    "diagonal": lambda v: v[:2].diagonal(0, -1, -2) ** 2,
    "dot": lambda v: v.dot(X[:2, :2]),
    "flatten": lambda v: v.flatten() ** 2,
    "max": lambda v: v.max(axis=0),
    "mean": lambda v: v.mean() ** 2,
    "mean-axis": lambda v: v.mean(axis=1, keepdims=True) * v,
    "min": lambda v: v.min(),
    "prod": lambda v: v.prod(),
    "ravel": lambda v: v.ravel() ** 2,
    "repeat": lambda v: v.repeat(2, axis=0),
    "reshape": lambda v: v.reshape(2, 3) @ X[:3, :2],
    "reshape-tuple": lambda v: v.reshape((2, -1)) ** 2,
    "squeeze": lambda v: v[:, :1].squeeze() ** 2,
    "std": lambda v: v.std(),
    "sum": lambda v: v.sum() ** 2,
    "sum-axis": lambda v: v.sum(axis=0) ** 2,
    "swapaxes": lambda v: v.swapaxes(0, 1) @ X[:3],
    "trace": lambda v: v.trace(),
    "transpose": lambda v: v.transpose() @ X[:3],
    "transpose-axes": lambda v: v.transpose(1, 0) @ X[:3],
    "transpose-tuple": lambda v: (2 * v).transpose((1, 0)) @ X[:3],
    "value": lambda v: v.value() ** 2,
    "var": lambda v: v.var(),
    "chain": lambda v: (v * 2).dot(X[:2]).T.sum(axis=0).reshape(3, 1),
}

INDEXING: dict[str, Callable[[Any], Any]] = {
    "row": lambda v: v[1] ** 2,
    "element": lambda v: v[1, 0] ** 2,
    "negative": lambda v: v[-1, -1] ** 2,
    "slice": lambda v: v[1:] ** 2,
    "step": lambda v: v[::2, ::-1] ** 2,
    "column": lambda v: v[:, 1] ** 2,
    "ellipsis": lambda v: v[..., 0] ** 2,
    "newaxis": lambda v: v[:, None] * v[None],
    "empty": lambda v: v[()] ** 2,
    "fancy": lambda v: v[[0, 2, 2]] ** 2,
    "fancy-array": lambda v: v[np.array([2, 1]), np.array([0, 1])] ** 2,
    "mask": lambda v: v[X[:3, :2] > 1.0] ** 2,
    "own-mask": lambda v: v[v > 1.0] ** 2,
    "traced": lambda v: (v**2)[[0, 0, 1]][1:],
    "iteration": lambda v: sum(row @ row * (i + 1) for i, row in enumerate(v)),
    "traced-iteration": lambda v: sum(row @ row * (i + 1) for i, row in enumerate(v * v)),
    "unpacking": lambda v: (lambda a, b, c: a * b - c)(*v),
}

# Forms with several Variables; g is a Group.
NUMPY: dict[str, Callable[[Any], Any]] = {
    "exp": lambda g: np.exp(g.w),
    "tanh": lambda g: np.tanh(X @ g.w + g.b),
    "maximum": lambda g: np.maximum(g.w, g.b),
    "arctan2": lambda g: np.arctan2(g.w, g.b),
    "logaddexp": lambda g: np.logaddexp(0.0, g.w),
    "divide": lambda g: np.divide(g.w, g.s),
    "matmul": lambda g: np.matmul(g.q, g.w),
    "sum": lambda g: np.sum(g.w) ** 2,
    "sum-axes": lambda g: np.sum(g.w, axis=(0, 1), keepdims=True) * g.w,
    "mean": lambda g: np.mean(g.w, axis=0) ** 2,
    "std": lambda g: np.std(g.w),
    "max": lambda g: np.max(g.w, axis=1),
    "dot": lambda g: np.dot(X, g.w),
    "dot-both": lambda g: np.dot(g.w, g.b),
    "outer": lambda g: np.outer(g.b, g.b),
    "inner": lambda g: np.inner(g.w, g.b),
    "tensordot": lambda g: np.tensordot(g.q, g.w, axes=1),
    "einsum": lambda g: np.einsum("ij,jk,k->i", g.q, g.w, g.b),
    "einsum-data": lambda g: np.einsum("ni,ik->nk", X, g.w),
    "transpose": lambda g: np.transpose(g.w) @ g.w,
    "reshape": lambda g: np.reshape(g.w, (2, 3)) @ g.w,
    "ravel": lambda g: np.ravel(g.w) ** 2,
    "squeeze": lambda g: np.squeeze(g.w[:, :1]) ** 2,
    "expand_dims": lambda g: np.expand_dims(g.b, 0) * g.w,
    "broadcast_to": lambda g: np.broadcast_to(g.b[None], (3, 2)) * g.w,
    "concatenate": lambda g: np.concatenate([g.w, g.q], axis=1) ** 2,
    "concatenate-tuple": lambda g: np.concatenate((g.b, [1.0], g.b * 2)) ** 2,
    "stack": lambda g: np.stack([g.b, g.b**2, X[0, :2]]),
    "stack-scalars": lambda g: np.stack([g.s, g.s**2, 1.0]),
    "stack-axis": lambda g: np.stack((g.w[0], g.b), axis=1) ** 2,
    "vstack": lambda g: np.vstack([g.w, g.b]) ** 2,
    "hstack": lambda g: np.hstack([g.w, g.q]) ** 2,
    "append": lambda g: np.append(g.b, g.s) ** 2,
    "split": lambda g: np.split(g.w, 3)[1] ** 2,
    "where": lambda g: np.where(g.w > 1.0, g.w, g.w**2),
    "where-broadcast": lambda g: np.where(X[:3, :2] > 1.0, g.b, g.s),
    "where-computed": lambda g: np.where(X[:3, :2] > 1.0, g.b.sum() ** 2, g.s * 2),
    "clip": lambda g: np.clip(g.w, 0.8, 1.2),
    "diag": lambda g: np.diag(g.q) ** 2,
    "trace": lambda g: np.trace(g.q @ g.q),
    "cumsum": lambda g: np.cumsum(g.b) ** 2,
    "sort": lambda g: np.sort(g.b) ** 2,
    "tile": lambda g: np.tile(g.b, 2) ** 2,
    "triu": lambda g: np.triu(g.q) ** 2,
    "absolute-fft": lambda g: np.abs(np.fft.fft(g.b)),
    "norm": lambda g: np.linalg.norm(g.w),
    "norm-computed": lambda g: np.linalg.norm(X @ g.w - 1.0, axis=1),
    "norm-order": lambda g: np.linalg.norm(g.b, ord=3),
    "inv": lambda g: np.linalg.inv(g.q),
    "det": lambda g: np.linalg.det(g.q),
    "slogdet": lambda g: np.linalg.slogdet(g.q)[1],
    "solve": lambda g: np.linalg.solve(g.q, g.w),
    "cholesky": lambda g: np.linalg.cholesky(g.q @ g.q.T),
    "eigvalsh": lambda g: np.linalg.eigh(g.q + g.q.T)[0],
    "nograd": lambda g: np.floor(g.w) * g.w + np.argmax(g.w) * g.b,
    "shape": lambda g: np.sum(g.w) / np.size(g.w) * np.shape(g.w)[0] * g.w.shape[1] ** g.w.ndim,
    "zeros_like": lambda g: np.zeros_like(g.w) + g.w,
}

AUTOGRAD: dict[str, Callable[[Any], Any]] = {
    "tanh": lambda g: anp.tanh(g.w),
    "sum": lambda g: anp.sum(g.w) ** 2,
    "dot-constant": lambda g: anp.dot(X, g.w),
    "dot-traced": lambda g: anp.dot(g.q * 2, g.w),
    "add-traced": lambda g: anp.add(g.w * 2, g.b),
    "traced-multiply": lambda g: anp.multiply(g.w, g.w + 1),
    "mean": lambda g: anp.mean(X @ g.w, axis=0) ** 2,
    "array": lambda g: anp.array([g.s, g.s**2, 3.0]) ** 2,
    "array-rows": lambda g: anp.array([g.b, g.w[0]]) ** 2,
    "concatenate": lambda g: anp.concatenate([g.b, anp.ravel(g.w)]) ** 2,
    "stack": lambda g: anp.stack([g.b, g.w[1]]) ** 2,
    "einsum": lambda g: anp.einsum("ij,jk->ik", g.q, g.w),
    "where": lambda g: anp.where(g.w > 1.0, g.w, g.b),
    "where-computed": lambda g: anp.where(X[:3, :2] > 1.0, g.b.sum() ** 2, anp.exp(g.s)),
    "norm": lambda g: anp.linalg.norm(g.w),
    "det": lambda g: anp.linalg.det(g.q),
    "mixed": lambda g: np.exp(anp.log(g.w)) @ anp.abs(np.cos(g.b)),
}

SHAPES: dict[str, Callable[[Any], Any]] = {
    "matrix-vector": lambda g: g.w @ g.b,
    "vector-matrix": lambda g: g.b @ g.w.T,
    "vector-vector": lambda g: g.b @ g.b,
    "matrix-matrix": lambda g: g.q @ g.w,
    "batch-matrix": lambda g: np.stack([X, X]) @ g.w,
    "data-vector": lambda g: X[:, :2] @ g.b,
    "vector-data": lambda g: g.b @ X[:2],
    "row-broadcast": lambda g: g.w * g.b,
    "column-broadcast": lambda g: g.w * g.w[:, :1],
    "rank-0-broadcast": lambda g: g.w * g.s + g.s * g.b,
    "rank-0": lambda g: g.s**2 + np.sin(g.s) / g.s,
    "rank-0-reflected": lambda g: 2.0**g.s - 1.0 / g.s,
    "outer-broadcast": lambda g: g.b[:, None] - g.b,
    "network": lambda g: np.tanh(X @ g.q) @ g.w + g.b * g.s,
}


def weighted(result: Any) -> Any:
    """A scalar in which every element of a result has another weight."""
    shape = np.shape(result)
    return np.sum(np.cos(np.arange(np.prod(shape, dtype=int))).reshape(shape) * result)


def differences(loss: Callable[[], Any], variable: Variable, step: float = 1e-6) -> Array:
    """Central finite differences, by losses that are not traced."""
    found = np.zeros(variable.shape)
    for index in np.ndindex(variable.shape):
        old = float(variable.array[index])
        ends = []
        for moved in (old + step, old - step):
            variable.array[index] = moved
            ends.append(float(loss()))
        variable.array[index] = old
        found[index] = (ends[0] - ends[1]) / (2 * step)
    return found


def check_derivatives(loss: Callable[[], Any], variables: list[Variable]) -> None:
    listed, found = gradients(loss, variables)
    assert list(map(id, listed)) == list(map(id, variables))
    reached = 0
    for variable, gradient in zip(variables, found, strict=True):
        expected = differences(loss, variable)
        if gradient is None:
            assert not expected.any()
            continue
        assert type(gradient) is np.ndarray
        assert gradient.shape == variable.shape
        assert gradient.dtype == variable.dtype
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7)
        reached += bool(gradient.any())
    assert reached


@pytest.mark.parametrize("form", [pytest.param(f, id=n) for n, f in OPERATORS.items()])
def test_operators_are_differentiated(form: Callable[[Any], Any]) -> None:
    v = Group().w
    check_derivatives(lambda: weighted(form(v)), [v])
    # The same on what has been computed from the Variable.
    check_derivatives(lambda: weighted(form(v * v)), [v])


@pytest.mark.parametrize("form", [pytest.param(f, id=n) for n, f in METHODS.items()])
def test_methods_are_differentiated(form: Callable[[Any], Any]) -> None:
    v = Group().w
    check_derivatives(lambda: weighted(form(v)), [v])


@pytest.mark.parametrize("form", [pytest.param(f, id=n) for n, f in INDEXING.items()])
def test_indexing_is_differentiated(form: Callable[[Any], Any]) -> None:
    v = Group().w
    check_derivatives(lambda: weighted(form(v)), [v])


FORMS = [
    pytest.param(form, id=f"{group}-{name}")
    for group, forms in (("numpy", NUMPY), ("autograd", AUTOGRAD), ("shapes", SHAPES))
    for name, form in forms.items()
]


@pytest.mark.parametrize("form", FORMS)
def test_functions_are_differentiated(form: Callable[[Any], Any]) -> None:
    g = Group()
    check_derivatives(lambda: weighted(form(g)), g.all)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_read_of_other_variables_is_a_constant(form: Callable[[Any], Any]) -> None:
    g = Group()
    complete = gradients(lambda: weighted(form(g)), g.all)[1]
    for variable, expected in zip(g.all, complete, strict=True):
        alone = gradients(lambda: weighted(form(g)), [variable])[1][0]
        if expected is None:
            assert alone is None
        else:
            np.testing.assert_allclose(alone, expected, rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_functions_of_float32_have_float32_gradients(form: Callable[[Any], Any]) -> None:
    single, double = Group(np.float32), Group()
    for variable, wide in zip(single.all, double.all, strict=True):
        wide.assign(variable)
    found = gradients(lambda: weighted(form(single)), single.all)[1]
    expected = gradients(lambda: weighted(form(double)), double.all)[1]
    for narrow, wide_gradient in zip(found, expected, strict=True):
        if wide_gradient is None:
            assert narrow is None
        else:
            assert narrow is not None
            assert narrow.dtype == np.float32
            np.testing.assert_allclose(narrow, wide_gradient, rtol=2e-3, atol=2e-4)


def test_float32_and_float64_may_be_mixed() -> None:
    a, b = Variable(np.float32([1, 2])), Variable(np.float64([3, 4]))
    found = gradients(lambda: (a * b).sum(), [a, b])[1]
    assert [(g.dtype.name, g.tolist()) for g in found if g is not None] == [
        ("float32", [3.0, 4.0]),
        ("float64", [1.0, 2.0]),
    ]


@pytest.mark.parametrize("form", [*OPERATORS.values(), *METHODS.values(), *INDEXING.values()])
def test_results_share_no_memory_with_the_variable(form: Callable[[Any], Any]) -> None:
    v = Group().w
    result = form(v)
    assert not np.shares_memory(np.asarray(result), v.array)
    assert isinstance(result, Tensor | np.ndarray)


def test_functions_outside_of_differentiation_share_no_memory() -> None:
    g = Group()
    for form in (*NUMPY.values(), *SHAPES.values(), *AUTOGRAD.values()):
        result = np.asarray(form(g))
        assert not any(np.shares_memory(result, variable.array) for variable in g.all)


def test_results_are_tensors_that_stay_tensors() -> None:
    v = Variable(np.float32([[1, 2], [3, 4]]))
    for result in (
        *(v + 1, 2 - v, -v, v @ v, v**2, abs(v), v.T, v.reshape(4), v[0], v[0, 0], v.sum()),
        *(v.mean(), v.var(), v.max(), v.trace(), v.dot(v), v[0].dot(v[1]), v[0] @ v[1]),
        *(np.sum(v), np.exp(v), np.dot(v[0], v[1]), np.linalg.norm(v), np.where(v > 2, v, 0)),
        *(np.einsum("ij->", v), np.concatenate([v, v]), np.mean(v) * 2, 2.0 * v[0, 0] - 1),
        *(v.value() - v, np.add.reduce(v), v.value().sum() / 2, np.float32(2) * v[0, 0]),
    ):
        assert isinstance(result, Tensor), result
        assert result.dtype == np.float32
        assert type(result.numpy()) is (np.ndarray if result.ndim else result.dtype.type)
    assert type(v.value()[0, 0][()]) is np.float32
    assert pickle.loads(pickle.dumps(v.value())).numpy().tolist() == [[1, 2], [3, 4]]


def test_numpy_of_a_tensor_is_a_copy() -> None:
    tensor = snapshot(np.ones(2))
    tensor.numpy()[0] = 5
    assert tensor.tolist() == [1, 1]


def test_python_numbers_do_not_widen() -> None:
    v = Variable(1.5)
    assert v.dtype == np.float32
    for result in (v * 2.0, 2.0 * v, v + 1, v / 3.0, v**2.5, 2.0**v, np.maximum(v, 0.1)):
        assert result.dtype == np.float32
    seen = []
    gradients(lambda: seen.append((2.0 * v - 1) / 3.0) or (v * 2.0).sum(), [v])
    assert seen[0].dtype == np.float32


def test_an_array_takes_a_variable_in_place() -> None:
    array, v = np.ones(2), Variable(np.array([2.0, 3.0]))
    array += v
    array *= v
    assert array.tolist() == [6.0, 12.0]
    assert np.add(v, v, out=array) is array
    assert array.tolist() == [4.0, 6.0]


# Construction ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        pytest.param(1.0, None, "float32", id="float"),
        pytest.param(1, None, "float32", id="int"),
        pytest.param([1, 2.5], None, "float32", id="list"),
        pytest.param([[1, 2], (3, 4)], None, "float32", id="nested"),
        pytest.param([], None, "float32", id="empty"),
        pytest.param(np.float64(1), None, "float64", id="float64-scalar"),
        pytest.param(np.float32(1), None, "float32", id="float32-scalar"),
        pytest.param([np.float64(1)], None, "float64", id="list-of-scalars"),
        pytest.param([np.ones(2), np.zeros(2)], None, "float64", id="list-of-arrays"),
        pytest.param(np.ones(3), None, "float64", id="array"),
        pytest.param(np.ones(3, ">f4"), None, "float32", id="big-endian"),
        pytest.param(np.arange(3), "float64", "float64", id="int-array"),
        pytest.param(np.arange(3), np.float32, "float32", id="int-array-32"),
        pytest.param(True, "float32", "float32", id="bool"),
        pytest.param(1.0, np.float64, "float64", id="float-64"),
        pytest.param(np.ones(3), "f4", "float32", id="narrowed"),
        pytest.param(snapshot(np.ones(3)), None, "float64", id="tensor"),
        pytest.param(Variable(np.ones(3)), None, "float64", id="variable"),
        pytest.param([Variable(1.0), Variable(2.0)], None, "float32", id="list-of-variables"),
    ],
)
def test_dtype_of_a_new_variable(value: Any, dtype: Any, expected: str) -> None:
    v = Variable(value, dtype=dtype)
    assert v.dtype == np.dtype(expected)
    assert v.dtype.isnative
    assert type(v.array) is np.ndarray
    assert v.array.flags.c_contiguous
    assert v.array.flags.writeable
    np.testing.assert_array_equal(v.numpy(), np.asarray(value, expected))


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        (np.arange(3), None, r"initial_value: .* received dtype int64\. .*pass dtype='float32'"),
        (True, None, r"initial_value: .* received dtype bool"),
        (np.ones(2, np.float16), None, "initial_value: .* received dtype float16"),
        (np.ones(2, complex), np.float64, "initial_value: .* received dtype complex128"),
        ("text", None, "initial_value: .* received dtype <U4"),
        (None, None, "initial_value: .* received dtype object"),
        (lambda: 1.0, None, "initial_value: .* received dtype object"),
        (np.ma.masked_array([1.0], [True]), None, "initial_value: expected no mask"),
        (1.0, np.float16, "dtype: expected float32 or float64, received"),
        (1.0, int, "dtype: expected float32 or float64, received"),
        (1.0, "bogus", "dtype: expected float32 or float64, received 'bogus'"),
    ],
)
def test_refused_values_and_dtypes(value: Any, dtype: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Variable(value, dtype=dtype)


def test_a_name_is_a_string() -> None:
    assert Variable(1.0).name == "Variable"
    assert Variable(1.0, name="kernel").name == "kernel"
    with pytest.raises(ValueError, match="name: expected a string, received 3"):
        Variable(1.0, name=3)  # type: ignore[arg-type]


def test_a_copy_shares_nothing() -> None:
    array = np.ones(3)
    v = Variable(array)
    v.assign_add(array)
    assert array.tolist() == [1, 1, 1]
    w = Variable(v)
    w.assign([5, 5, 5])
    assert v.numpy().tolist() == [2, 2, 2]


def test_an_array_can_be_shared() -> None:
    base = np.zeros((4, 3), np.float32)
    array = base[::2].T
    v = Variable(array, copy=False)
    assert v.array is array
    v.assign(np.ones((3, 2)))
    assert base.sum() == 6
    array[...] = 3
    assert v.numpy().tolist() == [[3, 3]] * 3


def test_a_parameter_of_torch_can_be_shared() -> None:
    torch = pytest.importorskip("torch")
    parameter = torch.nn.Parameter(torch.ones(2))
    v = Variable(parameter.detach().numpy(), copy=False)
    v.assign_sub([0.25, 0.5])
    assert parameter.tolist() == [0.75, 0.5]


@pytest.mark.parametrize(
    ("value", "dtype", "message"),
    [
        ([1.0], None, "received list. Leave copy out"),
        (np.float64(1), None, "received float64. Leave copy out"),
        (np.arange(2), None, r"received int64 \(<i8\)"),
        (np.ones(2, ">f8"), None, "received >f8"),
        (np.ones(2), "float32", "expected float32 to share with copy=False, received float64"),
        (np.broadcast_to(np.ones(1), 2), None, "received a read-only one"),
        (np.ma.masked_array([1.0]), None, "received MaskedArray"),
        (
            np.lib.stride_tricks.as_strided(np.ones(3), (2, 2), (8, 8)),
            None,
            "received overlapping elements",
        ),
    ],
)
def test_what_cannot_be_shared(value: Any, dtype: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Variable(value, dtype=dtype, copy=False)


# Values ----------------------------------------------------------------------------------------


def test_attributes() -> None:
    v = Variable(np.ones((2, 3), np.float32), "kernel")
    array = v.array
    assert (v.name, v.shape, v.ndim, v.size) == ("kernel", (2, 3), 2, 6)
    assert v.dtype == np.float32
    v.assign(np.zeros((2, 3)))
    assert v.array is array
    for name in ("array", "name", "shape", "unknown"):
        with pytest.raises(AttributeError):
            setattr(v, name, None)
    with pytest.raises(AttributeError, match="no attribute 'fill'; .array is the live"):
        v.fill(0.0)


def test_value_and_numpy_are_snapshots() -> None:
    v = Variable([1.0, 2.0])
    before, copied = v.value(), v.numpy()
    row, view = v[0], v.reshape(2, 1)
    v.assign([5.0, 6.0])
    assert before.numpy().tolist() == copied.tolist() == [1, 2]
    assert (float(row), view.tolist()) == (1.0, [[1], [2]])
    assert type(copied) is np.ndarray
    copied[0] = before[0] = 9
    assert v.tolist() == [5, 6]


def test_assign() -> None:
    v = Variable(np.zeros(2, np.float32))
    assert v.assign([1, 2]) is v
    assert v.assign_add(np.array([0.5, 0.5])) is v
    assert v.assign_sub(Variable([1.0, 1.0])) is v
    assert v.tolist() == [0.5, 1.5]
    assert v.assign(v.value() * 2).tolist() == [1, 3]
    assert v.assign(v.array[::-1]).tolist() == [3, 1]
    assert Variable(1.0).assign(3).item() == 3.0


@pytest.mark.parametrize("method", ["assign", "assign_add", "assign_sub"])
def test_refused_assignments_change_nothing(method: str) -> None:
    v = Variable([1.0, 2.0], "kernel")
    for value, message in (
        (1.0, r"kernel: expected values of the Variable's shape \(2,\), received shape \(\)"),
        ([[1.0, 2.0]], r"shape \(2,\), received shape \(1, 2\)"),
        ([1j, 2], "kernel: expected real numbers to assign, received dtype complex128"),
        (None, "kernel: expected real numbers to assign, received dtype object"),
        (["a", "b"], "kernel: expected real numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            getattr(v, method)(value)
    assert v.tolist() == [1, 2]


@pytest.mark.parametrize(
    "name", ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow", "imatmul"]
)
def test_operators_in_place_are_refused(name: str) -> None:
    v = Variable([[1.0]], "kernel")
    with pytest.raises(RuntimeError, match=r"received one for 'kernel': use assign"):
        getattr(operator, name)(v, np.ones((1, 1)))


def test_what_would_write_into_a_copy_is_refused() -> None:
    v = Variable([[1.0, 2.0]], "kernel")
    for write in (
        lambda: np.copyto(v, 0.0),  # type: ignore[arg-type]
        lambda: np.fill_diagonal(v, 0.0),  # type: ignore[arg-type]
        lambda: np.put(v, [0], [0.0]),  # type: ignore[arg-type]
        lambda: np.add.at(v, 0, 1.0),  # type: ignore[arg-type]
        lambda: np.add(v, 1.0, out=v),
        lambda: np.sum(v, axis=0, out=v),
        lambda: operator.setitem(v, 0, 1.0),
    ):
        with pytest.raises(TypeError, match=r"use assign|assign all values"):
            write()
    assert v.tolist() == [[1, 2]]


def test_conversions() -> None:
    v, w = Variable(2.5), Variable(np.arange(6.0).reshape(2, 3))
    assert (float(v), int(v), bool(v), v.item()) == (2.5, 2, True, 2.5)
    assert float(Variable([[3.0]])) == 3.0
    assert bool(Variable([0.0])) is False
    assert len(w) == 2
    assert [row.tolist() for row in w] == [[0, 1, 2], [3, 4, 5]]
    for convert in (float, int, bool):
        with pytest.raises(ValueError, match=r"size 1|ambiguous"):
            convert(w)
    for convert in (len, iter):
        with pytest.raises(TypeError):
            convert(v)  # type: ignore[operator]
    assert np.asarray(w) is not w.array
    assert np.asarray(w, copy=False) is w.array
    assert np.asarray(w, np.float32).dtype == np.float32
    assert np.array([v, v]).tolist() == [2.5, 2.5]


def test_text() -> None:
    assert repr(Variable(1.0)) == "<Variable 'Variable' shape=() dtype=float32, numpy=1.0>"
    text = repr(Variable(np.zeros((1, 2)), "kernel"))
    assert text == "<Variable 'kernel' shape=(1, 2) dtype=float64, numpy=array([[0., 0.]])>"
    assert f"{Variable(0.126):.2f}" == "0.13"
    assert f"{Variable(1.0)}" == repr(Variable(1.0))


def test_variables_are_equal_by_identity_and_elementwise_to_everything_else() -> None:
    a, b = Variable([1.0, 2.0]), Variable([1.0, 2.0])
    assert a == a  # noqa: PLR0124
    assert a != b
    assert ([b, a].index(a), b in [a], a in {a}, {a: 1}.get(b)) == (1, False, True, None)
    assert (a == [1.0, 5.0]).tolist() == [True, False]
    assert (np.array([1.0, 5.0]) == a).tolist() == [True, False]
    assert (a != 1.0).tolist() == [False, True]
    assert np.equal(a, b).tolist() == [True, True]
    assert a not in [None, "text"]
    assert (a < b.value() + 1).all()
    assert [(a > b).any(), (a >= b).all(), (1.5 < a).tolist(), (a <= 1.5).tolist()] == [
        False,
        True,
        [False, True],
        [True, False],
    ]


def test_variables_cannot_be_subclassed() -> None:
    with pytest.raises(TypeError, match="cannot be subclassed"):
        type("Mine", (Variable,), {})


def test_copies() -> None:
    v = Variable([1.0, 2.0], "kernel")
    for twin in (copy.copy(v), copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
        assert (twin.name, twin.dtype, twin.tolist()) == ("kernel", v.dtype, [1, 2])
        assert not np.shares_memory(twin.array, v.array)
        assert gradients(lambda twin=twin: (twin**2).sum(), [twin])[1][0].tolist() == [2, 4]
        twin.assign_add([1, 1])
    assert v.tolist() == [1, 2]


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_structures_stay_connected_when_they_are_copied(copier: Callable[[Any], Any]) -> None:
    array = np.ones(2)
    v = Variable(array, copy=False)
    twin = copier({"model": array, "variables": [v, v], "average": v.array})
    assert twin["variables"][0] is twin["variables"][1]
    assert twin["variables"][0].array is twin["model"]
    assert twin["average"] is twin["model"]
    assert twin["model"] is not array


# Differentiation -------------------------------------------------------------------------------


def test_private_names_of_autograd_exist() -> None:
    for name in tape.PRIVATE_NAMES:
        operator.attrgetter(name)(autograd)


def test_the_module_needs_numpy_alone() -> None:
    program = (
        "import sys, numpy as np\n"
        "from optgen.runtime.variable import Variable\n"
        "import optgen.runtime.tape, optgen.runtime.minimize\n"
        "v = Variable([1.0, 2.0])\n"
        "assert (np.stack([v, v]).sum() + v @ v) == 11\n"
        "print('autograd' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"


@pytest.mark.parametrize(
    ("breakage", "message"),
    [
        ("sys.modules['autograd'] = None", "import of autograd halted"),
        ("import autograd.core; del autograd.core.add_outgrads", "add_outgrads"),
    ],
)
def test_an_autograd_that_does_not_fit_is_named(breakage: str, message: str) -> None:
    program = (
        f"import sys\n{breakage}\n"
        "from optgen.runtime.variable import Variable\n"
        "from optgen.runtime.tape import gradients\n"
        "v = Variable(1.0)\n"
        "try:\n    gradients(lambda: v * v, [v])\n"
        "except ImportError as error:\n    print(error)\n"
        "print(float(v * v))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, second = result.stdout.splitlines()
    assert message in first
    assert "autograd>=1.8,<1.10" in first
    assert "pip install" in first
    assert second == "1.0"


def test_derivatives_inside_of_a_loss() -> None:
    """The gradient penalty of a small model, by autograd.grad in the loss."""
    w = Variable(np.array([0.3, -0.2, 0.5]), "w")

    def model(x: Any) -> Any:
        return anp.sum(anp.tanh(anp.dot(x, w)) ** 2)

    def loss() -> Any:
        slope = autograd.grad(model)(X)
        return np.sum(slope**2) + w[0]

    check_derivatives(loss, [w])
    curvature = autograd.elementwise_grad(autograd.grad(lambda z: w[0] * z**4))
    check_derivatives(lambda: curvature(2.0) * w[1], [w])


def test_own_primitives_of_autograd_take_variables() -> None:
    @autograd.extend.primitive
    def cube(x: Any) -> Any:
        return x**3

    autograd.extend.defvjp(cube, lambda ans, x: lambda g: g * 3 * x**2)
    v = Variable(np.array([1.0, 2.0]))
    assert gradients(lambda: cube(v).sum(), [v])[1][0].tolist() == [3, 12]
    assert gradients(lambda: cube(v * 2).sum(), [v])[1][0].tolist() == [24, 96]


def test_autograd_works_as_before_on_arrays() -> None:
    v = Variable(np.array([1.0, 2.0]))
    gradients(lambda: v.sum(), [v])
    grad = autograd.grad(lambda x: anp.sum(anp.sin(x) ** 2 * v))
    np.testing.assert_allclose(grad(X[0, :2]), np.sin(2 * X[0, :2]) * v.array)
    boxes = []
    autograd.grad(lambda x: boxes.append(x * 2) or anp.sum(x))(X)
    assert type(boxes[0]) is autograd.numpy.numpy_boxes.ArrayBox


def test_traced_values_can_be_looked_at() -> None:
    v = Variable([3.0, 4.0])
    seen: list[Any] = []

    def loss() -> Any:
        length = np.linalg.norm(v)
        hidden = v * 2
        seen.extend([length.numpy(), length.item(), hidden.tolist(), hidden.numpy(), v.numpy()])
        seen.extend([v.item() if v.size == 1 else v.tolist(), repr(v), hidden.shape, len(hidden)])
        hidden.numpy()[0] = 100.0
        return (hidden * length).sum()

    found = gradients(loss, [v])[1][0]
    assert found is not None
    np.testing.assert_allclose(found, [2 * 5 + 14 * 0.6, 2 * 5 + 14 * 0.8], rtol=1e-6)
    assert seen[1] == 5.0
    assert [type(seen[0]), seen[0].shape] == [np.float32, ()]
    assert (seen[2], seen[5], seen[7:]) == ([6, 8], [3, 4], [(2,), 2])


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(lambda v: float(v[0]), id="float-traced"),
        pytest.param(lambda v: np.array([v, v]), id="array-of-list"),
        pytest.param(lambda v: np.array([v[0], 1.0]), id="array-of-traced"),
        pytest.param(lambda v: np.asarray(v), id="asarray"),
        pytest.param(lambda v: np.asarray(v * 2), id="asarray-traced"),
        pytest.param(lambda v: np.add([v, v], 1.0), id="ufunc-of-list"),
        pytest.param(lambda v: float(Variable.__getitem__(v, 0)), id="float-element"),
        pytest.param(lambda v: np.dstack([v, v]), id="hidden-in-list"),
        pytest.param(lambda v: np.sum(a=v), id="keyword"),
        pytest.param(lambda v: np.clip(v, a_min=v, a_max=2.0), id="second-keyword"),
        pytest.param(lambda v: np.add.reduce(v), id="ufunc-method"),
        pytest.param(lambda v: operator.iadd(np.ones(2), v), id="array-in-place"),
        pytest.param(lambda v: np.add(v, 1.0, out=np.ones(2)), id="out"),
        pytest.param(lambda v: operator.setitem(v * 2, 0, 1.0), id="element-assigned"),
        pytest.param(lambda v: list(v.sum()), id="iteration-of-rank-0"),
        pytest.param(lambda v: np.lib.stride_tricks.sliding_window_view(v, 2), id="no-counterpart"),
    ],
)
def test_no_derivative_is_lost_silently(cut: Callable[[Any], Any]) -> None:
    v = Variable(np.array([1.0, 2.0]))
    with pytest.raises(TypeError):
        gradients(lambda: np.sum(cut(v) * v), [v])
    assert active.trace is None


def test_a_number_of_a_variable_is_refused_only_where_it_is_differentiated() -> None:
    s, other = Variable(2.0, "s"), Variable(3.0)
    for convert in (float, int, np.asarray):
        with pytest.raises(TypeError, match=r"of Variable 's' would make a constant of it.*numpy"):
            gradients(lambda convert=convert: convert(s) * s, [s])
        found = gradients(lambda convert=convert: convert(other) * s, [s])[1][0]
        assert found == 3.0
    assert gradients(lambda: s * 3 if s else s, [s])[1][0] == 3.0


def test_a_function_without_derivative_is_named() -> None:
    v = Variable(np.array([1.0, 2.0]))
    for function in (
        lambda: np.median(v),
        lambda: np.spacing(v).sum(),
        lambda: np.linalg.norm(v, ord=1),
        lambda: np.broadcast_to(v, (3, 2)).sum(),
    ):
        with pytest.raises(NotImplementedError, match="autograd has no derivative of"):
            gradients(function, [v])


def test_a_gradient_of_another_shape_is_refused() -> None:
    """Autograd's derivative of diagonal is that of a square matrix."""
    v = Group().w
    with pytest.raises(RuntimeError, match=r"gradient of shape \(2, 2\) for a value of shape"):
        gradients(lambda: v.diagonal(0, -1, -2), [v])


def test_values_are_those_of_the_time_of_reading() -> None:
    v = Variable(np.array([1.0, 2.0]))

    def loss() -> Any:
        result = (v * v).sum()
        v.array[...] = 100.0
        return result

    assert gradients(loss, [v])[1][0].tolist() == [2, 4]


@pytest.mark.parametrize("everything", [False, True])
def test_a_loss_may_assign(everything: bool) -> None:
    v, mean = Variable(np.array([1.0, 2.0]), "v"), Variable(np.array([5.0, 6.0]), "mean")

    def loss() -> Any:
        before = (v * mean).sum()
        mean.assign(0.5 * mean + 0.5 * v)
        assert mean.numpy().tolist() == [3, 4]
        return before + (v * mean).sum()

    found = gradients(loss, (lambda: [v, mean]) if everything else [v])[1]
    # No derivative flows through an assignment; reads before it see the old value.
    assert found[0] is not None
    assert found[0].tolist() == [5 + 3, 6 + 4]
    if everything:
        assert found[1] is not None
        assert found[1].tolist() == [2, 4]


def test_a_loss_cannot_assign_to_what_autograd_still_reads() -> None:
    v, scale = Variable(np.array([1.0, 2.0])), Variable(np.array([5.0, 6.0]), "scale")

    def loss() -> Any:
        result = anp.multiply(v**2, scale)
        scale.assign([0, 0])
        return result.sum()

    with pytest.raises(RuntimeError, match="scale: a loss cannot assign"):
        gradients(loss, [v])
    assert gradients(loss, lambda: [v])[1][0].tolist() == [10, 24]


def test_a_variable_made_of_traced_values_is_a_new_root() -> None:
    v = Variable(np.array([1.0, 2.0]))
    made: list[Variable] = []

    def loss() -> Any:
        made.append(Variable(v * 3))
        return (made[0] * v).sum()

    found = gradients(loss, lambda: [v, *made])[1]
    assert [g.tolist() for g in found if g is not None] == [[3, 6], [1, 2]]


def test_gradients_are_fresh() -> None:
    a, b = Variable(np.ones(2)), Variable(np.ones(2))
    loss_weight = np.ones(2)
    found = gradients(lambda: a + b, [a, b], loss_weight)[1]
    arrays = [a.array, b.array, loss_weight, *found]
    for i, first in enumerate(arrays):
        assert not any(np.shares_memory(first, other) for other in arrays[i + 1 :])
    assert all(g.flags.writeable and g.flags.c_contiguous for g in found)


def test_a_gradient_too_large_for_float32_is_infinite() -> None:
    v = Variable(1.0)
    assert gradients(lambda: v * np.float64(1e300), [v])[1][0] == np.inf


def test_other_threads_read_plain_values() -> None:
    v = Variable(np.array([1.0, 2.0]))
    seen: list[Any] = []

    def loss() -> Any:
        result = (v**2).sum()
        thread = threading.Thread(target=lambda: seen.extend([v * 2, np.asarray(v), float(v[0])]))
        thread.start()
        thread.join()
        return result

    assert gradients(loss, [v])[1][0].tolist() == [2, 4]
    assert type(seen[0]) is Tensor
    assert type(seen[1]) is np.ndarray
    assert seen[2] == 1.0


def test_nothing_outlives_the_call() -> None:
    v = Variable(np.ones(1000))
    alive: list[weakref.ref[Any]] = []

    def loss() -> Any:
        hidden = np.exp(v * 2)
        alive.append(weakref.ref(hidden._value))
        return np.concatenate([hidden, v[:10]]).sum() + hidden[3]

    gc.disable()
    try:
        found = gradients(loss, [v])
        assert found[1][0] is not None
        assert alive[0]() is None
    finally:
        gc.enable()


def test_long_losses() -> None:
    v = Variable(np.float64(1.0))

    def loss() -> Any:
        total = v
        for _ in range(20_000):
            total = total + v
        return total

    assert gradients(loss, [v])[1][0] == 20_001
