"""How the package in a folder is imported, in words."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Iterable, Iterator
from pathlib import Path

from optgen.backends.artifact import Artifact

MOST_NAMES = 4
"""How many classes the sentence names; of more, the first ones and dots."""


def import_sentence(files: Iterable[Artifact], folder: Path) -> Iterator[str]:
    """The lines that say how to import the classes of a package that lies in a folder.

    Args:
        files: the package's files.
        folder: where they are.
    """
    root, package = place_of(folder)
    names = _classes(next(file.text for file in files if file.path == "__init__.py"))
    wrong = [part for part in package if not part.isidentifier() or keyword.iskeyword(part)]
    if wrong:
        yield f"note: Python cannot import from a folder called {wrong[-1]}; rename it."
        return
    listed = ", ".join(names if len(names) <= MOST_NAMES else [*names[:MOST_NAMES], "..."])
    place = "in this folder" if root == Path.cwd() else f"with {root} in PYTHONPATH"
    yield f"Import them, {place}, by"
    yield f"    from {'.'.join(package)} import {listed}"


def place_of(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder to import from, and the name of the package seen from there.

    That is the working folder for all that lies in it, and the one above the outermost package
    for what does not.
    """
    folder = folder.resolve()
    here = Path.cwd()
    if folder != here and folder.is_relative_to(here):
        return here, folder.relative_to(here).parts
    root = folder.parent
    while (root / "__init__.py").is_file() and root != root.parent:
        root = root.parent
    return root, folder.relative_to(root).parts


def _classes(text: str) -> list[str]:
    """The names that an ``__init__.py`` lists in ``__all__``."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    raise AssertionError("a package without __all__")
