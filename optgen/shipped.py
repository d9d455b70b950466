"""The specs that ship with optgen, by their names."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

ENDING = ".toml"


def shipped_specs() -> dict[str, Path]:
    """The files of the specs that ship with optgen, by their names without the ending, sorted."""
    # A package is imported from a folder: nothing of optgen works from within an archive.
    folder = Path(str(resources.files("optgen.specs")))
    return {file.stem: file for file in sorted(folder.glob(f"*{ENDING}"))}


def shipped_spec(name: str) -> Path | None:
    """The file of the spec that ships under a name, in whichever case; None if there is none."""
    return shipped_specs().get(name.lower())


def or_shipped(path: Path) -> Path:
    """A path at which there is something; else that of the spec that ships under this name.

    If there is neither, the path itself.
    """
    return path if path.exists() else shipped_spec(str(path)) or path
