"""Building a package of optimizers, without compiling again what has not changed.

What a spec gives depends on its bytes, on its file's name and on the compiler, and on nothing else;
so it is kept under a digest of these three.  The compiler's part of the digest covers every source
file of optgen, the runtime included, and the versions of what they import.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from optgen import driver
from optgen.backends.artifact import Artifact
from optgen.driver import Part
from optgen.folders import replace_file
from optgen.loading import cache_folder

SUFFIXES = (".py", ".j2", ".json", ".toml")
LIBRARIES = ("jinja2", "numpy", "pydantic", "spanned-toml")
"""Libraries that have a say in the bytes of generated files."""

KEPT_COMPILERS = 4
"""For how many states of the compiler results are kept; those of the oldest ones are removed."""

KEPT_RESULTS = 512
"""How many results of one state are kept."""

_SHARED = "shared"
_SEPARATOR = b"\0"

Progress = Callable[[Path, bool], None]


def build_package(
    paths: Iterable[Path], kept: Results | None, progress: Progress = lambda path, known: None
) -> list[Artifact]:
    """The files of the package that specs describe.

    Args:
        paths: the specs.
        kept: the results of earlier builds; None to compile everything.
        progress: called before a spec is compiled, with whether its result is known.

    Raises:
        CompileError: with every mistake in every spec, files that cannot be read among them.
    """

    def make(name: str, data: bytes) -> Part:
        path = Path(name)
        part = kept.part(path.stem, data) if kept else None
        progress(path, part is not None)
        return part or _compiled(path, data, kept)

    specs = ((str(path), path.read_bytes) for path in paths)
    parts = driver.collect(specs, make, lambda part: (part.name, part.module))
    return driver.assemble(parts, _shared(kept))


def _compiled(path: Path, data: bytes, kept: Results | None) -> Part:
    part = driver.emit_part(driver.compile_text(data, str(path)))
    if kept is not None:
        kept.keep(path.stem, data, part)
    return part


def _shared(kept: Results | None) -> tuple[Artifact, ...]:
    """The files that do not depend on a spec, which are kept like the part of one without text."""
    part = kept.part(_SHARED, b"") if kept else None
    if part is None:
        part = Part(_SHARED, _SHARED, "", driver.emit_shared())
        if kept is not None:
            kept.keep(_SHARED, b"", part)
    return part.files


@dataclass
class Results:
    """The results of earlier builds, in files of a folder.

    Attributes:
        folder: where they are; by default in the user's cache folder.
        problem: why results could not be kept, None if they could.
    """

    folder: Path = field(default_factory=lambda: cache_folder() / "builds")
    problem: OSError | None = None

    def part(self, module: str, data: bytes) -> Part | None:
        """What a spec gave, None if that is not known or its file is damaged.

        Args:
            module: the name of the spec's file, without its ending.
            data: the bytes of the spec.
        """
        with suppress(OSError, ValueError, TypeError, KeyError):
            check, _, content = self._file(module, data).read_bytes().partition(b"\n")
            if check.decode() == _digest(content):
                return _part(json.loads(content))
        return None

    def keep(self, module: str, data: bytes, part: Part) -> None:
        """Keep what a spec gave; if that fails, ``problem`` says why.

        Args:
            module: the name of the spec's file, without its ending.
            data: the bytes of the spec.
            part: what it gave.
        """
        content = json.dumps(_content(part)).encode()
        try:
            folder = self._folder
            folder.mkdir(parents=True, exist_ok=True)
            replace_file(self._file(module, data), _digest(content).encode() + b"\n" + content)
            _forget_oldest(folder, KEPT_RESULTS)
            _forget_oldest(self.folder, KEPT_COMPILERS)
        except OSError as error:
            self.problem = error

    @property
    def _folder(self) -> Path:
        return self.folder / compiler_digest()

    def _file(self, module: str, data: bytes) -> Path:
        return self._folder / f"{_digest(module.encode(), data)}.json"


def _forget_oldest(folder: Path, count: int) -> None:
    """Remove all but the newest entries of a folder of ours."""
    ages: dict[Path, float] = {}
    for entry in folder.iterdir():
        # Another build may remove an entry, or be about to move one into place.
        with suppress(FileNotFoundError):
            if not entry.name.startswith("."):
                ages[entry] = entry.stat().st_mtime
    for entry in sorted(ages, key=ages.__getitem__)[:-count]:
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


@cache
def compiler_digest() -> str:
    """A digest of everything but the specs that generated files depend on."""
    root = Path(__file__).parent
    files = sorted(
        (path.relative_to(root).as_posix(), path)
        for path in root.rglob("*")
        if path.suffix in SUFFIXES and "__pycache__" not in path.parts
    )
    parts = [sys.version.encode(), *(metadata.version(name).encode() for name in LIBRARIES)]
    for name, path in files:
        parts += [name.encode(), path.read_bytes()]
    return _digest(*parts)


def _digest(*parts: bytes) -> str:
    """A digest of parts in their order; two different lists of parts have different ones."""
    lengths = ",".join(str(len(part)) for part in parts).encode()
    return hashlib.blake2b(_SEPARATOR.join([lengths, *parts]), digest_size=16).hexdigest()


def _content(part: Part) -> dict[str, object]:
    files = [[file.path, file.text] for file in part.files]
    return {"name": part.name, "module": part.module, "spec": part.spec, "files": files}


def _part(content: dict[str, Any]) -> Part:
    files = tuple(Artifact(path, text) for path, text in content["files"])
    return Part(content["name"], content["module"], content["spec"], files)
