"""A spec as a class at once, for notebooks and scripts."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from optgen import driver, folders
from optgen.backends.artifact import Artifact
from optgen.backends.docs.notebook import Representation
from optgen.shipped import spec_file

_TEXT = "spec"
"""What a spec that is given as text is called, in messages and as a module."""

_SEPARATOR = "\0"


def load(spec: str | os.PathLike[str]) -> Any:
    """Compile a spec and return its class.

    The modules are written to a cache folder of the user, where Numba keeps their compiled
    kernels, too; the same spec finds them there in another process. ``OPTGEN_CACHE_DIR`` names
    another folder.  A notebook shows the class and its instances as formulas.

    Args:
        spec: the path of a spec, or the name of one that ships with optgen; or the text of one,
            which has several lines.

    Returns:
        The class that the spec describes, a subclass of ``optgen.runtime.Optimizer``.

    Raises:
        optgen.CompileError: with every mistake in the spec.
        FileNotFoundError: if there is neither such a file nor such a name.
        OSError: if the file cannot be read, or the cache folder cannot be written.
    """
    if isinstance(spec, str) and "\n" in spec:
        # A lone surrogate cannot be encoded; passed on, it gets a message with its place.
        content = spec.encode("utf-8", "surrogatepass")
        optimizer = driver.compile_text(content, f"{_TEXT}.toml")
    else:
        optimizer = driver.compile_spec(spec_file(Path(spec)))
    files = driver.emit([optimizer])
    package = f"optgen_{optimizer.program.module}_{_digest(files)}"
    folder = cache_folder() / package
    folders.write(files, folder)
    loaded = getattr(_imported(package, folder), optimizer.program.name)
    loaded._repr_markdown_ = Representation(optimizer.program, optimizer.spec.summary)
    return loaded


def cache_folder() -> Path:
    """Return the folder that holds what ``load`` compiled; it need not exist."""
    given = os.environ.get("OPTGEN_CACHE_DIR")
    return Path(given) if given else user_cache_path("optgen")


def _digest(files: Sequence[Artifact]) -> str:
    content = _SEPARATOR.join(part for file in files for part in (file.path, file.text))
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()


def _imported(package: str, folder: Path) -> Any:
    """Return a package that lies in no folder of ``sys.path``."""
    if package in sys.modules:
        return sys.modules[package]
    spec = importlib.util.spec_from_file_location(
        package, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None, "a file of Python has a loader"
    assert spec.loader is not None, "a file of Python has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[package] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[package]
        raise
    return module
