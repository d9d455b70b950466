"""Programs -> the ``__init__.py`` of the generated package."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from optgen.backends.artifact import Artifact, header, templates


class Named(Protocol):
    """A program, or anything else that names a class and its module."""

    @property
    def name(self) -> str:
        """The class."""

    @property
    def module(self) -> str:
        """The module that it stands in."""


def emit_package(programs: Iterable[Named]) -> Artifact:
    """The package's ``__init__.py``, which names every optimizer in alphabetical order."""
    classes = sorted((program.name, program.module) for program in programs)
    text = (
        templates("optgen.backends.package")
        .get_template("init.py.j2")
        .render(
            header=header(None, "The package of optimizers"),
            imports=sorted(classes, key=lambda pair: pair[1]),
            classes=classes,
        )
    )
    return Artifact("__init__.py", text)
