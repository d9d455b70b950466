"""`optgen eject`: an optimizer as a package that needs nothing of optgen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from optgen import driver, folders
from optgen.commands.console import SpecPath, errors, one_spec, output
from optgen.ejecting import MARK
from optgen.ejecting import eject as ejected


def eject(
    spec: SpecPath,
    out: Annotated[
        Path, typer.Option("--out", help="The folder in which the package is made.")
    ] = Path("."),
) -> None:
    """Write an optimizer as a standalone package, which runs with NumPy and Numba alone."""
    path = one_spec(spec)
    optimizer = driver.compile_spec(path)
    files = ejected(optimizer)
    folder = out / optimizer.program.module
    if not _may_be_written(folder):
        errors.print(f"error: {escape(str(folder))} holds files that optgen did not eject.")
        errors.print("Give another folder by --out; the package gets a folder of its own in it.")
        raise typer.Exit(1)
    folders.write(files, folder, MARK)
    output.print(f"{len(files)} files in {escape(str(folder))}, which need nothing of optgen.")
    output.print("Put the folder where you like, under any name, and import from it:")
    output.print(f"    from {optimizer.program.module} import {optimizer.program.name}")


def _may_be_written(folder: Path) -> bool:
    """Whether a folder is empty, or holds a package that an earlier call made."""
    if not folder.exists():
        return True
    start = folder / "__init__.py"
    ours = start.is_file() and MARK in start.read_text("utf-8", "replace")[:200]
    return ours or (folder.is_dir() and not any(folder.iterdir()))
