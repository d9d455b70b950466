"""How a generated class describes its optimizer to the runtime: plain, frozen data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Hyperparameter:
    """One hyperparameter of an optimizer.

    Attributes:
        name: constructor argument and attribute.
        kind: which values it takes.
        default: the value if none is given.
        minimum: lower bound, or None for no bound.
        maximum: upper bound, or None for no bound.
        exclusive_minimum: whether ``minimum`` itself is refused.
        exclusive_maximum: whether ``maximum`` itself is refused.
        optional: whether None is a value.
        choices: the values of a ``"choice"``.
        per_variable: whether kernels read it from a column of the table of one number per
            variable, because single variables may be excluded from it (they see 0).
    """

    name: str
    kind: Literal["float", "int", "bool", "choice"]
    default: float | int | bool | str | None
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    optional: bool = False
    choices: tuple[str, ...] = ()
    per_variable: bool = False


@dataclass(frozen=True)
class Slot:
    """State that an optimizer keeps between steps.

    Attributes:
        name: its name in the equations.
        rate: one number per element, per row, per column, per index of each axis, per variable, or
            per optimizer (``"step"``).
        initial: the value at build; ``"w"`` copies the variable, another name is that of a
            hyperparameter.
        optional: whether only some modes have it; such slots follow the others in the list of
            variables, as in Keras.
    """

    name: str
    rate: Literal["element", "row", "column", "index", "variable", "step"]
    initial: float | str = 0.0
    optional: bool = False


@dataclass(frozen=True)
class StageScalars:
    """Scalars that a common stage computes on the host, once per call.

    Attributes:
        stage: the stage that must be on for them to be computed.
        function: from the values of ``inputs`` to a tuple with the values of ``outputs``.
        inputs: names of known scalars.
        outputs: names by which phases and other stages refer to the results.
        cuda: for a function of sums over all variables, the module and stem of the kernel that
            computes it on a device: ``package.module.stem``; empty for others.
    """

    stage: str
    function: Callable[..., tuple[float, ...]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    cuda: str = ""


@dataclass(frozen=True)
class Phase:
    """One pass over the elements: the largest piece of a step without a reduction inside.

    Attributes:
        name: its name within the mode.
        driver: compiled driver; its first argument, of ``drivers.py``, says which threads run it.
        cuda: the module and stem of its CUDA kernels, which are imported when they are needed:
            ``package.module.stem``.
        scalars: from the values of ``inputs`` to the driver's scalars, float64 on the host.
        inputs: names of scalars of this call: hyperparameters, common arguments, ``t``,
            ``iterations``, step slots as they were before the call, outputs of stages, sums over
            all variables from earlier phases.
        stage_scalars: for each entry of the driver's ``stages`` argument the stage and the name
            of its scalar; the entry is None while the stage is off.
        stages: launch only if one of these is on; None for always.
        reductions: how many numbers per block the phase writes.
        sums_over_variables: stage, name and column: if the stage is on (or is None), the column
            is added up over the variables of the call and known by the name from then on.
        step_slots: pairs of a step slot and an index into the result of ``scalars``: the slot's
            new value, stored when the call succeeds.
        axes: whether its functions read or write numbers per row, column or index.
        panels: for a loop over panels of rows, how many numbers per column it writes for each of
            them; None for a loop over chunks.
        values: how many numbers per element that loop hands over to be combined.
    """

    name: str
    driver: Callable[..., None]
    cuda: str
    scalars: Callable[..., tuple[float, ...]]
    inputs: tuple[str, ...] = ()
    stage_scalars: tuple[tuple[str, str], ...] = ()
    stages: tuple[str, ...] | None = None
    reductions: int = 0
    sums_over_variables: tuple[tuple[str | None, str, str], ...] = ()
    step_slots: tuple[tuple[str, int], ...] = ()
    axes: bool = False
    panels: int | None = None
    values: int = 0


@dataclass(frozen=True)
class Mode:
    """One variant of an optimizer, chosen when it is constructed.

    Attributes:
        name: its name in the spec.
        columns: names of the columns of the table of one float64 per variable: its slots, its
            per-variable hyperparameters, ``size`` (the number of elements), results of reductions.
        element_slots: names, in the order in which kernels find their addresses.
        variable_slots: names of slots with one number per variable.
        step_slots: names of slots with one number per optimizer.
        axes: name, rate and first value of the numbers per matrix, row, column or index: its slots
            of these rates first, then what phases compute.
        phases: in order of execution.
    """

    name: str
    columns: tuple[str, ...] = ()
    element_slots: tuple[str, ...] = ()
    variable_slots: tuple[str, ...] = ()
    step_slots: tuple[str, ...] = ()
    axes: tuple[tuple[str, str, float], ...] = ()
    phases: tuple[Phase, ...] = ()


Value = Any
"""An argument's value: float, int, bool, str, None, or what stands for a float."""
