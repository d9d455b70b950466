"""What a report says, as tables of text; the terminal and pages show the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optgen.bench.peers import FLOOR, OURS
from optgen.bench.results import CaseResult, Measured, Memory, Point, Spread, Start, spread
from optgen.bench.worker import FRESH, SAME

GRADIENTS = {
    FRESH: "new gradient arrays in every step",
    SAME: "the same gradient arrays in every step",
}
NOTHING = "–"

_AXES = {
    "parameters": "parameters in one variable",
    "variables": "variables of 64 parameters",
    "threads": "threads",
}


@dataclass(frozen=True)
class Table:
    """A table: its title, a header for each column, and rows of as many texts."""

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def shown_seconds(seconds: float) -> str:
    """A time to three digits, in a unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{_digits(seconds / size)} {unit}"
    return f"{_digits(seconds / 1e-9)} ns"


def shown_spread(found: Spread | None) -> str:
    """A median and its quartiles."""
    if found is None:
        return NOTHING
    return f"{_digits(found.median)} ({_digits(found.low)}–{_digits(found.high)})"


def case_table(case: CaseResult) -> Table:
    """Every candidate of one case; a remark says why one has no times, or what is wrong with it."""
    rows = [_row(case, candidate) for candidate in case.candidates]
    headers = (
        "candidate",
        *(header for kind in kinds([case]) for header in (kind, "times ours")),
        "GB/s",
        "% of floor",
        "remark",
    )
    title = (
        f"{case.model}, {case.step}: {case.variables:,} variables, {case.parameters:,} parameters"
    )
    return _without_empty_column(Table(title, headers, tuple(rows)))


def _row(case: CaseResult, candidate: Measured) -> tuple[str, ...]:
    times = []
    for kind in kinds([case]):
        times.append(_time(case, candidate.name, kind))
        times.append(shown_spread(case.ratio(candidate.name, OURS, kind)))
    kind = kinds([case])[0]
    seconds = candidate.seconds.get(kind)
    rate = _digits(case.bytes / spread(seconds).median / 1e9) if seconds else NOTHING
    share = case.ratio(FLOOR, candidate.name, kind)
    percent = f"{100 * share.median:.0f}" if share else NOTHING
    return (candidate.title, *times, rate, percent, candidate.note)


def overview(cases: Sequence[CaseResult], gradients: str) -> Table:
    """All cases, a row each: times, and how often they hold ours."""
    titles = {c.name: c.title for case in cases for c in case.candidates}
    order = [FLOOR, OURS, *(name for name in titles if name not in {FLOOR, OURS})]
    rows = []
    for case in cases:
        cells = [_overview_cell(case, name, gradients) for name in order if name in titles]
        rows.append((case.model, case.step, *cells))
    headers = ("model", "step", *(titles[name] for name in order if name in titles))
    return Table(f"Time of a step, {GRADIENTS[gradients]}", headers, tuple(rows))


def _overview_cell(case: CaseResult, name: str, gradients: str) -> str:
    candidate, time = case.find(name), _time(case, name, gradients)
    if candidate is None or time == NOTHING:
        return NOTHING
    if candidate.note:
        return f"{time}, another step"
    return time if name == OURS else f"{time}, {shown_spread(case.ratio(name, OURS, gradients))}"


def used_table(cases: Sequence[CaseResult]) -> Table:
    """How each candidate was used: versions, threads, what a user writes, and its process."""
    rows: dict[tuple[str, ...], None] = {}
    for case in cases:
        for candidate in case.candidates:
            if candidate.form:
                versions = ", ".join(f"{name} {v}" for name, v in candidate.versions.items())
                threads = str(candidate.threads)
                what = (candidate.form, candidate.command)
                rows[candidate.title, case.step, versions, threads, *what] = None
    headers = ("candidate", "step", "versions", "threads", "used as", "process")
    return Table("What was measured", headers, tuple(sorted(rows)))


