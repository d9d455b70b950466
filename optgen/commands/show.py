"""`optgen show`: a spec after each of the compiler's stages."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.syntax import Syntax

from optgen import driver
from optgen.backends.numba_cuda.ptx import CudaMissingError
from optgen.commands.console import SpecPath, errors, one_spec, output
from optgen.ir.program import Schedule, Variant
from optgen.ir.text import format_program, format_schedule, format_variant


def show(
    spec: SpecPath,
    after: Annotated[
        str,
        typer.Option(
            help="The stage: program, specialize, isolate, hoist, split, cpu, cuda, class; "
            "or ptx, which needs numba-cuda and no device."
        ),
    ] = "split",
    mode: Annotated[str | None, typer.Option(help="Only this mode.")] = None,
) -> None:
    """Show what the compiler made of a spec after one of its stages."""
    seen: list[tuple[str, Variant | Schedule]] = []
    optimizer = driver.compile_spec(one_spec(spec), lambda name, code: seen.append((name, code)))
    known = [m.name for m in optimizer.program.modes]
    if mode is not None and mode not in known:
        raise typer.BadParameter(f"expected one of {', '.join(known)}, received {mode!r}")
    texts = {"program": [format_program(optimizer.program)]}
    for name, code in seen:
        if mode is None or code.name == mode:
            text = format_variant(code) if isinstance(code, Variant) else format_schedule(code)
            texts.setdefault(name, []).append(text)
    for file in driver.emit([optimizer]):
        for stage, ending in (("cpu", "_cpu"), ("cuda", "_cuda"), ("class", "")):
            if file.path == f"{optimizer.program.module}{ending}.py":
                texts[stage] = [file.text]
    if after == "ptx":
        texts["ptx"] = _ptx(optimizer, mode)
    if after not in texts:
        raise typer.BadParameter(f"expected one of {', '.join(texts)}, ptx, received {after!r}")
    print_code("\n".join(texts[after]))


def _ptx(optimizer: driver.Optimizer, mode: str | None) -> list[str]:
    try:
        return driver.ptx(optimizer, mode)
    except CudaMissingError as error:
        errors.print(f"error: {error}", markup=False)
        raise typer.Exit(1) from None


def print_code(text: str, console: Console = output) -> None:
    """Print code or the compiler's own notation, with colours if it goes to a terminal.

    Args:
        text: whole lines.
        console: where to.
    """
    if console.is_terminal:
        # The colours of the terminal itself; lines may be longer than it is wide.
        highlighted = Syntax("", "python", theme="ansi_dark").highlight(text)
        console.print(highlighted, end="", soft_wrap=True)
    else:
        console.file.write(text)
