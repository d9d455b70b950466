"""The project's own specs: compiled, with their modes and classes."""

from __future__ import annotations

import importlib
import os
from functools import cache
from pathlib import Path
from typing import Any

from optgen.driver import Optimizer, compile_spec
from optgen.testing.oracle import COMMON_DEFAULTS, Oracle, variant
from optgen.testing.subject import Subject

__all__ = [
    "COMMON_DEFAULTS",
    "SPECS",
    "Oracle",
    "compiled",
    "generated",
    "selecting",
    "spec_modes",
    "spec_names",
    "subject",
    "thorough_modes",
    "thorough_specs",
    "variant",
]

SPECS = Path(__file__).parent.parent / "specs"


CORE = ("adam", "novograd", "sgd")
"""Specs that between them have every kind of slot but a few, several modes, and reductions."""

EVERY_SPEC = os.environ.get("OPTGEN_TEST_EVERY_SPEC") == "1"
"""Whether the tests that compile kernels by the hundred take all specs, which takes hours."""


@cache
def compiled(spec: str) -> Optimizer:
    """A spec of the project by its file's stem, compiled."""
    return compile_spec(SPECS / f"{spec}.toml")


def spec_names() -> list[str]:
    """The stems of all specs."""
    return sorted(path.stem for path in SPECS.glob("*.toml"))


def spec_modes() -> list[tuple[str, str]]:
    """All (spec, mode) pairs."""
    return [(name, mode.name) for name in spec_names() for mode in compiled(name).program.modes]


def thorough_specs() -> list[str]:
    """The specs whose classes go through every test; the others go through test_catalogue.py."""
    return spec_names() if EVERY_SPEC else list(CORE)


def thorough_modes() -> list[tuple[str, str]]:
    """All (spec, mode) pairs of these specs."""
    return [(spec, mode) for spec, mode in spec_modes() if spec in thorough_specs()]


def selecting(spec: str, mode: str) -> dict[str, Any]:
    """Hyperparameters that select a mode, as the program's cells say."""
    return subject(spec).selecting(mode)


def generated(spec: str) -> Any:
    """The generated class of a spec."""
    module = importlib.import_module(f"optgen.optimizers.{spec}")
    return getattr(module, compiled(spec).program.name)


@cache
def subject(spec: str) -> Subject:
    """A spec of the project with its committed class, for the checks of ``optgen.testing``."""
    optimizer = compiled(spec)
    examples = tuple(optimizer.spec.example)
    return Subject(optimizer.program, generated(spec), examples, f"specs/{spec}.toml")
