"""The compiler and the runtime, which share no code, agree on the common arguments."""

from __future__ import annotations

import dataclasses
import inspect

from optgen.frontend.common import COMMON_HYPERPARAMETERS, STAGES
from optgen.frontend.names import CLASS_MEMBERS, COMMON_ARGUMENTS, STAGE_NAMES
from optgen.passes import compile_mode
from optgen.runtime import Hyperparameter, Optimizer
from optgen.runtime.arguments import COMMON
from tests.oracle import compiled, generated, spec_names


def test_declarations_are_the_same_on_both_sides() -> None:
    names = [field.name for field in dataclasses.fields(Hyperparameter)]
    compiler = [[getattr(h, name) for name in names] for h in COMMON_HYPERPARAMETERS]
    assert compiler == [[getattr(h, name) for name in names] for h in COMMON]


def test_constructors_take_their_own_arguments_then_the_common_ones() -> None:
    for spec in spec_names():
        own = [h.name for h in compiled(spec).program.hyperparameters]
        common = [h.name for h in COMMON_HYPERPARAMETERS if h.name not in own]
        parameters = list(inspect.signature(generated(spec)).parameters)
        assert parameters == [*own, *common, "name", "kwargs"]


def test_every_name_of_the_stages_is_reserved() -> None:
    known = {*STAGE_NAMES, *COMMON_ARGUMENTS, "w", "g", "iterations"}
    assert {stage.name for stage in STAGES} <= known
    for spec in spec_names():
        program = compiled(spec).program
        for mode in program.modes:
            schedule = compile_mode(program, mode.name)
            staged = {line.target.name for line in schedule.lines() if line.stage is not None}
            assert staged <= known, staged - known


def test_every_public_member_of_the_class_is_reserved() -> None:
    """A hyperparameter of such a name would hide the member."""
    members = {name for name in dir(Optimizer) if not name.startswith("_")}
    # `lr` and `decay` may be a spec's own: then they mean what its equations say.
    assert members <= {*CLASS_MEMBERS, *COMMON_ARGUMENTS, "iterations", "learning_rate", "lr"}
