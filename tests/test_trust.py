"""The checks of `optgen.testing` hold for every spec of the project, and notice what is broken."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numba
import pytest

from optgen.optimizers import SGD
from optgen.testing import CHECKS, Case, check_named, load_subject
from optgen.testing.plan import Outcome, planned, reproduction, run_case
from optgen.testing.processes import outcomes as outcomes_of
from optgen.testing.subject import Subject
from tests.broken_optimizers import FAULTS, OffByOneUnitInOneMode
from tests.generated_classes import last_mode
from tests.oracle import SPECS, subject, thorough_specs

COMPARED_ELSEWHERE = {"parity", "large", "common_arguments", "examples", "resume"}
"""Checks that other tests run, in more cases."""


def cases() -> Iterator[Any]:
    """The last mode of every spec, which has the most slots; of ``hyperparameters`` all cases."""
    for spec in thorough_specs():
        for check, case in planned(subject(spec), quick=True):
            if check.name not in COMPARED_ELSEWHERE and case.mode == last_mode(spec):
                yield pytest.param(spec, check.name, case, id=f"{spec}-{check.name}-{case}")
        for name in ("zeros", "non_finite"):
            for common in ({"clipvalue": 0.4}, {"global_clipnorm": 1.3}):
                case = Case(last_mode(spec), "float32", common)
                yield pytest.param(spec, name, case, id=f"{spec}-{name}-{case}")


@pytest.mark.parametrize(("spec", "name", "case"), list(cases()))
def test_the_property_holds(spec: str, name: str, case: Case) -> None:
    check_named(name).run(subject(spec), case)


def outcomes(cls: type[SGD], name: str) -> list[Outcome]:
    """What a check says of a class in SGD's last mode."""
    tested, check = replace(subject("sgd"), optimizer_class=cls), check_named(name)
    found = [case for case in check.cases(tested, False) if case.mode == last_mode("sgd")]
    if name in ("parity", "common_arguments"):
        found = [case for case in found if case.common in ({}, {"clipvalue": 0.4})]
    return [run_case(tested, check, case) for case in found]


def faults() -> Iterator[Any]:
    """The broken classes; threads can be compared where there are several."""
    for cls, (name, _) in FAULTS.items():
        alone = name == "threads" and numba.get_num_threads() == 1
        marks = pytest.mark.skipif(alone, reason="this machine has one processor")
        yield pytest.param(cls, id=cls.__name__, marks=marks)


@pytest.mark.parametrize("cls", list(faults()))
def test_a_broken_optimizer_is_noticed_by_the_check_for_its_fault(cls: type[SGD]) -> None:
    name, message = FAULTS[cls]
    messages = [outcome.message for outcome in outcomes(cls, name) if outcome.message]
    assert messages, f"{name} notices nothing"
    assert any(re.search(message, found, re.DOTALL) for found in messages), messages


@pytest.mark.parametrize("name", [check.name for check in CHECKS])
def test_the_same_cases_pass_without_a_fault(name: str) -> None:
    found = outcomes(SGD, name)
    assert found
    assert [outcome.message for outcome in found if outcome.message] == []
    assert name in {check for check, _ in FAULTS.values()}, "a fault for every check"


def test_a_failure_comes_with_its_smallest_case_and_how_to_see_it_again() -> None:
    tested = replace(subject("sgd"), optimizer_class=OffByOneUnitInOneMode)
    case = Case("nesterov", "float32", {"clipvalue": 0.4}, seed=5)
    outcome = run_case(tested, check_named("parity"), case)
    assert outcome.smallest == Case("nesterov", "float32", {}, ((3, 4),), 1, 5)
    assert reproduction(tested, outcome).splitlines() == [
        "from optgen.testing import Case, check_named, load_subject",
        "subject = load_subject('specs/sgd.toml')",
        "case = Case(mode='nesterov', shapes=((3, 4),), calls=1, seed=5)",
        "check_named('parity').run(subject, case)",
    ]
    assert not outcome.finding
    other = run_case(tested, check_named("parity"), replace(case, mode="momentum"))
    assert other.finding
    assert other.finding.figure == 0.0


class Deadly:
    """Unpickling it ends the process."""

    def __reduce__(self) -> Any:
        return os._exit, (3,)


def test_a_process_that_dies_is_a_failure_of_its_cases() -> None:
    check = check_named("repeat")
    case = Case("plain", "float32", {"weight_decay": Deadly()}, ((2,),), 2)
    spec = str(SPECS / "sgd.toml")
    plan = [(check, Case("plain", "float64", {}, ((2,),), 2)), (check, case)]
    found = {outcome.case.dtype: outcome.message for outcome in outcomes_of(spec, plan, jobs=2)}
    assert found["float64"] == ""
    assert "the process died" in found["float32"]


ACTING = {
    "after ten steps": "w = w - learning_rate * g * where(t > 10, knob, 1)",
    "where all is small": "w = w - learning_rate * g / maximum(abs(g), knob * 0.001)",
    "in bounds that do not cross": "w = w - learning_rate * clip(g, low, maximum(low, knob))",
}
UNREAD = "m = knob * m + g\nw = w - learning_rate * g"


def with_knob(update: str, folder: Path, evaluation: str = "") -> Subject:
    """An optimizer with a hyperparameter ``knob``, and others that it is drawn beside."""
    path = folder / "knobs.toml"
    slots = '[slots]\nm = { doc = "What nobody reads." }\n' if "m =" in update else ""
    low = 'low = { default = -1.0, doc = "Lower end." }\n' if "low" in update else ""
    path.write_text(
        f'name = "Knobs"\nsummary = "A rule."\nupdate = """\n{update}\n"""\n{evaluation}\n'
        '[hyperparameters]\nlearning_rate = { default = 0.1, doc = "Step." }\n'
        f'{low}knob = {{ default = 0.5, min = 0.0, doc = "Something." }}\n{slots}'
    )
    return load_subject(path)


def check_knob(subject: Subject) -> None:
    names = [h.name for h in subject.program.hyperparameters]
    check = check_named("hyperparameters")
    (case,) = [c for c in check.cases(subject, True) if c.index == names.index("knob")]
    check.run(subject, case)


@pytest.mark.parametrize("update", ACTING.values(), ids=ACTING)
def test_a_hyperparameter_may_act_in_some_circumstances_alone(update: str, tmp_path: Path) -> None:
    check_knob(with_knob(update, tmp_path))


def test_a_hyperparameter_of_what_no_variable_depends_on_does_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="knob: expected another value .* within 16 steps"):
        check_knob(with_knob(UNREAD, tmp_path))
    check_knob(with_knob(UNREAD, tmp_path, "evaluation = 'w = w - learning_rate * m'"))
