"""An optimizer as a package of its own, which needs NumPy and Numba and nothing of optgen.

It holds the generated files of the optimizer and the modules of the runtime that these import,
directly or through others.  All imports of optgen become relative, so that the package may have any
name and lie inside any other one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path

from optgen import __version__, driver
from optgen.backends.artifact import Artifact, digest, templates
from optgen.backends.pytext import docstring

MARK = "ejected by optgen"
RUNTIME = ("optgen", "runtime")
RUNTIME_FOLDER = "_runtime"
"""The folder of the runtime; no spec's file can be called like that."""

_REGENERATE = re.compile(r"^# Regenerate with: .*$", re.MULTILINE)


def eject(optimizer: driver.Optimizer) -> list[Artifact]:
    """The files of a standalone package, in the order of their paths.

    Args:
        optimizer: the compiled spec.

    Raises:
        FileNotFoundError: if the licence of optgen, which goes with its code, is not installed.
    """
    program = optimizer.program
    generated = (*driver.emit_part(optimizer).files, *driver.emit_shared())
    files = [_own(file, optimizer) for file in generated]
    files += [_runtime_file(module) for module in _needed(file.text for file in generated)]
    files.append(Artifact("__init__.py", _package(optimizer)))
    files.append(Artifact(f"{program.module}.toml", optimizer.source.text))
    files.append(Artifact("LICENSE", _license()))
    return sorted(files, key=lambda file: file.path)


def _own(file: Artifact, optimizer: driver.Optimizer) -> Artifact:
    """A generated file with relative imports, and a header that says where it belongs."""
    text = _REGENERATE.sub(_regenerate(optimizer), _relative(file.text, ()), count=1)
    return Artifact(file.path, f"{_origin(optimizer)}\n{text}")


def _origin(optimizer: driver.Optimizer) -> str:
    program, source = optimizer.program, optimizer.source
    return (
        f"# {program.name}, {MARK} {__version__}, whose code is under Apache-2.0; see LICENSE.\n"
        f"# From {source.spec}, digest {source.digest}."
    )


def _regenerate(optimizer: driver.Optimizer) -> str:
    return f"# Regenerate with: optgen eject {optimizer.source.spec}"


def _package(optimizer: driver.Optimizer) -> str:
    """The package's ``__init__.py``."""
    name, module = optimizer.program.name, optimizer.program.module
    others = {"Variable": f"{RUNTIME_FOLDER}.variable", "schedules": RUNTIME_FOLDER}
    offered = {what: place for what, place in others.items() if what not in (name, module)}
    words = [
        optimizer.spec.summary,
        "",
        f"{name} as a package of its own, which needs {' and '.join(_requirements())}, and "
        "autograd for `minimize` alone. The package may have any name and lie inside any other "
        "one. Files that the optimizer saves are those of optgen, in both directions; pickles name "
        "the package that made them.",
        "",
        "Not here is the LossScaleOptimizer of optgen, which finds the optimizer inside a saved "
        "configuration by its name among all of optgen's. A fixed `loss_scale_factor` is.",
    ]
    return (
        templates("optgen")
        .get_template("ejected.py.j2")
        .render(
            header=f"{_origin(optimizer)}\n{_regenerate(optimizer)}",
            docstring=docstring(words, 0),
            imports={place: what for what, place in offered.items()} | {module: name},
            names=sorted((name, *offered)),
        )
    )


def _requirements() -> list[str]:
    """The versions of the libraries that the runtime imports."""
    lines = metadata.requires("optgen") or ()
    return [line for line in sorted(lines) if re.fullmatch(r"(numba|numpy)(?!-)[^;]*", line)]


def _license() -> str:
    """The text of optgen's licence, from the installed distribution or the checkout."""
    installed = metadata.distribution("optgen").read_text("licenses/LICENSE")
    if installed is not None:
        return installed
    path = Path(__file__).parents[1] / "LICENSE"
    if not path.is_file():
        raise FileNotFoundError("expected the licence of optgen in its distribution, found none")
    return path.read_text("utf-8")


