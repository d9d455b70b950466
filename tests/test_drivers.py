"""Pieces of work: each is run once, wherever it runs, and what fails is said."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import get_num_threads, njit
from numba.core.errors import TypingError

from optgen.runtime.compilation import COMPILED_IN, driver, kernel
from optgen.runtime.drivers import ONE_THREAD, all_threads, for_each

COUNTS = (0, 1, 2, 3, 7, 1000)


@pytest.fixture(params=["one", "all"])
def threads(request: pytest.FixtureRequest) -> tuple[int, int]:
    return ONE_THREAD if request.param == "one" else all_threads()


@kernel
def note(place: Any, seen: Any, numbers: Any, factor: Any) -> None:
    seen[place] += numbers[place] * factor


@kernel
def note_alone(place: Any, seen: Any) -> None:
    seen[place] += 1.0


@kernel
def refuse(place: Any, sizes: Any, seen: Any) -> None:
    seen[place] = 1.0
    if sizes[place] < 0:
        raise OSError(place)


@njit
def count(threads: Any, number: Any, seen: Any, numbers: Any) -> None:
    # A literal among the arguments is what generated drivers hand over, too.
    for_each(threads, number, note, (seen, numbers, 3))


@njit
def visit(threads: Any, places: Any, seen: Any) -> None:
    for_each(threads, places, note_alone, (seen,))


@njit
def twice(threads: Any, seen: Any) -> None:
    for_each(threads, seen.size, note_alone, (seen,))
    for_each(threads, seen.size, note, (seen, seen, 1))


@kernel
def show(place: Any) -> None:
    print(place)


@driver
def say(threads: Any, number: Any) -> None:
    for_each(threads, number, show, ())


@driver
def fail(threads: Any, sizes: Any, seen: Any) -> None:
    for_each(threads, sizes.size, refuse, (sizes, seen))


@pytest.mark.parametrize("number", COUNTS)
def test_each_piece_is_run_once(threads: tuple[int, int], number: int) -> None:
    seen, numbers = np.zeros(number + 1), np.arange(number + 1.0)
    count(threads, number, seen, numbers)
    assert seen.tolist() == [*(3.0 * numbers[:number]), 0.0]


@pytest.mark.parametrize("number", COUNTS)
def test_pieces_may_be_called_by_what_stands_for_them(
    threads: tuple[int, int], number: int
) -> None:
    seen = np.zeros(2 * number + 1)
    visit(threads, np.arange(number, dtype=np.int64) * 2 + 1, seen)
    assert seen.tolist() == [0.0, *([1.0, 0.0] * number)]


def test_a_driver_may_have_several_loops_of_one_function(threads: tuple[int, int]) -> None:
    seen = np.zeros(100)
    twice(threads, seen)
    assert (seen == 2.0).all()


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_more_threads_than_numba_has_are_none_too_many(number: int) -> None:
    seen = np.zeros(4)
    visit((all_threads()[0], 3 * number), np.arange(4), seen)
    assert (seen == 1.0).all()


def test_all_threads_are_those_that_numba_is_set_to_use() -> None:
    assert all_threads()[1] == get_num_threads()
    assert all_threads()[0] == all_threads()[0] != 0


def test_the_error_of_a_piece_is_raised_and_the_others_run(threads: tuple[int, int]) -> None:
    sizes, seen = np.full(50, 8), np.zeros(50)
    sizes[20] = -1
    with pytest.raises(OSError, match="20"):
        fail(threads, sizes, seen)
    assert (seen == 1.0).all()
    sizes[20] = 8
    fail(threads, sizes, seen)


def test_a_piece_may_print(threads: tuple[int, int], capfd: pytest.CaptureFixture[str]) -> None:
    say(threads, 3)
    # A thread may print its number between another's and the end of that line.
    assert "".join(sorted(capfd.readouterr().out)) == "\n\n\n012"


@pytest.mark.parametrize("places", [np.arange(10)[::2], np.arange(4, dtype=np.int32), 2.9])
def test_places_of_another_kind_are_refused(places: Any) -> None:
    with pytest.raises(TypingError, match="expected a number of pieces, or int64"):
        visit(ONE_THREAD, places, np.zeros(10))


def test_a_part_of_a_kernel_can_be_called_on_its_own() -> None:
    seen = np.zeros(3)
    visit(ONE_THREAD, np.arange(3), seen)
    note_alone(1, seen)
    assert seen.tolist() == [1.0, 2.0, 1.0]


MODULE = """
from optgen.runtime.compilation import driver

