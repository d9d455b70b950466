"""The command line."""

from __future__ import annotations

from typing import Annotated

import typer

from optgen import __version__
from optgen.commands.bench import bench
from optgen.commands.build import build, check
from optgen.commands.console import errors, output
from optgen.commands.eject import eject
from optgen.commands.explain import explain
from optgen.commands.new import new
from optgen.commands.pages import pages
from optgen.commands.schema import schema
from optgen.commands.show import show
from optgen.commands.test import run_checks
from optgen.diagnostics import CompileError, render_report

app = typer.Typer(
    help="Compile specs of optimizers to fused kernels and Keras-style classes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (build, check, new, explain, show, pages, eject, schema, bench):
    app.command()(command)
app.command("test")(run_checks)


def _version(asked: bool) -> None:
    if asked:
        output.print(f"optgen {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Compile specs of optimizers to fused kernels and Keras-style classes."""


def main() -> None:
    """Run the command line; mistakes are printed as sentences, and the exit status is 1."""
    try:
        app()
    except CompileError as error:
        errors.print(render_report(error.diagnostics, error.sources), markup=False, end="")
        raise SystemExit(1) from None
    except OSError as error:
        # The project's own messages are sentences; the system's say a reason and a file.
        reason = f"{error.strerror}: {error.filename}" if error.strerror else str(error)
        errors.print(f"error: {reason}", markup=False)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
