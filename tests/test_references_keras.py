"""The references of Keras 3's optimizers against its published numbers and against it, installed.

The published numbers stand in keras-team/keras v3.15.1, in `keras/src/optimizers/<module>_test.py`.
They are rounded to four decimals, which is the tolerance, and were computed in float32.
"""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from tests.references.adadelta import Adadelta
from tests.references.adafactor import Adafactor
from tests.references.adagrad import Adagrad
from tests.references.adamax import Adamax
from tests.references.comparison import (
    Arguments,
    assert_same_run,
    assert_same_slots,
    cases,
    defaults,
    random_run,
)
from tests.references.ftrl import Ftrl
from tests.references.lamb import Lamb
from tests.references.lion import Lion
from tests.references.live_keras import load_keras
from tests.references.nadam import Nadam
from tests.references.peers.keras import KerasPeer
from tests.references.pipeline import Pipeline, Rule
from tests.references.rmsprop import RMSprop
from tests.references.rule import SlottedRule
from tests.references.schedule_free_adamw import ScheduleFreeAdamW
from tests.references.sources import KERAS, rules_of

pytestmark = pytest.mark.filterwarnings(
    # Keras variables do not take NumPy 2's keyword yet.
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",
    "ignore:Gradients do not exist:UserWarning",
)

RULES: list[type[SlottedRule]] = [rule for rule in rules_of(KERAS) if issubclass(rule, SlottedRule)]

ROUNDED = 6e-5


def after_steps(rule: Rule, start: Any, gradients: list[Any]) -> list[Any]:
    """Return one variable after each step."""
    pipeline = Pipeline(rule)
    pipeline.build([start])
    after = []
    for g in gradients:
        pipeline.step([g])
        after.append(pipeline.variables[0])
    return after


# --- Published numbers --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(Adamax(0.5), [0.5, 1.5, 2.5, 3.5], id="adamax"),
        pytest.param(Nadam(0.5), [0.4686, 1.4686, 2.4686, 3.4686], id="nadam"),
        pytest.param(RMSprop(0.5), [-0.5811, 0.4189, 1.4189, 2.4189], id="rmsprop"),
        pytest.param(Adagrad(0.5), [0.5233, 1.5007, 2.5005, 3.5061], id="adagrad"),
        pytest.param(Adadelta(0.5), [0.9993, 1.9993, 2.9993, 3.9993], id="adadelta"),
        pytest.param(Ftrl(0.5), [0.2218, 1.3954, 2.3651, 2.8814], id="ftrl"),
        pytest.param(Lion(0.5), [0.5, 1.5, 2.5, 3.5], id="lion"),
        pytest.param(Lamb(0.5), [-0.3693, 0.6306, 1.6306, 2.6306], id="lamb"),
        pytest.param(Adafactor(0.5), [-0.3693, 0.6307, 1.6307, 2.6307], id="adafactor"),
    ],
)
def test_single_step(rule: Rule, expected: list[float]) -> None:
    # test_single_step, for Adafactor test_single_step_1d. Lamb and Adafactor, whose first steps are
    # the same here, print different last digits: 1e-4 is the tolerance of Keras' own test.
    [w] = after_steps(rule, [1.0, 2.0, 3.0, 4.0], [[1.0, 6.0, 7.0, 2.0]])
    assert_allclose(w, expected, rtol=0, atol=1e-4)


def test_adafactor_single_step_of_a_matrix() -> None:
    # test_single_step_2d
    [w] = after_steps(Adafactor(0.5), [[1.0, 2.0], [3.0, 4.0]], [[[1.0, 6.0], [7.0, 2.0]]])
    assert_allclose(w, [[0.7007, -0.0081], [1.2492, 3.4407]], rtol=0, atol=ROUNDED)


