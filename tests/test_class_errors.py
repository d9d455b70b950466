"""What generated classes refuse, in which words, and that a refused call changes nothing."""

from __future__ import annotations

import copy
import math
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

import optgen.runtime.host as runtime_host
import optgen.runtime.launch as runtime_launch
from optgen import LossScaleOptimizer, Variable
from optgen.optimizers import SGD
from optgen.runtime import Hyperparameter, Optimizer
from optgen.runtime.arguments import COMMON
from tests.generated_classes import everything_on
from tests.oracle import generated, thorough_specs

Array = np.ndarray[Any, Any]


def all_hyperparameters() -> list[Any]:
    """Every hyperparameter of every class, and the common arguments once."""
    found = [
        pytest.param(generated(spec), h, id=f"{spec}-{h.name}")
        for spec in thorough_specs()
        for h in generated(spec).hyperparameters
    ]
    return [*found, *(pytest.param(generated("sgd"), h, id=f"common-{h.name}") for h in COMMON)]


def refused_values(h: Hyperparameter) -> Iterator[Any]:
    """Values that no hyperparameter of this kind takes, and those just outside its bounds."""
    yield from ([1.0], {}, object(), 1j, np.zeros(2), np.datetime64(1, "s"), math.nan, np.nan)
    yield np.float32(math.nan)
    if h.kind != "bool":
        yield from (True, np.True_, math.inf, -math.inf, "0.1", "")
    if h.kind == "int":
        yield from (2.0, 2.5, np.float32(2))
    if h.kind == "bool":
        yield from (1, 0, 0.0, "True", None)
    if h.kind in ("float", "int"):
        step = 1 if h.kind == "int" else 1e-9
        if h.minimum is not None:
            yield h.minimum if h.exclusive_minimum else h.minimum - step
        if h.maximum is not None:
            yield h.maximum if h.exclusive_maximum else h.maximum + step
    if not h.optional:
        yield None


@pytest.mark.parametrize(("cls", "h"), all_hyperparameters())
def test_refused_hyperparameters_are_named_with_what_was_received(
    cls: Any, h: Hyperparameter
) -> None:
    for value in refused_values(h):
        expected = rf"{h.name}: expected .*, received {re.escape(repr(value))} \("
        with pytest.raises(ValueError, match=expected):
            cls(**{h.name: value})
        optimizer = cls()
        before = optimizer.get_config()
        with pytest.raises(ValueError, match=expected):
            setattr(optimizer, h.name, value)
        assert optimizer.get_config() == before


def inside(h: Hyperparameter, values: Iterable[float]) -> float:
    """The first of some numbers that a hyperparameter may be."""
    low, high = h.minimum, h.maximum
    for value in values:
        above = low is None or value > low or (value == low and not h.exclusive_minimum)
        below = high is None or value < high or (value == high and not h.exclusive_maximum)
        if above and below:
            return value
    raise AssertionError(f"{h.name} may be none of these")


@pytest.mark.parametrize(("cls", "h"), all_hyperparameters())
def test_integers_and_numpy_scalars_are_numbers(cls: Any, h: Hyperparameter) -> None:
    if h.kind == "float":
        whole, part = inside(h, (1, 0, -1)), inside(h, (0.5, 1.5, -0.5))
        for value in (whole, np.int8(whole), np.float32(part), np.float64(part)):
            kept = cls(**{h.name: value}).get_config()[h.name]
            assert kept == value
            assert type(kept) is float
    elif h.kind == "int":
        assert type(cls(**{h.name: np.int64(3)}).get_config()[h.name]) is int
    elif h.kind == "bool":
        assert cls(**{h.name: np.True_}).get_config()[h.name] is True
    else:
        kept = cls(**{h.name: np.str_(h.default)}).get_config()[h.name]
        assert kept == h.default
        assert type(kept) is str


@pytest.mark.parametrize("spec", thorough_specs())
def test_unknown_keywords_are_named_with_what_is_known(spec: str) -> None:
    cls = generated(spec)
    with pytest.raises(
        ValueError, match=rf"{cls.__name__} got unknown .*'rate'.*learning_rate.*decay.*name, lr"
    ):
        cls(rate=0.1)
    with pytest.raises(ValueError, match="'momentun', 'decoy'"):
        cls(momentun=0.9, decoy=0.1, lr=0.1, decay=0.1)
    with pytest.raises(ValueError, match=r"unknown argument\(s\) 'extra'"):
        cls.from_config({**cls().get_config(), "extra": 1})


