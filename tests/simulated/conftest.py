"""What makes Numba's simulator quick."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def quick_simulator() -> Iterator[None]:
    """Threads take turns often, because barriers poll."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)
