"""The passes of the compiler, one per file, in the order in which they run.

`specialize` turns a Program into a Variant and `split` turns a Variant into a Schedule; what stands
between them goes from Variant to Variant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from optgen.ir.program import Program, Schedule, Variant
from optgen.ir.text import format_schedule, format_variant
from optgen.ir.verify import (
    VerificationError,
    verify_hoisted,
    verify_schedule,
    verify_variant,
)
from optgen.passes.hoist import hoist
from optgen.passes.isolate import isolate
from optgen.passes.specialize import specialize
from optgen.passes.split import split


@dataclass(frozen=True)
class Pass:
    """A step from Variant to Variant.

    Attributes:
        name: the stage's name, as in ``optgen show --after``.
        run: the pass.
        verify: what must hold afterwards.
        reason: why it runs where it runs.
    """

    name: str
    run: Callable[[Variant], Variant]
    verify: Callable[[Variant], None]
    reason: str


PASSES = (
    Pass("isolate", isolate, verify_variant, "hoisting must see a reduction as one plain name"),
    Pass("hoist", hoist, verify_hoisted, "splitting places whole lines, each of a single rate"),
)


def compile_mode(
    program: Program,
    mode: str,
    watch: Callable[[str, Variant | Schedule], None] = lambda name, code: None,
) -> Schedule:
    """Run all passes on one mode, with the verifier after each.

    Args:
        program: the program.
        mode: the name of the mode.
        watch: called with each stage's name and result.

    Raises:
        VerificationError: if a pass broke an invariant; a defect of the compiler.
    """
    variant = specialize(program, mode)
    with _shown("specialize", format_variant(variant)):
        verify_variant(variant)
    watch("specialize", variant)
    for step in PASSES:
        variant = step.run(variant)
        with _shown(step.name, format_variant(variant)):
            step.verify(variant)
        watch(step.name, variant)
    schedule = split(variant)
    with _shown("split", format_schedule(schedule)):
        verify_schedule(schedule)
    watch("split", schedule)
    return schedule


@contextmanager
def _shown(name: str, text: str) -> Iterator[None]:
    """Add to a violation what the guilty pass made: an internal error shows the IR."""
    try:
        yield
    except VerificationError as error:
        error.add_note(f"This is a defect of optgen. After the pass `{name}`:\n{text}")
        raise


__all__ = ["PASSES", "Pass", "compile_mode"]
