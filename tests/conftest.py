"""Options of the test suite."""

from __future__ import annotations

import os
import tempfile

import pytest

# What a build keeps for the next one is kept apart for every run, and never the user's.
_KEPT = tempfile.TemporaryDirectory(prefix="optgen-tests-")
os.environ["OPTGEN_CACHE_DIR"] = _KEPT.name


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that accepts the present output as the expected one."""
    parser.addoption(
        "--bless", action="store_true", help="write the messages of tests/bad_specs anew"
    )
