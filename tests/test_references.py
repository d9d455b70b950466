"""The hand-written references against published numbers and against the installed Keras 3.

Every published case names where its numbers stand. Where a source prints rounded digits, the
tolerance is half a unit of the last one.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from tests.references.adam import Adam
from tests.references.adamw import AdamW
from tests.references.live_keras import load_keras
from tests.references.novograd import NovoGrad
from tests.references.peers.nvidia import novograd_runs
from tests.references.peers.recorded import RecordedRun
from tests.references.pipeline import Pipeline, Rule
from tests.references.sgd import SGD

Array = NDArray[np.float64]

HALF_OF_4_DECIMALS = 5.1e-5


def steps(
    rule: Rule, start: Sequence[Any], gradients: Sequence[Sequence[Any]], **common: Any
) -> list[list[Array]]:
    """Return the variables after each step of `rule` inside a pipeline."""
    pipeline = Pipeline(rule, **common)
    pipeline.build(start)
    after = []
    for step_gradients in gradients:
        pipeline.step(step_gradients)
        after.append([w.copy() for w in pipeline.variables])
    return after


def descend(
    rule: Rule, start: Any, gradient_of: Callable[[Array], Array], count: int
) -> list[Array]:
    """Return one variable after each of `count` steps along the gradient of a function of it."""
    pipeline = Pipeline(rule)
    pipeline.build([start])
    after = []
    for _ in range(count):
        pipeline.step([gradient_of(pipeline.variables[0])])
        after.append(pipeline.variables[0])
    return after


# --- Published numbers: SGD ---------------------------------------------------------------


def test_sgd_keras_single_step() -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/sgd_test.py, test_single_step
    [[w]] = steps(SGD(learning_rate=0.5), [[1.0, 2.0, 3.0, 4.0]], [[[1.0, 6.0, 7.0, 2.0]]])
    assert_allclose(w, [0.5, -1.0, -0.5, 3.0], rtol=1e-15)


def test_sgd_keras_golden() -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/sgd_test.py, test_correctness_with_golden
    # (nesterov=True at momentum 0, which is plain descent)
    golden = [
        [0.9999] * 10,
        [0.9989, 0.9979, 0.9969, 0.9959, 0.9949, 0.9939, 0.9929, 0.9919, 0.9909, 0.9899],
        [0.9979, 0.9959, 0.9939, 0.9919, 0.9899, 0.9879, 0.9859, 0.9839, 0.9819, 0.9799],
        [0.9969, 0.9939, 0.9909, 0.9879, 0.9849, 0.9819, 0.9789, 0.9759, 0.9729, 0.9699],
        [0.9959, 0.9919, 0.9879, 0.9839, 0.9799, 0.9759, 0.9719, 0.9679, 0.9639, 0.9599],
    ]
    gradients = [[np.full(10, 0.01)]] + [[np.arange(1, 11) / 10]] * 4
    after = steps(SGD(nesterov=True), [np.ones(10)], gradients)
    assert_allclose([w for [w] in after], golden, rtol=0, atol=1e-14)


def test_sgd_tensorflow_momentum_docstring() -> None:
    # Docstring of tf.keras.optimizers.SGD, TensorFlow r2.8 API pages: on var ** 2 / 2 from 1.0
    # with momentum the first step is 0.1 long and the second one 0.18
    val1, val2 = descend(SGD(learning_rate=0.1, momentum=0.9), 1.0, lambda w: w, 2)
    assert_allclose(1.0 - val1, 0.1, rtol=1e-14)
    assert_allclose(val1 - val2, 0.18, rtol=1e-14)


# Lasagne/Lasagne, lasagne/tests/test_updates.py, torch_values: ten steps from ones on
# sum([0.1, 0.2, 0.3] * x ** 2), computed there with Lua Torch's optim package. Its Adam lets
# beta_1 decay by a factor of 1 - 1e-8 per step, which moves these numbers by 1.4e-8.
@pytest.mark.parametrize(
    ("make_rule", "expected", "tolerance"),
    [
        pytest.param(
            partial(SGD, learning_rate=0.1),
            [0.81707280688755, 0.6648326359915, 0.5386151140949],
            1e-13,
            id="sgd",
        ),
        pytest.param(
            partial(SGD, learning_rate=0.1, momentum=0.5),
            [0.6848486952183, 0.44803321781003, 0.27431190123502],
            1e-13,
            id="momentum",
        ),
        pytest.param(
            partial(SGD, learning_rate=0.1, momentum=0.5, nesterov=True),
            [0.67466543592725, 0.44108468114241, 0.2769002108997],
            1e-13,
            id="nesterov_momentum",
        ),
        pytest.param(
            partial(Adam, learning_rate=0.01, epsilon=1e-8),
            [0.90034972009036, 0.90034967993061, 0.90034966654402],
            2e-8,
            id="adam",
        ),
    ],
)
def test_lasagne_torch_values(
    make_rule: Callable[[], Rule], expected: list[float], tolerance: float
) -> None:
    slope = np.array([0.2, 0.4, 0.6])
    after = descend(make_rule(), np.ones(3), lambda w: slope * w, 10)
    assert_allclose(after[-1], expected, rtol=0, atol=tolerance)


# --- Published numbers: Adam and AdamW ----------------------------------------------------


def test_adam_keras_single_step() -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/adam_test.py, test_single_step
    [[w]] = steps(Adam(learning_rate=0.5), [[1.0, 2.0, 3.0, 4.0]], [[[1.0, 6.0, 7.0, 2.0]]])
    assert_allclose(w, [0.5, 1.5, 2.5, 3.5], rtol=0, atol=2e-6)


def test_adam_keras_golden() -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/adam_test.py, test_correctness_with_golden
    golden = np.tile([[0.999], [0.9982], [0.9974], [0.9965], [0.9955]], (1, 10))
    gradients = [[np.full(10, 0.01)]] + [[np.arange(1, 11) / 10]] * 4
    after = steps(Adam(amsgrad=True), [np.ones(10)], gradients)
    assert_allclose([w for [w] in after], golden, rtol=0, atol=5e-4)


def test_adam_tensorflow_docstring() -> None:
    # Docstring of tf.keras.optimizers.Adam, TensorFlow r2.8 API pages: var ** 2 / 2 from 10.0
    [w] = descend(Adam(learning_rate=0.1), 10.0, lambda w: w, 1)
    assert_allclose(w, 9.9, rtol=0, atol=1e-7)


def test_adamw_keras_single_step() -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/adamw_test.py, test_single_step
    [[w]] = steps(AdamW(learning_rate=0.5), [[1.0, 2.0, 3.0, 4.0]], [[[1.0, 6.0, 7.0, 2.0]]])
    assert_allclose(w, [0.4980, 1.4960, 2.494, 3.492], rtol=0, atol=2e-6)


def test_adamw_keras_golden() -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/adamw_test.py, test_correctness_with_golden
    golden = [
        [0.4998] * 10,
        [0.2486, 0.2475, 0.2463, 0.2451, 0.244, 0.2428, 0.2417, 0.2405, 0.2394, 0.2382],
        [0.1223, 0.1198, 0.1174, 0.1149, 0.1124, 0.11, 0.1075, 0.1051, 0.1027, 0.1003],
        [0.0586, 0.0549, 0.0512, 0.0475, 0.0439, 0.0402, 0.0366, 0.033, 0.0294, 0.0258],
        [0.0263, 0.0215, 0.0167, 0.012, 0.0073, 0.0026, -0.0021, -0.0067, -0.0113, -0.0159],
    ]
    gradients = [[np.full(10, 0.01)]] + [[np.arange(1, 11) / 10]] * 4
    rule = AdamW(learning_rate=1.0, weight_decay=0.5, epsilon=2)
    after = steps(rule, [np.ones(10)], gradients)
    assert_allclose([w for [w] in after], golden, rtol=0, atol=HALF_OF_4_DECIMALS)


@pytest.mark.parametrize(
    ("make_rule", "common"),
    [
        pytest.param(SGD, {"weight_decay": 0.004}, id="sgd_test.py"),
        pytest.param(Adam, {"weight_decay": 0.004}, id="adam_test.py"),
        pytest.param(partial(AdamW, weight_decay=0.004), {}, id="adamw_test.py"),
    ],
)
def test_keras_weight_decay(make_rule: Callable[..., Rule], common: dict[str, Any]) -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/{sgd,adam,adamw}_test.py, test_weight_decay:
    # 1.9760959 is the value after the third of three steps that share a decay of 0.004
    after = steps(make_rule(learning_rate=1.0), [2.0], [[0.0]] * 3, **common)
    assert_allclose(after[-1][0], 1.9760959, rtol=0, atol=1e-6)


# --- Published numbers: NovoGrad ----------------------------------------------------------

TFA_START = [[1.0, 2.0], [3.0, 4.0]]
TFA_GRADIENTS = [[0.1, 0.2], [0.3, 0.4]]
TFA_ONE_ELEMENT_START = [[1.0], [4.0]]
TFA_ONE_ELEMENT_GRADIENTS = [[0.1], [0.4]]


@pytest.mark.parametrize("amsgrad", [False, True])
@pytest.mark.parametrize(
    ("options", "start", "gradients", "count", "expected"),
    [
        pytest.param(
            {},
            TFA_START,
            TFA_GRADIENTS,
            1,
            [[0.9552786425, 1.9105572849], [2.9400000012, 3.9200000016]],
            id="dense_sample",
        ),
        pytest.param(
            {"weight_decay": 0.1},
            TFA_START,
            TFA_GRADIENTS,
            1,
            [[0.945278642, 1.8905572849], [2.9100000012, 3.8800000016]],
            id="dense_sample_with_weight_decay",
        ),
        pytest.param(
            {"grad_averaging": True},
            TFA_START,
            TFA_GRADIENTS,
            2,
            [[0.9105572849, 1.8211145698], [2.8800000024, 3.8400000032]],
            id="dense_sample_with_grad_averaging",
        ),
        pytest.param(
            {},
            TFA_ONE_ELEMENT_START,
            TFA_ONE_ELEMENT_GRADIENTS,
            2,
            [[0.71], [3.71]],
            id="sparse_sample",
        ),
        pytest.param(
            {"weight_decay": 0.1},
            TFA_ONE_ELEMENT_START,
            TFA_ONE_ELEMENT_GRADIENTS,
            2,
            [[0.6821], [3.5954]],
            id="sparse_sample_with_weight_decay",
        ),
        pytest.param(
            {"grad_averaging": True},
            TFA_ONE_ELEMENT_START,
            TFA_ONE_ELEMENT_GRADIENTS,
            2,
            [[0.8], [3.8]],
            id="sparse_sample_with_grad_averaging",
        ),
    ],
)
def test_novograd_tensorflow_addons(
    options: dict[str, Any],
    start: list[list[float]],
    gradients: list[list[float]],
    count: int,
    expected: list[list[float]],
    amsgrad: bool,
) -> None:
    # tensorflow/addons, tensorflow_addons/optimizers/tests/novograd_test.py, test_<id>. The
    # sparse samples touch one row, so their touched elements are variables of one element.
    # The gradients are constant, where AMSGrad's maximum is the second moment itself.
    rule = NovoGrad(learning_rate=0.1, epsilon=1e-8, amsgrad=amsgrad, **options)
    after = steps(rule, start, [gradients] * count)
    for w, wanted in zip(after[-1], expected, strict=True):
        assert_allclose(w, wanted, rtol=1e-7)


@pytest.mark.parametrize("run", novograd_runs(), ids=lambda run: repr(run.arguments))
def test_novograd_nvidia(run: RecordedRun) -> None:
    after = steps(NovoGrad(**run.arguments), run.start, run.gradients)
    for w, wanted in zip(after[-1], run.expected, strict=True):
        assert_allclose(w, wanted, rtol=0, atol=1e-12)


def test_novograd_first_second_moment_is_the_squared_norm() -> None:
    rule = NovoGrad(amsgrad=True)
    steps(rule, [np.ones((2, 2))], [[[[1.0, 2.0], [3.0, 4.0]]]])
    assert rule.slots[0, "v"] == 30.0
    assert rule.slots[0, "v_hat"] == 30.0


def test_novograd_keeps_the_learning_rate_outside_the_moment() -> None:
    # Seed equations m = beta_1 * m + g / sqrt(v), w = w - lr * m with a rate that falls to half:
    # w = 1 - 0.1 * 1 - 0.05 * 1.9
    rule = NovoGrad(learning_rate=0.1, epsilon=0.0)
    pipeline = Pipeline(rule)
    pipeline.build([[1.0]])
    pipeline.step([[2.0]])
    rule.learning_rate = 0.05
    pipeline.step([[2.0]])
    assert_allclose(pipeline.variables[0], [0.805], rtol=1e-14)


# --- Published numbers: the common stages -------------------------------------------------


@pytest.mark.parametrize(
    ("common", "gradient", "clipped"),
    [
        pytest.param({"clipnorm": 1}, [100.0, 100.0], [2**0.5 / 2] * 2, id="test_clip_norm"),
        pytest.param({"clipvalue": 1}, [100.0, 100.0], [1.0, 1.0], id="test_clip_value"),
        pytest.param(
            {"global_clipnorm": 1},
            [50.0, 100.0],
            [1 / 5**0.5, 2 / 5**0.5],
            id="test_global_clip_norm",
        ),
    ],
)
def test_keras_clipping(
    common: dict[str, Any], gradient: list[float], clipped: list[float]
) -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/optimizer_test.py, test named in the id
    [[w]] = steps(SGD(learning_rate=1.0), [[0.0, 0.0]], [[gradient]], **common)
    assert_allclose(w, -np.array(clipped), rtol=1e-14)


def test_keras_static_loss_scaling() -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/optimizer_test.py, test_static_loss_scaling
    start = np.array([[1.0, 2.0], [3.0, 4.0]])
    [[w]] = steps(SGD(learning_rate=1.0), [start], [[start * 1024.0]], loss_scale_factor=1024.0)
    assert_array_equal(w, np.zeros((2, 2)))


def test_keras_empty_gradients() -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/optimizer_test.py, test_empty_gradients
    start = [[3.0, 4.0], [5.0, 6.0]]
    [[v, v2]] = steps(SGD(learning_rate=1.0), [start, start], [[None, np.ones((2, 2))]])
    assert_array_equal(v, start)
    assert_array_equal(v2, [[2.0, 3.0], [4.0, 5.0]])

    pipeline = Pipeline(SGD(learning_rate=1.0))
    pipeline.build([start])
    with pytest.raises(ValueError, match="no gradient"):
        pipeline.step([None])
    assert pipeline.raw_iterations == 0


def test_keras_gradient_accumulation() -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/optimizer_test.py, test_gradient_accumulation
    pipeline = Pipeline(SGD(learning_rate=1.0), gradient_accumulation_steps=3)
    start = np.array([[1.0, 2.0], [3.0, 4.0]])
    pipeline.build([start])
    updated = [[0.0, 1.0], [2.0, 3.0]]
    for variable, accumulator, raw, iterations in [
        (start, 1.0, 1, 0),
        (start, 2.0, 2, 0),
        (updated, 0.0, 3, 1),
        (updated, 1.0, 4, 1),
    ]:
        pipeline.step([np.ones((2, 2))])
        assert_array_equal(pipeline.variables[0], variable)
        assert_array_equal(pipeline.accumulators[0], np.full((2, 2), accumulator))
        assert (pipeline.raw_iterations, pipeline.iterations) == (raw, iterations)


def test_keras_moving_average() -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/optimizer_test.py, test_ema
    pipeline = Pipeline(
        SGD(learning_rate=1.0), use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3
    )
    pipeline.build([[[3.0, 4.0], [5.0, 6.0]]])
    for variable, average in [
        ([[2.0, 3.0], [4.0, 5.0]], [[2.0, 3.0], [4.0, 5.0]]),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.9, 2.9], [3.9, 4.9]]),
        ([[1.71, 2.71], [3.71, 4.71]], [[1.71, 2.71], [3.71, 4.71]]),
    ]:
        pipeline.step([np.ones((2, 2))])
        assert_allclose(pipeline.variables[0], variable, rtol=1e-14)
        assert_allclose(pipeline.averages[0], average, rtol=1e-14)


def test_keras_moving_average_of_a_model() -> None:
    # keras-team/keras v3.15.1, keras/src/optimizers/optimizer_test.py, test_ema_with_model_fit:
    # two outputs of one weight each, from 1.0, on the mean square, so the gradient is the weight
    pipeline = Pipeline(SGD(learning_rate=0.1), use_ema=True, ema_momentum=0.9)
    pipeline.build([[[1.0, 1.0]]])
    pipeline.step([pipeline.variables[0]])
    pipeline.step([pipeline.variables[0]])
    assert_allclose(pipeline.averages[0], [[0.891, 0.891]], rtol=1e-14)


def test_averages_start_as_the_variables() -> None:
    pipeline = Pipeline(SGD(), use_ema=True)
    pipeline.build([[3.0, 4.0]])
    assert_array_equal(pipeline.averages[0], [3.0, 4.0])
    assert pipeline.averages[0] is not pipeline.variables[0]


# --- The installed Keras 3, float64 on its NumPy backend ----------------------------------

SHAPES: list[tuple[int, ...]] = [(), (5,), (3, 4)]
COUNT = 12

RULES: dict[str, tuple[type, str, dict[str, Any]]] = {
    "sgd": (SGD, "SGD", {"learning_rate": 0.05}),
    "sgd-momentum": (SGD, "SGD", {"learning_rate": 0.05, "momentum": 0.9}),
    "sgd-nesterov": (SGD, "SGD", {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}),
    "adam": (Adam, "Adam", {"learning_rate": 0.02, "epsilon": 1e-3}),
    "adam-amsgrad": (Adam, "Adam", {"beta_2": 0.6, "amsgrad": True}),
    "adamw": (AdamW, "AdamW", {"weight_decay": 0.1, "learning_rate": 0.02}),
    "adamw-amsgrad": (AdamW, "AdamW", {"beta_1": 0.8, "beta_2": 0.6, "amsgrad": True}),
}

COMMON: dict[str, dict[str, Any]] = {
    "none": {},
    "weight_decay": {"weight_decay": 0.05},
    "clipnorm": {"clipnorm": 1.5},
    "clipvalue": {"clipvalue": 0.4},
    "global_clipnorm": {"global_clipnorm": 2.5},
    "use_ema": {"use_ema": True, "ema_momentum": 0.8},
    "ema_overwrite_frequency": {"use_ema": True, "ema_overwrite_frequency": 3},
    "loss_scale_factor": {"loss_scale_factor": 3.0},
    "gradient_accumulation_steps": {"gradient_accumulation_steps": 3},
    "all": {
        "weight_decay": 0.05,
        "global_clipnorm": 0.5,
        "use_ema": True,
        "ema_momentum": 0.7,
        "ema_overwrite_frequency": 2,
        "loss_scale_factor": 7.0,
        "gradient_accumulation_steps": 2,
    },
}


@pytest.fixture(scope="module")
def keras() -> ModuleType:
    """Keras 3 on NumPy in float64, or a skip with the reason."""
    return load_keras()


def compare_with_keras(
    keras: ModuleType,
    rule: Any,
    peer: Any,
    common: dict[str, Any],
    start: list[Array],
    gradients: list[list[Array | None]],
) -> None:
    """Assert equal variables, averages and accumulators after every step, to 1e-12.

    The learning rate of both sides is halved after half of the steps.
    """
    pipeline = Pipeline(rule, **common)
    pipeline.build(start)
    variables = [keras.Variable(w, dtype="float64") for w in start]
    for count, step_gradients in enumerate(gradients):
        if count == len(gradients) // 2:
            rule.learning_rate = rule.learning_rate / 2
            peer.learning_rate = rule.learning_rate
        pipeline.step(step_gradients)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Gradients do not exist")
            peer.apply(step_gradients, variables)

        pairs = list(zip(pipeline.variables, variables, strict=True))
        if pipeline.use_ema:
            pairs += zip(pipeline.averages, peer._model_variables_moving_average, strict=True)
        if pipeline.gradient_accumulation_steps:
            pairs += zip(pipeline.accumulators, peer._accumulated_gradients, strict=True)
        for reference, live in pairs:
            assert live.dtype == "float64"
            assert_allclose(reference, live.value, rtol=1e-12, atol=1e-12)
        assert pipeline.iterations == int(peer.iterations)


@pytest.mark.parametrize("common_name", COMMON)
@pytest.mark.parametrize("rule_name", RULES)
def test_live_keras(keras: ModuleType, rule_name: str, common_name: str) -> None:
    reference, peer_name, options = RULES[rule_name]
    common = dict(COMMON[common_name])
    keras_options = options | common
    if reference is AdamW and "weight_decay" in common:
        # AdamW's own argument takes the place of the common one.
        options = options | {"weight_decay": common.pop("weight_decay")}

    random = np.random.default_rng([list(RULES).index(rule_name), list(COMMON).index(common_name)])
    start = [random.normal(size=shape) for shape in SHAPES]
    gradients: list[list[Array | None]] = [
        [np.asarray(random.normal(scale=1 + 2 * (t % 3), size=shape)) for shape in SHAPES]
        for t in range(COUNT)
    ]
    gradients[0][2] = None
    gradients[4][0] = None
    gradients[5][0] = None
    gradients[7][1] = None

    rule = reference(**options)
    peer = getattr(keras.optimizers, peer_name)(**keras_options)
    compare_with_keras(keras, rule, peer, common, start, gradients)


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm", "clipvalue"])
@pytest.mark.parametrize("value", [0.0, np.inf, np.nan], ids=["zero", "inf", "nan"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_live_keras_clips_unusual_gradients(keras: ModuleType, clip: str, value: float) -> None:
    start = [np.array([1.0, 2.0]), np.array([3.0])]
    gradients: list[list[Array | None]] = [[np.array([value, value * 2]), np.array([0.0])]]
    common = {clip: 0.3}
    peer = keras.optimizers.SGD(**common)
    compare_with_keras(keras, SGD(), peer, common, start, gradients)
