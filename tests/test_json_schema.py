"""The schema for editors: what it refuses the compiler refuses, and structure is all it judges."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from optgen.cli import app
from optgen.diagnostics import CompileError
from optgen.frontend.json_schema import installed_schema, json_schema, json_schema_text
from optgen.frontend.lower import load_text
from optgen.frontend.schema import OptimizerSpec
from tests.oracle import SPECS

BAD = Path(__file__).parent / "bad_specs"
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

STRUCTURE = {"E201", "E202", "E203", "E204", "E205", "E206", "E208", "E210", "E211", "E212"}
# What no schema can say: it sees no lines in a text, and compares no two values.
BEYOND_A_SCHEMA = {"E204-bounds", "E204-initial", "E208-integer-bounds", "E212-too-many-lines"}
NOT_TOML = {"E102", "E103", "E104", "E105", "E318"}


def toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def complaints(data: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(data)]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_spec_validates(path: Path) -> None:
    assert complaints(toml(path)) == []


def bad_specs(*, structural: bool) -> list[Path]:
    found = [p for p in sorted(BAD.glob("*.toml")) if p.stem.split("-")[0] not in NOT_TOML]
    return [p for p in found if (p.stem.split("-")[0] in STRUCTURE) == structural]


@pytest.mark.parametrize("path", bad_specs(structural=True), ids=lambda path: path.stem)
def test_a_wrong_structure_is_refused(path: Path) -> None:
    assert bool(complaints(toml(path))) == (path.stem not in BEYOND_A_SCHEMA)


@pytest.mark.parametrize("path", bad_specs(structural=False), ids=lambda path: path.stem)
def test_what_is_wrong_in_its_meaning_is_left_to_the_compiler(path: Path) -> None:
    assert complaints(toml(path)) == []


GOOD = """
name = "Plain"
summary = "Gradient descent."
update = 'w = w - learning_rate * g'

[hyperparameters]
learning_rate = { default = 1.0, doc = "How far a step goes." }
"""

# A line that replaces another one, or follows the text, and the place that is wrong then.
CHANGES = [
    ('name = "Plain"', 'name = "plain"', "$.name"),
    ('name = "Plain"', 'name = "Optimizer"', "$.name"),
    ('name = "Plain"', 'name = 3', "$.name"),
    ('summary = "Gradient descent."', 'summary = " "', "$.summary"),
    ('summary = "Gradient descent."', "", "$"),
    ('summary = "Gradient descent."', 'summary = "G"\nsumary = "G"', "$"),
    ("update =", "updates =", "$"),
    ("update =", "before = 'g = -g'\nupdate =", "$"),
    ("default = 1.0, ", "", "$.hyperparameters.learning_rate"),
    ("default = 1.0", "default = [1.0]", "$.hyperparameters.learning_rate.default"),
    ("default = 1.0", 'default = 1.0, min = "0"', "$.hyperparameters.learning_rate.min"),
    ("default = 1.0", "default = 1.0, max = true", "$.hyperparameters.learning_rate.max"),
    ("default = 1.0", 'default = 1.0, type = "real"', "$.hyperparameters.learning_rate.type"),
    ("default = 1.0", "default = 1.0, optional = 1", "$.hyperparameters.learning_rate.optional"),
    ("default = 1.0", "default = 1.0, minimum = 0", "$.hyperparameters.learning_rate"),
    ("learning_rate = {", "rate = {", "$.hyperparameters"),
    ("[hyperparameters]", "[hyperparameters]\nt = { default = 1.0, doc = 'T.' }",
     "$.hyperparameters"),
    ("[hyperparameters]", "[hyperparameters]\n'my-rate' = { default = 1.0, doc = 'B.' }",
     "$.hyperparameters"),
    ("", "[slots]\nm = { rate = 'elements', doc = 'M.' }", "$.slots.m.rate"),
    ("", "[slots]\nm = { initial = true, doc = 'M.' }", "$.slots.m.initial"),
    ("", "[slots]\nm = { rate = 'step' }", "$.slots.m"),
    ("", "[slots]\nlearning_rate = { doc = 'M.' }", "$.slots"),
    ("", "[[modes]]\nname = 'a'\nwhen = 'b'\nupdate = 'w = g'", "$"),
    ("", "[[example]]\nmode = 'default'", "$.example[0]"),
    ("", "[modes]\nname = 'a'", "$.modes"),
]  # fmt: skip


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new, 1) if old else f"{GOOD}\n{new}\n"


@pytest.mark.parametrize(("old", "new", "place"), CHANGES, ids=[new[:30] for _, new, _ in CHANGES])
def test_what_the_schema_refuses_the_compiler_refuses(old: str, new: str, place: str) -> None:
    text = changed(old, new)
    assert place in {error.json_path for error in VALIDATOR.iter_errors(tomllib.loads(text))}
    with pytest.raises(CompileError):
        load_text(text, "plain.toml")


@pytest.mark.parametrize(
    "addition",
    [
        "modes = []\nslots = {}\nexample = []\nreferences = []",
        "",
    ],
)
def test_what_the_compiler_takes_the_schema_takes(addition: str) -> None:
    text = f"{addition}\n{GOOD}"
    load_text(text, "plain.toml")
    assert complaints(tomllib.loads(text)) == []
    replaced = GOOD + 'clipnorm = { optional = true, type = "float", doc = "C." }'
    assert complaints(tomllib.loads(replaced)) == []


def test_too_many_parts_are_refused() -> None:
    rows = "\n".join(f"h{n} = {{ default = 1.0, doc = 'H.' }}" for n in range(64))
    assert complaints(tomllib.loads(f"{GOOD}\n{rows}"))


def test_every_key_is_described() -> None:
    tables = [SCHEMA, *(table for table in SCHEMA["$defs"].values() if "properties" in table)]
    assert len(tables) == 5
    for table in tables:
        assert table["additionalProperties"] is False
        assert table["description"]
        for name, key in table["properties"].items():
            assert key["description"].endswith("."), name
    assert set(SCHEMA["properties"]) == set(OptimizerSpec.model_fields)
    assert '"null"' not in json_schema_text()


def test_the_shipped_file_is_that_of_the_models() -> None:
    assert installed_schema().read_text("utf-8") == json_schema_text(), (
        "run optgen schema --out optgen/frontend/spec.schema.json"
    )


def test_the_same_bytes_come_out_under_any_hash_seed() -> None:
    texts = {
        subprocess.run(
            [sys.executable, "-c", "from optgen.frontend import json_schema as s\n"
             "print(s.json_schema_text(), end='')"],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(SPECS.parent)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert texts == {json_schema_text()}


def test_the_command(tmp_path: Path) -> None:
    run = CliRunner().invoke
    assert json.loads(run(app, ["schema"]).stdout) == SCHEMA
    path = Path(run(app, ["schema", "--path"]).stdout.strip())
    assert path.read_text("utf-8") == json_schema_text()
    out = tmp_path / "optgen.schema.json"
    assert run(app, ["schema", "--out", str(out)]).exit_code == 0
    assert out.read_bytes() == json_schema_text().encode()
    assert run(app, ["schema", "--out", str(out), "--path"]).exit_code == 2


def test_editors_find_the_schema_of_the_specs_of_the_project() -> None:
    (rule,) = toml(SPECS.parent / ".taplo.toml")["rule"]
    assert SPECS.parent / rule["schema"]["path"] == installed_schema()
    assert list(SPECS.parent.glob(rule["include"][0]))
