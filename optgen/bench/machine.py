"""The machine that figures were taken on, in words that name no computer."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

from llvmlite import binding

import optgen
from optgen.bench.peers.processors import available_processors

PACKAGES = ("numba", "numpy")

_VECTORS = (("avx512f", "AVX-512"), ("avx2", "AVX2"), ("sve", "SVE"), ("neon", "NEON"))
_MEMORY = Path("/proc/meminfo")


def today() -> str:
    """The day, in UTC."""
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


def machine() -> str:
    """Processors, the widest vectors they have, memory, and the kind of system."""
    features = binding.get_host_cpu_features()
    vectors = [title for name, title in _VECTORS if features.get(name)]
    cores = available_processors()
    words = [f"{cores} {'core' if cores == 1 else 'cores'} ({platform.machine()})"]
    words += vectors[:1]
    total = _memory("MemTotal")
    if total is not None:
        words.append(f"{total / 2**30:.0f} GiB of memory")
    return ", ".join([*words, platform.system()])


def versions() -> dict[str, str]:
    """The versions of what every measurement depends on."""
    found = {"optgen": optgen.__version__, "python": platform.python_version()}
    return {**found, **{name: importlib.metadata.version(name) for name in PACKAGES}}


def available_memory() -> int:
    """How many bytes new processes can use without anything being swapped out.

    Where the system does not tell, half of its memory.
    """
    available = _memory("MemAvailable")
    if available is not None:
        return available
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _memory(name: str) -> int | None:
    """An entry of Linux's table of memory, in bytes; None elsewhere."""
    if not _MEMORY.is_file():
        return None
    for line in _MEMORY.read_text("ascii").splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    return None