@pytest.mark.parametrize("name", [None, "", 3, b"SGD"])
def test_names_that_are_no_strings_are_refused(name: Any) -> None:
    message = rf"name: expected .*, received {re.escape(repr(name))}"
    with pytest.raises(ValueError, match=message):
        generated("sgd")(name=name)


def test_two_ways_to_clip_are_refused() -> None:
    message = "at most one of .*, received clipnorm=1.0, global_clipnorm=2.0"
    with pytest.raises(ValueError, match=message):
        generated("sgd")(clipnorm=1, global_clipnorm=2)


def test_decay_of_adamw_cannot_be_none() -> None:
    with pytest.raises(ValueError, match="weight_decay: expected .*, received None"):
        generated("adamw")(weight_decay=None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("momentum", 0.9),
        ("weight_decay", 0.1),
        ("clipnorm", 1.0),
        ("use_ema", True),
        ("loss_scale_factor", 2.0),
        ("gradient_accumulation_steps", 2),
    ],
)
def test_what_changes_kernels_or_state_cannot_be_assigned(name: str, value: Any) -> None:
    optimizer = generated("sgd")()
    before = optimizer.get_config()
    message = f"{name}: cannot change from {before[name]!r} to {value!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        setattr(optimizer, name, value)
    assert optimizer.get_config() == before


# --- Variables and gradients ----------------------------------------------------------------


def read_only(array: Array) -> Array:
    array.setflags(write=False)
    return array


def refused_variables() -> Iterator[Any]:
    """Name, variables and what the message says."""
    z, dtypes = (
        np.zeros((4, 6)),
        ("f2", "i4", "i8", "u1", "?", "c8", "c16", ">f4", ">f8", "O", "U1"),
    )
    for dtype in dtypes:
        name = f"variable 1: .*float32 or float64.*received {np.dtype(dtype).name}"
        yield dtype, [np.zeros(2), np.zeros(3, dtype)], name
    yield "longdouble", [np.zeros(3, np.longdouble)], "variable 0: .*received .*float"
    yield "read-only", [np.zeros(2), read_only(np.zeros(3))], "variable 1: .*read-only"
    yield "stride 0", [as_strided(z, (3,), (0,), writeable=True)], r"strides \(0,\)"
    yield "windows", [as_strided(z, (3, 3), (8, 8), writeable=True)], r"strides \(8, 8\)"
    yield "overlapping", [z, np.ones(1), z[1:2]], "variable 0 and variable 2, which overlap"
    yield "twice", [z, z], "variable 0 and variable 1, which overlap"
    yield (
        "list",
        [np.zeros(2), [1.0, 2.0]],
        "variable 1: .*received builtins.list. A variable is updated in",
    )
    yield "float", [1.0], "variable 0: .*received builtins.float"
    yield "none", [np.zeros(2), None], "variable 1: .*received builtins.NoneType. A variable is"
    yield "masked", [np.ma.ones(3)], "variable 0: .*received numpy.ma.*MaskedArray. A variable is"
    yield "no variables", [], "at least one"
    yield "bare array", np.zeros((2, 2)), r"variables: .*one array of shape \(2, 2\)"


VARIABLES = [pytest.param(v, message, id=name) for name, v, message in refused_variables()]


@pytest.mark.parametrize(("variables", "message"), VARIABLES)
def test_variables_that_cannot_be_updated_are_refused(variables: Any, message: str) -> None:
    optimizer = generated("sgd")()
    with pytest.raises(ValueError, match=message):
        optimizer.build(variables)
    good = [np.ones(2), np.ones(2)]
    gradients = [np.ones(np.shape(w)) for w in variables]
    if gradients and isinstance(variables, list):
        with pytest.raises(ValueError, match=message):
            optimizer.apply(gradients, variables)
    optimizer.build(good)


def floats(values: Any, dtype: Any = np.float32) -> Array:
    return np.array(values, dtype)


class Rate:
    """A learning rate that is a number until it is told to be something else."""

    def __init__(self) -> None:
        self.answer: Any = 0.1

    def __call__(self) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def make_variables() -> list[Array]:
    rng = np.random.default_rng(3)
    shapes = [((3, 4), "f4"), ((), "f4"), ((5,), "f4"), ((0,), "f4"), ((2, 3), "f4")]
    return [np.asarray(rng.standard_normal(shape)).astype(dtype) for shape, dtype in shapes]


