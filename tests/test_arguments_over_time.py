"""Arguments that change: schedules, callables, decay, and what a configuration keeps of them.

The names in brackets are rows of the list of bugs that optimizers have had.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import optgen
from optgen import Variable
from optgen.optimizers import SGD, Adagrad, Adam, Ftrl, NovoGrad, Rprop, ScheduleFreeAdamW
from optgen.runtime import Hyperparameter
from optgen.runtime.arguments import COMMON, checked, not_zero
from optgen.schedules import (
    CosineDecay,
    ExponentialDecay,
    LearningRateSchedule,
    PiecewiseConstantDecay,
)
from optgen.testing.subject import drawn_float
from tests.generated_classes import EVERYTHING, hyperparameters_of, last_mode
from tests.oracle import compiled, generated, thorough_specs

SPECS = pytest.mark.parametrize("spec", thorough_specs())


def warm() -> float:
    return 0.9


class Steps(LearningRateSchedule):
    """A schedule of a user's own."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, step: int) -> float:
        return self.rate

    def get_config(self) -> dict[str, Any]:
        return {"rate": self.rate}


def rates_of(optimizer: Any, calls: int, call: Any = None) -> list[float]:
    """By how much each of some calls moves one variable along a gradient of one."""
    w, seen = np.zeros(1), []
    for _ in range(calls):
        before = w.copy()
        optimizer.apply([np.ones(1)], [w])
        seen.append(float((before - w)[0]))
    return seen


# --- Learning rate ----------------------------------------------------------------------------


def test_a_schedule_sees_the_calls_before_this_one() -> None:
    """[B6]"""
    schedule = PiecewiseConstantDecay([0, 1], [1.0, 0.5, 0.25])
    assert rates_of(SGD(schedule), 3) == [1.0, 0.5, 0.25]


def test_a_schedule_counts_calls_that_only_accumulate() -> None:
    """As in Keras 3, whose updates at calls 2, 4 and 6 see the steps 1, 3 and 5."""
    seen: list[int] = []

    class Recorded(LearningRateSchedule):
        def __call__(self, step: int) -> float:
            seen.append(step)
            return float(step)

        def get_config(self) -> dict[str, Any]:
            return {}

    optimizer = SGD(Recorded(), gradient_accumulation_steps=2)
    moved = rates_of(optimizer, 6)
    assert seen == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(moved, [0, 1, 0, 3, 0, 5], rtol=1e-15)
    assert optimizer.learning_rate == 6.0


def test_a_learning_rate_can_always_be_set_again() -> None:
    w = np.zeros(1)
    optimizer = SGD(1.0)
    kinds: list[tuple[Any, float]] = [
        (0.5, 0.5),
        (ExponentialDecay(8.0, 1, 0.5), 4.0),
        (lambda: 0.25, 0.25),
        (CosineDecay(2.0, 4), 1.0),
        (0.125, 0.125),
        (np.array(3.0), 3.0),
    ]
    for value, now in kinds:
        optimizer = SGD(1.0)
        optimizer.build([w])
        optimizer.set_weights([1 if isinstance(value, ExponentialDecay) else 2])
        for first, _ in kinds:
            optimizer.learning_rate = first
            optimizer.lr = value
            assert optimizer.learning_rate == optimizer.lr == pytest.approx(now)
            w[...] = 0
            optimizer.apply([np.ones(1)])
            assert w[0] == pytest.approx(-now)
            optimizer.variables[0][...] -= 1


@SPECS
def test_lr_is_another_name_of_learning_rate(spec: str) -> None:
    optimizer = generated(spec)(lr=0.25)
    assert optimizer.learning_rate == optimizer.lr == 0.25
    optimizer.lr = 0.5
    assert optimizer.get_config()["learning_rate"] == 0.5
    assert "lr" not in optimizer.get_config()


