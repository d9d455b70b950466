"""The exact decision which mode is selected when.

The constants that a hyperparameter is compared with cut its range into cells: the constants
themselves and the intervals between them.  No condition can tell two values of a cell apart, so
trying one value of each cell decides for all.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from optgen.diagnostics import Label, Span
from optgen.frontend.conditions import Condition, holds, tests
from optgen.frontend.report import Report
from optgen.ir.notation import number_text
from optgen.ir.program import Hyperparameter, HyperparameterValue, ModeChoice

MAX_COMBINATIONS = 4_096


@dataclass(frozen=True)
class Cell:
    """A part of a hyperparameter's range within which no condition changes.

    Attributes:
        name: the hyperparameter.
        value: a value inside.
        text: the cell in words, as a condition.
    """

    name: str
    value: HyperparameterValue
    text: str


Combination = tuple[Cell, ...]


@dataclass(frozen=True)
class Candidate:
    """A mode and its condition.

    Attributes:
        name: the mode.
        condition: when it is selected.
        span: where the condition stands.
    """

    name: str
    condition: Condition
    span: Span


def values_of(combination: Combination) -> dict[str, HyperparameterValue]:
    """One value per hyperparameter of a combination of cells."""
    return {cell.name: cell.value for cell in combination}


def describe(combination: Combination) -> str:
    """A combination of cells, as a condition."""
    return " and ".join(cell.text for cell in combination if cell.text) or "all values"


def combinations(
    conditions: Iterable[Condition], hyperparameters: Mapping[str, Hyperparameter]
) -> list[Combination] | None:
    """All combinations of cells that the conditions distinguish; None if there are too many."""
    constants: dict[str, list[HyperparameterValue]] = {}
    for condition in conditions:
        for test in tests(condition):
            constants.setdefault(test.name, []).append(test.constant)
    mentioned = [name for name in hyperparameters if name in constants]
    axes = [cells_of(hyperparameters[name], constants[name]) for name in mentioned]
    if math.prod(len(axis) for axis in axes) > MAX_COMBINATIONS:
        return None
    return list(itertools.product(*axes))


def cells_of(
    hyperparameter: Hyperparameter, constants: Sequence[HyperparameterValue]
) -> list[Cell]:
    """The cells into which constants cut the range of a hyperparameter."""
    name = hyperparameter.name
    cells: list[Cell] = []
    if hyperparameter.optional:
        cells.append(Cell(name, None, f"{name} is None"))
    if hyperparameter.kind == "bool":
        return [Cell(name, False, f"not {name}"), Cell(name, True, name)]
    if hyperparameter.kind == "choice":
        words = hyperparameter.choices
        return cells + [Cell(name, word, f'{name} == "{word}"') for word in words]
    numbers = sorted(
        {value for value in constants if isinstance(value, (int, float)) and value is not True}
    )
    return cells + list(_number_cells(hyperparameter, numbers))


def _number_cells(hyperparameter: Hyperparameter, numbers: list[float]) -> Iterator[Cell]:
    name, whole = hyperparameter.name, hyperparameter.kind == "int"
    low, high = hyperparameter.smallest, hyperparameter.largest
    edges = [-math.inf, *numbers, math.inf]
    for left, right in itertools.pairwise(edges):
        if left > -math.inf and low <= left <= high and (not whole or left == int(left)):
            yield Cell(name, int(left) if whole else float(left), f"{name} == {number_text(left)}")
        value = _inside(left, right, low, high, whole)
        if value is not None:
            yield Cell(name, value, _interval_text(hyperparameter, left, right))


def _interval_text(hyperparameter: Hyperparameter, left: float, right: float) -> str:
    name = hyperparameter.name
    if left == -math.inf and right == math.inf:
        return f"{name} is not None" if hyperparameter.optional else ""
    if left == -math.inf:
        return f"{name} < {number_text(right)}"
    if right == math.inf:
        return f"{name} > {number_text(left)}"
    return f"{number_text(left)} < {name} < {number_text(right)}"


def _inside(left: float, right: float, low: float, high: float, whole: bool) -> float | None:
    """A value strictly between two edges and within the bounds; None if there is none."""
    if whole:
        first = max(math.floor(left) + 1 if left > -math.inf else -math.inf, low)
        last = min(math.ceil(right) - 1 if right < math.inf else math.inf, high)
        if first > last:
            return None
        if first > -math.inf:
            return int(first)
        return int(last) if last < math.inf else 0
    first = max(low, math.nextafter(left, math.inf), -sys.float_info.max)
    last = min(high, math.nextafter(right, -math.inf), sys.float_info.max)
    if first > last:
        return None
    return _simple_between(first, last)


def _simple_between(first: float, last: float) -> float:
    """A value between two others, a short one if possible."""
    for value in (0.0, 1.0, 0.5, first + 1.0, last - 1.0, first / 2 + last / 2):
        if first <= value <= last:
            return value
    return first


@dataclass(frozen=True)
class Decision:
    """Which mode each combination of cells selects.

    Attributes:
        selected: the mode of each combination.
    """

    selected: tuple[tuple[Combination, str], ...]

    def choices(self) -> tuple[ModeChoice, ...]:
        """The decision in the terms of a Program."""
        return tuple(
            ModeChoice(tuple(values_of(combination).items()), mode)
            for combination, mode in self.selected
        )

    def may_be_none(self, mode: str, name: str) -> bool:
        """Whether an optional hyperparameter may be None in a mode."""
        found = [values_of(combination) for combination, chosen in self.selected if chosen == mode]
        return any(values.get(name) is None for values in found)


def decide(
    candidates: Sequence[Candidate],
    hyperparameters: Mapping[str, Hyperparameter],
    everything: Span,
    report: Report,
) -> Decision | None:
    """Which mode is selected when; None, and messages, if that is not one mode in every case.

    Args:
        candidates: the modes.
        hyperparameters: by name, in the spec's order.
        everything: the place to point at when no mode is selected.
        report: where messages go.
    """
    cases = combinations((candidate.condition for candidate in candidates), hyperparameters)
    if cases is None:
        headline = f"the conditions distinguish more than {MAX_COMBINATIONS:,} combinations"
        report.error("E405", headline, everything, help="mention fewer hyperparameters")
        return None
    before = len(report.diagnostics)
    selected: list[tuple[Combination, str]] = []
    overlaps: set[tuple[str, str]] = set()
    gaps: list[Combination] = []
    chosen: set[str] = set()
    for case in cases:
        values = values_of(case)
        fitting = [candidate for candidate in candidates if holds(candidate.condition, values)]
        chosen.update(candidate.name for candidate in fitting)
        if not fitting:
            gaps.append(case)
            continue
        selected.append((case, fitting[0].name))
        for other in fitting[1:]:
            if (fitting[0].name, other.name) not in overlaps:
                overlaps.add((fitting[0].name, other.name))
                _report_overlap(case, fitting[0], other, report)
    if gaps:
        count = len(gaps) - 1
        more = f", nor in {count} other case{'s' if count > 1 else ''}" if count else ""
        headline = f"no mode for {describe(gaps[0])}"
        hint = "add a mode for this case, or widen the condition of one"
        report.error("E402", headline, everything, f"no mode is selected then{more}", help=hint)
    for candidate in candidates:
        if candidate.name not in chosen:
            headline = f"mode `{candidate.name}` is never selected"
            hint = "remove the mode, or mend its condition"
            excluded = _excluded(candidate.condition, hyperparameters, report)
            report.error("E404", headline, candidate.span, "never true", *excluded, help=hint)
    return Decision(tuple(selected)) if len(report.diagnostics) == before else None


def _excluded(
    condition: Condition, hyperparameters: Mapping[str, Hyperparameter], report: Report
) -> Iterator[Label]:
    """Marks at bounds that refuse a number with which a condition compares."""
    for test in tests(condition):
        h = hyperparameters[test.name]
        for key, bound, excludes in (
            ("above", h.minimum, h.exclusive_minimum),
            ("below", h.maximum, h.exclusive_maximum),
        ):
            if excludes and bound is not None and test.constant == bound:
                span = report.index.value("hyperparameters", h.name, key)
                yield Label(span, f"{number_text(bound)} itself is no value")


def _report_overlap(case: Combination, first: Candidate, second: Candidate, report: Report) -> None:
    report.error(
        "E403",
        f"both `{first.name}` and `{second.name}` for {describe(case)}",
        second.span,
        "",
        Label(first.span, "true as well"),
        help="narrow one of the two conditions, such as by `and not ...`",
    )


def modes_with(
    condition: Condition,
    candidates: Sequence[Candidate],
    hyperparameters: Mapping[str, Hyperparameter],
) -> tuple[dict[str, bool], tuple[str, Combination, Combination] | None] | None:
    """In which modes a slot's condition is true.

    Returns:
        Per mode whether the condition holds in it, and, if it splits a mode, that mode with a
        combination for which it holds and one for which it does not.  None if there are too many
        combinations to tell.
    """
    conditions = [condition, *(candidate.condition for candidate in candidates)]
    cases = combinations(conditions, hyperparameters)
    if cases is None:
        return None
    seen: dict[str, dict[bool, Combination]] = {candidate.name: {} for candidate in candidates}
    for case in cases:
        values = values_of(case)
        for candidate in candidates:
            if holds(candidate.condition, values):
                seen[candidate.name].setdefault(holds(condition, values), case)
    for name, found in seen.items():
        if len(found) == 2:
            return {}, (name, found[True], found[False])
    return {name: True in found for name, found in seen.items()}, None