def make_gradients(variables: list[Array], call: int) -> list[Any]:
    rng = np.random.default_rng([4, call])
    return [np.asarray(rng.standard_normal(w.shape)).astype(w.dtype) for w in variables]


Spoil = Callable[[Optimizer, list[Array], list[Any]], tuple[list[Any], list[Any]]]


class Wrapped:
    """An array of another library, of which NumPy can make its own."""

    def __array__(self, *arguments: Any, **options: Any) -> Array:
        return np.ones((2, 3), np.float32)


def last_gradient(make: Callable[[list[Array]], Any]) -> Spoil:
    """Replace the last gradient."""
    return lambda optimizer, w, g: ([*g[:-1], make(w)], w)


def overlapping_state(index: int) -> Spoil:
    """Give as last gradient an array of the optimizer's state that has the right shape."""

    def spoil(optimizer: Optimizer, w: list[Array], g: list[Any]) -> tuple[list[Any], list[Any]]:
        found = [a for a in optimizer.variables if a.shape == w[-1].shape]
        if not found:
            return [*g[:-1], w[-1]], w
        return [*g[:-1], found[index % len(found)]], w

    return spoil


BAD_CALLS: dict[str, tuple[Spoil, str]] = {
    "shape": (last_gradient(lambda w: np.ones(3, "f4")), r"gradient of variable 4: .*\(3,\)"),
    "transposed": (last_gradient(lambda w: np.ones((3, 2), "f4")), r"\(2, 3\), received \(3, 2\)"),
    "rank": (last_gradient(lambda w: np.ones((2, 3, 1), "f4")), r"received \(2, 3, 1\)"),
    "float16": (last_gradient(lambda w: np.ones((2, 3), "f2")), "of variable 4: .*float16"),
    "integers": (last_gradient(lambda w: np.ones((2, 3), "i4")), "of variable 4: .*int32"),
    "booleans": (last_gradient(lambda w: np.ones((2, 3), "?")), "of variable 4: .*bool"),
    "complex": (last_gradient(lambda w: np.ones((2, 3), "c8")), "of variable 4: .*complex64"),
    "big-endian": (last_gradient(lambda w: np.ones((2, 3), ">f4")), "of variable 4: .*>f4"),
    "list": (last_gradient(lambda w: [[1.0] * 3] * 2), "of variable 4: .*builtins.list"),
    "array-like": (last_gradient(lambda w: Wrapped()), r"Wrapped\. Pass what numpy.asarray makes"),
    "masked": (last_gradient(lambda w: np.ma.ones((2, 3))), r"MaskedArray\. Fill it with filled"),
    "float": (last_gradient(lambda w: 1.0), "of variable 4: .*builtins.float"),
    "string": (last_gradient(lambda w: "none"), "of variable 4: .*builtins.str"),
    "itself": (last_gradient(lambda w: w[-1]), "of variable 4: .*overlaps variable 4"),
    "reversed itself": (last_gradient(lambda w: w[-1][::-1]), "overlaps variable 4"),
    "another variable": (
        last_gradient(lambda w: w[0][:2, :3]),
        "of variable 4: .*overlaps variable 0",
    ),
    "average": (overlapping_state(0), "of variable 4: .*overlaps .*variable 4"),
    "accumulator": (overlapping_state(1), "of variable 4: .*overlaps .*variable 4"),
    "slot": (overlapping_state(2), "of variable 4: .*overlaps .*variable 4"),
    "too few": (lambda o, w, g: (g[:-1], w), "each of the 5 variables, received 4"),
    "too many": (lambda o, w, g: ([*g, g[0]], w), "each of the 5 variables, received 6"),
    "all none": (lambda o, w, g: ([None] * len(g), w), "received only None"),
    "empty": (lambda o, w, g: ([], w), "at least one gradient, received none"),
    "bare array": (lambda o, w, g: (g[0], w), r"gradients: .*one array of shape \(3, 4\)"),
}
"""Calls that are refused at any time: what is given, and what the message says."""

