"""`optgen explain`: a message by its code, or a spec by what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optgen.commands.console import one_spec
from optgen.commands.explain_code import explain_code, is_code, list_codes
from optgen.commands.explain_spec import explain_spec


def explain(
    what: Annotated[
        str | None,
        typer.Argument(
            help="A spec (*.toml), the name of one that ships with optgen, or the code of a "
            "message, such as E302; all codes if missing.",
            show_default=False,
        ),
    ] = None,
    mode: Annotated[
        str | None, typer.Option(help="The mode to explain; the default mode if missing.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Explain what a spec costs in state, bytes, operations and passes; or what a message means."""
    if what is not None and not is_code(what):
        file = one_spec(Path(what), ", or the code of a message, such as E302")
        explain_spec(file, mode, json)
        return
    if mode is not None or json:
        raise typer.BadParameter("--mode and --json explain a spec; give one (*.toml)")
    if what is None:
        list_codes()
    else:
        explain_code(what)
