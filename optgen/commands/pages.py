"""`optgen pages`: the reference page of every optimizer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from optgen import driver, folders
from optgen.commands.build import refuse_other_files
from optgen.commands.console import SpecPaths, output


def pages(
    specs: SpecPaths,
    out: Annotated[Path, typer.Option("--out", help="The folder of the pages.")] = Path(
        "build/pages"
    ),
    package: Annotated[
        str, typer.Option(help="The package that examples import the classes from.")
    ] = "optgen.optimizers",
) -> None:
    """Write the reference page of every optimizer, in Markdown."""
    files = driver.pages(driver.compile_all(folders.spec_files(specs)), package)
    refuse_other_files(files, out, specs)
    written = folders.write(files, out)
    output.print(
        f"{len(files)} pages in {escape(str(out))}, {len(written)} of them new or changed; "
        f"examples import from {escape(package)}, unless `--package` names another"
    )