BAD_CALLS_ONCE_BUILT: dict[str, tuple[Spoil, str]] = {
    "unknown variable": (
        lambda o, w, g: (g, [*w[:-1], w[-1].copy()]),
        r"variable 4 of this call is unknown: .*shape \(2, 3\)",
    ),
    "other view": (lambda o, w, g: (g, [*w[:-1], w[-1].T]), "variable 4 of this call is unknown"),
    "not an array": (lambda o, w, g: (g, [*w[:-1], "w"]), "variable 4 .*unknown.*builtins.str"),
    "duplicate": (
        lambda o, w, g: ([*g, g[0]], [*w, w[0]]),
        "variable 5 of this call: expected each variable once, received variable 0",
    ),
    "duplicate by memory": (
        lambda o, w, g: ([*g, g[0]], [*w, w[0][...]]),
        "variable 5 of this call: expected each variable once, received variable 0",
    ),
}


def every_byte(optimizer: Optimizer, variables: list[Array]) -> list[bytes]:
    """Variables, state, counters and all tables of an optimizer, as bytes."""
    found = [a.tobytes() for a in [*variables, *optimizer.variables]]
    if optimizer._state is not None:
        for group in optimizer._state.tables.groups:
            found += [table.tobytes() for table in group.everything.fixed.values()]
    return found


def stepped(spec: str, calls: int) -> tuple[Optimizer, list[Array], Rate]:
    """An optimizer with every stage on after so many good calls, with its variables."""
    rate, variables = Rate(), make_variables()
    optimizer = everything_on(spec, learning_rate=rate)
    for call in range(calls):
        optimizer.apply(make_gradients(variables, call), variables)
    return optimizer, variables, rate


def assert_continues_as_if_nothing_had_happened(
    spec: str, calls: int, optimizer: Optimizer, variables: list[Array]
) -> None:
    """Compare two more good calls with an optimizer that saw no bad one."""
    other, expected, _ = stepped(spec, calls + 2)
    for call in (calls, calls + 1):
        optimizer.apply(make_gradients(variables, call), variables)
    state = [a.tobytes() for a in [*variables, *optimizer.variables]]
    assert state == [a.tobytes() for a in [*expected, *other.variables]]


# With two steps of accumulation, calls 0 and 2 only accumulate and calls 1 and 3 update.
CALLS = pytest.mark.parametrize("calls", [0, 1, 2, 3])
SPECS = pytest.mark.parametrize("spec", thorough_specs())


@SPECS
@CALLS
def test_a_call_with_a_bad_gradient_or_variable_changes_nothing(spec: str, calls: int) -> None:
    optimizer, variables, _ = stepped(spec, calls)
    before = every_byte(optimizer, variables)
    bad = {**BAD_CALLS, **(BAD_CALLS_ONCE_BUILT if calls else {})}
    for name, (spoil, message) in bad.items():
        gradients, given = spoil(optimizer, variables, make_gradients(variables, calls))
        with pytest.raises(ValueError, match=message):
            optimizer.apply(gradients, given)
        assert every_byte(optimizer, variables) == before, name
        assert (optimizer._state is None) == (calls == 0), name
    assert_continues_as_if_nothing_had_happened(spec, calls, optimizer, variables)


@SPECS
@CALLS
def test_a_call_with_a_bad_pair_changes_nothing(spec: str, calls: int) -> None:
    optimizer, variables, _ = stepped(spec, calls)
    before = every_byte(optimizer, variables)
    gradients = make_gradients(variables, calls)
    pairs = list(zip(gradients, variables, strict=True))
    for item in (gradients[-1], (gradients[-1],), (*pairs[-1], 1), None, "gw", 3, {1: 2, 3: 4}):
        with pytest.raises(TypeError, match=f"pairs .*received {type(item).__name__} as item 4"):
            optimizer.apply_gradients([*pairs[:-1], item])
        assert every_byte(optimizer, variables) == before
    for given in (5, None):
        with pytest.raises(TypeError, match="grads_and_vars: expected pairs .*received (int|None)"):
            optimizer.apply_gradients(given)
    with pytest.raises(ValueError, match="at least one gradient, received none"):
        optimizer.apply_gradients([])
    with pytest.raises(ValueError, match="received only None"):
        optimizer.apply_gradients([(None, w) for w in variables])
    assert every_byte(optimizer, variables) == before
    assert_continues_as_if_nothing_had_happened(spec, calls, optimizer, variables)


