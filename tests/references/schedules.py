"""Learning-rate schedules by other means than optgen's: exact fractions, another library's code."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction


def falls(first: Fraction, t_mul: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    """Yield where each fall of cosine restarts begins, and its length, both exact.

    Args:
        first: Steps of the first fall.
        t_mul: How many times longer than the last a fall is.
    """
    start, length = Fraction(0), first
    while True:
        yield start, length
        start, length = start + length, length * t_mul


def cosine_restarts(step: int, first: Fraction, t_mul: Fraction, m_mul: float) -> float:
    """Return the rate of cosine restarts from 1 to 0.

    The fall is found by counting, not by a logarithm. Source: Loshchilov and Hutter, 2017,
    equation 5, with the heights of Keras 3.

    Args:
        step: Calls so far.
        first: Steps of the first fall.
        t_mul: How many times longer than the last a fall is.
        m_mul: How many times higher than the last a fall begins.
    """
    for index, (start, length) in enumerate(falls(first, t_mul)):
        if step < start + length:
            fraction = (step - start) / length
            return m_mul**index * (1 + math.cos(math.pi * float(fraction))) / 2
    raise AssertionError


def warmup_stable_decay(
    step: int, warmup: int, stable: int, decay: int, shape: str, ratio: float, cycles: float
) -> float:
    """Return the factor of the learning rate.

    Source: pytorch_optimizer 4.1, `get_wsd_scheduler_lambda`, case by case.

    Args:
        step: Calls so far.
        warmup: Steps of the rise.
        stable: Steps of the constant rate.
        decay: Steps of the fall.
        shape: Shape of the fall.
        ratio: Factor after the fall; during the fall only the cosine regards it.
        cycles: Cycles of the cosine.
    """
    if step < warmup:
        return float(step) / float(max(1, warmup))
    if step < warmup + stable:
        return 1.0
    if step >= warmup + stable + decay:
        return ratio
    progress = (step - warmup - stable) / decay
    if shape == "cosine":
        value = max(0.0, 0.5 * (1.0 + math.cos(math.pi * cycles * 2.0 * progress)))
        return (1.0 - ratio) * value + ratio
    if shape == "1-sqrt":
        return 1.0 - math.sqrt(progress)
    if shape == "1-square":
        return 1.0 - math.pow(progress, 2)
    return 1.0 - progress
