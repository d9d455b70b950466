"""The kernels of a phase, which bring its functions to the threads of a device."""

from __future__ import annotations

from optgen.backends.numba_text.launch import chunk_body
from optgen.backends.numba_text.phase import DRIVER_ARGUMENTS, PhaseText, is_maximum
from optgen.backends.numba_text.variable import keeps_numbers
from optgen.backends.pytext import call, docstring
from optgen.backends.step_scalars import ScalarFunction


def chunks_kernel(text: PhaseText) -> str:
    """The kernel that runs a phase over the chunks of all variables of a dtype."""
    whose, chunk = (
        ("a block of threads for each chunk", "chunk_of_block(tables)")
        if text.has_blocks
        else ("tiles of threads for each chunk", "chunk_of_tile(tables)")
    )
    lines = [
        call(f"@kernel\ndef {text.name}_chunks", DRIVER_ARGUMENTS, tail=":"),
        docstring([f"Run `{text.name}` over all variables, {whose}."], 1),
        f"    chunk = {chunk}",
    ]
    return "\n".join([*lines, *chunk_body(text)])


def variables_kernel(text: PhaseText) -> str:
    """The kernel that runs a phase's per-variable function."""
    how = f"Run `{text.variable_name}` for all variables, a thread for each."
    sources = [text.driver_source(scalar) for scalar in text.layout.variable]
    lines = [
        f"@{_decorator(text)}\ndef {text.name}_variables(tables, scalars, stages):",
        docstring([how], 1),
        "    row = row_of_thread(tables)",
        "    if row >= 0:",
        "        " + call(text.variable_name, ["numbers(tables)", "row", *sources], 2),
    ]
    return "\n".join(lines)


def stages_with_work(text: PhaseText) -> set[str] | None:
    """The stages of which one has to be on for a phase to have work per variable; None for none."""
    stages = {line.stage for line in text.phase.variable_lines}
    if None in stages or keeps_numbers(text):
        return None
    return {stage for stage in stages if stage is not None}


def _decorator(text: PhaseText) -> str:
    """The decorator of a kernel per variable, which says whether stages give it all its work."""
    stages = stages_with_work(text)
    if stages is None:
        return "kernel"
    owners = [stage for stage, _ in text.layout.stages]
    indices = sorted(owners.index(stage) for stage in stages)
    return f"kernel_if({', '.join(map(str, indices))})"


def fold_kernel(text: PhaseText) -> str:
    """The kernel that finishes a phase's reductions."""
    lines = [
        f"@kernel\ndef {text.name}_fold(tables):",
        docstring(["Combine the results of blocks, a block of threads for each variable."], 1),
    ]
    for index, line in enumerate(text.phase.reductions):
        fold = "fold_blocks_maximum" if is_maximum(line) else "fold_blocks"
        lines.append(f"    {fold}(tables, {text.column(line.target)}, {index})")
    return "\n".join(lines)


def step_kernel(function: ScalarFunction) -> str:
    """The kernel that computes what follows from sums over all variables, by one thread."""
    name = f"{function.stem}_scalars"
    lines = [
        f"@kernel\ndef {function.stem}_step(tables, inputs, outputs):",
        docstring([f"Run `{name}`; inputs and outputs that are integers say where they are."], 1),
        "    step = step_numbers(tables)",
    ]
    arguments = [
        f"step[inputs[{index}]]" if name in function.summed else f"inputs[{index}]"
        for index, name in enumerate(function.inputs)
    ]
    lines.append("    results = " + call(name, arguments, 1))
    for index in range(len(function.outputs)):
        lines.append(f"    step[outputs[{index}]] = results[{index}]")
    return "\n".join(lines)
