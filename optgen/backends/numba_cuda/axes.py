"""The kernels of a phase that compute numbers per matrix, row, column and index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from optgen.backends.numba_text.axes import AxisFunction, axis_functions
from optgen.backends.numba_text.launch import column_reductions, combining
from optgen.backends.numba_text.phase import PhaseText, is_maximum
from optgen.backends.pytext import INDENT, LINE_LENGTH, call, docstring
from optgen.ir.program import Assign
from optgen.ir.rate import COLUMN, ROW


@dataclass(frozen=True)
class AxisKernel:
    """A kernel that runs some functions of a phase, one after the other.

    Attributes:
        name: its name.
        per_variable: whether it has a block of threads for each variable, not for each run.
        functions: what it runs.
    """

    name: str
    per_variable: bool
    functions: tuple[AxisFunction, ...]

    @property
    def text(self) -> str:
        """The kernel."""
        if self.per_variable:
            what = "Compute numbers per index, a block of threads for each variable."
            place = "variable", "variable_of_block(tables)"
        else:
            what = "Compute numbers of rows and columns, a block of threads for a run of matrices."
            place = "run", "cuda.blockIdx.x"
        lines = [
            f"@kernel\ndef {self.name}(tables, scalars):",
            docstring([what], 1),
            f"    {place[0]} = {place[1]}",
        ]
        for index, function in enumerate(self.functions):
            if index:
                lines.append("    cuda.syncthreads()")
            arguments = [place[0], *function.arguments]
            lines.append("    " + call(function.function, arguments, 1))
        return "\n".join(lines)


def axis_kernels(text: PhaseText) -> tuple[AxisKernel, ...]:
    """The kernels in front of a phase's loop, in order; neighbouring functions share one."""
    found: list[AxisKernel] = []
    for per_variable, group in groupby(axis_functions(text), lambda f: f.segment.per_variable):
        name = f"{text.name}_of_{'indices' if per_variable else 'runs'}"
        while name in [other.name for other in found]:
            name += "_again"
        found.append(AxisKernel(name, per_variable, tuple(group)))
    return tuple(found)


def axis_kernels_constant(text: PhaseText) -> str:
    """The constant that tells the runtime in which order to launch them, and with what blocks."""
    entries = [
        f'({kernel.name}, "{"variables" if kernel.per_variable else "runs"}")'
        for kernel in axis_kernels(text)
    ]
    line = f"{text.name}_axis_kernels = ({', '.join(entries)}{',' if len(entries) == 1 else ''})"
    if len(line) > LINE_LENGTH:
        body = "".join(f"{INDENT}{entry},\n" for entry in entries)
        line = f"{text.name}_axis_kernels = (\n{body})"
    return line


def combining_parts(text: PhaseText) -> dict[str, str]:
    """The kernels behind a phase's loop, which combine rows and columns, by their suffixes."""
    lines = text.phase.reductions if text.phase.reduces_axes else ()
    rows = [line for line in lines if line.target.rate == ROW]
    columns = [line for line in lines if line.target.rate == COLUMN]
    found = {}
    if rows:
        what = "Combine the elements of each row, a block of threads for some rows."
        found["rows"] = _kernel(f"{text.name}_rows", what, [_combined(text, x) for x in rows])
    if columns:
        calls = [_combined(text, line) for line in columns]
        what = "Combine the elements of each column of a panel, a thread for each."
        found["columns"] = _kernel(f"{text.name}_columns", what, calls)
        what = "Combine the panels of each column, a thread for each."
        calls = [_folded(text, line) for line in columns]
        found["panels"] = _kernel(f"{text.name}_panels", what, calls)
    return found


def _kernel(name: str, what: str, calls: Sequence[str]) -> str:
    lines = [f"@kernel\ndef {name}(tables):", docstring([what], 1)]
    return "\n".join([*lines, *(f"    {line}" for line in calls)])


def _combined(text: PhaseText, line: Assign) -> str:
    array = list(text.values.values()).index(text.handed_over(line))
    return combining(text, line, ["tables", str(array)])


def _folded(text: PhaseText, line: Assign) -> str:
    fold = "fold_panels_maximum" if is_maximum(line) else "fold_panels"
    column = text.mode.axes.column(line.target)
    return f"{fold}(tables, {column}, {column_reductions(text)[line.target]})"
