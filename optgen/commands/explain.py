"""`optgen explain`: what a spec costs."""

from __future__ import annotations

from typing import Annotated

import typer

from optgen.commands.console import SpecPath
from optgen.commands.explain_spec import explain_spec


def explain(
    spec: SpecPath,
    mode: Annotated[
        str | None, typer.Option(help="The mode to explain; the default mode if missing.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Explain what a spec costs: state, bytes moved, operations, passes over the gradients."""
    explain_spec(spec, mode, json)
