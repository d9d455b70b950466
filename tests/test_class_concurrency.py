"""Threads and processes: the same bytes for any number of them, and no harm to each other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracle import thorough_specs

ROOT = Path(__file__).parent.parent


def started(program: str, **environment: str) -> subprocess.Popen[str]:
    """A program of tests/concurrent_steps.py in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.concurrent_steps", program],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def results_of(process: subprocess.Popen[str]) -> dict[str, set[str]]:
    """What a program printed: all results, by spec."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    results: dict[str, set[str]] = {}
    for line in output.splitlines():
        spec, *found = line.split()
        results.setdefault(spec, set()).update(found)
    return results


def test_any_number_of_threads_gives_the_same_bytes() -> None:
    """[B36] One too, which is the calling thread."""
    results = results_of(started("thread_counts", NUMBA_NUM_THREADS="8"))
    assert list(results) == thorough_specs()
    assert all(len(found) == 1 for found in results.values()), results


@pytest.mark.parametrize("layer", ["default", "workqueue"])
def test_python_threads_may_step_at_once(layer: str) -> None:
    """Also on Numba's own work queue, which aborts the process if two threads enter it."""
    process = started("python_threads", NUMBA_NUM_THREADS="2", NUMBA_THREADING_LAYER=layer)
    assert [len(found) for found in results_of(process).values()] == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_goes_on_like_its_parent() -> None:
    """GNU OpenMP would kill the child in its first parallel launch."""
    process = started("forked_child", NUMBA_NUM_THREADS="2")
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert len(output.splitlines()) == 2
    assert len(set(output.splitlines())) == 1


def test_processes_may_start_at_once_on_an_empty_cache(tmp_path: Path) -> None:
    """All of them, and one that finds the cache filled, give the same."""
    several = [started("first_step", NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2)]
    found = [results_of(process) for process in several]
    assert list(tmp_path.rglob("*.nbi")), "the cache is filled"
    found.append(results_of(started("first_step", NUMBA_CACHE_DIR=str(tmp_path))))
    assert found[0] == found[1] == found[2]
