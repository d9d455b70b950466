"""Where commands print, and the arguments that several of them take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from optgen.shipped import spec_file

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


def one_spec(path: Path, otherwise: str = "") -> Path:
    """Return the file of a spec that is read; see ``spec_file``.

    Args:
        path: the file, or the name of a spec that ships with optgen.
        otherwise: what else might have been given, for the message.

    Raises:
        typer.BadParameter: if it is neither.
    """
    try:
        return spec_file(path, otherwise)
    except FileNotFoundError as error:
        raise typer.BadParameter(str(error)) from None
