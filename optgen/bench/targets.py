"""What the project promises of its speed, and whether a report shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from optgen.bench.peers import FLOOR, OURS
from optgen.bench.results import CaseResult, Report, Spread, spread
from optgen.bench.steps import ADAPTIVE, CLIPPED, MOMENTUM, NORMED
from optgen.bench.tables import Table, shown_spread
from optgen.bench.worker import FRESH, SAME

_LARGE = ("resnet50", "gpt2")
_ALL = (MOMENTUM, ADAPTIVE, CLIPPED, NORMED)


@dataclass(frozen=True)
class Target:
    """A bound on the ratio of two candidates' times.

    Attributes:
        text: what is promised.
        models: names of the models that it holds for.
        steps: names of the steps that it holds for.
        above: the candidate whose time is divided.
        below: the one that it is divided by.
        bound: of the ratio.
        at_least: whether the ratio may not be below the bound; otherwise not above.
    """

    text: str
    models: tuple[str, ...]
    steps: tuple[str, ...]
    above: str
    below: str
    bound: float
    at_least: bool

    def met(self, ratio: Spread) -> bool:
        """Whether the median keeps the bound."""
        return ratio.median >= self.bound if self.at_least else ratio.median <= self.bound


def _floor(steps: tuple[str, ...], bound: float) -> Target:
    return Target(f"at most {bound:.2f} × the floor", _LARGE, steps, OURS, FLOOR, bound, False)


def _faster(
    models: tuple[str, ...], steps: tuple[str, ...], name: str, title: str, bound: float
) -> Target:
    text = f"at least {bound:g} × as fast as {title}"
    return Target(text, models, steps, name, OURS, bound, True)


TARGETS = (
    _floor((MOMENTUM, ADAPTIVE), 1.10),
    _floor((CLIPPED,), 1.15),
    _faster(_LARGE, _ALL, "torch-fused", "torch fused", 1.0),
    _faster(_LARGE, (CLIPPED,), "torch-fused", "torch fused", 1.3),
    _faster(_LARGE, (NORMED,), "pytorch-optimizer", "pytorch_optimizer", 3.0),
    _faster(_LARGE, (ADAPTIVE,), "torch-foreach", "torch foreach", 4.5),
    _faster(_LARGE, (ADAPTIVE,), "keras", "keras jit", 5.0),
    _faster(("mlp",), _ALL, "torch-fused", "torch fused", 2.5),
    _faster(("many",), _ALL, "torch-fused", "torch fused", 25.0),
)

TINY_SECONDS = 10e-6
MORE_START_SECONDS = 0.15
COLD_SECONDS = 10.0


def targets_table(report: Report) -> Table:
    """Every target that the report has figures for, met or missed."""
    rows = [*_ratio_rows(report), *_tiny_rows(report), *_start_rows(report)]
    headers = ("promised", "where", "gradients", "found", "")
    return Table("Targets", headers, tuple(rows))


def _ratio_rows(report: Report) -> Iterator[tuple[str, ...]]:
    for target in TARGETS:
        for case in report.cases:
            model, step = case.key
            if model not in target.models or step not in target.steps:
                continue
            for kind in (FRESH, SAME):
                ratio = case.ratio(target.above, target.below, kind)
                if ratio is not None:
                    verdict = _verdict(target.met(ratio))
                    if _remarks(case, target):
                        verdict = "not comparable"
                    yield (target.text, _where(case), kind, shown_spread(ratio), verdict)


def _remarks(case: CaseResult, target: Target) -> bool:
    """Whether something is wrong with the figures of a target."""
    names = {target.above, target.below}
    return any(c.note for c in case.candidates if c.name in names)


def _tiny_rows(report: Report) -> Iterator[tuple[str, ...]]:
    for case in report.cases:
        ours = case.find(OURS)
        if case.key[0] == "tiny" and ours is not None:
            for kind, times in ours.seconds.items():
                found = spread([1e6 * time for time in times])
                met = found.median < 1e6 * TINY_SECONDS
                text = f"under {1e6 * TINY_SECONDS:.0f} µs"
                yield (text, _where(case), kind, shown_spread(found), _verdict(met))


def _start_rows(report: Report) -> Iterator[tuple[str, ...]]:
    if report.start is None:
        return
    for text, where, times, bound in (
        (
            f"at most {MORE_START_SECONDS} s more than Numba alone",
            "first step, warm cache",
            report.start.more,
            MORE_START_SECONDS,
        ),
        (f"under {COLD_SECONDS:.0f} s", "first step, cold cache", report.start.cold, COLD_SECONDS),
    ):
        found = spread(times)
        yield (text, where, "", shown_spread(found), _verdict(found.median <= bound))


def _where(case: CaseResult) -> str:
    return f"{case.model}, {case.step}"


def _verdict(met: bool) -> str:
    return "met" if met else "missed"
