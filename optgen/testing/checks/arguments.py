"""Every argument does what it says, and none is lost on the way."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from optgen.ir.program import Hyperparameter
from optgen.testing.alternatives import alternatives
from optgen.testing.arrays import Array, assert_same_bytes
from optgen.testing.case import NOTHING, Case, Check, Finding, each_mode
from optgen.testing.oracle import Oracle
from optgen.testing.pairwise import choices_without
from optgen.testing.steps import stepped
from optgen.testing.subject import Arguments, Subject

_SHAPES = ((4,), (2, 3))

_TINY = 1e-4
"""Size of variables and gradients beside which an epsilon, or a smallest value, is large."""


def check_hyperparameter(subject: Subject, case: Case) -> Finding:
    """A change of one hyperparameter changes a variable, or what it is evaluated as, in some mode.

    In every mode, it does so in the class exactly where it does so in the interpreter.
    """
    h = subject.program.hyperparameters[case.index]
    cases = [replace(case, mode=mode) for mode in subject.modes]
    silent = [each.mode for each in cases if not _acts_somehow(subject, each, h)]
    assert len(silent) < len(cases), (
        f"{h.name}: expected another value of it to change the variables within {2 * case.calls} "
        f"steps in some mode; it changes them in none ({', '.join(silent)})"
    )
    return Finding(notes=(f"{h.name} has no effect in {', '.join(silent)}",) if silent else ())


def _acts_somehow(subject: Subject, case: Case, h: Hyperparameter) -> bool:
    """Whether other values of a hyperparameter change variables in some circumstances."""
    for trial, base in _circumstances(subject, case):
        changed = [{**base, h.name: other} for other in alternatives(h, base[h.name])]
        # All of them, because each compares the class with the interpreter.
        acts = [_acts(subject, trial, base, other, "variable/") for other in changed]
        if any(acts):
            return True
    return False


def _circumstances(subject: Subject, case: Case) -> Iterator[tuple[Case, Arguments]]:
    """Cases and arguments in which a hyperparameter may act.

    Drawn values may leave no room for one, as bounds that have crossed do; some act after a number
    of steps, and others where everything is small.
    """
    yield case, case.arguments(subject)
    defaults = {h.name: h.default for h in subject.program.hyperparameters}
    usual = {**case.common, **defaults, **subject.selecting(case.mode)}
    for size in (1.0, _TINY):
        yield replace(case, calls=2 * case.calls, size=size), usual


def _acts(
    subject: Subject, case: Case, base: Arguments, other: Arguments, results: str = ""
) -> bool:
    """Whether the class gives other results under other arguments, as the interpreter does.

    Args:
        subject: the optimizer.
        case: its variables, gradients and number of calls.
        base: all arguments that differ from their defaults.
        other: likewise.
        results: what the names of the arrays begin with that count as results.
    """
    modes = subject.mode_of(base), subject.mode_of(other)
    runs = [
        _results(subject, case, mode, arguments, results)
        for mode, arguments in zip(modes, (base, other), strict=True)
    ]
    (one, first), (two, second) = runs
    actual, expected = _differ(one, two), _differ(first, second)
    names = [name for name in {**base, **other} if base.get(name) != other.get(name)]
    exact = all(subject.is_exact(mode) for mode in modes)
    assert actual == expected or not exact, (
        f"in mode {modes[0]}, {_call({name: other.get(name) for name in names})} instead of "
        f"{_call({name: base.get(name) for name in names})}: expected "
        f"{'other' if expected else 'the same'} results, as in the interpreter; received "
        f"{'other' if actual else 'the same'} ones"
    )
    return actual


def _results(
    subject: Subject, case: Case, mode: str, arguments: Arguments, results: str
) -> tuple[dict[str, Array], dict[str, Array]]:
    """What the class and what the interpreter make of a case's gradients."""
    variables = case.variables()
    oracle = Oracle(subject.program, mode, variables, arguments)
    optimizer = subject.optimizer_class(**arguments)
    computed = stepped(optimizer, variables, case.gradients, range(case.calls))
    for call in range(case.calls):
        oracle.step(case.gradients(call))
    interpreted = oracle.arrays(computed)
    if subject.program.evaluations and optimizer.iterations:
        optimizer.eval()
        for index, expected in enumerate(oracle.evaluate()):
            name = f"variable/{index} in an evaluation"
            computed[name], interpreted[name] = variables[index].copy(), expected
    return (
        {name: array for name, array in computed.items() if name.startswith(results)},
        {name: array for name, array in interpreted.items() if name.startswith(results)},
    )


