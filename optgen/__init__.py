"""optgen: one spec of an optimizer, every implementation proven equal."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Imported when they are first used: the compiler needs no class, and classes need no compiler.
_MODULES = {
    "CompileError": "optgen.diagnostics",
    "LossScaleOptimizer": "optgen.runtime.loss_scale",
    "Variable": "optgen.runtime.variable",
    "load": "optgen.loading",
}
_SUBMODULES = ("optimizers", "schedules")

__all__ = [
    "CompileError",
    "LossScaleOptimizer",
    "Variable",
    "__version__",
    "load",
    "optimizers",
    "schedules",
]


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"optgen.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module 'optgen' has no attribute {name!r}")
    globals()[name] = getattr(import_module(_MODULES[name]), name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