GOLDEN: dict[str, tuple[Rule, list[list[float]]]] = {
    "adamax": (
        Adamax(0.2, beta_1=0.85, beta_2=0.95, epsilon=1e-6),
        [
            [0.8] * 10,
            [0.6827, 0.6873, 0.6888, 0.6896, 0.6901, 0.6904, 0.6906, 0.6908, 0.6909, 0.691],
            [0.5333, 0.5407, 0.5431, 0.5444, 0.5451, 0.5456, 0.546, 0.5462, 0.5464, 0.5466],
            [0.368, 0.3773, 0.3804, 0.382, 0.3829, 0.3835, 0.384, 0.3843, 0.3846, 0.3848],
            [0.1933, 0.204, 0.2076, 0.2094, 0.2105, 0.2112, 0.2117, 0.2121, 0.2124, 0.2126],
        ],
    ),
    "nadam": (
        Nadam(0.5, beta_1=0.5, beta_2=0.67, epsilon=1e-5),
        [
            [0.4281] * 10,
            [-0.1738, -0.1731, -0.1726, -0.1723, -0.1721, -0.172, -0.1719, -0.1718, -0.1718]
            + [-0.1717],
            [-0.7115, -0.7103, -0.7096, -0.7092, -0.709, -0.7088, -0.7086, -0.7085, -0.7085]
            + [-0.7084],
            [-1.2335, -1.2322, -1.2313, -1.2309, -1.2306, -1.2304, -1.2302, -1.2301, -1.23]
            + [-1.2299],
            [-1.7492, -1.7478, -1.7469, -1.7464, -1.7461, -1.7459, -1.7457, -1.7456, -1.7455]
            + [-1.7454],
        ],
    ),
    "adagrad": (
        Adagrad(0.2, initial_accumulator_value=0.3, epsilon=1e-6),
        [
            [0.9963] * 10,
            [0.9604, 0.9278, 0.9003, 0.8784, 0.8615, 0.8487, 0.8388, 0.8313, 0.8255, 0.8209],
            [0.9251, 0.8629, 0.8137, 0.7768, 0.7497, 0.7298, 0.7151, 0.704, 0.6956, 0.6891],
            [0.8903, 0.8012, 0.7342, 0.6862, 0.6521, 0.6277, 0.6099, 0.5967, 0.5867, 0.579],
            [0.856, 0.7422, 0.6604, 0.6037, 0.5644, 0.5367, 0.5168, 0.5021, 0.491, 0.4825],
        ],
    ),
    "ftrl": (
        Ftrl(0.05, -0.2, 0.4, 0.05, 0.15, 0.01, 0.3),
        [
            [0.0] * 10,
            [-0.0034, -0.0077, -0.0118, -0.0157, -0.0194, -0.023, -0.0263, -0.0294, -0.0325]
            + [-0.0354],
            [-0.0078, -0.0162, -0.0242, -0.0317, -0.0387, -0.0454, -0.0516, -0.0575, -0.0631]
            + [-0.0685],
            [-0.0121, -0.0246, -0.0363, -0.0472, -0.0573, -0.0668, -0.0757, -0.0842, -0.0922]
            + [-0.0999],
            [-0.0164, -0.0328, -0.0481, -0.0623, -0.0753, -0.0875, -0.099, -0.1098, -0.1201]
            + [-0.1299],
        ],
    ),
    "adafactor": (
        Adafactor(0.5, -0.65, 1e-15, 1e-4, 0.9, relative_step=False),
        [
            [0.55] * 10,
            [0.3031, 0.3026, 0.3025] + [0.3024] * 7,
            [0.1671, 0.1665] + [0.1663] * 8,
            [0.0923, 0.0916, 0.0915] + [0.0914] * 7,
            [0.0554, 0.0548] + [0.0546] * 5 + [0.0545] * 3,
        ],
    ),
}
UNIFORM_GOLDEN: dict[str, tuple[Rule, list[float]]] = {
    "rmsprop": (RMSprop(centered=True), [0.9967, 0.9933, 0.9908, 0.9885, 0.9864]),
    "adadelta": (Adadelta(1.0, 0.8, 1e-6), [0.9978, 0.9947, 0.9915, 0.9882, 0.9849]),
    "lion": (Lion(), [0.999, 0.998, 0.997, 0.996, 0.995]),
    "lamb": (Lamb(), [0.999, 0.9982, 0.9974, 0.9965, 0.9955]),
}
GOLDEN_GRADIENTS = [np.full(10, 0.01)] + [np.arange(1, 11) / 10] * 4


@pytest.mark.parametrize("name", GOLDEN)
def test_correctness_with_golden(name: str) -> None:
    rule, golden = GOLDEN[name]
    assert_allclose(after_steps(rule, np.ones(10), GOLDEN_GRADIENTS), golden, rtol=0, atol=ROUNDED)


@pytest.mark.parametrize("name", UNIFORM_GOLDEN)
def test_correctness_with_uniform_golden(name: str) -> None:
    # test_correctness_with_golden; one number there stands for ten that differ in the last digits,
    # so the tolerances are those of Keras' own test
    rule, golden = UNIFORM_GOLDEN[name]
    after = after_steps(rule, np.ones(10), GOLDEN_GRADIENTS)
    assert_allclose(after, np.tile(np.array([golden]).T, 10), rtol=5e-4, atol=5e-4)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(RMSprop(0.1), 9.683772, id="rmsprop"),
        pytest.param(Nadam(0.2), 9.8, id="nadam"),
    ],
)
def test_docstrings_of_tensorflow(rule: Rule, expected: float) -> None:
    # Usage examples of tf.keras.optimizers.RMSprop and Nadam: one step on var ** 2 / 2 from 10.0.
    # Nadam's is printed with one decimal.
    [w] = after_steps(rule, 10.0, [10.0])
    assert_allclose(w, expected, rtol=0, atol=0.05 if isinstance(rule, Nadam) else 1e-6)


