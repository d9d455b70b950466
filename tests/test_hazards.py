"""Specs whose names and order of lines are awkward still mean what the interpreter says."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optgen.backends.names import is_reserved
from optgen.driver import Optimizer, compile_all, emit
from optgen.folders import write
from optgen.frontend.names import reserved
from tests.oracle import Oracle, compiled, spec_names

HEAD = """
name = "{name}"
summary = "A rule that is hard on the compiler."
{before}
[hyperparameters]
learning_rate = {{ default = 0.01, doc = "How far a step goes." }}
{hyperparameters}
[slots]
{slots}
"""

SLOT = '{} = {{ doc = "A slot.", initial = 0.5 }}'
PER_VARIABLE = '{} = {{ doc = "A slot.", rate = "variable", initial = 0.5 }}'
PER_STEP = '{} = {{ doc = "A slot.", rate = "step", initial = 0.5 }}'
FLOAT = '{} = {{ default = 0.75, doc = "A number." }}'

# Name of the module: hyperparameters, slots, equations.
RULES: dict[str, tuple[list[str], list[str], str]] = {
    "stale_element": (
        [FLOAT.format("beta")],
        [SLOT.format("m")],
        """
        a = sum(m)
        m = beta * m + g
        b = sum(m)
        w = w - learning_rate * 0.0001 * (a * m + b * g)
        """,
    ),
    "previous_name": (
        [FLOAT.format("beta")],
        [PER_VARIABLE.format("v")],
        """
        previous_v = 2 * v
        v = beta * v + sum_of_squares(g)
        w = w - learning_rate * g / (1 + v + previous_v)
        """,
    ),
    "previous_step": (
        [FLOAT.format("beta")],
        [PER_STEP.format("p")],
        """
        previous_p = 3 * p
        p = beta * p + 1
        w = w - learning_rate * g * (p + previous_p)
        """,
    ),
    "next_name": (
        [FLOAT.format("beta")],
        [PER_VARIABLE.format("v")],
        """
        next_v = 3 * v + norm(w)
        v = beta * v + 0.1
        q = sum(g * v * next_v)
        w = w - learning_rate * 0.0001 * (q * g + next_v * v)
        """,
    ),
    "temporaries": (
        [FLOAT.format(n) for n in ("sum_element", "sum_lanes", "largest_one", "m_i", "update")],
        [SLOT.format("m")],
        """
        m = m_i * m + g * update
        a = sum((m - sum_element) * (g - sum_lanes) * (w + largest_one) + m * g * w)
        b = sum(m * m) + max(abs(m))
        w = w - learning_rate * 0.001 * (a * g + b * m) * update * m_i * sum_lanes * sum_element
        """,
    ),
    "helpers": (
        [FLOAT.format(n) for n in ("number", "kernel", "common_scale")],
        [SLOT.format(n) for n in ("elements", "rounded", "real")],
        """
        elements = number * elements + g
        rounded = kernel * rounded + g * g
        real = common_scale * real + elements
        square_sum = sum(real)
        w = w - learning_rate * 0.001 * (elements + real * square_sum) / (sqrt(rounded) + 1)
        """,
    ),
    "helper_locals": (
        [],
        [SLOT.format("m")],
        """
        number = sum(g)
        kernel = sum(m)
        m = 0.5 * m + g
        fold_lanes = max(m * number)
        w = w - learning_rate * 0.001 * (m * kernel + fold_lanes)
        """,
    ),
    "many_reductions": (
        [],
        [SLOT.format("m")],
        "\n".join(f"r{i} = sum(m * {i} + g)" for i in range(12))
        + "\nm = 0.5 * m + g\n"
        + "w = w - learning_rate * 0.0001 * m * ("
        + " + ".join(f"r{i}" for i in range(12))
        + ")",
    ),
    "long_line": (
        [],
        [],
        "w = w - learning_rate * (" + " + ".join(["0.01 * (1 - 0.5) * g * w"] * 14) + ")",
    ),
}


def spec_text(name: str) -> str:
    """The TOML text of a rule."""
    hyperparameters, slots, equations = RULES[name]
    lines = "\n".join(line.strip() for line in equations.strip().split("\n"))
    return HEAD.format(
        name="".join(word.title() for word in name.split("_")),
        before=f"update = '''\n{lines}\n'''",
        hyperparameters="\n".join(hyperparameters),
        slots="\n".join(slots),
    )


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Optimizer]]:
    """All rules, compiled, and importable from the package `hazards`."""
    folder = tmp_path_factory.mktemp("specs")
    root = tmp_path_factory.mktemp("generated")
    for name in RULES:
        (folder / f"{name}.toml").write_text(spec_text(name), encoding="utf-8")
    optimizers = compile_all(sorted(folder.glob("*.toml")))
    files = emit(optimizers)
    write(files, root / "hazards")
    assert all(len(line) <= 100 for file in files for line in file.text.split("\n"))
    sys.path.insert(0, str(root))
    yield {optimizer.program.module: optimizer for optimizer in optimizers}
    sys.path.remove(str(root))


@pytest.mark.parametrize("name", RULES)
def test_the_kernels_equal_the_interpreter(name: str, rules: dict[str, Optimizer]) -> None:
    program = rules[name].program
    cls = getattr(importlib.import_module(f"hazards.{name}"), program.name)
    rng = np.random.default_rng(0)
    shapes: tuple[Any, ...] = ((5000,), (3, 4), ())
    variables = [np.asarray(rng.standard_normal(shape), np.float32) for shape in shapes]
    optimizer = cls()
    oracle = Oracle(program, "default", variables, {})
    for _ in range(3):
        gradients = [np.asarray(rng.standard_normal(shape), np.float32) for shape in shapes]
        optimizer.apply(gradients, variables)
        oracle.step(gradients)
        oracle.assert_equals(optimizer, variables)


HOSTILE = [
    'ends with a quote "',
    'three """ quotes and \\ a backslash \\',
    "{{ braces }} {% raw %} {# comment #}",
    "__import__('os') # \\N{BULLET}",
    "x" * 300,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_words_of_a_spec_stay_words(text: str, tmp_path: Path) -> None:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    spec = tmp_path / "rule.toml"
    content = spec_text("stale_element").replace("A rule that is hard on the compiler.", escaped)
    content = content.replace("How far a step goes.", escaped).replace("A slot.", escaped)
    spec.write_text(f'references = ["{escaped}"]\n' + content, encoding="utf-8")
    for file in emit(compile_all([spec])):
        tree = ast.parse(file.text)
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not {"os", "x" * 300} & names


def test_every_name_of_generated_kernels_is_reserved_or_a_specs() -> None:
    root = Path(__file__).parent.parent / "generated"
    for spec in spec_names():
        optimizer = compiled(spec)
        own = {name for mode in optimizer.modes for name in mode.names.values()}
        own |= {name for mode in optimizer.modes for name in mode.stream_names.values()}
        tree = ast.parse((root / f"{spec}_cpu.py").read_text("utf-8"))
        found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        found |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        # Parts of long expressions are named last, by names that nothing else has.
        found -= {name for name in found if re.search(r"_for_|_part$", name)}
        unknown = {n for n in found - own if not is_reserved(n) and reserved(n) is None}
        assert not unknown
