"""For each code a spec that has the mistake, and the same spec mended; they are package data."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Example:
    """A mistake, and the smallest change that mends it.

    Attributes:
        failing: the content of a spec with the mistake; bytes, since it may be no text.
        mended: the content of the mended spec.
        beside: the content of another spec of the same build, if the mistake takes two.
    """

    failing: bytes
    mended: bytes
    beside: bytes | None


def example_of(code: str) -> Example | None:
    """The example of a code of the catalogue; None for a file that cannot be read at all."""
    failing = _content(code)
    mended = _content(f"{code}.mended")
    if failing is None or mended is None:
        return None
    return Example(failing, mended, _content(f"{code}.beside"))


def _content(name: str) -> bytes | None:
    file = resources.files("optgen.diagnostics") / "examples" / f"{name}.toml"
    return file.read_bytes() if file.is_file() else None
