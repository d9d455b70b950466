"""Where commands print, and the arguments that several of them take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

output = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

SpecPaths = Annotated[
    list[Path], typer.Argument(help="Specs (*.toml), or folders of specs.", show_default=False)
]
SpecPath = Annotated[Path, typer.Argument(help="A spec (*.toml).", show_default=False)]
OutFolder = Annotated[Path, typer.Option("--out", help="The folder of the generated package.")]


def one_spec(path: Path) -> Path:
    """Return the path of a spec; a message on the command line if it is a folder."""
    if path.is_dir():
        raise typer.BadParameter(f"expected a spec (*.toml), received the folder {path}")
    return path
