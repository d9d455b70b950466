"""What a generated class looks like: its docstring, which runs, and its annotations."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from optgen import driver
from optgen.backends.keras_api.example import START, printed
from optgen.runtime import Optimizer
from tests.oracle import compiled, generated, spec_names

SPEC = """
name = "{name}"
summary = "Steps along the gradient."
update = '''
w = {equation}
'''

[hyperparameters]
learning_rate = {{ default = 0.02, {bound}, doc = "How far a step goes." }}
{hyperparameter} = {{ default = 1.0, doc = "A factor." }}
"""


def class_text(tmp_path: Path, equation: str = "w - learning_rate * g", **changes: str) -> str:
    """The class module of a small spec."""
    values = {"name": "Small", "hyperparameter": "c", "bound": "max = 9.0"}
    values |= changes
    path = tmp_path / "small.toml"
    path.write_text(SPEC.format(equation=f"{equation} * {values['hyperparameter']}", **values))
    texts = {file.path: file.text for file in driver.emit(driver.compile_all([path]))}
    return texts["small.py"]


@pytest.mark.parametrize("spec", spec_names())
def test_docstrings_run_as_doctests(spec: str) -> None:
    module = importlib.import_module(f"optgen.optimizers.{spec}")
    found = doctest.DocTestFinder().find(module, module.__name__)
    examples = {test.name.split(".")[-1]: test.examples for test in found if test.examples}
    assert list(examples) == [generated(spec).__name__]
    runner = doctest.DocTestRunner(verbose=False)
    for test in found:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
    # The loss of the example has fallen.
    (shown,) = (examples[name][-1].want for name in examples)
    assert np.sum(np.fromstring(shown.strip(" []\n"), sep=" ") ** 2) < np.sum(START**2)


@pytest.mark.parametrize("spec", spec_names())
def test_docstrings_have_all_sections_and_arguments(spec: str) -> None:
    text = inspect.getdoc(generated(spec))
    assert text is not None
    sections = re.findall(r"^([A-Z]\w+):$", text, re.MULTILINE)
    assert sections == ["Args", "Raises", "Example", "References"]
    arguments = re.findall(r"^    (\*{0,2}\w+): ", text.split("\nRaises:")[0], re.MULTILINE)
    assert arguments == [
        f"**{name}" if parameter.kind is parameter.VAR_KEYWORD else name
        for name, parameter in inspect.signature(generated(spec)).parameters.items()
    ]


def test_digits_that_another_machine_might_round_otherwise_are_not_shown() -> None:
    assert printed(np.array([0.512, -1.024])) == "[ 0.512 -1.024]"
    assert printed(np.array([0.1 + 0.2, 1 / 3])) == "[0.3        0.33333333]"
    assert printed(np.array([0.123456785, 1.0])) is None
    assert printed(np.array([0.123456785 + 1e-9, 1.0])) is not None
    for value in (1e-17, 1e-4, np.nan, np.inf):
        assert printed(np.array([value, 1.0])) is None
    with np.printoptions(precision=3, suppress=True, sign="+", linewidth=10, floatmode="fixed"):
        assert printed(np.array([1 / 3, 2.0])) == "[0.33333333 2.        ]"


def test_the_example_is_one_that_makes_sense(tmp_path: Path) -> None:
    assert ">>> optimizer = Small(learning_rate=0.1)" in class_text(tmp_path)
    for bound in ("max = 0.05", "below = 0.1"):
        assert "Small(learning_rate=0.01)" in class_text(tmp_path, bound=bound)
    assert "Small(learning_rate=0.1)" in class_text(tmp_path, bound="max = 0.1")
    # Where no end can be printed there is no example; where the loss never falls, the first end.
    assert ">>>" not in class_text(tmp_path, "learning_rate / (g - g)")
    assert "    [ 1.728 -3.456]" in class_text(tmp_path, "w + learning_rate * g")


def test_numbers_may_be_callables_and_the_learning_rate_a_schedule() -> None:
    for spec in spec_names():
        parameters = inspect.signature(generated(spec)).parameters
        common = [h for h in compiled(spec).program.common if h.name in parameters]
        for h in (*compiled(spec).program.hyperparameters, *common):
            expected = {"float": "float | Callable[[], float]", "choice": "str"}.get(h.kind, h.kind)
            if h.name == "learning_rate":
                expected = "float | LearningRateSchedule | Callable[[], float]"
            if h.optional:
                expected += " | None"
            assert parameters[h.name].annotation == expected


def test_slots_that_only_some_modes_have_are_optional() -> None:
    for spec in spec_names():
        program = compiled(spec).program
        cls: type[Optimizer] = generated(spec)
        for slot in cls.slots:
            everywhere = all(slot.name in mode.slots for mode in program.modes)
            assert slot.optional == (not everywhere)


def test_the_example_of_a_long_name_is_one_statement(tmp_path: Path) -> None:
    name = "A" * 64
    classes = [n for n in ast.parse(class_text(tmp_path, name=name)).body if hasattr(n, "bases")]
    found = doctest.DocTestParser().get_examples(ast.get_docstring(classes[0]) or "")
    assert f"optimizer = {name}(learning_rate=0.1)\n" in [example.source for example in found]


def test_long_names_are_laid_out_as_the_formatter_has_them(tmp_path: Path) -> None:
    names = {"name": "A" * 40, "hyperparameter": "a" * 39}
    file = tmp_path / "small.py"
    file.write_text(class_text(tmp_path, **names))
    settings = Path(__file__).parent.parent / "pyproject.toml"
    for command in (["check"], ["format", "--check"]):
        result = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--config", settings, file],
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
