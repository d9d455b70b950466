"""`optgen build` and `optgen check`: writing a package of optimizers, or looking for mistakes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from optgen import folders, optimizers
from optgen.backends.artifact import Artifact
from optgen.building import Results, build_package
from optgen.commands.console import OutFolder, SpecPaths, errors, output
from optgen.commands.importing import import_sentence, place_of
from optgen.driver import compile_all


def build(
    specs: SpecPaths,
    out: OutFolder = Path("generated"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a file would change.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Compile every spec, known or not.")
    ] = False,
    warm: Annotated[
        bool,
        typer.Option("--warm", help="Compile the kernels, too, so that first steps are quick."),
    ] = False,
) -> None:
    """Generate the package of optimizers that the specs describe."""
    _refuse_other_paths(specs)
    if out.suffix == ".toml":
        raise typer.BadParameter(f"expected a folder, received {out}", param_hint="--out")
    if check and warm:
        raise typer.BadParameter("expected --check or --warm, received both")
    # A check proves that specs, compiler and files belong together: it takes nobody's word for it.
    kept = None if check or fresh else Results()
    paths = folders.spec_files(specs)
    files, compiled = _built(paths, kept)
    if check:
        _report_differences(folders.differences(files, out), len(files), specs, out)
        return
    refuse_other_files(files, out, specs)
    written = folders.write(files, out)
    output.print(
        f"{len(files)} files in {escape(str(out))}, {len(written)} of them new or changed; "
        f"{compiled} of {len(paths)} specs compiled"
    )
    for sentence in import_sentence(files, out):
        output.print(escape(sentence))
    if kept is not None and kept.problem is not None:
        reason = escape(str(kept.problem))
        errors.print(f"note: nothing was kept, so the next build compiles again: {reason}")
    if warm:
        _fill_cache(paths, out)


def _fill_cache(paths: Sequence[Path], out: Path) -> None:
    """Compile the kernels of a package that was written; on a terminal with a bar."""
    # Imported here, because Numba takes longer to import than other commands take in all.
    from optgen import warming

    root, package = place_of(out)
    todo = warming.warmings(compile_all(paths), root, ".".join(package))
    count = sum(len(each.modes) for each in todo)
    installed = Path(str(optimizers.__file__)).parent
    if installed.resolve() == out.resolve():
        # The same files under the name by which everybody imports them.
        todo += [replace(each, root="", package=optimizers.__name__) for each in todo]
    with progress_bar() as bar:
        task = bar.add_task("compiling kernels", total=len(todo))
        warming.warm(todo, lambda each: bar.update(task, description=each.name, advance=1))
    output.print(f"kernels of {count} modes are compiled, for float32 and no common argument")


def progress_bar() -> Progress:
    """A bar on a terminal; nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal)


def _built(paths: Sequence[Path], kept: Results | None) -> tuple[list[Artifact], int]:
    """The files of a package, and how many specs were compiled; on a terminal with a bar."""
    count = 0
    with progress_bar() as bar:
        task = bar.add_task("compiling", total=len(paths))

        def seen(path: Path, known: bool) -> None:
            nonlocal count
            count += not known
            bar.update(task, description=escape(path.stem), advance=1)

        return build_package(paths, kept, seen), count


def _refuse_other_paths(specs: Sequence[Path]) -> None:
    """Exit with a message if a path is of the wrong kind."""
    for path in specs:
        if path.is_file() and path.suffix != ".toml":
            raise typer.BadParameter(
                f"expected specs (*.toml) or folders of specs, received {path}"
            )


def refuse_other_files(files: list[Artifact], out: Path, specs: list[Path]) -> None:
    """Exit with a message if a build would harm what is in the folder already."""
    strangers = folders.strangers(files, out)
    foreign = folders.foreign_files(files, out, specs)
    if strangers:
        names = ", ".join(path.name for path in strangers)
        errors.print(f"error: optgen did not write {escape(names)} in {escape(str(out))}")
        errors.print("Give a folder of its own to the package by --out.")
    elif foreign:
        names = ", ".join(path.name for path in foreign)
        errors.print(f"error: {escape(str(out))} holds optimizers of other specs: {escape(names)}")
        errors.print("Build all specs of the package together, or give another folder by --out.")
    if strangers or foreign:
        raise typer.Exit(1)


def check(
    specs: Annotated[
        list[Path] | None,
        typer.Argument(help="Specs (*.toml), or folders of specs.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The folder of a generated package, to compare."),
    ] = None,
) -> None:
    """Look for mistakes in specs, and write nothing.

    Without specs, fail if generated/ is not what specs/ gives: `optgen build specs/ --check`.
    """
    if not specs or out is not None:
        build(specs or [Path("specs")], out or Path("generated"), check=True)
        return
    _refuse_other_paths(specs)
    paths = folders.spec_files(specs)
    _built(paths, None)
    output.print(escape(f"no mistakes in {', '.join(map(str, paths))}"))


def _report_differences(found: list[str], count: int, specs: list[Path], out: Path) -> None:
    if found:
        for sentence in found:
            errors.print(escape(sentence))
        command = " ".join(["optgen build", *map(str, specs), "--out", str(out)])
        errors.print(f"Run [bold]{escape(command)}[/bold] and commit what it writes.")
        raise typer.Exit(1)
    output.print(f"{count} files in {escape(str(out))} are what the specs give")