@SPECS
@CALLS
def test_a_call_whose_learning_rate_fails_changes_nothing(spec: str, calls: int) -> None:
    optimizer, variables, rate = stepped(spec, calls)
    before = every_byte(optimizer, variables)
    gradients = make_gradients(variables, calls)
    for rate.answer in (RuntimeError("learning_rate"), ZeroDivisionError("learning_rate")):
        with pytest.raises(type(rate.answer), match="learning_rate"):
            optimizer.apply(gradients, variables)
        assert every_byte(optimizer, variables) == before
    for rate.answer in (math.nan, math.inf, "0.1", None, True, [0.1], Rate()):
        message = rf"learning_rate: .*received {re.escape(repr(rate.answer))}"
        with pytest.raises(ValueError, match=message):
            optimizer.apply(gradients, variables)
        assert every_byte(optimizer, variables) == before
    rate.answer = 0.1
    assert_continues_as_if_nothing_had_happened(spec, calls, optimizer, variables)


@SPECS
def test_a_first_call_whose_learning_rate_fails_builds_nothing(spec: str) -> None:
    rate, variables = Rate(), make_variables()
    optimizer = everything_on(spec, learning_rate=rate, gradient_accumulation_steps=None)
    before = every_byte(optimizer, variables)
    rate.answer = math.nan
    with pytest.raises(ValueError, match="learning_rate"):
        optimizer.apply(make_gradients(variables, 0), variables)
    assert every_byte(optimizer, variables) == before
    assert optimizer._state is None
    others, rate.answer = [np.ones(2)], 0.5
    optimizer.build(others)
    assert optimizer.variables[-1].shape in ((2,), ())


@SPECS
@CALLS
def test_a_variable_that_became_read_only_is_refused(spec: str, calls: int) -> None:
    optimizer, variables, _ = stepped(spec, calls)
    optimizer.build(variables)
    before = every_byte(optimizer, variables)
    variables[-1].setflags(write=False)
    with pytest.raises(ValueError, match="variable 4 has become read-only"):
        optimizer.apply(make_gradients(variables, calls), variables)
    with pytest.raises(ValueError, match="variable 4 has become read-only"):
        optimizer.apply([*make_gradients(variables, calls)[:-1], None], variables)
    with pytest.raises(ValueError, match="variable 4 has become read-only"):
        optimizer.finalize_variable_values(variables)
    assert every_byte(optimizer, variables) == before
    variables[-1].setflags(write=True)
    assert_continues_as_if_nothing_had_happened(spec, calls, optimizer, variables)


@SPECS
@CALLS
def test_a_call_whose_warning_is_an_error_changes_nothing(spec: str, calls: int) -> None:
    optimizer, variables, _ = stepped(spec, calls)
    before = every_byte(optimizer, variables)
    gradients = [*make_gradients(variables, calls)[:-1], None]
    with pytest.raises(UserWarning, match="no gradient in this call for variable 4;"):
        optimizer.apply(gradients, variables)
    assert every_byte(optimizer, variables) == before
    assert_continues_as_if_nothing_had_happened(spec, calls, optimizer, variables)


