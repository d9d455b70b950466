"""Where commands print, and the arguments that several of them take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from optgen.shipped import or_shipped

output = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

SpecPaths = Annotated[
    list[Path], typer.Argument(help="Specs (*.toml), or folders of specs.", show_default=False)
]
SpecPath = Annotated[
    Path,
    typer.Argument(
        help="A spec (*.toml), or the name of one that ships with optgen.", show_default=False
    ),
]
OutFolder = Annotated[Path, typer.Option("--out", help="The folder of the generated package.")]


def one_spec(path: Path) -> Path:
    """Return the file of a spec that is read, and not built.

    Args:
        path: the file, or the name of a spec that ships with optgen.

    Raises:
        typer.BadParameter: if it is a folder, or neither.
    """
    if path.is_dir():
        raise typer.BadParameter(f"expected a spec (*.toml), received the folder {path}")
    found = or_shipped(path)
    if not found.is_file():
        raise typer.BadParameter(
            f"expected a spec (*.toml), or the name of one that ships with optgen; there is no "
            f"file {str(path)!r}"
        )
    return found
