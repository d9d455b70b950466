"""The format of a spec as JSON Schema, with which editors complete and check specs."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from optgen.frontend.schema import OptimizerSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FILE_NAME = "spec.schema.json"


def json_schema() -> dict[str, Any]:
    """The schema of a whole spec, draft 2020-12.

    It accepts every spec that the compiler accepts, and refuses unknown and missing keys, values
    of a wrong type or out of bounds, and names that are no words or taken.
    """
    schema = _plain(OptimizerSpec.model_json_schema())
    return {"$schema": DIALECT, **schema, "description": "A spec of an optimizer, for optgen."}


def json_schema_text() -> str:
    """The schema as the text of a file; the same for the same models."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def installed_schema() -> Path:
    """The schema's file that is installed with optgen."""
    return Path(str(resources.files("optgen.frontend") / FILE_NAME))


def _plain(node: Any) -> Any:
    """A part of a schema without what means nothing in TOML, or means the same as its neighbour."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    found = {key: _plain(value) for key, value in node.items()}
    if found.get("default", ...) is None:
        del found["default"]
    alternatives = found.get("anyOf")
    if isinstance(alternatives, list):
        found = _fewer(found, alternatives)
    return found


def _fewer(node: dict[str, Any], alternatives: list[Any]) -> dict[str, Any]:
    """A choice of types: TOML has no null, and every integer of a spec may be a number."""
    kept = [item for item in alternatives if item != {"type": "null"}]
    if {"type": "number"} in kept:
        kept = [item for item in kept if item != {"type": "integer"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    return {**kept[0], **rest} if len(kept) == 1 else {**rest, "anyOf": kept}
