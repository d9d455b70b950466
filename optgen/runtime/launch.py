"""The choice between one thread and all, and what makes a parallel launch safe.

With OpenMP a forked child dies in its first parallel launch; with Numba's own work queue two Python
threads that launch at once abort the process.  Neither can be caught, so both are avoided here.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import numba

from optgen.runtime.description import Phase
from optgen.runtime.drivers import ONE_THREAD, all_threads

PARALLEL_FROM = 65_536
"""Elements of a launch below which starting threads costs more than it saves."""

_lock = threading.Lock()
_needs_lock = True
_in_forked_child = False


def _after_fork_in_child() -> None:
    global _in_forked_child
    _in_forked_child = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def threads_for(elements: int) -> tuple[int, int]:
    """Return what a driver is told of threads; compiles what it needs for several.

    Args:
        elements: how many elements a launch covers in all.
    """
    if elements < PARALLEL_FROM or numba.config.NUMBA_NUM_THREADS < 2 or _in_forked_child:
        return ONE_THREAD
    threads = all_threads()
    return threads if threads[1] > 1 else ONE_THREAD


def launch(phase: Phase, threads: tuple[int, int], arguments: tuple[Any, ...]) -> None:
    """Run one phase over the variables of one dtype.

    Args:
        phase: its driver.
        threads: the driver's first argument.
        arguments: its others.
    """
    global _needs_lock
    if threads is ONE_THREAD or not _needs_lock:
        phase.driver(threads, *arguments)
        return
    with _lock:
        phase.driver(threads, *arguments)
        # Known only after the first parallel launch of the process.
        _needs_lock = numba.threading_layer() == "workqueue"