def test_decay_divides_by_one_plus_decay_times_the_calls() -> None:
    """On top of a schedule, too; the attribute stays as it was given."""
    expected = [1 / (1 + 0.5 * n) for n in range(4)]
    assert rates_of(SGD(1.0, decay=0.5), 4) == pytest.approx(expected, rel=1e-15)
    optimizer = SGD(ExponentialDecay(1.0, 1, 0.5), decay=0.5)
    halves = [0.5**n / (1 + 0.5 * n) for n in range(4)]
    assert rates_of(optimizer, 4) == pytest.approx(halves, rel=1e-15)
    assert optimizer.learning_rate == 0.5**4
    accumulating = SGD(1.0, decay=0.5, gradient_accumulation_steps=2)
    assert rates_of(accumulating, 4) == pytest.approx([0, 1 / 1.5, 0, 1 / 2.5], rel=1e-15)
    optimizer = SGD(1.0, decay=0.5)
    assert (optimizer.decay, optimizer.get_config()["decay"]) == (0.5, 0.5)
    optimizer.decay = 0.0
    assert rates_of(optimizer, 3) == [1.0, 1.0, 1.0]
    with pytest.raises(ValueError, match=r"decay: expected a finite number >= 0.*received -1"):
        SGD(decay=-1)


@pytest.mark.parametrize("calls", [2**8, 2**11, 2**24, 2**31, 2**53])
def test_the_count_of_calls_goes_on_for_ever(calls: int) -> None:
    """[B8] Past what small floats and integers hold."""
    seen: list[int] = []

    class Recorded(Steps):
        def __call__(self, step: int) -> float:
            seen.append(step)
            return 0.5

    optimizer, w = Adam(Recorded(0.5), beta_2=0.99), np.zeros(1)
    optimizer.build([w])
    optimizer.iterations = calls
    for _ in range(3):
        count = optimizer.apply_gradients([(np.ones(1), w)])
    assert seen == [calls, calls + 1, calls + 2]
    assert count.numpy() == optimizer.iterations.numpy() == calls + 3


# --- Callables --------------------------------------------------------------------------------


def floats_of(spec: str) -> Iterator[Hyperparameter]:
    """The numbers that may be callables while the last mode is selected."""
    cls = generated(spec)
    own = {h.name for h in cls.hyperparameters}
    for h in (*cls.hyperparameters, *(h for h in COMMON if h.name not in own)):
        if h.kind == "float":
            arguments = {**arguments_with(spec, h), h.name: warm}
            if cls(**arguments).select_mode().name == last_mode(spec):
                yield h


def is_initial(spec: str, h: Hyperparameter) -> bool:
    """Whether a slot starts as a number, which can be no other then."""
    return any(slot.initial == h.name for slot in compiled(spec).program.slots)


def arguments_with(spec: str, h: Hyperparameter) -> dict[str, Any]:
    """Every stage on, and the wanted way to clip."""
    arguments = {**EVERYTHING, **hyperparameters_of(spec, last_mode(spec))}
    if h.name in ("clipvalue", "global_clipnorm"):
        del arguments["clipnorm"]
        arguments[h.name] = 0.5
    return arguments


@SPECS
def test_any_number_may_be_a_callable_that_is_asked_once_per_call(spec: str) -> None:
    rng = np.random.default_rng(5)
    for h in floats_of(spec):
        if is_initial(spec, h):
            continue
        arguments = arguments_with(spec, h)
        values = [drawn_float(h, rng) for _ in range(4)]
        answers = iter(values)
        called = generated(spec)(**{**arguments, h.name: answers.__next__})
        told = generated(spec)(**arguments)
        variables = [rng.standard_normal(3).astype(np.float32) for _ in range(2)]
        variables += [w.copy() for w in variables]
        for value in values:
            setattr(told, h.name, value)
            gradients = [rng.standard_normal(3).astype(np.float32) for _ in range(2)]
            called.apply(gradients, variables[:2])
            told.apply(gradients, variables[2:])
            expected = [w.tobytes() for w in variables[2:]]
            assert [w.tobytes() for w in variables[:2]] == expected, h.name
        assert next(answers, None) is None, h.name


