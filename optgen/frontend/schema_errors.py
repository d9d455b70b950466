"""Data -> OptimizerSpec, with pydantic's complaints in the words and places of the author."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from optgen.frontend.names import nearest, suggestion
from optgen.frontend.report import Report
from optgen.frontend.schema import (
    LOWER_BOUNDS,
    MAX_EXAMPLES,
    MAX_PARTS,
    UPPER_BOUNDS,
    OptimizerSpec,
    keys_of,
)
from optgen.frontend.schema_repair import without_faults
from optgen.frontend.toml import Location

_EXPECTED = {
    "optional": "true or false",
    "min": "a number",
    "max": "a number",
    "above": "a number",
    "below": "a number",
    "default": "a number, true, false or a word",
    "initial": 'a number, "w" or the name of a hyperparameter',
    "choices": "a list of words",
    "references": "a list of strings",
    "start": "a number or a list of numbers",
    "gradients": "a list with one gradient per step",
    "expected": "a list with one value per step",
    "tolerance": "a number from 0 to 1",
    "hyperparameters": "a table",
    "slots": "a table",
    "modes": "an array of tables, `[[modes]]`",
    "example": "an array of tables, `[[example]]`",
}

_NEVER_TEXTS = (*LOWER_BOUNDS, *UPPER_BOUNDS, "initial", "tolerance", "optional")
"""Keys whose values, where they look like numbers, were quoted by mistake."""


def validate(data: dict[str, Any], report: Report) -> OptimizerSpec:
    """The spec that the data of a TOML file describes.

    If keys are unknown or missing, or values are of the wrong type, that is reported, and the
    result is the spec without them, so that whatever else is wrong can be reported as well.

    Raises:
        CompileError: if what is wrong leaves no spec to go on with.
    """
    try:
        return OptimizerSpec.model_validate(data)
    except ValidationError as error:
        complaints: dict[Location, dict[str, Any]] = {}
        for detail in error.errors(include_url=False):
            complaints.setdefault(_real_location(detail["loc"], data, detail["type"]), dict(detail))
        for location, complaint in complaints.items():
            if not _refined(location, complaint, complaints) and not _misnamed(
                location, complaint, complaints
            ):
                _explain(location, complaint, report)
    kinds = {location: str(complaint["type"]) for location, complaint in complaints.items()}
    rest = without_faults(data, kinds, report)
    if rest is not None:
        try:
            return OptimizerSpec.model_validate(rest)
        except ValidationError:
            pass
    report.raise_if_any()
    raise AssertionError("a spec that does not fit the schema has a message")


def _real_location(location: tuple[Any, ...], data: Any, kind: str) -> Location:
    """The location without the parts in which pydantic names the members of a union."""
    out: list[str | int] = []
    for number, part in enumerate(location):
        inside = (isinstance(data, dict) and part in data) or (
            isinstance(data, list) and isinstance(part, int) and part < len(data)
        )
        if inside:
            out.append(part)
            data = data[part]
        elif kind == "missing" and number == len(location) - 1:
            out.append(part)
    return tuple(out)


def _refined(
    location: Location, complaint: dict[str, Any], complaints: dict[Location, dict[str, Any]]
) -> bool:
    """Whether another complaint says more exactly what is wrong inside this value."""
    if not complaint["type"].endswith("_type"):
        return False
    size = len(location)
    return any(len(other) > size and other[:size] == location for other in complaints)


def _misnamed(
    location: Location, complaint: dict[str, Any], complaints: dict[Location, dict[str, Any]]
) -> bool:
    """Whether another message is about the same.

    A missing key may be there under another name; without the header of a table, what belongs into
    it stands at the top level.
    """
    if complaint["type"] == "extra_forbidden":
        declares = isinstance(complaint["input"], dict) and "doc" in complaint["input"]
        return declares and len(location) == 1 and ("hyperparameters",) in complaints
    if complaint["type"] != "missing":
        return False
    table = location[:-1]
    return any(
        other["type"] == "extra_forbidden"
        and where[:-1] == table
        and key_meant(str(where[-1]), keys_of(table)) == location[-1]
        for where, other in complaints.items()
    )


_OTHER_KEYS = {
    "doc": ("description", "desc", "help", "docstring", "comment", "meaning"),
    "initial": ("init", "initial_value", "initializer", "value", "start", "default"),
    "rate": ("shape", "kind", "per", "scope", "level", "type"),
    "default": ("value", "initial", "val"),
    "min": ("minimum", "lower", "low", "ge"),
    "max": ("maximum", "upper", "high", "le"),
    "above": ("gt", "exclusive_minimum", "greater", "greater_than"),
    "below": ("lt", "exclusive_maximum", "less", "less_than"),
    "when": ("condition", "if", "cond", "only_if"),
    "update": ("equations", "equation", "rule", "step", "formula", "code", "algorithm"),
    "references": ("paper", "papers", "citation", "citations", "source", "url"),
    "example": ("examples", "test", "tests", "vectors"),
    "modes": ("mode", "variant", "variants", "cases"),
    "hyperparameters": ("params", "parameters", "arguments", "args", "options", "config"),
    "slots": ("state", "states", "buffers", "memory", "variables"),
    "choices": ("values", "allowed", "words", "options"),
    "summary": ("title", "short", "doc"),
    "optional": ("nullable",),
    "expected": ("result", "results", "weights", "values", "outputs"),
    "gradients": ("grads", "grad", "gradient", "g"),
    "start": ("initial", "w", "w0", "weights"),
    "before": ("prologue", "common", "shared"),
    "after": ("epilogue",),
}
"""Per key what else authors call it."""


def key_meant(name: str, known: tuple[str, ...]) -> str | None:
    """The key that an author meant by another name; None if that is not clear."""
    names = (key for key, others in _OTHER_KEYS.items() if key in known and name in others)
    return next(names, None) or nearest(name, known)


def _explain(location: Location, complaint: dict[str, Any], report: Report) -> None:
    kind = complaint["type"]
    name = str(location[-1]) if location else "the spec"
    if kind == "extra_forbidden":
        known = keys_of(location[:-1])
        span = report.index.key(*location)
        meant = key_meant(name, known)
        hint = f"did you mean `{meant}`?" if meant else suggestion(name, known)
        report.error("E201", f"unknown key `{name}`", span, help=hint)
    elif kind == "missing":
        span = report.index.key(*location[:-1])
        headline = f"{_owner(location[:-1])} has no `{name}`"
        report.error("E202", headline, span, help=_missing_help(name, location))
    elif kind == "too_long":
        limit = MAX_EXAMPLES if name == "example" else MAX_PARTS
        headline = f"more than {limit} entries in `{name}`"
        report.error("E212", headline, report.index.key(*location))
    elif kind == "literal_error":
        expected = complaint["ctx"]["expected"].replace("'", '"')
        headline = f"`{name}` must be {expected}"
        report.error("E204", headline, report.index.value(*location))
    elif kind in ("greater_than_equal", "less_than_equal", "finite_number"):
        headline = f"`{name}` must be {_EXPECTED.get(name, 'a number')}"
        report.error("E204", headline, report.index.value(*location))
    else:
        span = report.index.value(*location)
        hint = _misplaced_help(location) or _type_help(location, complaint["input"])
        report.error("E203", _wrong_type(location), span, help=hint)


def _misplaced_help(location: Location) -> str | None:
    """In TOML a key belongs to the last table above it, which surprises at the top level's keys."""
    if len(location) == 2 and location[1] in keys_of(()):
        table = f"[{location[0]}]"
        return f"`{location[1]}` belongs above the first table: below {table} it is a part of it"
    return None