# --- The installed Keras 3, float64 on its NumPy backend ----------------------------------


@pytest.fixture(scope="module")
def keras() -> ModuleType:
    """Keras 3 on NumPy in float64, or a skip with the reason."""
    return load_keras()


def live_run(
    rule: type[SlottedRule], arguments: Arguments, *, tiny: bool = False, **common: Any
) -> None:
    """Compare a reference with the class of the same name."""
    seed = rule.__name__ + repr(arguments | common)
    start, gradients = random_run(seed, missing=True, tiny=tiny)
    peer = KerasPeer(rule, arguments, start, **common)
    reference = rule(**arguments)
    assert_same_run(reference, peer, start, gradients, **common)
    assert_same_slots(reference, peer)


@pytest.mark.parametrize(
    ("rule", "arguments"),
    [
        pytest.param(rule, arguments, id=f"{rule.__name__}-{label}")
        for rule in RULES
        for label, arguments in cases(rule)
    ],
)
def test_live_keras(rule: type[SlottedRule], arguments: Arguments) -> None:
    live_run(rule, arguments)


@pytest.mark.parametrize("rule", RULES)
def test_live_keras_with_tiny_gradients(rule: type[SlottedRule]) -> None:
    live_run(rule, {}, tiny=True)


def test_live_keras_caps_the_rate_of_adafactor() -> None:
    live_run(Adafactor, {"learning_rate": 0.9})
    live_run(Adafactor, {"learning_rate": 0.9, "relative_step": False})


@pytest.mark.parametrize("rule", RULES)
def test_defaults_are_those_of_keras(keras: ModuleType, rule: type[SlottedRule]) -> None:
    theirs = inspect.signature(getattr(keras.optimizers, rule.__name__)).parameters
    for name, default in defaults(rule).items():
        assert theirs[name].default == default, name


@pytest.mark.parametrize("rule", RULES)
def test_live_keras_with_common_stages(rule: type[SlottedRule]) -> None:
    # The decay comes before the update, so the references see the decayed variable, and
    # accumulation makes steps rarer than calls.
    live_run(rule, {}, weight_decay=0.1)
    live_run(rule, {}, gradient_accumulation_steps=2, clipvalue=1.5)


# --- What the live comparison does not reach ----------------------------------------------


def test_nadam_counts_momenta_of_steps_without_a_gradient() -> None:
    rule = Nadam()
    pipeline = Pipeline(rule)
    pipeline.build([1.0, 1.0])
    pipeline.step([None, 1.0])
    assert rule.slots[None, "u_product"] == 0.9 * (1 - 0.5 * 0.96)
    assert rule.slots[0, "m"] == 0


def test_ftrl_forgets_where_it_started() -> None:
    [w] = after_steps(Ftrl(), [3.0, -4.0], [[0.0, 0.0]])
    assert_allclose(w, [0.0, 0.0], rtol=0, atol=0)


def test_adafactor_factors_for_every_leading_index() -> None:
    rule = Adafactor()
    Pipeline(rule).build([np.zeros(3), np.zeros((3, 4)), np.zeros((2, 3, 4))])
    shapes = {key: np.shape(slot) for key, slot in rule.slots.items()}
    assert shapes == {
        (0, "v"): (3,),
        (1, "v_row"): (3,),
        (1, "v_column"): (4,),
        (2, "v_row"): (2, 3),
        (2, "v_column"): (2, 4),
    }


def test_schedule_free_first_steps() -> None:
    # By hand, epsilon 0: every normalised gradient is its sign, z falls by 0.5 per step, x is the
    # mean of all z, and the variable is 0.9 * x + 0.1 * z.
    rule = ScheduleFreeAdamW(0.5, epsilon=0.0)
    after = after_steps(rule, [1.0, 2.0], [[1.0, -3.0]] * 3)
    assert_allclose(after, [[0.5, 2.5], [0.225, 2.775], [-0.05, 3.05]], rtol=0, atol=1e-14)
    assert_allclose(rule.mean(0, after[-1]), [0.0, 3.0], rtol=0, atol=1e-14)


def test_schedule_free_starts_before_the_decay() -> None:
    rule = ScheduleFreeAdamW(0.5)
    pipeline = Pipeline(rule, weight_decay=0.1)
    pipeline.build([2.0])
    pipeline.step([0.0])
    assert rule.slots[0, "z"] == 2.0


@pytest.mark.parametrize("rule", [Adamax(), Lion(), Lamb(), Nadam(), RMSprop()])
def test_zero_gradients_change_nothing(rule: Rule) -> None:
    start = np.array([1.0, -2.0])
    [*_, w] = after_steps(rule, start, [np.zeros(2)] * 3)
    assert_allclose(w, start, rtol=0, atol=0)
