"""`optgen build` and `optgen check`: writing the package of optimizers, or comparing it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from optgen import driver
from optgen.backends.artifact import Artifact
from optgen.commands.console import OutFolder, SpecPaths, errors, output


def build(
    specs: SpecPaths,
    out: OutFolder = Path("generated"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a file would change.")
    ] = False,
) -> None:
    """Generate the package of optimizers that the specs describe."""
    files = driver.emit(driver.compile_all(driver.spec_files(specs)))
    if check:
        _report_differences(driver.differences(files, out), len(files), specs, out)
        return
    refuse_other_files(files, out, specs)
    written = driver.write(files, out)
    output.print(f"{len(files)} files in {escape(str(out))}, {len(written)} of them new or changed")


def refuse_other_files(files: list[Artifact], out: Path, specs: list[Path]) -> None:
    """Exit with a message if a build would harm what is in the folder already."""
    strangers = driver.strangers(files, out)
    foreign = driver.foreign_files(files, out, specs)
    if strangers:
        names = ", ".join(path.name for path in strangers)
        errors.print(f"error: optgen did not write {escape(names)} in {escape(str(out))}")
        errors.print("Give a folder of its own to the package by --out.")
    elif foreign:
        names = ", ".join(path.name for path in foreign)
        errors.print(f"error: {escape(str(out))} holds optimizers of other specs: {escape(names)}")
        errors.print("Build all specs of the package together, or give another folder by --out.")
    if strangers or foreign:
        raise typer.Exit(1)


def check(out: OutFolder = Path("generated")) -> None:
    """Fail if generated/ is not what specs/ gives: `optgen build specs/ --check`."""
    build([Path("specs")], out, check=True)


def _report_differences(found: list[str], count: int, specs: list[Path], out: Path) -> None:
    if found:
        for sentence in found:
            errors.print(escape(sentence))
        command = " ".join(["optgen build", *map(str, specs), "--out", str(out)])
        errors.print(f"Run [bold]{escape(command)}[/bold] and commit what it writes.")
        raise typer.Exit(1)
    output.print(f"{count} files in {escape(str(out))} are what the specs give")
