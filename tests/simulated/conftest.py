"""What makes Numba's simulator quick, and sound when its threads take turns often."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest


class OneForAll(dict[Any, Any]):
    """The shared arrays of a block of threads, which all threads are to get alike.

    The simulator asks whether there is an array, and if not, makes one; two threads that ask at
    the same time would get one each.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def get(self, key: Any, default: Any = None) -> Any:
        """Return an array; if there is none, the next thread waits until this one made it."""
        self._lock.acquire()
        found = super().get(key, default)
        if found is not None:
            self._lock.release()
        return found

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self._lock.release()


@pytest.fixture(autouse=True)
def quick_and_sound_simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads take turns often, because barriers poll, and share what they are to share."""
    from numba.cuda.simulator.kernelapi import FakeCUDAShared

    original = FakeCUDAShared.__init__

    def initialised(self: Any, dynamic_size: int) -> None:
        original(self, dynamic_size)
        self._allocations = OneForAll()

    monkeypatch.setattr(FakeCUDAShared, "__init__", initialised)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)
