"""All generated CUDA kernels, compiled and linked without a device."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from optgen.backends.layout import ModeLayout, PhaseLayout, phase_names
from optgen.backends.numba_cuda.ptx import compile_kernel
from optgen.backends.numba_cuda.signatures import (
    TABLES,
    Signature,
    kernel_signatures,
    step_signatures,
)
from optgen.driver import common_modes, compile_modes
from optgen.frontend.common import stages_program
from tests.oracle import EVERY_SPEC, compiled, spec_names, thorough_specs

CAPABILITIES = ((8, 0), (9, 0))
DTYPES = ("float32", "float64")

COMMON = "common"
RUNTIME = "optgen.runtime.cuda.kernels"
RUNTIME_SIGNATURES: dict[str, Signature] = {
    "sum_over_variables": (TABLES, "int64", "int64", "int64", "int64"),
    "copy_elements": ("int64",) * 5,
}


@dataclass(frozen=True)
class Variation:
    """One way to compile a kernel.

    Attributes:
        module: the full name of its module.
        name: the kernel's name.
        stages: whether all common stages are on.
        dtype: the type of the elements.
        capability: what it is compiled for.
    """

    module: str
    name: str
    stages: bool
    dtype: str
    capability: tuple[int, int]

    @property
    def source(self) -> Any:
        """The Python function."""
        return getattr(importlib.import_module(self.module), self.name).py_func

    @property
    def reduces(self) -> bool:
        """Whether the kernel adds or compares in float64 as it goes through the elements."""
        return self.name.removesuffix("_chunks") in reducing_phases(self.module)

    @property
    def calls_library(self) -> bool:
        """Whether the kernel's loop computes powers or tanh, which are functions of CUDA's."""
        loop = replace(self, name=self.name.removesuffix("_chunks"))
        nodes = list(ast.walk(ast.parse(inspect.getsource(loop.source))))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        return "tanh" in names or any(isinstance(node, ast.Pow) for node in nodes)

    @property
    def spreads(self) -> bool:
        """Whether the kernel reads numbers per matrix, row or column at elements."""
        return any(
            layout.spreads and f"{name}_chunks" == self.name
            for name, layout in phases_of(self.module)
        )

    @property
    def hands_over(self) -> bool:
        """Whether the kernel leaves elements in float64, to be combined by rows and columns."""
        return any(
            layout.phase.reduces_axes and f"{name}_chunks" == self.name
            for name, layout in phases_of(self.module)
        )


@cache
def phases_of(module: str) -> list[tuple[str, PhaseLayout]]:
    """The phases of a generated module, under the names of their kernels."""
    modes = () if module == RUNTIME else modes_of(module)
    names = phase_names(modes)
    return [
        (names[mode.schedule.name, phase.name], mode.phase(phase))
        for mode in modes
        for phase in mode.schedule.phases
    ]


def modules() -> list[str]:
    """The full names of all modules of CUDA kernels."""
    return [*(f"optgen.optimizers.{stem}_cuda" for stem in [*spec_names(), COMMON]), RUNTIME]


def modes_of(module: str) -> tuple[ModeLayout, ...]:
    """The modes behind a generated module."""
    stem = stem_of(module)
    return common_modes() if stem == COMMON else compiled(stem).modes


def stem_of(module: str) -> str:
    """The name of the spec behind a module."""
    return module.removeprefix("optgen.optimizers.").removesuffix("_cuda")


@cache
def signatures(module: str, stages: bool) -> dict[str, Signature]:
    """The signature of every kernel of a module."""
    if module == RUNTIME:
        return RUNTIME_SIGNATURES
    found = kernel_signatures(modes_of(module), stages)
    if stem_of(module) == COMMON:
        found |= step_signatures(compile_modes(stages_program())[0])
    return found


def is_sampled(module: str) -> bool:
    """Whether a module comes from a spec that is not tested thoroughly."""
    return stem_of(module) in set(spec_names()) - set(thorough_specs())


def capabilities_of(module: str) -> tuple[tuple[int, int], ...]:
    """What a module is compiled for; specs that are not tested thoroughly take turns."""
    if not is_sampled(module):
        return CAPABILITIES
    return (CAPABILITIES[spec_names().index(stem_of(module)) % len(CAPABILITIES)],)


def variations(module: str) -> Iterator[Variation]:
    """All that a module is compiled to; what depends on dtype or stages not at all comes once.

    Of the specs that are not tested thoroughly, float32 with all stages on stands for the rest; and
    for the older capability it does so everywhere.
    """
    seen = set()
    sampled = is_sampled(module)
    for stages in (True,) if sampled else (False, True):
        for name, signature in signatures(module, stages).items():
            for dtype in DTYPES[:1] if sampled else DTYPES:
                usual = (stages and dtype == "float32") or EVERY_SPEC
                for capability in capabilities_of(module) if usual else CAPABILITIES[1:]:
                    key = (name, str(signature).replace("like", dtype), capability)
                    if key not in seen:
                        seen.add(key)
                        yield Variation(module, name, stages, dtype, capability)


@cache
def ptx(variation: Variation) -> str:
    """A kernel's PTX."""
    kernel = getattr(importlib.import_module(variation.module), variation.name)
    signature = signatures(variation.module, variation.stages)[variation.name]
    return compile_kernel(kernel, signature, variation.dtype, variation.capability)


@dataclass(frozen=True)
class Resources:
    """What the linker says of a cubin."""

    stack: int
    spill_stores: int
    spill_loads: int
    registers: int


def link(text: str, capability: tuple[int, int]) -> Resources:
    """Link PTX to a cubin; its resources as the linker reports them."""
    from cuda.core import Linker, LinkerOptions, ObjectCode

    arch = "sm_{}{}".format(*capability)
    options = LinkerOptions(arch=arch, verbose=True, ptxas_options="-v")
    linker = Linker(ObjectCode.from_ptx(text.encode()), options=options)
    assert linker.link("cubin").code
    report = linker.get_info_log()
    spills = re.findall(
        r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", report
    )
    registers = re.findall(r"Used (\d+) registers", report)
    linker.close()
    assert len(spills) == 1, report
    assert len(registers) == 1, report
    stack, stores, loads = map(int, spills[0])
    return Resources(stack, stores, loads, int(registers[0]))


@cache
def reducing_phases(module: str) -> set[str]:
    """The kernels of a module that have a reduction, without the suffix of their driver."""
    return {name.removesuffix("_fold") for name in signatures(module, True) if "_fold" in name}
