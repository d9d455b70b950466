"""What remains of a spec without the parts that do not fit the schema.

One run reports every mistake: the parts that fit are checked although others do not.  Nothing is
ever generated from what is made here.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from optgen.frontend.report import Report
from optgen.frontend.schema import keys_of
from optgen.frontend.toml import Location

_EXAMPLE = {"mode": "", "start": 0, "gradients": [], "expected": [], "source": ""}
_PLACEHOLDERS = {"name": "Unnamed", "summary": "Missing."}


def without_faults(
    data: dict[str, Any], complaints: Mapping[Location, str], report: Report
) -> dict[str, Any] | None:
    """The data without what was complained about; None if too little would be left.

    Args:
        data: the content of the spec.
        complaints: pydantic's kind of complaint at each location.
        report: told which names and parts have had a message.
    """
    rest = copy.deepcopy(data)
    for location, kind in complaints.items():
        if not location or (len(location) == 1 and location[0] in ("hyperparameters", "slots")):
            return None
        section = str(location[0])
        if len(location) == 2 and location[1] in keys_of(()):
            return None  # a key of the top level that stands below a table
        if len(location) == 1:
            _mend_top_level(rest, section, kind)
        elif section in ("hyperparameters", "slots"):
            _mend_declaration(rest[section], section, location, kind)
            report.blame(str(location[1]))
        elif section == "example":
            rest[section][location[1]] = dict(_EXAMPLE)
        elif section == "modes":
            _mend_mode(rest[section], location)
        else:
            rest.pop(section)
        report.dropped.add(location)
    return rest


def _mend_mode(modes: list[Any], location: Location) -> None:
    """Leave out what is wrong with a mode; what stands in its place is never looked at."""
    number = location[1]
    assert isinstance(number, int)
    if len(location) == 2 or not isinstance(modes[number], dict):
        modes[number] = {"name": f"mode_{number}", "when": "", "update": ""}
    elif location[2] in ("name", "when", "update", "doc"):
        placeholder = f"mode_{number}" if location[2] == "name" else ""
        modes[number][str(location[2])] = placeholder
    else:
        modes[number].pop(str(location[2]), None)


def _mend_top_level(rest: dict[str, Any], key: str, kind: str) -> None:
    if key in _PLACEHOLDERS:
        rest[key] = _PLACEHOLDERS[key]
    elif kind != "missing":
        rest.pop(key, None)


def _mend_declaration(table: dict[str, Any], section: str, location: Location, kind: str) -> None:
    """Leave out what is wrong with a hyperparameter or slot; its name stays declared."""
    name = str(location[1])
    if len(location) == 2 or not isinstance(table[name], dict):
        table[name] = {"doc": ""}
    elif kind == "missing":
        table[name]["doc"] = ""
    else:
        table[name].pop(str(location[2]), None)
    if section == "hyperparameters":
        table[name].setdefault("default", 0.0)