def _differ(one: Mapping[str, Array], other: Mapping[str, Array]) -> bool:
    if one.keys() != other.keys():
        return True
    return not all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)


def _call(arguments: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def check_common_arguments(subject: Subject, case: Case) -> Finding:
    """Each common argument, off, on and with another value, acts exactly as in the interpreter."""
    base = case.arguments(subject)
    for name, value in case.common.items():
        if not isinstance(value, bool):
            other = value + 1 if isinstance(value, int) else value / 2
            _acts(subject, case, base, {**base, name: other})
    off = {name: value for name, value in base.items() if name not in case.common}
    _acts(subject, case, off, base)
    return NOTHING


def check_configuration(subject: Subject, case: Case) -> Finding:
    """What ``get_config`` gives, by way of JSON, and what ``repr`` shows do the same."""
    first = case.optimizer(subject, name="mine")
    config = first.get_config()
    text = json.dumps(config)
    made = {
        "from_config(get_config())": subject.optimizer_class.from_config(json.loads(text)),
        "what repr shows": subject.optimizer_class(**_arguments_in(repr(first))),
    }
    expected = stepped(first, case.variables(), case.gradients, range(case.calls))
    for how, other in made.items():
        received = other.get_config()
        lost = [name for name, value in config.items() if received.get(name, ...) != value]
        assert not lost, (
            f"{how}: expected {_call({name: config[name] for name in lost})}, received "
            f"{_call({name: received.get(name) for name in lost})}"
        )
        actual = stepped(other, case.variables(), case.gradients, range(case.calls))
        assert_same_bytes(actual, expected, how)
    return NOTHING


def _arguments_in(text: str) -> Arguments:
    """The arguments of a call of a constructor, all of them literals."""
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call), f"repr: expected a call of the constructor, received {text}"
    assert not call.args, f"repr: expected arguments by name, received {text}"
    return {str(k.arg): ast.literal_eval(k.value) for k in call.keywords}


def _hyperparameter_cases(subject: Subject, quick: bool) -> tuple[Case, ...]:
    count = len(subject.program.hyperparameters)
    mode = subject.modes[-1]
    return tuple(Case(mode, "float64", {}, _SHAPES, 8, index=index) for index in range(count))


def _common_cases(subject: Subject, quick: bool) -> tuple[Case, ...]:
    if quick:
        return ()
    choices = choices_without(subject.declared).values()
    rows = [arguments for found in choices for arguments in found.values() if arguments]
    return tuple(Case(mode, "float64", row, _SHAPES, 8) for mode in subject.modes for row in rows)


CHECKS = (
    Check(
        "hyperparameters",
        "every hyperparameter acts",
        "a hyperparameter that is ignored, rounded away or shadowed by a mode",
        check_hyperparameter,
        _hyperparameter_cases,
        shrinks=(),
    ),
    Check(
        "common_arguments",
        "every common argument acts",
        "decay, clipping, averages, loss scaling or accumulation that is ignored or acts twice",
        check_common_arguments,
        _common_cases,
        shrinks=("shapes",),
    ),
    Check(
        "configuration",
        "configuration goes round",
        "options that saving, copying or printing an optimizer's arguments loses",
        check_configuration,
        each_mode,
    ),
)
