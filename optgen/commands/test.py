"""`optgen test`: the checks of `optgen.testing` on the specs of whoever asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from optgen import folders
from optgen.commands.console import one_spec


def run_checks(
    specs: Annotated[
        list[Path],
        typer.Argument(
            help="Specs (*.toml), folders of specs, or names of specs that ship with optgen.",
            show_default=False,
        ),
    ],
    mode: Annotated[
        list[str] | None, typer.Option(help="Only this mode; may be given several times.")
    ] = None,
    check: Annotated[
        list[str] | None,
        typer.Option("-k", "--check", help="Only this check; may be given several times."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few combinations of the common arguments.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Where all numbers are drawn from.")] = 0,
    jobs: Annotated[
        int, typer.Option(min=0, help="Processes at most; 0 for one per processor.")
    ] = 0,
    pytest: Annotated[
        Path | None,
        typer.Option(help="Write a pytest file of the same checks, to keep, instead of running."),
    ] = None,
) -> None:
    """Check that optimizers can be trusted, property by property."""
    # Imported here, because Numba takes longer to import than other commands take in all.
    from optgen.commands import trust

    checks = trust.chosen(check or [])
    names = [spec for spec in specs if not spec.exists()]
    for name in names:
        one_spec(name, ", or a folder of specs")
    paths = [*names, *folders.spec_files(spec for spec in specs if spec not in names)]
    if pytest is None:
        passed = [trust.report(path, checks, mode or [], quick, seed, jobs) for path in paths]
        if not all(passed):
            raise typer.Exit(1)
    elif mode or check:
        raise typer.BadParameter("a pytest file holds all modes and checks; choose by its -k")
    elif names:
        raise typer.BadParameter(
            f"a pytest file names specs by their paths, received the name {str(names[0])!r}; copy "
            "the spec with `optgen new --from`"
        )
    else:
        trust.write_pytest_file(pytest, paths, quick, seed)
