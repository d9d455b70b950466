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


def may_run_in_parallel() -> bool:
    """Say whether a launch that is large enough runs on several threads."""
    return not _in_forked_child and numba.get_num_threads() > 1


def launch(phase: Phase, elements: int, arguments: tuple[Any, ...]) -> None:
    """Run one phase over the variables of one dtype.

    Args:
        phase: its driver.
        elements: how many elements the launch covers in all.
        arguments: the driver's other arguments.
    """
    if elements < PARALLEL_FROM or not may_run_in_parallel():
        phase.driver(ONE_THREAD, *arguments)
    else:
        _launch_in_parallel(phase, arguments)


def _launch_in_parallel(phase: Phase, arguments: tuple[Any, ...]) -> None:
    global _needs_lock
    if not _needs_lock:
        phase.driver(all_threads(), *arguments)
        return
    with _lock:
        phase.driver(all_threads(), *arguments)
        # Known only after the first parallel launch of the process.
        _needs_lock = numba.threading_layer() == "workqueue"
