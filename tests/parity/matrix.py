"""All modes of all specs, measured in several processes."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from optgen.runtime.notice import be_quiet
from tests.parity.measuring import (
    against_interpreter,
    against_reference,
    against_source,
    arguments_of_run,
)
from tests.parity.page import Row, shown, source_text
from tests.parity.tolerances import COMPARISONS


@dataclass(frozen=True)
class Failure:
    """A mode that is not as close as it must be, and how that was found out."""

    spec: str
    mode: str
    message: str


def measured(spec: str, mode: str, *, quick: bool = False) -> Row:
    """Measure a mode.

    Args:
        spec: a spec's stem.
        mode: one of its modes.
        quick: whether to leave out common arguments.

    Raises:
        AssertionError: if a figure is beyond its tolerance.
    """
    figures = {
        f"interpreter {dtype}": against_interpreter(spec, mode, dtype, quick=quick)
        for dtype in ("float32", "float64")
    }
    figures["reference"] = against_reference(spec, mode)
    figures |= against_source(spec, mode)
    texts = tuple(shown(comparison, figures.get(comparison)) for comparison in COMPARISONS)
    return Row(spec, mode, texts, source_text(spec, arguments_of_run(spec, mode)))


def outcomes(
    pairs: Sequence[tuple[str, str]], processes: int | None, *, quick: bool
) -> Iterator[Row | Failure]:
    """Measure modes in several processes, and return what came out in the same order."""
    with ProcessPoolExecutor(processes, get_context("spawn"), be_quiet) as pool:
        yield from pool.map(partial(_attempted, quick=quick), pairs)


def _attempted(pair: tuple[str, str], *, quick: bool) -> Row | Failure:
    """Measure a mode; whatever goes wrong is reported with the others."""
    try:
        return measured(*pair, quick=quick)
    except Exception:
        return Failure(*pair, traceback.format_exc())