# The runtime -----------------------------------------------------------------------------------

Module = tuple[str, ...]
"""A module of the runtime by the parts of its name below ``optgen.runtime``; empty for itself."""


def _needed(texts: Iterable[str]) -> list[Module]:
    """The modules of the runtime that some files import, those that these import, and so on."""
    found: dict[Module, None] = {}
    pending = [module for text in texts for module in _imported(text)]
    while pending:
        module = pending.pop()
        if module not in found:
            found[module] = None
            pending += _imported(_source(module))
            pending += [module[:depth] for depth in range(len(module))]
    return sorted(found)


def _imported(text: str) -> Iterator[Module]:
    """The modules of the runtime that a file imports, wherever the import stands."""
    for node in _imports_of_optgen(ast.parse(text)):
        module = tuple((node.module or "").split("."))[len(RUNTIME) :]
        yield module
        for alias in node.names:
            if _file(*module, alias.name) is not None:
                yield (*module, alias.name)


def _imports_of_optgen(tree: ast.AST) -> Iterator[ast.ImportFrom]:
    """The import statements of a file that name the runtime."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            own = [alias.name for alias in node.names if alias.name.split(".")[0] == RUNTIME[0]]
            assert not own, f"import {own[0]}: only `from ... import ...` can be made relative"
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            parts = tuple((node.module or "").split("."))
            if parts[0] == RUNTIME[0]:
                assert parts[: len(RUNTIME)] == RUNTIME, f"{node.module} is not of the runtime"
                yield node


def _runtime_folder() -> Traversable:
    # Not by the name of the package, which would import it, and Numba with it.
    return resources.files(RUNTIME[0]) / RUNTIME[1]


def _file(*module: str) -> str | None:
    """The path below the runtime of a module's file; None if there is no such module."""
    folder = _runtime_folder()
    for path in ("/".join((*module, "__init__.py")), "/".join(module) + ".py"):
        if (folder / path).is_file():
            return path
    return None


def _source(module: Module) -> str:
    path = _file(*module)
    assert path is not None, f"{module}: no such module of the runtime"
    return (_runtime_folder() / path).read_text("utf-8")


def _runtime_file(module: Module) -> Artifact:
    """A module of the runtime, with relative imports."""
    path = _file(*module)
    assert path is not None, f"{module}: no such module of the runtime"
    source = _source(module)
    header = (
        f"# {'/'.join(RUNTIME)}/{path}, {MARK} {__version__}; Apache-2.0, see LICENSE.\n"
        f"# Digest of the original: {digest(source)}.\n"
    )
    package = (RUNTIME_FOLDER, *path.split("/")[:-1])
    return Artifact(f"{RUNTIME_FOLDER}/{path}", header + _relative(source, package))


def _relative(text: str, package: tuple[str, ...]) -> str:
    """A file's text in which every import of the runtime is relative.

    Args:
        text: the file.
        package: the folders, below the ejected package, that the file will lie in.
    """
    lines = text.splitlines(keepends=True)
    for node in _imports_of_optgen(ast.parse(text)):
        target = (RUNTIME_FOLDER, *(node.module or "").split(".")[len(RUNTIME) :])
        shared = 0
        while shared < min(len(package), len(target)) and package[shared] == target[shared]:
            shared += 1
        name = "." * (len(package) - shared + 1) + ".".join(target[shared:])
        # The statement begins here; what is imported from the module stays as it is written.
        line = lines[node.lineno - 1]
        head, statement = line[: node.col_offset], line[node.col_offset :]
        words = re.match(rf"from\s+{re.escape(node.module or '')}\s+import\b", statement)
        assert words is not None, f"an import that is written in another way: {statement}"
        lines[node.lineno - 1] = f"{head}from {name} import{statement[words.end() :]}"
    return "".join(lines)
