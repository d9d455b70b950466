"""What was measured, as it is kept in a JSON file, and what follows from it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

Times = list[float]
"""Seconds of a step, one for each round."""


@dataclass(frozen=True)
class Spread:
    """The median of some figures and the quartiles around it."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """What one candidate did in one case.

    Attributes:
        name: of the candidate.
        title: what tables call it.
        note: why there are no times, or what is wrong with them, as a sentence; or empty.
        command: what started its process.
        form: how the library was used.
        threads: how many it had.
        versions: of the packages that it consists of.
        seconds: for ``fresh`` and ``same`` gradients the time of a step in each round.
    """

    name: str
    title: str
    note: str = ""
    command: str = ""
    form: str = ""
    threads: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, Times] = field(default_factory=dict)


@dataclass(frozen=True)
class CaseResult:
    """All candidates in one case.

    Attributes:
        model: its title.
        step: the title of the step.
        key: the names of both.
        variables: how many the model has.
        parameters: how many numbers they hold.
        bytes: what a step has to read and write.
        candidates: those that took part, ours first, and those that could not.
    """

    model: str
    step: str
    key: tuple[str, str]
    variables: int
    parameters: int
    bytes: int
    candidates: list[Measured]

    def find(self, name: str) -> Measured | None:
        """A candidate that has times."""
        for candidate in self.candidates:
            if candidate.name == name and candidate.seconds:
                return candidate
        return None

    def ratio(self, name: str, other: str, gradients: str) -> Spread | None:
        """How often the time of one candidate holds that of another, round by round.

        Args:
            name: the candidate that is divided.
            other: the one that it is divided by.
            gradients: whose times: fresh or same.

        Returns:
            The spread of the rounds' ratios; None unless both have such times.
        """
        above, below = self.find(name), self.find(other)
        if above is None or below is None:
            return None
        pairs = zip(above.seconds.get(gradients, []), below.seconds.get(gradients, []), strict=True)
        ratios = [a / b for a, b in pairs]
        return spread(ratios) if ratios else None


@dataclass(frozen=True)
class Point:
    """One place on a curve of the scaling: an axis, a value on it, and what was measured there."""

    axis: str
    value: int
    result: CaseResult


@dataclass(frozen=True)
class Memory:
    """The memory of one step.

    Attributes:
        step: its title.
        parameters: of the variables.
        declared: bytes of state per parameter that the step's arrays have.
        state: bytes per parameter that building allocated.
        in_step: bytes that were allocated at the same time, at most, within steps.
        resident_growth: bytes by which the peak of the process's memory grew during steps.
    """

    step: str
    parameters: int
    declared: float
    state: float
    in_step: int
    resident_growth: int


@dataclass(frozen=True)
class Start:
    """From the start of a process to the end of its first step, in seconds, a figure per round.

    Attributes:
        first_step: importing an optimizer and one step, the machine code in the cache.
        numba_alone: importing Numba and one call of a trivial parallel function, likewise.
        cold: a first step whose machine code has to be compiled.
    """

    first_step: Times
    numba_alone: Times
    cold: Times

    @property
    def more(self) -> Times:
        """What the optimizer takes more than Numba alone, round by round."""
        return [a - b for a, b in zip(self.first_step, self.numba_alone, strict=True)]


@dataclass(frozen=True)
class Report:
    """Everything that one run of the command measured.

    Attributes:
        date: the day, in UTC.
        command: what was typed.
        machine: processors, their features and memory, in general words.
        versions: of Python and of packages.
        cases: steps beside other libraries.
        points: the scaling of a step.
        memory: the memory of steps.
        start: the start; None if it was not asked for.
    """

    date: str
    command: str
    machine: str
    versions: dict[str, str]
    cases: list[CaseResult] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    memory: list[Memory] = field(default_factory=list)
    start: Start | None = None


_REPORT = TypeAdapter(Report)


def spread(figures: Sequence[float]) -> Spread:
    """The median and the quartiles of at least one figure."""
    if len(figures) == 1:
        return Spread(figures[0], figures[0], figures[0])
    low, median, high = statistics.quantiles(figures, n=4, method="inclusive")
    return Spread(median, low, high)


def as_json(report: Report) -> str:
    """A report as the text of a file."""
    return _REPORT.dump_json(report, indent=1).decode() + "\n"


def read(path: Path) -> Report:
    """Read a report back.

    Raises:
        ValueError: if the file holds something else.
    """
    try:
        return _REPORT.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise ValueError(
            f"expected a file that optgen bench --json wrote, received {path}, "
            f"where {where} is wrong: {first['msg']}"
        ) from None