@driver
def scaled(x, factor):
    return x if factor is None else x * factor

if __name__ == "__main__":
    from swapped import scaled
    print(scaled(3.0, None), scaled(3.0, 2.0))
"""


UNCACHED = """
import numpy as np
from optgen.runtime import compilation
compilation._CacheFiles._locator_classes = []
from optgen.optimizers import SGD
w = np.ones(3)
SGD(0.5).apply([np.ones(3)], [w])
print(w)
"""


def test_where_no_folder_can_be_written_kernels_are_compiled_at_each_start() -> None:
    result = subprocess.run(
        [sys.executable, "-c", UNCACHED], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[0.5 0.5 0.5]\n"
    assert result.stderr.count("set NUMBA_CACHE_DIR to a folder that can be written") == 1


def test_every_file_with_parts_of_kernels_is_among_those_that_are_compiled_in() -> None:
    runtime = Path(__file__).parents[1] / "optgen" / "runtime"
    makes_parts = re.compile(
        r"^@?(part_of_kernel|kernel|intrinsic|overload\(|register_model|lower_)"
        r"|= (njit|intrinsic)\(",
        re.MULTILINE,
    )
    found = {file.name for file in runtime.glob("*.py") if makes_parts.search(file.read_text())}
    # This one is the file of its own driver.
    assert found - {"compiled_checks.py"} <= set(COMPILED_IN)
    assert found >= set(COMPILED_IN) - {"compilation.py"}


COUNTED = """
from optgen.runtime.compilation import driver

@driver
def doubled(x):
    return 2 * x

if __name__ == "__main__":
    from counted import doubled
    doubled(1.0)
    print(sum(doubled.stats.cache_hits.values()), sum(doubled.stats.cache_misses.values()))
"""


@pytest.mark.parametrize("changed", COMPILED_IN)
def test_a_change_of_what_is_compiled_in_is_noticed_by_the_cache(
    changed: str, tmp_path: Path
) -> None:
    """Machine code of an older version of the runtime would do what that version did."""
    copy, ignored = tmp_path / "optgen", shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(__file__).parents[1] / "optgen", copy, ignore=ignored)
    (tmp_path / "counted.py").write_text(COUNTED)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = str(tmp_path)

    def hits_and_misses() -> str:
        command = [sys.executable, "counted.py"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert hits_and_misses() == "0 1\n"
    assert hits_and_misses() == "1 0\n"
    file = copy / "runtime" / changed
    file.write_text(f"{file.read_text()}# changed\n")
    assert hits_and_misses() == "0 1\n"
    assert hits_and_misses() == "1 0\n"


def test_a_cache_that_two_processes_mixed_up_is_not_believed(tmp_path: Path) -> None:
    """Numba writes its index and its code apart: each may be another process's."""
    (tmp_path / "swapped.py").write_text(MODULE)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[1])

    def printed() -> str:
        command = [sys.executable, "swapped.py"]
        result = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        return result.stdout + result.stderr

    assert printed() == "3.0 6.0\n"
    first, second = sorted(tmp_path.glob("cache/**/*.nbc"))
    codes = first.read_bytes(), second.read_bytes()
    second.write_bytes(codes[0])
    first.write_bytes(codes[1])
    assert printed() == "3.0 6.0\n"
