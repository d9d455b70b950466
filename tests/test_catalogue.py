"""Every mode of every spec, once: against the interpreter, and against its reference.

This is the sample of the whole matrix that fits into minutes; `python -m tests.parity` goes
through all of it and writes docs/parity.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from optgen.ir.expr import symbols
from optgen.testing import Case, check_named
from tests.generated_classes import Arguments, last_mode
from tests.oracle import CORE, EVERY_SPEC, Oracle, compiled, spec_modes, spec_names, subject
from tests.parity.measuring import against_reference, drawn_arguments, row_of_common_arguments
from tests.references.comparison import defaults, random_run
from tests.references.sources import rule_of

COMPARED = ("parity", "zeros", "magnitudes", "non_finite")
"""Comparisons with the interpreter, along gradients of all kinds, by the same kernels."""


def sampled_cases() -> list[Any]:
    """A case with common arguments for the last mode of each spec that other tests leave out.

    The other modes have it where all specs are tested thoroughly; tests/parity has it for all.
    """
    found = []
    for spec, mode in spec_modes():
        if spec not in CORE and (EVERY_SPEC or mode == last_mode(spec)):
            case = Case(mode, "float32", row_of_common_arguments(spec, mode))
            found.append(pytest.param(spec, case, id=f"{spec}-{case}"))
    return found


@pytest.mark.parametrize(("spec", "case"), sampled_cases())
def test_a_mode_equals_the_interpreter(spec: str, case: Case) -> None:
    for name in COMPARED:
        figure = check_named(name).run(subject(spec), case).figure
        if subject(spec).is_exact(case.mode):
            assert figure == 0.0, name


@pytest.mark.parametrize(
    ("spec", "mode"), [pytest.param(*pair, id="-".join(pair)) for pair in spec_modes()]
)
def test_a_mode_equals_its_reference(spec: str, mode: str) -> None:
    against_reference(spec, mode)


def hyperparameters() -> list[Any]:
    """Every number that a mode reads, in every mode that reads it."""
    found = []
    for spec, mode in spec_modes():
        program = compiled(spec).program
        read = numbers_read(spec, mode)
        for h in program.hyperparameters:
            if h.kind in ("float", "int") and h.name in read:
                found.append(pytest.param(spec, mode, h.name, id=f"{spec}-{mode}-{h.name}"))
    return found


def numbers_read(spec: str, mode: str) -> set[str]:
    """The hyperparameters that the equations of a mode mention, or that start its slots."""
    program = compiled(spec).program
    chosen = program.mode(mode)
    used = {s.name for e in chosen.equations for s in symbols(e.value)}
    starts = {str(slot.initial) for slot in program.slots if slot.name in chosen.slots}
    return used | starts


@pytest.mark.parametrize(("spec", "mode", "name"), hyperparameters())
def test_every_hyperparameter_changes_the_result(spec: str, mode: str, name: str) -> None:
    """A number that a mode reads and that changes nothing is a mistake in the equations."""
    (h,) = (h for h in compiled(spec).program.hyperparameters if h.name == name)
    # A bound may act on small gradients alone, or on steps that others make large enough.
    for seed in range(8):
        own = drawn_arguments(spec, mode, np.random.default_rng(seed))
        value = own.get(name, h.default)
        other = value * 1.25 if h.kind == "float" else value + 2
        if other > h.largest:
            other = value * 0.8
        runs = [
            state_after(spec, mode, {**own, name: x}, tiny=seed % 2 == 1) for x in (value, other)
        ]
        if runs[0] != runs[1]:
            return
    pytest.fail(f"{name} changes nothing")


def state_after(spec: str, mode: str, arguments: Arguments, *, tiny: bool) -> list[bytes]:
    """Variables and state that the interpreter comes to; the signs of gradients change a lot."""
    variables, gradients = random_run(spec + mode, tiny=tiny)
    oracle = Oracle(compiled(spec).program, mode, variables, arguments)
    for given in gradients:
        oracle.step(list(given))
    names = [slot.name for slot in oracle.update.slots if slot.name not in oracle.step_slots]
    state = [tensor[name] for tensor in oracle.tensors for name in ("w", *names) if name in tensor]
    return [np.asarray(x).tobytes() for x in [*state, *oracle.step_slots.values()]]


@pytest.mark.parametrize("spec", spec_names())
def test_arguments_are_those_of_the_reference(spec: str) -> None:
    """In the same order, with the same defaults, which other tests compare with the source's."""
    theirs = defaults(rule_of(spec))
    ours = {h.name: h.default for h in compiled(spec).program.hyperparameters}
    assert ours == {name: theirs[name] for name in ours}
    assert list(ours) == [name for name in theirs if name in ours]


def test_every_hyperparameter_is_read_by_some_mode_or_condition() -> None:
    for spec in spec_names():
        program = compiled(spec).program
        read = {name for mode in program.modes for name in numbers_read(spec, mode.name)}
        read |= {name for mode in program.modes for name in mode.reads}
        assert {h.name for h in program.hyperparameters} <= read
