"""Combinations of common arguments in which every pair of choices occurs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Collection, Mapping, Sequence
from typing import Any

Arguments = dict[str, Any]
Row = dict[str, str]

COMMON_CHOICES: dict[str, dict[str, Arguments]] = {
    "weight_decay": {"-": {}, "decay": {"weight_decay": 0.03}},
    "clip": {
        "-": {},
        "clipnorm": {"clipnorm": 0.7},
        "clipvalue": {"clipvalue": 0.4},
        "global_clipnorm": {"global_clipnorm": 1.3},
    },
    "ema": {
        "-": {},
        "ema": {"use_ema": True, "ema_momentum": 0.8},
        "overwrite": {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 2},
    },
    "loss_scale": {"-": {}, "scale": {"loss_scale_factor": 8.0}},
    "accumulation": {"-": {}, "accumulate": {"gradient_accumulation_steps": 2}},
}
"""For each factor its choices: a label, and the arguments that it stands for."""

EVERYTHING_ON = ("decay", "clipnorm", "overwrite", "scale", "accumulate")
"""The labels of every common stage; of the three ways to clip, the one that needs a reduction."""


def pairs_of(row: Mapping[str, str]) -> set[tuple[tuple[str, str], tuple[str, str]]]:
    """All pairs of choices in a row, a mapping from factor to label."""
    return set(itertools.combinations(row.items(), 2))


def covering_rows(factors: Mapping[str, Sequence[str]], first: Sequence[Row] = ()) -> list[Row]:
    """Rows in which every pair of choices of two factors occurs: the fewest of several attempts.

    Args:
        factors: the labels of each factor; at least two factors.
        first: rows that are wanted in any case; the others add what these leave out.
    """
    candidates = [
        dict(zip(factors, labels, strict=True)) for labels in itertools.product(*factors.values())
    ]
    attempts = []
    for seed in range(30):
        random.Random(seed).shuffle(candidates)
        attempts.append([*first, *_greedy_rows(candidates, first)])
    return min(attempts, key=len)


def _greedy_rows(candidates: Sequence[Row], first: Sequence[Row]) -> list[Row]:
    """Rows that, with the first ones, hold all pairs of the candidates; each adds many new ones."""
    pairs = [pairs_of(row) for row in candidates]
    missing = set().union(*pairs).difference(*map(pairs_of, first))
    rows = []
    while missing:
        best = max(range(len(candidates)), key=lambda i: len(pairs[i] & missing))
        rows.append(candidates[best])
        missing -= pairs[best]
    return rows


def covering_arguments(declared: Collection[str] = ()) -> dict[str, Arguments]:
    """Labelled combinations of common arguments in which every pair of choices occurs.

    Args:
        declared: arguments that the optimizer declares as hyperparameters of its own.
    """
    choices = choices_without(declared)
    return _labelled(choices, covering_rows({name: list(found) for name, found in choices.items()}))


def single_and_covering_arguments(declared: Collection[str] = ()) -> dict[str, Arguments]:
    """As ``covering_arguments``, after none, each argument alone, and all of them together.

    Args:
        declared: arguments that the optimizer declares as hyperparameters of its own.
    """
    choices = choices_without(declared)
    factors = {name: list(found) for name, found in choices.items()}
    nothing = dict.fromkeys(factors, "-")
    singles = [{**nothing, name: label} for name, found in factors.items() for label in found[1:]]
    everything = {
        name: next((label for label in EVERYTHING_ON if label in found), "-")
        for name, found in factors.items()
    }
    return _labelled(choices, covering_rows(factors, [nothing, *singles, everything]))


def choices_without(declared: Collection[str]) -> dict[str, dict[str, Arguments]]:
    """The choices that an optimizer leaves which declares some of the arguments itself."""
    return {
        name: {label: a for label, a in found.items() if not any(n in declared for n in a)}
        for name, found in COMMON_CHOICES.items()
        if name not in declared
    }


def _labelled(
    choices: Mapping[str, Mapping[str, Arguments]], rows: Sequence[Row]
) -> dict[str, Arguments]:
    return {
        "+".join(label for label in row.values() if label != "-") or "none": {
            argument: value
            for name, label in row.items()
            for argument, value in choices[name][label].items()
        }
        for row in rows
    }
