"""`optgen new`: a spec to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from optgen.commands.console import errors, output
from optgen.scaffold import NameProblem, names_of, new_spec
from optgen.shipped import shipped_spec, shipped_specs

SCHEMA_FILE = "optgen.schema.json"


def new(
    name: Annotated[str, typer.Argument(help="The optimizer's name, such as MyRule or my_rule.")],
    source: Annotated[
        str | None,
        typer.Option("--from", help="Copy the spec of this name that ships with optgen."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="The folder of the new file.")] = Path("."),
) -> None:
    """Write a commented spec that builds, as a start for one of your own."""
    copied = None if source is None else shipped_spec(source)
    if source is not None and copied is None:
        listed = ", ".join(shipped_specs())
        raise typer.BadParameter(
            f"expected one of {listed}, received {source!r}", param_hint="--from"
        )
    try:
        class_name, module = names_of(name)
    except NameProblem as problem:
        raise typer.BadParameter(str(problem)) from None
    path = out / f"{module}.toml"
    schema = SCHEMA_FILE if (out / SCHEMA_FILE).is_file() else None
    start = None if copied is None else copied.read_text("utf-8")
    text = new_spec(class_name, module, start, schema)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except FileExistsError:
        errors.print(f"error: {escape(str(path))} exists, and nothing overwrites a spec.")
        errors.print("Give another name, or another folder by --out.")
        raise typer.Exit(1) from None
    shown = escape(str(path))
    output.print(f"{shown} holds the new optimizer {class_name}. Next:")
    output.print(f"    optgen explain {shown}")
    output.print(f"    optgen build {shown} --out optimizers")