def _type_help(location: Location, value: Any) -> str | None:
    """What to write instead of a value of the wrong type."""
    key = str(location[-1]) if location else ""
    if location[:-1] == ("hyperparameters",):
        default = repr(value).lower() if isinstance(value, bool) else repr(value)
        plain = default if isinstance(value, (bool, int, float)) else "0.9"
        return f'{key} = {{ default = {plain}, doc = "..." }}'
    if location[:1] == ("hyperparameters",) and key == "default" and isinstance(value, list):
        name = str(location[1])
        name = name[:-1] if name.endswith("s") and len(name) > 4 else name
        return f"one hyperparameter for each number: `{name}_1`, `{name}_2` and so on"
    if location[:-1] == ("slots",):
        return f'{key} = {{ doc = "..." }}'
    if key in ("update", "before", "after") and isinstance(value, (list, dict)):
        return f"equations are one text, a line each:\n{key} = '''\nw = ...\n'''"
    if isinstance(value, str) and key in _NEVER_TEXTS:
        return f"write `{value}`, without quotes" if is_plain(value) else None
    return None


def is_plain(text: str) -> bool:
    """Whether a text is a number or truth value that was put into quotes."""
    try:
        float(text)
    except ValueError:
        return text in ("true", "false")
    return True


def _wrong_type(location: Location) -> str:
    key = next((part for part in reversed(location) if isinstance(part, str)), "")
    inside = bool(location) and isinstance(location[-1], int)
    if location and location[0] in ("hyperparameters", "slots") and len(location) == 2:
        return f"{_owner(location)} must be a table"
    if inside and key in ("choices", "references"):
        return f"an entry of `{key}` must be a string"
    if inside and key in ("start", "gradients", "expected"):
        return f"an entry of `{key}` must be a number or a list of numbers"
    if len(location) == 4 and location[0] == "example":
        return f"the value of `{key}` must be a number, true, false or a word"
    return f"`{key}` must be {_EXPECTED.get(key, 'a string')}"


def _owner(location: Location) -> str:
    """What a table of the spec stands for, in words."""
    if len(location) != 2:
        return "the spec"
    section, name = location
    words = {"hyperparameters": "hyperparameter", "slots": "slot"}
    if section in words:
        return f"{words[str(section)]} `{name}`"
    return "this mode" if section == "modes" else "this example"


def _missing_help(name: str, location: Location) -> str | None:
    if name == "name" and len(location) > 1:
        return 'name = "plain", a lower-case word'
    hints = {
        "name": 'name = "MyOptimizer", the name of the class',
        "when": 'when = "momentum > 0", the hyperparameters that select the mode',
        "update": "update = '''\nw = w - learning_rate * g\n'''",
        "mode": 'mode = "default", or the name of one of the `[[modes]]`',
        "start": "start = [1.0, 2.0], the variable before the first step",
        "gradients": "gradients = [[0.1, 0.2]], one gradient a step",
        "expected": "expected = [[0.9, 1.8]], the variable after each step",
        "doc": 'doc = "what it is, in one sentence"',
        "summary": 'summary = "what the optimizer is, in one line"',
        "source": "say where, outside of this project, the numbers come from",
        "hyperparameters": (
            '[hyperparameters]\nlearning_rate = { default = 0.001, doc = "The learning rate." }'
        ),
    }
    return hints.get(name)