@SPECS
def test_a_callable_that_fails_or_is_refused_changes_nothing(spec: str) -> None:
    for h in floats_of(spec):
        answer: list[Any] = [arguments_with(spec, h)[h.name]]

        def ask(answer: list[Any] = answer) -> Any:
            if isinstance(answer[0], Exception):
                raise answer[0]
            return answer[0]

        optimizer = generated(spec)(**{**arguments_with(spec, h), h.name: ask})
        w = np.ones(3)
        optimizer.apply([np.full(3, 0.5)], [w])
        before = [a.tobytes() for a in [w, *optimizer.variables]]
        refused: list[Any] = [math.nan, math.inf, None, "1", True, [1.0], ask]
        refused += [] if h.minimum is None else [h.minimum - 0.5]
        for answer[0] in refused:
            with pytest.raises(ValueError, match=rf"{h.name}: expected .*received "):
                optimizer.apply([np.full(3, 0.5)], [w])
            assert [a.tobytes() for a in [w, *optimizer.variables]] == before
        answer[0] = RuntimeError("no answer")
        with pytest.raises(RuntimeError, match="no answer"):
            optimizer.apply([np.full(3, 0.5)], [w])
        assert [a.tobytes() for a in [w, *optimizer.variables]] == before


def test_a_callable_is_not_zero_for_modes_and_the_mode_stays() -> None:
    zero = SGD(1.0, momentum=lambda: 0.0)
    assert zero.get_slot_names() == ["velocity"]
    assert rates_of(zero, 3) == [1.0, 1.0, 1.0]
    plain = SGD(1.0)
    with pytest.raises(ValueError, match=r"momentum: cannot change from 0\.0 to .*construct a new"):
        plain.momentum = lambda: 0.5
    zero.momentum = 0.5
    zero.momentum = lambda: 0.25
    with pytest.raises(ValueError, match="momentum: cannot change .*construct a new one"):
        zero.momentum = 0.0
    assert NovoGrad(weight_decay=lambda: 0.0)._mode.name == NovoGrad(weight_decay=0.1)._mode.name
    with pytest.raises(ValueError, match="weight_decay: cannot change .*construct a new one"):
        SGD(weight_decay=lambda: 0.1).weight_decay = None


def test_a_number_for_modes_is_one_that_the_hyperparameter_may_be() -> None:
    bounds = [None, -2.0, -1.0, 0.0, 0.25, 1.0, 5.0]
    for low, high in itertools.product(bounds, bounds):
        for ends in itertools.product((False, True), repeat=2):
            if low is not None and high is not None and (low > high or (low == high and any(ends))):
                continue
            h = Hyperparameter("x", "float", None, low, high, *ends, optional=True)
            number = not_zero(h)
            assert number != 0
            if (low, high) != (0.0, 0.0):
                assert checked(h, number) == number


def test_what_a_callable_gives_is_within_the_bounds() -> None:
    optimizer = Adam(beta_1=lambda: 1.0)
    w = np.ones(3)
    message = (
        r"beta_1: expected a callable that returns a finite number >= 0 and < 1, received 1\.0"
    )
    with pytest.raises(ValueError, match=message):
        optimizer.apply([np.ones(3)], [w])
    assert w.tolist() == [1.0] * 3
    with pytest.raises(ValueError, match="beta_1: expected a finite number > 0 and <= 1, or a cal"):
        ScheduleFreeAdamW(beta_1=0.0)


CUT = """
name = "Cut"
summary = "Two modes, cut at a half."
[hyperparameters]
learning_rate = { default = 1.0, doc = "Step size." }
beta = { default = 0.25, min = 0.0, max = 1.0, doc = "Where it is cut." }
[[modes]]
name = "low"
when = "beta < 0.5"
update = 'w = w - learning_rate * g'
[[modes]]
name = "high"
when = "beta >= 0.5"
update = 'w = w - learning_rate * g * beta'
"""


