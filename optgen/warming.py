"""Compiling kernels ahead of their first step, so that it finds them in Numba's cache."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from optgen.driver import Optimizer
from optgen.runtime.drivers import spreading
from optgen.runtime.launch import PARALLEL_FROM
from optgen.runtime.notice import be_quiet


@dataclass(frozen=True)
class Warming:
    """What one process compiles: a class in all its modes.

    Attributes:
        root: the folder that the package is imported from; empty for what Python finds anyway.
        package: the package's name.
        name: the class.
        modes: for each mode hyperparameters that select it.
    """

    root: str
    package: str
    name: str
    modes: tuple[Mapping[str, Any], ...]


def warmings(optimizers: Sequence[Optimizer], root: Path, package: str) -> list[Warming]:
    """What is to be compiled for a package.

    Args:
        optimizers: its optimizers.
        root: the folder that it is imported from.
        package: its name, seen from there: cached kernels belong to a name.
    """
    found = []
    for optimizer in optimizers:
        program = optimizer.program
        cells = {choice.mode: dict(choice.cell) for choice in reversed(program.choices)}
        modes = tuple(cells[mode.name] for mode in program.modes)
        found.append(Warming(str(root), package, program.name, modes))
    return found


def warm(todo: Sequence[Warming], done: Callable[[Warming], None] = lambda warming: None) -> None:
    """Compile the kernels of classes, each class in a process, several at a time.

    What is compiled is what steps without common arguments need, for float32 variables, and what
    spreads large variables over threads.

    Args:
        todo: the classes.
        done: called after each class.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(len(todo), os.cpu_count() or 1), context, be_quiet) as pool:
        running = {pool.submit(compile_kernels, warming): warming for warming in todo}
        for future in as_completed(running):
            future.result()
            done(running[future])


def compile_kernels(warming: Warming) -> None:
    """Step and evaluate at a small and a large size in each mode, which fills the cache."""
    if warming.root and warming.root not in sys.path:
        sys.path.insert(0, warming.root)
    spreading()
    cls = getattr(importlib.import_module(warming.package), warming.name)
    for arguments in warming.modes:
        for size in (1, PARALLEL_FROM):
            variable = np.ones(size, np.float32)
            optimizer = cls(**arguments)
            optimizer.apply([np.ones(size, np.float32)], [variable])
            optimizer.eval()
