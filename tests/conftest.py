"""Options of the test suite."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that accepts the present output as the expected one."""
    parser.addoption(
        "--bless", action="store_true", help="write the messages of tests/bad_specs anew"
    )