def test_a_callable_never_gives_a_number_of_another_mode() -> None:
    answers = [0.25, 0.75, 0.0, 0.49]
    optimizer = optgen.load(CUT)(beta=lambda: answers[0])
    w = np.ones(2)
    optimizer.build([w])
    for answer, expected in zip(answers[:], [0.0, None, -1.0, -2.0], strict=True):
        answers[0] = answer
        if expected is None:
            before = [a.tobytes() for a in [w, *optimizer.variables]]
            message = r"numbers of the mode 'low', .* received beta=0\.75 .* needs the mode 'high'"
            with pytest.raises(ValueError, match=message):
                optimizer.apply([np.ones(2)])
            assert [a.tobytes() for a in [w, *optimizer.variables]] == before
        else:
            optimizer.apply([np.ones(2)])
            assert w.tolist() == [expected] * 2
    # A zero belongs to a mode only if the numbers beside it do.
    upper = optgen.load(CUT.replace("default = 0.25", "default = 0.75"))(beta=lambda: 0.0)
    with pytest.raises(ValueError, match=r"received beta=0\.0 .* needs the mode 'low'"):
        upper.apply([np.ones(2)], [np.ones(2)])
    # Ftrl's power is cut at -0.5, its default.
    power = Ftrl(learning_rate_power=lambda: -0.25)
    with pytest.raises(ValueError, match=r"received learning_rate_power=-0\.25"):
        power.apply([np.ones(2)], [np.ones(2)])


class Exploding(Steps):
    """A schedule that is infinite from the third step on."""

    def __call__(self, step: Any) -> Any:
        return math.inf if step >= 2 else self.rate


def test_a_schedule_is_named_with_the_step_at_which_it_is_refused() -> None:
    optimizer = SGD(Exploding(0.5))
    optimizer.apply([np.ones(2)], [np.ones(2)])
    optimizer.apply([np.ones(2)])
    message = r"expected the schedule .*Exploding.* to give a finite number, received inf"
    with pytest.raises(ValueError, match=message + r" \(float\) from it at step 2\."):
        optimizer.apply([np.ones(2)])


def test_callables_and_schedules_that_cannot_be_asked_are_refused() -> None:
    with pytest.raises(ValueError, match="momentum: expected a number or a callable without arg"):
        SGD(momentum=lambda step: 0.9)
    with pytest.raises(ValueError, match=r"momentum: .*received the schedule ExponentialDecay\("):
        SGD(momentum=ExponentialDecay(0.9, 1, 0.5))
    with pytest.raises(ValueError, match="ema_overwrite_frequency: expected an integer"):
        SGD(use_ema=True, ema_overwrite_frequency=lambda: 2)


def test_a_callable_that_steps_its_optimizer_is_refused() -> None:
    w = np.ones(1)
    optimizer = SGD(momentum=0.5)
    optimizer.build([w])

    def steps() -> float:
        optimizer.momentum = 0.5
        optimizer.apply([np.ones(1)])
        return 0.5

    optimizer.momentum = steps
    with pytest.raises(ValueError, match="stepped the optimizer that asked it"):
        optimizer.apply([np.ones(1)])
    assert optimizer.iterations == 1


def test_a_callable_that_changes_its_optimizer_is_refused() -> None:
    w = np.ones(1)
    optimizer = SGD(momentum=0.5, clipvalue=1.0)
    optimizer.build([w])

    def changes() -> float:
        optimizer.clipvalue = 2.0
        return 0.5

    optimizer.momentum = changes
    before = [array.tobytes() for array in [w, *optimizer.variables]]
    with pytest.raises(ValueError, match="changed the optimizer that asked it"):
        optimizer.apply([np.ones(1)])
    assert [array.tobytes() for array in [w, *optimizer.variables]] == before


def test_a_number_in_the_array_of_the_learning_rate_is_checked() -> None:
    w = np.ones(1)
    optimizer = SGD(0.5)
    optimizer.build([w])
    for bad in (np.nan, np.inf, -np.inf):
        optimizer.variables[1][...] = bad
        with pytest.raises(ValueError, match="learning_rate: expected a finite number"):
            optimizer.apply([np.ones(1)])
        assert (w.tolist(), int(optimizer.iterations)) == ([1.0], 0)
    optimizer.variables[1][...] = 0.25
    optimizer.apply([np.ones(1)])
    assert w.tolist() == [0.75]


