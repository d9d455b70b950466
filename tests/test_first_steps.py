"""The first steps of every mode, along ordinary, zero, tiny, huge and broken gradients.

Each test is a kind of mistake that optimizers have had, over all specs. What the numbers should be
is what the hand-written references give, which share nothing with the compiler, step by step: the
interpreter is held to them here, in float64, and the classes to the interpreter in
test_catalogue.py.

Mistakes without a test here:

- that what is written differs from what runs: formulas of pages and docstrings are printed from the
  same program as the kernels, and test_latex.py reads them back and compares them with it;
- that AMSGrad is on in a saved state and off where it is loaded: slots have names, and
  test_state_access.py and test_saving.py show that a state with other slots is refused;
- wrong maxima of complex numbers: variables are float32 and float64;
- a decay that bfloat16 loses: there are no such variables, and in float32 the smallest decay that
  is not rounded away is a tenth of a millionth; what is lost above that is tested.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from optgen.ir.expr import Apply, Ref
from optgen.ir.program import Hyperparameter
from tests.beside_references import is_finite, walked
from tests.generated_classes import Arguments
from tests.oracle import Oracle, compiled, selecting, spec_modes, spec_names, subject
from tests.parity.measuring import arguments_of_run
from tests.references.comparison import COUNT, Array, Gradients, random_run

SHAPES: list[tuple[int, ...]] = [(), (5,), (3, 4), (2, 3, 2)]


def modes_where(
    holds: Callable[[str, str], bool] = lambda spec, mode: True,
) -> pytest.MarkDecorator:
    """Run a test for every mode of every spec of which something holds."""
    cases = [pytest.param(*pair, id="-".join(pair)) for pair in spec_modes() if holds(*pair)]
    return pytest.mark.parametrize(("spec", "mode"), cases)


every_mode = modes_where()


def drawn(count: int, scale: float = 1.0) -> list[list[Array]]:
    """Arrays of ranks 0 to 3, several times; always the same numbers."""
    rng = np.random.default_rng(42)
    return [
        [np.asarray(scale * rng.standard_normal(shape)) for shape in SHAPES] for _ in range(count)
    ]


START = drawn(1)[0]
ZEROS = [np.zeros(shape) for shape in SHAPES]


def arguments_of(spec: str, mode: str) -> Arguments:
    """The defaults of a mode, with numbers inside the bounds where the mode asks for one."""
    own = selecting(spec, mode)
    inside = arguments_of_run(spec, mode)
    return {name: inside[name] if value == 1.0 else value for name, value in own.items()}


def has_own_decay(spec: str) -> bool:
    """Whether a spec declares the weight decay itself, so that it is no common stage."""
    return "weight_decay" in subject(spec).declared


def fractions_of(spec: str) -> list[Hyperparameter]:
    """The hyperparameters between 0 and 1: betas, momenta and the like."""
    found = compiled(spec).program.hyperparameters
    return [h for h in found if h.kind == "float" and (h.minimum, h.maximum) == (0.0, 1.0)]


# --- B3, B42: what is special about the first steps ---------------------------------------


@every_mode
def test_the_first_three_steps(spec: str, mode: str) -> None:
    # The third variable joins in the second step.
    gradients: list[list[Any]] = [list(given) for given in drawn(3)]
    gradients[0][2] = None
    for own in (arguments_of(spec, mode), arguments_of_run(spec, mode)):
        assert is_finite(walked(spec, own, START, gradients))


@every_mode
def test_fractions_of_zero(spec: str, mode: str) -> None:
    """A decay of 0 makes averages the last value, and bias corrections 1, if they are right.

    Where a rule has no value there, its reference raises what the source does.
    """
    for h in fractions_of(spec):
        with contextlib.suppress(ValueError):
            walked(spec, {**arguments_of(spec, mode), h.name: 0.0}, START, drawn(3))


@every_mode
def test_float32_without_a_gradient_in_a_row_and_a_column(spec: str, mode: str) -> None:
    """Products of two small numbers are 0 in float32, and a quotient of them is not a number."""
    start, *steps = (
        [array.astype(np.float32) for array in arrays] for arrays in [START, *drawn(5, 1e-2)]
    )
    for gradients in steps:
        for gradient in gradients[2:]:
            gradient[..., 0, :] = gradient[..., -1] = 0.0
    oracle = Oracle(compiled(spec).program, mode, start, arguments_of(spec, mode))
    for gradients in steps:
        oracle.step(gradients)
        assert all(w.dtype == np.float32 for w in oracle.variables)
        assert is_finite(oracle)


# --- B1, B2: where epsilon is -------------------------------------------------------------


@every_mode
def test_epsilon_is_where_the_source_has_it(spec: str, mode: str) -> None:
    """At gradients around epsilon, where inside and outside of a root differ by far.

    The sizes differ from variable to variable, and within one. In the seventh step every rule is in
    its usual form; an eighth one shows that epsilon matters at these sizes.
    """
    rng = np.random.default_rng(7)
    sizes = [10.0**-size for size in range(0, 36, 4)]
    start = [rng.standard_normal((2, 3)) for _ in sizes] + [1e-3 * rng.standard_normal(len(sizes))]
    gradients = [
        [size * rng.standard_normal((2, 3)) for size in sizes]
        + [sizes * rng.standard_normal(len(sizes))]
        for _ in range(7)
    ]
    own = arguments_of(spec, mode)
    walked(spec, own, start, gradients)
    for h in compiled(spec).program.hyperparameters:
        if h.name.startswith("epsilon"):
            runs = [walked(spec, {**own, h.name: x}, start, gradients) for x in (1e-3, 0.1)]
            steps = [one_more_step(run, gradients[0]) for run in runs]
            assert any(
                np.any(np.abs(small - large) > 0.1 * np.abs(small))
                for small, large in zip(*steps, strict=True)
            ), f"{h.name} changes no step"


def one_more_step(oracle: Oracle, gradients: Gradients) -> list[Array]:
    """How far each variable moves in a further step."""
    before = [np.array(w) for w in oracle.variables]
    oracle.step(gradients)
    return [w - start for w, start in zip(oracle.variables, before, strict=True)]


# --- B4, B5: decay ------------------------------------------------------------------------


def after_one_step(spec: str, mode: str, decay: float, rate: float) -> list[Array]:
    """What the variables are after a step along zero gradients, as the reference says too."""
    own, common = {**arguments_of(spec, mode), "learning_rate": rate}, {}
    (own if has_own_decay(spec) else common)["weight_decay"] = decay
    return walked(spec, own, START, [ZEROS], **common).variables


@every_mode
def test_decay_alone_is_proportional_to_the_learning_rate(spec: str, mode: str) -> None:
    """Neither coupled to the gradient, nor doubled, nor without the learning rate.

    A variable that a zero gradient moves, or whose first average is a slot from before the decay,
    is compared with the reference alone.
    """
    rate, decay = 0.125, 0.25
    whole = after_one_step(spec, mode, decay, rate)
    half = after_one_step(spec, mode, decay, rate / 2)
    rest = after_one_step(spec, mode, 0.0, rate)
    if any(str(slot.initial) == "w" for slot in compiled(spec).program.slots):
        return
    for start, w, halved, resting in zip(START, whole, half, rest, strict=True):
        if np.array_equal(start, resting):
            assert_allclose(start - w, 2 * (start - halved), rtol=1e-12, atol=1e-15)
            if not has_own_decay(spec):
                assert_allclose(w, start * (1 - decay * rate), rtol=1e-14)


@pytest.mark.parametrize("spec", [spec for spec in spec_names() if not has_own_decay(spec)])
def test_float32_keeps_a_small_decay(spec: str) -> None:
    """The common decay, in float32, of a hundred-thousandth a step."""
    mode, steps = subject(spec).modes[0], 64
    own = {**arguments_of(spec, mode), "learning_rate": 0.01}
    gradients = [np.float32(w) for w in ZEROS]
    oracles = [
        Oracle(compiled(spec).program, mode, [np.float32(w) for w in START], {**own, **decay})
        for decay in ({}, {"weight_decay": 1e-3})
    ]
    for oracle in oracles:
        for _ in range(steps):
            oracle.step(gradients)
    for start, without, w in zip(START, *(o.variables for o in oracles), strict=True):
        if np.array_equal(np.float32(start), without):
            assert_allclose(1 - w / without, 1 - (1 - 1e-5) ** steps, rtol=0.02)


# --- B25: precision of hyperparameters ----------------------------------------------------


@every_mode
def test_float32_does_not_round_hyperparameters(spec: str, mode: str) -> None:
    """1 - 0.9999 in float32 is off by 1e-4; slots after a step show what it was computed in."""
    for h in fractions_of(spec):
        own = {**arguments_of(spec, mode), h.name: 0.9999}
        program, given = compiled(spec).program, [np.float32(g) for g in drawn(2)[1]]
        start = [np.float32(w) for w in START]
        single = Oracle(program, mode, start, own)
        double = Oracle(program, mode, [w.astype(np.float64) for w in start], own)
        for oracle in (single, double):
            oracle.step(given)
        for name in (slot.name for slot in single.update.slots if slot.name in single.tensors[0]):
            for ours, exact in zip(single.tensors, double.tensors, strict=True):
                assert_allclose(ours[name], exact[name], rtol=1e-6, err_msg=name)


# --- B26: zeros ---------------------------------------------------------------------------


@every_mode
@pytest.mark.parametrize("start", [START, ZEROS], ids=["variables", "zeros"])
def test_zero_gradients(spec: str, mode: str, start: list[Array]) -> None:
    """Neither zero gradients, nor zero variables, nor norms of zero make NaN; and then it goes on.

    What moves without a gradient is what the reference moves as well.
    """
    for own in (arguments_of(spec, mode), arguments_of_run(spec, mode)):
        assert is_finite(walked(spec, own, start, [ZEROS] * 3 + drawn(2)))


# --- B26, B30: what is not finite, and what is hardly a number ----------------------------


def broken(value: float) -> Callable[[], list[Gradients]]:
    """Ordinary gradients with one element in the second step that is not."""

    def gradients() -> list[Gradients]:
        found = drawn(4)
        for g in found[1]:
            g.reshape(-1)[0] = value
        return found

    return gradients


EXTREMES: dict[str, Callable[[], Sequence[Gradients]]] = {
    "1e-30": lambda: drawn(4, 1e-30),
    "denormal": lambda: drawn(4, 1e-310),
    "1e30": lambda: drawn(4, 1e30),
    "overflow": lambda: drawn(4, 1e160),
    "inf": broken(np.inf),
    "minus-inf": broken(-np.inf),
    "nan": broken(np.nan),
}


@every_mode
@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("start", [START, ZEROS], ids=["variables", "zeros"])
def test_extreme_gradients(spec: str, mode: str, extreme: str, start: list[Array]) -> None:
    """What the reference gives, NaN where it gives NaN; finite where squares are."""
    oracle = walked(spec, arguments_of(spec, mode), start, EXTREMES[extreme]())
    if extreme in ("1e-30", "denormal", "1e30"):
        assert is_finite(oracle)


@modes_where(lambda spec, mode: subject(spec).is_elementwise(mode))
@pytest.mark.parametrize("extreme", ["inf", "minus-inf", "nan"])
def test_what_is_not_finite_stays_where_it_is(spec: str, mode: str, extreme: str) -> None:
    """Where an update is elementwise, the other elements keep every bit."""
    own = arguments_of(spec, mode)
    dirty = walked(spec, own, START, EXTREMES[extreme]())
    clean = walked(spec, own, START, drawn(4))
    for ours, expected in zip(dirty.variables, clean.variables, strict=True):
        assert_array_equal(ours.reshape(-1)[1:], expected.reshape(-1)[1:])


def maxima_of(spec: str, mode: str) -> list[str]:
    """The slots that hold the largest of all values so far."""
    found = []
    for line in compiled(spec).program.mode(mode).equations:
        value, target = line.value, line.target
        if isinstance(value, Apply) and value.function == "maximum":
            read = [arg.symbol.name for arg in value.args if isinstance(arg, Ref)]
            found += [target.name] if target.name in read else []
    return found


@modes_where(lambda spec, mode: bool(maxima_of(spec, mode)))
def test_maxima_never_fall(spec: str, mode: str) -> None:
    """AMSGrad's divisor: of large gradients that become small it remembers the large ones."""
    own = arguments_of(spec, mode)
    start, gradients = random_run(spec + mode)
    oracle = Oracle(compiled(spec).program, mode, start, own)
    for name in maxima_of(spec, mode):
        before = [np.array(tensor[name]) for tensor in oracle.tensors]
        for number, given in enumerate(gradients):
            oracle.step([g * 0.25**number for g in given if g is not None])
            after = [np.array(tensor[name]) for tensor in oracle.tensors]
            assert all(np.all(a >= b) for a, b in zip(after, before, strict=True))
            before = after
        assert all(np.all(largest > 0) for largest in before), f"{COUNT} steps left {name} at 0"