def scaling_tables(points: Sequence[Point]) -> list[Table]:
    """A table for each axis along which a step was measured."""
    tables = []
    for axis in dict.fromkeys(point.axis for point in points):
        own = [point for point in points if point.axis == axis]
        first = own[0].result
        headers = (_AXES[axis], "a step", "each", "memory floor", "floor / ours")
        if axis == "threads":
            headers = (_AXES[axis], "a step", "faster than 1", "memory floor", "floor / ours")
            title = f"Threads: {first.step}, {first.model}"
        else:
            title = f"Scaling: {first.step}, {_AXES[axis]}"
        rows = tuple(_scaling_row(point, own[0]) for point in own)
        tables.append(_without_empty_column(Table(title, (*headers, "remark"), rows)))
    return tables


def _scaling_row(point: Point, first: Point) -> tuple[str, ...]:
    case, each = point.result, NOTHING
    ours, single = case.find(OURS), first.result.find(OURS)
    if ours and point.axis == "threads" and single:
        pairs = zip(single.seconds[FRESH], ours.seconds[FRESH], strict=True)
        each = shown_spread(spread([a / b for a, b in pairs]))
    elif ours:
        each = shown_seconds(spread(ours.seconds[FRESH]).median / point.value)
    note = "; ".join(c.note for c in case.candidates if c.note)
    times = (_time(case, OURS, FRESH), each, _time(case, FLOOR, FRESH))
    return (f"{point.value:,}", *times, shown_spread(case.ratio(FLOOR, OURS, FRESH)), note)


def memory_table(memory: Sequence[Memory]) -> Table:
    """State, and what steps allocate, for each step."""
    rows = tuple(
        (
            m.step,
            f"{m.declared:.2f}",
            f"{m.state:.2f}",
            f"{m.in_step:,}",
            f"{m.resident_growth:,}",
        )
        for m in memory
    )
    headers = (
        "step",
        "state declared, bytes per parameter",
        "state measured",
        "allocated in a step, bytes",
        "growth of the process in steps, bytes",
    )
    parameters = f"{memory[0].parameters:,}" if memory else "no"
    return Table(f"Memory, {parameters} float32 parameters", headers, rows)


def start_table(start: Start) -> Table:
    """What comes before the first step has ended."""
    rows = (
        ("importing an optimizer and its first step, warm cache", start.first_step),
        ("importing Numba and one cached parallel function", start.numba_alone),
        ("the difference, start by start", start.more),
        ("importing an optimizer and its first step, cold cache", start.cold),
    )
    found = tuple((title, shown_spread(spread(times)), str(len(times))) for title, times in rows)
    headers = ("from the start of a process", "seconds", "starts")
    return Table("Start", headers, found)


def kinds(cases: Sequence[CaseResult]) -> list[str]:
    """The kinds of gradients that were measured, fresh ones first."""
    found = {kind for case in cases for c in case.candidates for kind in c.seconds}
    return [kind for kind in GRADIENTS if kind in found] or [FRESH]


def _time(case: CaseResult, name: str, gradients: str) -> str:
    candidate = case.find(name)
    if candidate is None or not candidate.seconds.get(gradients):
        return NOTHING
    return shown_seconds(spread(candidate.seconds[gradients]).median)


def _without_empty_column(table: Table) -> Table:
    """The table, without its last column if nothing stands there."""
    if any(row[-1] for row in table.rows):
        return table
    return Table(table.title, table.headers[:-1], tuple(row[:-1] for row in table.rows))


def _digits(number: float) -> str:
    """A number to three digits, written out."""
    if not 0.001 <= abs(number) < 1000:
        return f"{number:,.0f}" if abs(number) >= 1 else f"{number:.4f}"
    places = 2 if abs(number) < 10 else 1 if abs(number) < 100 else 0
    return f"{number:.{places if abs(number) >= 1 else 3}f}"