# --- Loss scale -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["minimize", "get_updates"])
def test_a_factor_is_asked_once_for_a_loss_and_its_gradients(method: str) -> None:
    """[B29] A second answer would divide by another number than the loss was multiplied by."""
    factors = iter([4.0, 1024.0])
    w, expected = Variable([1.0, 2.0]), Variable([1.0, 2.0])
    optimizer = SGD(0.5, loss_scale_factor=lambda: next(factors))
    getattr(optimizer, method)(lambda: (w * w).sum(), [w])
    getattr(SGD(0.5), method)(lambda: (expected * expected).sum(), [expected])
    assert w.numpy().tolist() == expected.numpy().tolist()
    assert next(factors) == 1024.0
    assert optimizer.iterations == 1


def test_the_loss_is_scaled_as_gradients_are_divided() -> None:
    """[B29]"""
    assert SGD().scale_loss(3.0) == 3.0
    assert SGD(loss_scale_factor=4.0).scale_loss(3.0) == 12.0
    assert SGD(loss_scale_factor=lambda: 8.0).scale_loss(np.ones(2)).tolist() == [8, 8]
    scaled, plain = np.ones(2), np.ones(2)
    SGD(loss_scale_factor=4.0).apply([np.full(2, 4.0)], [scaled])
    SGD().apply([np.ones(2)], [plain])
    assert scaled.tobytes() == plain.tobytes()


# --- Configurations ---------------------------------------------------------------------------


@SPECS
def test_a_configuration_survives_json(spec: str) -> None:
    """[B39] Defaults, everything on, a schedule, a decay."""
    cls = generated(spec)
    every = {**EVERYTHING, **hyperparameters_of(spec, last_mode(spec)), "name": "mine"}
    schedule = {**every, "learning_rate": CosineDecay(0.5, 10, warmup_target=1.0, warmup_steps=3)}
    for arguments in ({}, every, schedule, {**every, "decay": 0.25}):
        first = cls(**arguments)
        config = json.loads(json.dumps(first.get_config()))
        second = cls.from_config(config)
        assert second.get_config() == first.get_config() == config
        assert repr(second) == repr(first)
        assert second._mode is first._mode


def test_custom_objects_restore_callables_and_schedules() -> None:
    first = SGD(learning_rate=Steps(0.5), momentum=warm)
    config = json.loads(json.dumps(first.get_config()))
    with pytest.raises(ValueError, match=r"momentum: .*called 'warm'.*custom_objects=\{'warm'"):
        SGD.from_config(config, custom_objects={"Steps": Steps})
    with pytest.raises(ValueError, match="Steps"):
        SGD.from_config(config, custom_objects={"warm": warm})
    second = SGD.from_config(config, custom_objects={"warm": warm, "Steps": Steps})
    assert second.momentum is warm
    assert second.learning_rate == 0.5
    assert repr(second) == repr(first)


def test_a_representation_reads_like_the_call() -> None:
    assert repr(SGD()) == "SGD()"
    assert repr(Adam(0.001, amsgrad=True, name="a")) == "Adam(amsgrad=True, name='a')"
    optimizer = SGD(lr=ExponentialDecay(0.5, 10, 0.9), momentum=warm, decay=0.1)
    text = repr(optimizer)
    assert re.fullmatch(
        r"SGD\(learning_rate=ExponentialDecay\(.*\), momentum=warm, decay=0\.1\)", text
    )
    names = {"SGD": SGD, "warm": warm, "ExponentialDecay": ExponentialDecay}
    assert repr(eval(text, names)) == text


def test_what_slots_started_as_stays() -> None:
    """Assigned after build it would have no effect, and configurations would say otherwise."""
    w = np.ones(2)
    optimizer = Adagrad(0.1, initial_accumulator_value=0.25)
    optimizer.initial_accumulator_value = 0.5
    optimizer.build([w])
    assert np.array_equal(optimizer.get_slot(w, "accumulated_square"), [0.5, 0.5])
    optimizer.initial_accumulator_value = 0.5
    with pytest.raises(ValueError, match=r"cannot change from 0\.5 to 5\.0.*construct a new one"):
        optimizer.initial_accumulator_value = 5.0
    assert optimizer.get_config()["initial_accumulator_value"] == 0.5
    rprop = Rprop(0.1)
    rprop.build([w])
    rprop.learning_rate = 0.2  # a schedule may change it, too
