"""Specs whose names and order of lines are awkward still mean what the interpreter says."""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from optgen.backends.names import is_reserved
from optgen.backends.numba_cpu import emit as numba_cpu
from optgen.backends.numba_cuda import emit as numba_cuda
from optgen.driver import Optimizer, compile_all, emit
from optgen.folders import write
from optgen.frontend.names import reserved
from optgen.ir.program import Program
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
    "names_of_axes": (
        [],
        [SLOT.format("row_x")],
        """
        x = row_max(g)
        x_rows = column_max(g - x)
        row_x = 0.5 * row_x + x
        x = x * g + row_x
        w = w - learning_rate * 0.01 * (row_max(g) + x_rows + x)
        """,
    ),
    "names_of_functions": (
        [],
        [],
        """
        x = sum(g)
        x_chunk = sum(g * x)
        x_driver = sum(g - x_chunk)
        x_unit = sum(g * x_driver)
        x_variable = sum(g + x_unit)
        w = w - learning_rate * 0.0001 * (g + x + x_chunk + x_driver + x_unit + x_variable)
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
        "w = w - learning_rate * (" + " + ".join(["0.01 * (1 - 0.5) * g * w"] * 14) + ")"
        "\nw = w - learning_rate * where(g < 0, log(0 * g * g) ** 0.5, (-(0 * g * g)) ** 0.5)",
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


# Whole specs of two modes, which `m` chooses.
OF_MODES = {
    "letters_of_another_case": (
        "xy = sum(g)\nxY = sum(g - xy)\nXy = sum(g - xY)",
        ("a", "w = w - learning_rate * 0.01 * (g + xy + 10 * xY + 100 * Xy)"),
        ("b", "w = w - learning_rate * 0.01 * (g + m * xy + xY + Xy)"),
    ),
    "modes_like_phases": (
        "x_update = sum(g)",
        ("reduce_x", "w = w - learning_rate * 0.01 * (g + x_update)"),
        ("other", "w = w - learning_rate * 0.01 * (g + m * x_update)"),
    ),
    "modes_that_end_phases": (
        "c = sum(g)\nb_c = sum(g * c)",
        ("a", "w = w - learning_rate * 0.001 * (g + c + b_c)"),
        ("a_reduce_b", "w = w - learning_rate * 0.001 * (g + c + m * b_c + b_c * c)"),
    ),
}


def text_of_modes(name: str) -> str:
    """The TOML text of a spec of two modes."""
    before, *modes = OF_MODES[name]
    text = HEAD.format(
        name="".join(word.title() for word in name.split("_")),
        before=f"before = '''\n{before}\n'''",
        hyperparameters='m = { default = 0.0, min = 0.0, doc = "A number." }',
        slots="",
    )
    for (mode, update), when in zip(modes, ("m == 0", "m > 0"), strict=True):
        text += f'\n[[modes]]\nname = "{mode}"\nwhen = "{when}"\nupdate = "{update}"\n'
    return text


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Optimizer]]:
    """All rules, compiled, and importable from the package `hazards`."""
    folder = tmp_path_factory.mktemp("specs")
    root = tmp_path_factory.mktemp("generated")
    for name in RULES:
        (folder / f"{name}.toml").write_text(spec_text(name), encoding="utf-8")
    for name in OF_MODES:
        (folder / f"{name}.toml").write_text(text_of_modes(name), encoding="utf-8")
    optimizers = compile_all(sorted(folder.glob("*.toml")))
    files = emit(optimizers)
    write(files, root / "hazards")
    assert all(len(line) <= 100 for file in files for line in file.text.split("\n"))
    for file in files:
        assert not names_given_twice(file.text), file.name
    sys.path.insert(0, str(root))
    yield {optimizer.program.module: optimizer for optimizer in optimizers}
    sys.path.remove(str(root))


def names_given_twice(text: str) -> list[str]:
    """The names that a module defines or assigns more than once."""
    found: list[str] = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append(node.name)
        elif isinstance(node, ast.Assign):
            found += [target.id for target in node.targets if isinstance(target, ast.Name)]
    return [name for name in found if found.count(name) > 1]


@pytest.mark.parametrize("name", RULES)
def test_the_kernels_equal_the_interpreter(name: str, rules: dict[str, Optimizer]) -> None:
    assert_equal_kernels(rules[name].program, "default", {})


@pytest.mark.parametrize("name", ["letters_of_another_case", "modes_like_phases"])
def test_the_kernels_of_modes_equal_the_interpreter(name: str, rules: dict[str, Optimizer]) -> None:
    program = rules[name].program
    for mode, m in zip((row[0] for row in OF_MODES[name][1:]), (0.0, 0.5), strict=True):
        assert_equal_kernels(program, mode, {"m": m})


def assert_equal_kernels(program: Program, mode: str, arguments: dict[str, Any]) -> None:
    """A mode's class gives the interpreter's numbers over three steps, to the bit."""
    cls = getattr(importlib.import_module(f"hazards.{program.module}"), program.name)
    rng = np.random.default_rng(0)
    shapes: tuple[Any, ...] = ((5000,), (3, 4), ())
    variables = [np.asarray(rng.standard_normal(shape), np.float32) for shape in shapes]
    optimizer = cls(**arguments)
    oracle = Oracle(program, mode, variables, arguments)
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


@pytest.mark.parametrize("backend", [numba_cpu, numba_cuda], ids=["cpu", "cuda"])
def test_every_helper_of_kernels_is_reserved(backend: ModuleType) -> None:
    for helpers in (backend.HELPERS, backend.AXIS_HELPERS, backend.INDEX_HELPERS):
        assert [n for n in helpers if not is_reserved(n) and reserved(n) is None] == []


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
