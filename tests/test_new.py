"""`optgen new`: what it writes builds, steps and teaches, and nothing is overwritten."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

import optgen
from optgen.cli import app
from optgen.driver import compile_text
from optgen.frontend.json_schema import json_schema
from optgen.frontend.schema import (
    ExampleSpec,
    HyperparameterSpec,
    ModeSpec,
    OptimizerSpec,
    SlotSpec,
)
from optgen.scaffold import NameProblem, names_of, new_spec
from optgen.shipped import shipped_specs
from tests.oracle import SPECS, spec_names

run = CliRunner().invoke


def imported(package: str, folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location(
        package, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[package] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("source", [None, "sgd"])
def test_the_file_builds_and_is_explained_and_steps(source: str | None, tmp_path: Path) -> None:
    options = [] if source is None else ["--from", source]
    result = run(app, ["new", "MyRule", *options, "--out", str(tmp_path / "specs")])
    assert result.exit_code == 0, result.output
    path = tmp_path / "specs" / "my_rule.toml"
    assert "optgen build" in result.stdout
    assert run(app, ["explain", str(path)]).exit_code == 0
    assert run(app, ["build", str(path), "--out", str(tmp_path / "package")]).exit_code == 0
    my_rule = imported(f"new_{source}", tmp_path / "package").MyRule
    examples = tomllib.loads(path.read_text("utf-8"))["example"]
    modes = compile_text(path.read_bytes(), "my_rule.toml").program.modes
    assert [example["mode"] for example in examples] == [mode.name for mode in modes]
    example = examples[-1]
    assert "interpreter" in example["source"]
    w = np.array(example["start"])
    optimizer = my_rule(**example.get("hyperparameters", {}))
    for gradient, expected in zip(example["gradients"], example["expected"], strict=True):
        optimizer.apply([np.array(gradient)], [w])
        np.testing.assert_allclose(w, expected, rtol=1e-12)


@pytest.mark.parametrize("source", [None, *spec_names()])
def test_the_file_fits_the_schema_and_its_examples_hold(source: str | None) -> None:
    copied = source and shipped_specs()[source].read_text("utf-8")
    text = new_spec("MyRule", "my_rule", copied)
    assert compile_text(text.encode(), "my_rule.toml").spec.example
    assert list(Draft202012Validator(json_schema()).iter_errors(tomllib.loads(text))) == []


def test_every_key_is_explained() -> None:
    text = new_spec("MyRule", "my_rule")
    for table in (OptimizerSpec, HyperparameterSpec, SlotSpec, ModeSpec, ExampleSpec):
        for key in table.model_fields:
            assert re.search(rf"\b{key}\b", text), key
    assert all(len(line) <= 105 for line in text.splitlines())


def test_the_entries_of_the_comments_fit_the_schema() -> None:
    text, _, _ = new_spec("MyRule", "my_rule").partition("[[example]]")
    text = re.sub(r"(?s)\nupdate = '''.*?'''\n", "\n", text)
    keys = "description|before|after|evaluation|kind|threshold|delay|v|product|slow"
    text = re.sub(rf"(?m)^# ({keys}) = ", r"\1 = ", text)
    text = text.replace("# Averaging smooths", "Averaging smooths").replace("# '''", "'''")
    text = re.sub(r"(?m)^# (\[\[modes|name = |when = |doc = |update = )", r"\1", text)
    spec = tomllib.loads(text)
    assert [mode["when"] for mode in spec["modes"]] == ["beta == 0", "beta > 0"]
    assert list(Draft202012Validator(json_schema()).iter_errors(spec)) == []
    assert set(spec["hyperparameters"]) == {"learning_rate", "beta", "delay", "threshold", "kind"}
    assert set(spec["slots"]) == {"m", "v", "product", "slow"}


def test_the_modes_of_the_comments_build() -> None:
    text, _, _ = new_spec("MyRule", "my_rule").partition("[[example]]")
    text = re.sub(r"(?s)\nupdate = '''.*?'''\n", "\n", text)
    text = re.sub(r"(?m)^# (before|after|\[\[modes|name = |when = |doc = |update = )", r"\1", text)
    program = compile_text(text.encode(), "my_rule.toml").program
    assert [mode.name for mode in program.modes] == ["plain", "averaging"]


COMMENTED = """
# First.
name = "Theirs"  # Second.
summary = "Gradient descent."
references = ["A paper"]
# Third.
[hyperparameters]
learning_rate = { default = 0.5, doc = "How far." }  # Fourth.
beta = { type = "float", optional = true, doc = "B." }

[[modes]]
name = "none"
when = "beta is None"
update = 'w = w - learning_rate * g'
[[modes]]
name = "some"
when = "beta is not None"
update = '''
# Fifth.
w = w - learning_rate * g * beta
'''

[[example]]
mode = "none"
start = 1.0
gradients = [1.0]
expected = [0.5]
source = "by hand"
"""


def test_a_copy_keeps_comments() -> None:
    text = new_spec("Mine", "mine", COMMENTED)
    for word in ("First", "Second", "Third", "Fourth", "Fifth"):
        assert f"# {word}." in text
    assert "of Theirs" in text
    data = tomllib.loads(text)
    assert data["name"] == "Mine"
    assert data["references"] == ["A paper"]
    assert [example["mode"] for example in data["example"]] == ["none", "some"]
    assert "by hand" not in text


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "my_rule.toml"
    path.write_text("mine")
    result = run(app, ["new", "my_rule", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "exists" in result.output
    assert path.read_text() == "mine"


def test_names() -> None:
    assert names_of("SignDescent") == ("SignDescent", "sign_descent")
    assert names_of("sign_descent") == ("SignDescent", "sign_descent")
    assert names_of("SGD") == ("SGD", "sgd")
    assert names_of("AdamW") == ("AdamW", "adamw")
    assert names_of("RMSProp2") == ("RMSProp2", "rms_prop2")
    for wrong in ("", "my-rule", "2nd", "My_Rule", "my rule", "_x", "Größe", "../x"):
        with pytest.raises(NameProblem, match="expected a word"):
            names_of(wrong)


@pytest.mark.parametrize("name", ["Optimizer", "common", "rule_cpu", "Class", "X" * 65])
def test_a_name_that_is_taken_writes_nothing(name: str, tmp_path: Path) -> None:
    result = run(app, ["new", name, "--out", str(tmp_path)])
    assert isinstance(result.exception, optgen.CompileError)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_source_lists_the_known_ones(tmp_path: Path) -> None:
    result = run(app, ["new", "Rule", "--from", "nothing", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert all(name in result.output for name in spec_names())
    assert list(tmp_path.iterdir()) == []
    assert [*shipped_specs()] == sorted(path.stem for path in SPECS.glob("*.toml"))


def test_the_schema_beside_the_file_is_switched_on(tmp_path: Path) -> None:
    run(app, ["new", "first", "--out", str(tmp_path)])
    run(app, ["schema", "--out", str(tmp_path / "optgen.schema.json")])
    run(app, ["new", "second", "--out", str(tmp_path)])
    lines = [
        (tmp_path / f"{name}.toml").read_text().splitlines()[0] for name in ("first", "second")
    ]
    assert lines[1] == "#:schema ./optgen.schema.json"
    assert not lines[0].startswith("#:schema")
