"""The command line: build, check, show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from optgen import __version__, driver
from optgen.backends.artifact import Artifact
from optgen.backends.numba_cuda.ptx import CudaMissingError
from optgen.diagnostics import CompileError, render_all
from optgen.ir.program import Schedule, Variant
from optgen.ir.text import format_program, format_schedule, format_variant

app = typer.Typer(
    help="Compile specs of optimizers to fused kernels and Keras-style classes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
output = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

SpecPaths = Annotated[
    list[Path], typer.Argument(help="Specs (*.toml), or folders of specs.", show_default=False)
]
OutFolder = Annotated[Path, typer.Option("--out", help="The folder of the generated package.")]


@app.command()
def build(
    specs: SpecPaths,
    out: OutFolder = Path("generated"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail if a file would change.")
    ] = False,
) -> None:
    """Generate the package of optimizers that the specs describe."""
    files = driver.emit(driver.compile_all(driver.spec_files(specs)))
    if check:
        _report_differences(driver.differences(files, out), len(files), specs, out)
        return
    _refuse_other_files(files, out, specs)
    written = driver.write(files, out)
    output.print(f"{len(files)} files in {escape(str(out))}, {len(written)} of them new or changed")


def _refuse_other_files(files: list[Artifact], out: Path, specs: list[Path]) -> None:
    """Exit with a message if a build would harm what is in the folder already."""
    strangers = driver.strangers(files, out)
    foreign = driver.foreign_files(files, out, specs)
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


@app.command()
def check(out: OutFolder = Path("generated")) -> None:
    """Fail if generated/ is not what specs/ gives: `optgen build specs/ --check`."""
    build([Path("specs")], out, check=True)


def _report_differences(found: list[str], count: int, specs: list[Path], out: Path) -> None:
    if found:
        for sentence in found:
            errors.print(escape(sentence))
        command = " ".join(["optgen build", *map(str, specs), "--out", str(out)])
        errors.print(f"Run [bold]{escape(command)}[/bold] and commit what it writes.")
        raise typer.Exit(1)
    output.print(f"{count} files in {escape(str(out))} are what the specs give")


@app.command()
def show(
    spec: Annotated[Path, typer.Argument(help="A spec (*.toml).", show_default=False)],
    after: Annotated[
        str,
        typer.Option(
            help="The stage: program, specialize, isolate, hoist, split, cpu, cuda, class; "
            "or ptx, which needs numba-cuda and no device."
        ),
    ] = "split",
    mode: Annotated[str | None, typer.Option(help="Only this mode.")] = None,
) -> None:
    """Show what the compiler made of a spec after one of its stages."""
    seen: list[tuple[str, Variant | Schedule]] = []
    if spec.is_dir():
        raise typer.BadParameter(f"expected a spec (*.toml), received the folder {spec}")
    (path,) = driver.spec_files([spec])
    optimizer = driver.compile_spec(path, lambda name, code: seen.append((name, code)))
    known = [m.name for m in optimizer.program.modes]
    if mode is not None and mode not in known:
        raise typer.BadParameter(f"expected one of {', '.join(known)}, received {mode!r}")
    texts = {"program": [format_program(optimizer.program)]}
    for name, code in seen:
        if mode is None or code.name == mode:
            text = format_variant(code) if isinstance(code, Variant) else format_schedule(code)
            texts.setdefault(name, []).append(text)
    for file in driver.emit([optimizer]):
        for stage, ending in (("cpu", "_cpu"), ("cuda", "_cuda"), ("class", "")):
            if file.path == f"{optimizer.program.module}{ending}.py":
                texts[stage] = [file.text]
    if after == "ptx":
        texts["ptx"] = driver.ptx(optimizer, mode)
    if after not in texts:
        raise typer.BadParameter(f"expected one of {', '.join(texts)}, ptx, received {after!r}")
    print("\n".join(texts[after]), end="")


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
        errors.print(render_all(error.diagnostics, error.sources), markup=False)
        raise SystemExit(1) from None
    except CudaMissingError as error:
        errors.print(f"error: {error}", markup=False)
        raise SystemExit(1) from None
    except OSError as error:
        # The project's own messages are sentences; the system's say a reason and a file.
        reason = f"{error.strerror}: {error.filename}" if error.strerror else str(error)
        errors.print(f"error: {reason}", markup=False)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