@SPECS
@pytest.mark.parametrize("missing", [False, True])
def test_a_kernel_that_does_not_compile_changes_nothing(
    spec: str, missing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first call of its kind compiles all of its kernels before the first of them writes."""
    whole, _, launches = counted_call(spec, missing, None, monkeypatch)
    assert launches >= 4
    assert launches % 2 == 0
    for failing in range(launches // 2):
        optimizer, variables, _ = counted_call(spec, missing, failing, monkeypatch)
        assert not optimizer.built
        assert [w.tobytes() for w in variables] == [w.tobytes() for w in make_variables()], failing
        assert optimizer.iterations == 0
    assert whole.built


LATER = {
    "somebody without a gradient": ((0, 1, 2, 3, 4), (1, 2, 3, 4)),
    "a dtype that had none": ((0, 1, 2, 3), (0, 1, 2, 3, 4)),
}


@SPECS
@pytest.mark.parametrize(("first", "later"), LATER.values(), ids=LATER)
@pytest.mark.filterwarnings("ignore:.*no gradient:UserWarning")
def test_what_a_later_call_is_the_first_to_need_is_compiled_before_it_writes(
    spec: str, first: tuple[int, ...], later: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    launches, failing = 0, 0

    def launch(*arguments: Any) -> None:
        nonlocal launches
        launches += 1
        if launches == failing:
            raise RuntimeError("no compiler")
        runtime_launch.launch(*arguments)

    monkeypatch.setattr(runtime_host, "launch", launch)
    variables = make_variables()
    variables[4] = variables[4].astype(np.float64)
    gradients = make_gradients(variables, 0)
    optimizer = everything_on(spec, gradient_accumulation_steps=None)
    optimizer.build(variables)
    optimizer.apply([g if i in first else None for i, g in enumerate(gradients)])
    given = [g if i in later else None for i, g in enumerate(gradients)]
    before = [array.tobytes() for array in [*variables, *optimizer.variables]]
    twin, copies = copy.deepcopy((optimizer, variables))
    twin.apply(given, copies)
    launches = 0
    twin.apply(given, copies)
    assert launches >= 2
    # The rehearsal has as many launches as the call itself, and changes nothing.
    for failing in range(1, launches + 1):
        launches = 0
        with pytest.raises(RuntimeError, match="no compiler"):
            optimizer.apply(given)
        after = [array.tobytes() for array in [*variables, *optimizer.variables]]
        assert after == before, failing


def counted_call(
    spec: str, missing: bool, failing: int | None, monkeypatch: pytest.MonkeyPatch
) -> tuple[Optimizer, list[Array], int]:
    """Make a first call, whose launch of some index fails, and count its launches."""
    launches = 0

    def launch(*arguments: Any) -> None:
        nonlocal launches
        if launches == failing:
            raise RuntimeError("no compiler")
        launches += 1
        runtime_launch.launch(*arguments)

    monkeypatch.setattr(runtime_host, "launch", launch)
    optimizer, variables = everything_on(spec, gradient_accumulation_steps=None), make_variables()
    gradients = make_gradients(variables, 0)
    if missing:
        gradients[0] = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if failing is None:
            optimizer.apply(gradients, variables)
        else:
            with pytest.raises(RuntimeError, match="no compiler"):
                optimizer.apply(gradients, variables)
    return optimizer, variables, launches


def test_missing_gradients_are_warned_of_once_and_where_they_are_given() -> None:
    optimizer, variables = generated("sgd")(), [np.ones(2), np.ones(2)]
    with pytest.warns(
        UserWarning, match="SGD: no gradient in this call for variable 1; not"
    ) as caught:
        optimizer.apply([np.ones(2), None], variables)
    assert caught[0].filename == __file__
    optimizer.apply([None, np.ones(2)], variables)
    other = generated("sgd")()
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        other.apply_gradients([(None, variables[0]), (np.ones(2), variables[1])])
    assert [warning.filename for warning in found] == [__file__]


def test_calls_before_build_say_so() -> None:
    with pytest.raises(ValueError, match="not built"):
        generated("sgd")().apply([np.ones(2)])
    with pytest.raises(ValueError, match="not built"):
        generated("sgd")(use_ema=True).finalize_variable_values([np.ones(2)])


def test_finalising_wants_every_variable_once() -> None:
    optimizer, variables, _ = stepped("sgd", 1)
    before = every_byte(optimizer, variables)
    bad = {
        "all 5 variables .*received 4": variables[:-1],
        "variable 4 of this call is unknown": [*variables[:-1], variables[-1].copy()],
        "expected each variable once": [*variables[:-1], variables[0]],
        "variables: .*one array": variables[0],
    }
    for message, given in bad.items():
        with pytest.raises(ValueError, match=message):
            optimizer.finalize_variable_values(given)
        assert every_byte(optimizer, variables) == before


def test_building_again_wants_the_same_variables_in_order() -> None:
    optimizer, variables, _ = stepped("sgd", 1)
    before = every_byte(optimizer, variables)
    optimizer.build(variables)
    with pytest.raises(ValueError, match="in the same order"):
        optimizer.build(variables[::-1])
    with pytest.raises(ValueError, match="unknown"):
        optimizer.build([np.ones(3)])
    assert every_byte(optimizer, variables) == before


def test_misspelt_attributes_are_refused() -> None:
    optimizer = SGD(learning_rate=0.1)
    with pytest.raises(AttributeError, match="did you mean 'learning_rate'"):
        optimizer.lerning_rate = 5.0
    with pytest.raises(AttributeError, match="no attribute 'iteration'"):
        optimizer.iteration = 5.0
    assert optimizer.learning_rate == 0.1


def test_a_learning_rate_that_takes_arguments_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"learning_rate: .*without arguments"):
        SGD(learning_rate=lambda step: 0.1 / (1 + step))
    optimizer = SGD()
    with pytest.raises(ValueError, match="learning_rate"):
        optimizer.learning_rate = lambda step: step


def test_a_learning_rate_that_steps_its_optimizer_is_refused() -> None:
    w = np.ones(3)
    optimizer = SGD(learning_rate=0.1)
    optimizer.build([w])

    def steps() -> float:
        optimizer.learning_rate = 0.1
        optimizer.apply([np.ones(3)])
        return 0.1

    optimizer.learning_rate = steps
    with pytest.raises(ValueError, match="stepped the optimizer"):
        optimizer.apply([np.ones(3)])
    assert optimizer.iterations == 1


def test_counts_that_are_none_are_refused_before_anything_moves() -> None:
    w = np.ones(3)
    optimizer = SGD(0.1, momentum=0.5)
    optimizer.build([w])
    before = every_byte(optimizer, [w])
    for count in (2**63, 2**63 - 1, -1, 1.5):
        with pytest.raises(ValueError, match="iterations: expected an integer >= 0 and <= 9"):
            optimizer.iterations = count
    with pytest.raises(ValueError, match="iterations: expected an integer"):
        SGD(gradient_accumulation_steps=4).iterations = 2**62
    for count in (-5, 2**63 - 1):
        optimizer.variables[0][...] = count
        with pytest.raises(ValueError, match=f"iterations: expected a count.*received {count}"):
            optimizer.apply([np.ones(3)])
        optimizer.variables[0][...] = 0
        assert every_byte(optimizer, [w]) == before
    optimizer.iterations = 2**63 - 2
    optimizer.apply([np.ones(3)])
    assert optimizer.iterations == 2**63 - 1


def test_masked_arrays_are_refused_wherever_values_come_in() -> None:
    masked = np.ma.array([1.0, 2.0], mask=[True, False])
    variable = Variable([3.0, 4.0])
    optimizer = SGD(0.1, momentum=0.5)
    optimizer.build([variable])
    for call in (
        lambda: variable.assign(masked),
        lambda: optimizer.set_weights([np.array(0), masked]),
        lambda: optimizer.minimize(lambda: variable * 2.0, [variable], grad_loss=masked),
        lambda: optimizer.apply([masked]),
    ):
        with pytest.raises(ValueError, match=r"mask|Masked"):
            call()
    assert variable.tolist() == [3, 4]


def test_what_is_no_dictionary_or_list_is_refused_with_a_sentence(tmp_path: Path) -> None:
    optimizer = SGD()
    optimizer.save(tmp_path / "state.npz")
    for config in (None, [1]):
        with pytest.raises(ValueError, match="config: expected a dictionary, received"):
            SGD.from_config(config)
        with pytest.raises(ValueError, match="config: expected a dictionary, received"):
            LossScaleOptimizer.from_config(config)
        with pytest.raises(ValueError, match="store: expected a dictionary, received"):
            optimizer.load_own_variables(config)
    with pytest.raises(ValueError, match="weights: expected a list of arrays, received int"):
        optimizer.set_weights(3)
    with pytest.raises(ValueError, match="custom_objects: expected a dictionary, received list"):
        optimizer.load(tmp_path / "state.npz", [SGD])
    with pytest.raises(ValueError, match="SGD got unknown argument.* 'inner_optimizer'"):
        SGD.from_config(LossScaleOptimizer(SGD()).get_config())
    with pytest.raises(IsADirectoryError, match=re.escape(str(tmp_path))):
        optimizer.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


def test_a_subclass_may_have_attributes_of_its_own() -> None:
    class Mine(SGD):
        note = ""

    optimizer = Mine(0.5)
    optimizer.note = "mine"
    assert (optimizer.note, Mine.note) == ("mine", "")
    with pytest.raises(AttributeError, match="has no attribute 'notes'"):
        optimizer.notes = "mine"
    for name in ("apply", "slots", "select_mode", "finite"):
        with pytest.raises(AttributeError, match=f"cannot set attribute '{name}'"):
            setattr(optimizer, name, None)
