"""`optgen schema`: the format of specs for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from optgen import folders
from optgen.commands.console import output
from optgen.frontend.json_schema import installed_schema, json_schema_text


def schema(
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the schema to this file.")
    ] = None,
    path: Annotated[
        bool, typer.Option("--path", help="Print the path of the schema installed with optgen.")
    ] = False,
) -> None:
    """Print the JSON Schema of specs, with which editors complete and check them."""
    if path and out is not None:
        raise typer.BadParameter("expected one of --out and --path, received both")
    if path:
        print(installed_schema())
    elif out is None:
        print(json_schema_text(), end="")
    else:
        folders.replace_file(out, json_schema_text())
        output.print(f"{escape(str(out))} holds the schema of specs")
