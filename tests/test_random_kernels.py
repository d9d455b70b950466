"""Random programs, compiled to kernels, equal the interpreter to the bit."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from optgen.backends.artifact import Source
from optgen.backends.keras_api.documentation import ClassDocumentation
from optgen.backends.keras_api.emit import emit_class
from optgen.backends.numba_cpu.emit import emit_module
from optgen.backends.package.emit import emit_package
from optgen.driver import compile_modes, emit
from optgen.folders import write
from optgen.ir.program import Program
from tests.oracle import Oracle
from tests.random_programs import draw

SEEDS = (0, 19, 42)
AXIS_SEEDS = (1222,)
"""From 1,000 on, a seed is that of a program with values per row, column and index."""

SHAPES = ((5000,), (), (3, 4), (0,), (7,), (2, 70, 65))
ARGUMENTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "staged": {"global_clipnorm": 0.8, "use_ema": True, "gradient_accumulation_steps": 2},
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A package of generated random optimizers, importable by the name that is returned."""
    name = "random_rules"
    root = tmp_path_factory.mktemp("generated")
    files = [file for file in emit([]) if file.path != "__init__.py"]
    files.append(emit_package(rule(seed) for seed in (*SEEDS, *AXIS_SEEDS)))
    for seed in (*SEEDS, *AXIS_SEEDS):
        program = rule(seed)
        modes = compile_modes(program)
        source = Source(f"{program.module}.toml", "")
        words = ClassDocumentation("A random rule.", "", (), ())
        files.append(emit_module(program.module, "Random kernels.", modes, source))
        files.append(emit_class(program, modes, source, words))
    write(files, root / name)
    sys.path.insert(0, str(root))
    yield name
    sys.path.remove(str(root))


def rule(seed: int) -> Program:
    """The random program of a seed, under a name of its own."""
    program = draw(seed % 1000, axes=seed >= 1000)
    slots = tuple(
        replace(slot, initial="w" if slot.initial is None else slot.initial)
        for slot in program.slots
    )
    return replace(program, name=f"Rule{seed}", module=f"rule_{seed}", slots=slots)


def cases() -> Iterator[Any]:
    """Each seed once: every dtype with and without arguments."""
    kinds = itertools.cycle(
        [
            (np.float32, "plain"),
            (np.float64, "staged"),
            (np.float64, "plain"),
            (np.float32, "staged"),
        ]
    )
    for seed, (dtype, label) in zip((*SEEDS, *AXIS_SEEDS), kinds, strict=False):
        yield pytest.param(seed, dtype, ARGUMENTS[label], id=f"{seed}-{dtype.__name__}-{label}")


@pytest.mark.parametrize(("seed", "dtype", "arguments"), list(cases()))
def test_kernels_of_a_random_program(
    seed: int, dtype: Any, arguments: dict[str, Any], package: str
) -> None:
    program = rule(seed)
    cls = getattr(importlib.import_module(f"{package}.{program.module}"), program.name)
    rng = np.random.default_rng(seed)
    variables = [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]
    optimizer = cls(**arguments)
    oracle = Oracle(program, "default", variables, arguments)
    for _ in range(4):
        gradients = [np.asarray(rng.standard_normal(shape), dtype) for shape in SHAPES]
        optimizer.apply(gradients, variables)
        oracle.step(gradients)
        oracle.assert_equals(optimizer, variables)


def test_generated_text_compiles_for_many_more_programs() -> None:
    lengths: list[int] = []
    for seed in (*range(60), *range(1000, 1060)):
        program = rule(seed)
        modes = compile_modes(program)
        source = Source("rule.toml", "")
        words = ClassDocumentation("A random rule.", "", (), ())
        for file in (
            emit_module(program.module, "Random kernels.", modes, source),
            emit_class(program, modes, source, words),
        ):
            compile(file.text, file.path, "exec")
            lengths += [len(line) for line in file.text.split("\n")]
    # Lines are split at values with a name; where every name is long, a line can be longer.
    assert sum(length > 100 for length in lengths) < len(lengths) / 500
    assert max(lengths) <= 180
