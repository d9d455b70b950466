"""What a message means, with a spec that has the mistake and the spec mended."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import typer
from rich.syntax import Syntax
from rich.text import Text

from optgen import driver
from optgen.commands.console import output
from optgen.diagnostics import CATALOGUE, CompileError, render_all, visible
from optgen.diagnostics.examples import Example, example_of

WIDTH = 80
SPEC = "example.toml"
BESIDE = "other.toml"
UNREADABLE = Path("no-such-folder", SPEC)

_CODE = re.compile(r"[eE]?[0-9]+")
_TOML = Syntax("", "toml", theme="ansi_dark", background_color="default")


def is_code(text: str) -> bool:
    """Whether a text looks like the code of a message, and not like a path."""
    return _CODE.fullmatch(text) is not None


def explain_code(code: str) -> None:
    """Print the page of a code; typer.BadParameter if there is none."""
    for line in page(known_code(code)):
        output.print(line)


def list_codes() -> None:
    """Print all codes with their titles."""
    for code, entry in CATALOGUE.items():
        output.print(Text(f"{code}  {entry.title}"))


def known_code(text: str) -> str:
    """The code of the catalogue that a text names, such as ``E302``, ``e302`` or ``302``.

    Raises:
        typer.BadParameter: if there is no such code, with those that look like it.
    """
    code = f"E{text.lstrip('eE')}"
    if code in CATALOGUE:
        return code
    near = difflib.get_close_matches(code, CATALOGUE, n=3, cutoff=0.7)
    group = near or [known for known in CATALOGUE if known.startswith(code[:2])]
    hint = f"; codes like it: {', '.join(group)}" if group else ""
    raise typer.BadParameter(
        f"there is no message {code}{hint}; `optgen explain` alone lists all of them"
    )


def page(code: str) -> Iterator[Text]:
    """The page of a code, line by line; in a terminal the specs are coloured."""
    entry = CATALOGUE[code]
    yield Text(f"{code}: {entry.title}", style="bold")
    yield Text("")
    for line in textwrap.wrap(entry.explanation, WIDTH):
        yield Text(line)
    example = example_of(code)
    if example is not None:
        if example.beside is not None:
            yield from _titled(f"A build holds two specs. The first, {BESIDE}:")
            yield from map(_indented, highlighted(shown_lines(example.beside)))
        first = "A spec with this mistake" if example.beside is None else "The second"
        yield from _titled(f"{first}, {SPEC}:")
        yield from map(_indented, highlighted(shown_lines(example.failing)))
    yield from _titled("What the compiler says:")
    for line in message(example).splitlines():
        yield _indented(Text(line, style="bold red" if line.startswith("error") else ""))
    if example is not None:
        yield from _titled("Mended:")
        yield from map(_indented, changes(example))


def message(example: Example | None) -> str:
    """What the compiler says about an example, or, without one, about a file that is missing."""
    try:
        if example is None:
            driver.compile_all([UNREADABLE])
        else:
            beside = [] if example.beside is None else [(BESIDE, example.beside)]
            driver.compile_texts([*beside, (SPEC, example.failing)])
    except CompileError as error:
        return render_all(error.diagnostics, error.sources)
    raise AssertionError("the example of a mistake compiles")


def changes(example: Example) -> Iterator[Text]:
    """The mended spec, with the lines that were removed and those that took their place."""
    before, after = shown_lines(example.failing), shown_lines(example.mended)
    for line in difflib.ndiff(before, after):
        mark, text = line[0], line[2:]
        if mark == " ":
            yield Text("  ").append(highlighted([text])[0]) if text else Text("")
        elif mark in "+-":
            yield Text(f"{mark} {text}", style="green" if mark == "+" else "red")


def shown_lines(content: bytes) -> list[str]:
    """The lines of a spec as they can be shown: no byte and no character is hidden.

    Of a run of more than six equal lines the first and the last are shown.
    """
    lines = content.decode("utf-8", "backslashreplace").rstrip("\n").split("\n")
    out: list[str] = []
    for line, run in groupby(map(visible, lines)):
        count = len(list(run))
        if count > 6:
            out += [line, f"# ... {count - 2} more lines like this one", line]
        else:
            out += [line] * count
    return out


def highlighted(lines: list[str]) -> list[Text]:
    """Lines of TOML, coloured where that can be seen."""
    text = _TOML.highlight("\n".join(lines))
    return list(text.split("\n", allow_blank=True))[: len(lines)]


def _titled(title: str) -> Iterator[Text]:
    yield Text("")
    yield Text(title)
    yield Text("")


def _indented(line: Text) -> Text:
    return Text("    ").append(line) if line.plain else line
