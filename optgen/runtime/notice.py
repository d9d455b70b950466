"""A line about what takes long, while it does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

PATIENCE = 1.0
"""Seconds after which a user wonders."""

_log = logging.getLogger("optgen")


def be_quiet() -> None:
    """Say nothing from now on, in a program that shows by other means what it is doing."""
    _log.setLevel(logging.ERROR)


@cache
def warn_of_no_cache() -> None:
    """Say once that compiled kernels cannot be kept: a warning of the logger ``optgen``."""
    _log.warning(
        "optgen finds no folder to keep compiled kernels in, so every start compiles them again; "
        "set NUMBA_CACHE_DIR to a folder that can be written"
    )


@contextmanager
def noticed(what: str) -> Iterator[None]:
    """Say what is going on if it takes more than a second: a warning of the logger ``optgen``.

    Args:
        what: what is going on, in words.
    """
    timer = threading.Timer(PATIENCE, _log.warning, ("optgen is %s ...", what))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
