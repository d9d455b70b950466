"""Schedule -> the functions of a CUDA module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from optgen.backends.artifact import Artifact, Source, header, templates
from optgen.backends.layout import ModeLayout
from optgen.backends.numba_cuda.axes import (
    axis_kernels,
    axis_kernels_constant,
    combining_parts,
)
from optgen.backends.numba_cuda.launch import (
    chunks_kernel,
    fold_kernel,
    step_kernel,
    variables_kernel,
)
from optgen.backends.numba_text.axes import axis_functions
from optgen.backends.numba_text.dialect import AxisDialect, AxisLoop, Dialect, Lanes
from optgen.backends.numba_text.kernel import kernel_function
from optgen.backends.numba_text.module import import_line, module_functions
from optgen.backends.numba_text.phase import PhaseText
from optgen.backends.numba_text.variable import variable_function
from optgen.backends.pytext import names_used
from optgen.backends.step_scalars import ScalarFunction, stage_functions
from optgen.ir.rate import COLUMN, Rate

AXIS_HELPERS = (
    "axis_columns",
    "axis_matrices",
    "axis_rows",
    "fold_panels",
    "fold_panels_maximum",
    "matrix_number",
    "maxima_of_columns",
    "maxima_of_rows",
    "number_of_column",
    "number_of_row",
    "range_of_block",
    "scratch",
    "spread_columns",
    "spread_matrices",
    "spread_rows",
    "sum_matrices",
    "sums_of_columns",
    "sums_of_rows",
    "variable_number",
    "variable_of_block",
)

INDEX_HELPERS = ("axis_indices", "index_columns", "index_maxima", "index_rows")

HELPERS = (
    "BLOCK",
    "LANES",
    "chunk_of_block",
    "chunk_of_tile",
    "chunk_sums",
    "elements",
    "exp",
    "fold_blocks",
    "fold_blocks_maximum",
    "fold_lanes",
    "fold_lanes_maximum",
    "log",
    "maximum",
    "minimum",
    "number",
    "numbers",
    "optional_elements",
    "optional_number",
    "range_of_thread",
    "rounded",
    "row_of_thread",
    "sign",
    "sqrt",
    "square",
    "step_numbers",
    "summed_number",
    "tanh",
)


def emit_cuda_module(
    module: str,
    title: str,
    modes: Sequence[ModeLayout],
    source: Source | None,
    stages: ModeLayout | None = None,
) -> Artifact:
    """The CUDA module of an optimizer.

    Args:
        module: the name of the optimizer's module.
        title: the module's docstring, one line.
        modes: the optimizer's modes.
        source: the spec it comes from.
        stages: any mode with all common stages around it, to add what these compute on the device.
    """
    texts = [] if stages is None else list(_step_functions(stage_functions(stages, "cuda")))
    texts += module_functions(modes, DIALECT, _phase_functions)
    axes = any(mode.axes.columns for mode in modes)
    text = (
        templates("optgen.backends.numba_cuda")
        .get_template("module.py.j2")
        .render(
            header=header(source, "CUDA kernels", compiled="cuda_axes" if axes else "cuda"),
            title=title,
            imports=_imports("\n".join(texts)),
            functions=texts,
        )
    )
    return Artifact(f"{module}_cuda.py", text)


def _element_loop(array: str) -> list[str]:
    return [f"    for i in range_of_thread({array}.size):"]


def _block_loop(array: str, lanes: Sequence[Lanes]) -> list[str]:
    return [
        *(f"    {each.name} = cuda.shared.array(LANES, float64)" for each in lanes),
        "    for block in range(block_sums.shape[0]):",
        "        start = block * BLOCK",
        f"        stop = min(start + BLOCK, {array}.size)",
        "        for lane in range(cuda.threadIdx.x, LANES, cuda.blockDim.x):",
        *(f"            {each.name}[lane] = {each.initial}" for each in lanes),
        "            for i in range(start + lane, stop, LANES):",
    ]


def _spread(name: str, rate: Rate) -> str:
    return f"number_of_{'column' if rate == COLUMN else 'row'}({name}, i)"


def _loop_of_matrices(place: str, array: str, matrices: str, length: str) -> AxisLoop:
    return AxisLoop(
        (
            f"{length} = {array}.size // {matrices}.size",
            f"for {place} in range_of_block({array}.size):",
            f"    matrix = {place} // {length}",
        ),
        1,
    )


DIALECT = Dialect(
    "cuda",
    "device",
    _element_loop,
    _block_loop,
    lambda source: f"summed_number({source}, tables)",
    AxisDialect(
        spread=_spread,
        scratch=lambda index: f"scratch(tables, chunk, {index})",
        loop=lambda place, array: AxisLoop((f"for {place} in range_of_block({array}.size):",), 1),
        loop_of_matrices=_loop_of_matrices,
        between_loops=("cuda.syncthreads()",),
    ),
)


def _phase_functions(text: PhaseText) -> list[str]:
    """A phase's functions, in the order in which they call each other."""
    found = []
    if text.has_variable_function:
        found += [variable_function(text), variables_kernel(text)]
    for function in axis_functions(text):
        found += function.texts
    found += [kernel.text for kernel in axis_kernels(text)]
    if axis_kernels(text):
        found.append(axis_kernels_constant(text))
    if text.layout.has_loop:
        found += [kernel_function(text), chunks_kernel(text)]
    if text.has_blocks:
        found.append(fold_kernel(text))
    return [*found, *combining_parts(text).values()]


def _step_functions(functions: Iterable[ScalarFunction]) -> Iterable[str]:
    """What the common stages compute from sums over all variables."""
    for function in functions:
        if function.summed:
            yield function.compiled_text(f"@device\ndef {function.stem}_scalars")
            yield step_kernel(function)


def _imports(text: str) -> str:
    """The import lines that a text needs."""
    used = names_used(text)
    lines = ["import numpy as np"] if "np" in used else []
    numba = [name for name in ("cuda", "float64") if name in used]
    lines += [f"from numba import {', '.join(numba)}"] if numba else []
    lines += [""] if lines else []
    decorators = [name for name in ("device", "kernel", "kernel_if") if name in used]
    if used.intersection(AXIS_HELPERS):
        lines.append(import_line("optgen.runtime.cuda.axis_kernels", AXIS_HELPERS, used))
    lines.append(f"from optgen.runtime.cuda.compilation import {', '.join(decorators)}")
    if used.intersection(INDEX_HELPERS):
        lines.append(import_line("optgen.runtime.cuda.index_kernels", INDEX_HELPERS, used))
    lines.append(import_line("optgen.runtime.cuda.kernels", HELPERS, used))
    return "\n".join(lines)
