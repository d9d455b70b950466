"""What the kernels of a module are launched with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from optgen.backends.layout import ModeLayout, PhaseLayout, phase_names, summed_values
from optgen.backends.numba_cuda.axes import axis_kernels, combining_parts
from optgen.backends.numba_cuda.emit import DIALECT
from optgen.backends.numba_cuda.launch import stages_with_work
from optgen.backends.numba_text.phase import PhaseText
from optgen.backends.step_scalars import stage_functions
from optgen.ir.program import Schedule

LIKE = "like"
"""The type of the elements."""

TABLE_ENTRIES = 16
"""Addresses and lengths in the ``tables`` of a kernel, see ``runtime/cuda/kernels.py``."""

Type = str | None | tuple["Type", ...]
"""``float64``, ``int64``, LIKE, None for an argument that is None, or a tuple of these."""

Signature = tuple[Type, ...]

TABLES: Type = ("int64",) * TABLE_ENTRIES

AXIS_ENTRIES = 15
"""Entries that are added for numbers of axis rates, see ``runtime/cuda/axis_kernels.py``."""

AXIS_TABLES: Type = ("int64",) * (TABLE_ENTRIES + AXIS_ENTRIES)


def kernel_signatures(modes: Sequence[ModeLayout], stages: bool) -> dict[str, Signature]:
    """The signature of each kernel of a module.

    Args:
        modes: the optimizer's modes.
        stages: whether all common stages are on; otherwise none is.
    """
    found: dict[str, Signature] = {}
    for text in _phases(modes):
        found.update(_phase_signatures(text, stages))
    return found


def own_signatures(modes: Sequence[ModeLayout], mode: str | None) -> dict[str, Signature]:
    """The signature of each kernel that runs while no common stage is on.

    Args:
        modes: the optimizer's modes.
        mode: the mode whose kernels are wanted; None for those of all.
    """
    found: dict[str, Signature] = {}
    for text in _phases(modes):
        if mode in (None, text.mode.schedule.name) and text.phase.stages is None:
            found.update(_phase_signatures(text, stages=False))
            if stages_with_work(text) is not None:
                found.pop(f"{text.name}_variables", None)
    return found


def _phases(modes: Sequence[ModeLayout]) -> Iterator[PhaseText]:
    names = phase_names(modes)
    for mode in modes:
        for phase in mode.schedule.phases:
            name = names[mode.schedule.name, phase.name]
            yield PhaseText(mode, mode.phase(phase), name, "", DIALECT)


def step_signatures(stages: ModeLayout) -> dict[str, Signature]:
    """The signature of each kernel that computes what follows from sums over all variables.

    Args:
        stages: any mode with all common stages around it.
    """
    return {
        f"{function.stem}_step": (
            TABLES,
            tuple("int64" if name in function.summed else "float64" for name in function.inputs),
            ("int64",) * len(function.outputs),
        )
        for function in stage_functions(stages, "cuda")
        if function.summed
    }


def _phase_signatures(text: PhaseText, stages: bool) -> Iterator[tuple[str, Signature]]:
    layout, schedule = text.layout, text.mode.schedule
    scalars: Type = ("float64",) * len(layout.scalars)
    staged: Type = tuple(_stage_types(layout, schedule)) if stages else (None,) * len(layout.stages)
    if text.has_variable_function:
        yield f"{text.name}_variables", (TABLES, scalars, staged)
    if layout.has_loop:
        given = "int64" if stages else None
        tables = AXIS_TABLES if layout.needs_axes else TABLES
        yield f"{text.name}_chunks", (LIKE, tables, scalars, staged, given, given)
    if text.has_blocks:
        yield f"{text.name}_fold", (TABLES,)
    for kernel in axis_kernels(text):
        yield kernel.name, (AXIS_TABLES, scalars)
    for part in combining_parts(text):
        yield f"{text.name}_{part}", (AXIS_TABLES,)


def _stage_types(layout: PhaseLayout, schedule: Schedule) -> Iterable[Type]:
    """Numbers, or for what follows from a sum over variables where it stands on the device."""
    values = summed_values(schedule)
    summed = {
        (scalar.stage, scalar.key)
        for scalar in (*layout.loop, *layout.variable)
        if scalar.symbol in values
    }
    return ("int64" if entry in summed else "float64" for entry in layout.stages)
