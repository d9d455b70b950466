"""Data -> OptimizerSpec, with pydantic's complaints in the words and places of the author."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from optgen.frontend.names import suggestion
from optgen.frontend.report import Report
from optgen.frontend.schema import MAX_EXAMPLES, MAX_PARTS, OptimizerSpec, keys_of
from optgen.frontend.toml import Location, SpanIndex

_EXPECTED = {
    "optional": "true or false",
    "min": "a number",
    "max": "a number",
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


def validate(data: dict[str, Any], index: SpanIndex) -> OptimizerSpec:
    """The spec that the data of a TOML file describes.

    Raises:
        CompileError: if keys are unknown or missing, or values are of the wrong type.
    """
    try:
        return OptimizerSpec.model_validate(data)
    except ValidationError as error:
        report = Report(index)
        complaints: dict[Location, dict[str, Any]] = {}
        for detail in error.errors(include_url=False):
            complaints.setdefault(_real_location(detail["loc"], data, detail["type"]), dict(detail))
        for location, complaint in complaints.items():
            if not _refined(location, complaint, complaints):
                _explain(location, complaint, report)
        report.raise_if_any()
        raise


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


def _explain(location: Location, complaint: dict[str, Any], report: Report) -> None:
    kind = complaint["type"]
    name = str(location[-1]) if location else "the spec"
    if kind == "extra_forbidden":
        known = keys_of(location[:-1])
        span = report.index.key(*location)
        report.error("E201", f"unknown key `{name}`", span, help=suggestion(name, known))
    elif kind == "missing":
        span = report.index.key(*location[:-1])
        headline = f"{_owner(location[:-1])} has no `{name}`"
        report.error("E202", headline, span, help=_missing_help(name))
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
        report.error("E203", _wrong_type(location), span, help=_misplaced_help(location))


def _misplaced_help(location: Location) -> str | None:
    """In TOML a key belongs to the last table above it, which surprises at the top level's keys."""
    if len(location) == 2 and location[1] in keys_of(()):
        table = f"[{location[0]}]"
        return f"`{location[1]}` belongs above the first table: below {table} it is a part of it"
    return None


def _wrong_type(location: Location) -> str:
    key = next((part for part in reversed(location) if isinstance(part, str)), "")
    inside = bool(location) and isinstance(location[-1], int)
    if location and location[0] in ("hyperparameters", "slots") and len(location) == 2:
        return f'{_owner(location)} must be a table, such as `{{ doc = "..." }}`'
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


def _missing_help(name: str) -> str | None:
    hints = {
        "doc": 'doc = "what it is, in one sentence"',
        "summary": 'summary = "what the optimizer is, in one line"',
        "source": "say where, outside of this project, the numbers come from",
        "hyperparameters": (
            '[hyperparameters]\nlearning_rate = { default = 0.001, doc = "The learning rate." }'
        ),
    }
    return hints.get(name)
