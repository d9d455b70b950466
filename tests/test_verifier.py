"""The verifier notices what a wrong pass would do, and shows the IR that it made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

import optgen.passes
from optgen.frontend.common import common_programs
from optgen.ir.expr import Apply, Number, Ref
from optgen.ir.program import Output, Schedule, Variant
from optgen.ir.verify import (
    VerificationError,
    verify_hoisted,
    verify_schedule,
    verify_variant,
)
from optgen.passes import compile_mode
from tests.oracle import compiled, spec_modes


def forms(spec: str, mode: str) -> dict[str, Variant | Schedule]:
    """A mode after each pass."""
    found: dict[str, Variant | Schedule] = {}
    compile_mode(compiled(spec).program, mode, lambda name, code: found.update({name: code}))
    return found


def hoisted(spec: str = "novograd", mode: str = "amsgrad") -> Variant:
    code = forms(spec, mode)["hoist"]
    assert isinstance(code, Variant)
    return code


def schedule(spec: str = "novograd", mode: str = "amsgrad") -> Schedule:
    code = forms(spec, mode)["split"]
    assert isinstance(code, Schedule)
    return code


@pytest.mark.parametrize(("spec", "mode"), spec_modes(), ids="-".join)
def test_what_the_passes_make_is_in_order(spec: str, mode: str) -> None:
    assert list(forms(spec, mode)) == ["specialize", "isolate", "hoist", "split"]


def without_a_line(variant: Variant) -> Variant:
    return replace(variant, lines=variant.lines[1:])


def with_a_line_twice(variant: Variant) -> Variant:
    return replace(variant, lines=(*variant.lines, variant.lines[-1]))


def with_an_unknown_store(variant: Variant) -> Variant:
    return replace(variant, outputs=(*variant.outputs, Output("x", variant.outputs[0].symbol)))


def with_an_unknown_result(variant: Variant) -> Variant:
    return replace(variant, results=(Output("x", variant.outputs[0].symbol),))


def with_a_wrong_arity(variant: Variant) -> Variant:
    line = replace(variant.lines[-1], value=Apply("add", (Number(1.0),)))
    return replace(variant, lines=(*variant.lines[:-1], line))


def outside_its_stage(variant: Variant) -> Variant:
    """The author's last line uses a value that exists only while gradients are clipped."""
    scale = next(line.target for line in variant.lines if line.target.name == "clipnorm_scale")
    last = max(i for i, line in enumerate(variant.lines) if line.stage is None)
    line = variant.lines[last]
    line = replace(line, value=Apply("multiply", (line.value, Ref(scale))))
    return replace(variant, lines=(*variant.lines[:last], line, *variant.lines[last + 1 :]))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_a_line, "used before it is set"),
        (with_a_line_twice, "assigned twice"),
        (with_an_unknown_store, "unknown slots"),
        (with_an_unknown_result, "no step value"),
        (with_a_wrong_arity, "wrong arity"),
        (outside_its_stage, "exists only in stage clipnorm"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_spoilt_variant_is_noticed(spoil: Callable[[Variant], Variant], message: str) -> None:
    with pytest.raises(VerificationError, match=message):
        verify_variant(spoil(hoisted()))


def test_an_expression_left_in_a_loop_is_noticed() -> None:
    code = forms("adam", "plain")["isolate"]
    assert isinstance(code, Variant)
    verify_variant(code)
    with pytest.raises(VerificationError, match="was not hoisted"):
        verify_hoisted(code)


def test_a_phase_that_needs_a_later_one_is_noticed() -> None:
    good = schedule()
    with pytest.raises(VerificationError, match="used before it is set"):
        verify_schedule(replace(good, phases=good.phases[::-1]))


def test_a_store_before_the_last_load_is_noticed() -> None:
    """What would apply an update twice: an early phase writes what a later one reads."""
    good = schedule()
    *early, last = good.phases
    writing = replace(early[-1], stores=(Output("g", early[-1].loads[0].symbol),))
    with pytest.raises(VerificationError, match="an earlier phase stored"):
        verify_schedule(replace(good, phases=(*early[:-1], writing, last)))


def test_a_result_without_its_line_is_noticed() -> None:
    _, _, finite = common_programs()
    good = compile_mode(finite, "finite")
    assert good.phases
    assert good.closing_lines
    with pytest.raises(VerificationError, match="nonfinite is never computed"):
        verify_schedule(replace(good, closing_lines=()))
    with pytest.raises(VerificationError, match="used before it is set"):
        verify_schedule(replace(good, phases=()))


def test_a_value_that_is_not_loaded_is_noticed() -> None:
    good = schedule()
    *early, last = good.phases
    with pytest.raises(VerificationError, match="not loaded"):
        verify_schedule(replace(good, phases=(*early, replace(last, loads=last.loads[1:]))))


def test_an_internal_error_shows_what_the_guilty_pass_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = [
        replace(p, run=without_a_line) if p.name == "hoist" else p for p in optgen.passes.PASSES
    ]
    monkeypatch.setattr(optgen.passes, "PASSES", tuple(broken))
    with pytest.raises(VerificationError) as caught:
        compile_mode(compiled("sgd").program, "momentum")
    (note,) = caught.value.__notes__
    assert "After the pass `hoist`" in note
    assert "variant momentum" in note
