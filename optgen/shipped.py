"""The specs that ship with optgen, by their names."""

from __future__ import annotations

import difflib
from importlib import resources
from pathlib import Path


def shipped_specs() -> dict[str, Path]:
    """The files of the specs that ship with optgen, by their names without the ending, sorted."""
    # A package is imported from a folder: nothing of optgen works from within an archive.
    folder = Path(str(resources.files("optgen.specs")))
    return {file.stem: file for file in sorted(folder.glob("*.toml"))}


def shipped_spec(name: str) -> Path | None:
    """The file of the spec that ships under the name of its class or module; None if none does."""
    return {_plain(stem): file for stem, file in shipped_specs().items()}.get(_plain(name))


def spec_file(path: Path, otherwise: str = "") -> Path:
    """The file of a spec that is read.

    Args:
        path: the file, or the name of a spec that ships with optgen; folders do not count.
        otherwise: what else might have been given, for the message.

    Raises:
        FileNotFoundError: if it is neither.
    """
    found = path if path.is_file() else shipped_spec(str(path))
    if found is None:
        received = f"the folder {path}" if path.is_dir() else f"{str(path)!r}, which is no file"
        close = difflib.get_close_matches(str(path).lower(), shipped_specs(), 1)
        hint = f"; did you mean {close[0]!r}?" if close and not path.is_dir() else ""
        raise FileNotFoundError(
            f"expected a spec (*.toml), or the name of one that ships with optgen{otherwise}; "
            f"received {received}{hint}"
        )
    return found


def _plain(name: str) -> str:
    return name.lower().replace("_", "")
