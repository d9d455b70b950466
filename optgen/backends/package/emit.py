"""Programs -> the ``__init__.py`` of the generated package."""

from __future__ import annotations

from collections.abc import Iterable

from optgen.backends.artifact import Artifact, header, templates
from optgen.ir.program import Program


def emit_package(programs: Iterable[Program]) -> Artifact:
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
