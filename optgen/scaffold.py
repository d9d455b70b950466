"""New specs: the commented start of one, or a copy of one that ships with optgen."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice

import numpy as np
import tomlkit
from tomlkit.items import Array

from optgen import __version__, driver
from optgen.backends.artifact import templates
from optgen.frontend.names import CLASS_WORD, LOWER_WORD
from optgen.ir.program import HyperparameterValue, Program
from optgen.ir.trajectory import trajectory

START = (1.0, -2.0)
GRADIENTS = ((0.5, -0.25), (0.25, 1.0))
"""What examples that the interpreter computes start from."""


class NameProblem(ValueError):
    """A name that can be neither that of a class nor that of a file."""


def names_of(name: str) -> tuple[str, str]:
    """The name of the class and that of the module, from either of them.

    Args:
        name: a CamelCase word, or a lower-case word with underscores.

    Raises:
        NameProblem: if it is neither.
    """
    if CLASS_WORD.fullmatch(name):
        between = r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z])"
        return name, re.sub(between, "_", name).lower()
    if LOWER_WORD.fullmatch(name):
        return "".join(word[:1].upper() + word[1:] for word in name.split("_")), name
    raise NameProblem(f"expected a word such as MyRule or my_rule, received {name!r}")


def new_spec(name: str, module: str, source: str | None = None, schema: str | None = None) -> str:
    """The text of a new spec, which builds.

    Its examples are computed by the reference interpreter, and say so.

    Args:
        name: the name of the class.
        module: the name of the module, and of the file without its ending.
        source: the text of the spec to start from; a commented one of few lines if missing.
        schema: the file of the JSON Schema beside the spec, if there is one.

    Raises:
        optgen.CompileError: if one of the names is taken.
    """
    head = _head(schema)
    if source is None:
        template = templates("optgen").get_template("new_spec.toml.j2")
        body = template.render(head=head, name=name, file=f"{module}.toml")
    else:
        body = f"{head}\n{_copied(source, name)}"
    program = driver.compile_text(body.encode(), f"{module}.toml").program
    return "\n".join([body.rstrip("\n"), *_examples(program)])


def _head(schema: str | None) -> str:
    """The first lines, which tell editors where the schema is; or their reader."""
    if schema is not None:
        return f"#:schema ./{schema}\n"
    return (
        "# Editors complete and check specs: run `optgen schema --out optgen.schema.json` in this\n"
        "# folder, and write `#:schema ./optgen.schema.json` into the first line of this file.\n"
    )


def _copied(source: str, name: str) -> str:
    """A spec under another name, without its examples; comments and layout stay."""
    document = tomlkit.parse(source)
    original = str(document["name"])
    document["name"] = name
    if isinstance(document.get("references"), Array):
        document["references"].comment(f"of {original}, from which this spec was copied")
        document["references"].trivia.comment_ws = "  "
    document.pop("example", None)
    return (
        f"# {name}, a copy of {original} as it ships with optgen {__version__}. Change its name,\n"
        f"# texts and equations into your own; the examples at the end hold until you do.\n\n"
        f"{tomlkit.dumps(document)}"
    )


def _examples(program: Program) -> Iterator[str]:
    """The lines of an example for each mode."""
    for mode in program.modes:
        values = _selecting(program, mode.name)
        if values is None:
            continue
        way = trajectory(
            program,
            mode.name,
            values,
            np.array(START),
            lambda number, w: np.array(GRADIENTS[number]),
        )
        expected = [list(map(float, w)) for w in islice(way, len(GRADIENTS))]
        assert np.isfinite(expected).all(), f"the example of {mode.name} overflows"
        yield ""
        yield "[[example]]"
        yield f'mode = "{mode.name}"'
        if values:
            pairs = ", ".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
            yield f"hyperparameters = {{ {pairs} }}"
        yield f"start = {list(START)}"
        yield f"gradients = {[list(gradient) for gradient in GRADIENTS]}"
        yield f"expected = {expected}"
        yield f'source = "the reference interpreter of optgen {__version__}; not from outside"'
    yield ""


def _selecting(program: Program, mode: str) -> dict[str, HyperparameterValue] | None:
    """Hyperparameters other than the defaults that select a mode.

    None if only a value None would do, which TOML cannot say.
    """
    defaults = {row.name: row.default for row in program.hyperparameters}
    for choice in program.choices:
        differing = {name: value for name, value in choice.cell if value != defaults[name]}
        if choice.mode == mode and None not in differing.values():
            return differing
    return None
