"""Scalar arithmetic on the host: IEEE results on Python floats, and never an exception.

Generated classes compute what is the same for all elements of a step with these functions and the
operators ``+``, ``-`` and ``*``.  Python raises where IEEE 754 has an infinity or a NaN; here the
caller gets the infinity or the NaN.  Results equal those of NumPy's float64 scalars to the bit,
except that the sign and payload of a NaN are unspecified.
"""

from __future__ import annotations

import math

import numpy as np

__all__ = [
    "clip",
    "divide",
    "exp",
    "log",
    "maximum",
    "minimum",
    "power",
    "sign",
    "sqrt",
    "square",
    "tanh",
]


def divide(x: float, y: float) -> float:
    """Return ``x / y``: a signed infinity for ``x / 0``, NaN for ``0 / 0``."""
    try:
        return x / y
    except ZeroDivisionError:
        if x == 0.0 or x != x:
            return math.nan
        return math.copysign(math.inf, x) * math.copysign(1.0, y)


def power(x: float, y: float) -> float:
    """Return ``x`` to the power ``y``, as the C library's ``pow`` does.

    A negative base with a fractional exponent gives NaN, a zero base with a negative exponent an
    infinity, an overflow an infinity with the sign of the power.
    """
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0.0 and _is_odd(y) else math.inf
    except ValueError:
        if x != 0.0:
            return math.nan
        return math.copysign(math.inf, x) if _is_odd(y) else math.inf


def _is_odd(y: float) -> bool:
    return math.fmod(y, 2.0) in (1.0, -1.0)


def sqrt(x: float) -> float:
    """Return the correctly rounded square root of ``x``; NaN below zero."""
    return math.sqrt(x) if x >= 0.0 else math.nan


def exp(x: float) -> float:
    """Return e to the power ``x``; an infinity if that is too large."""
    # NumPy has its own implementation, which differs from the C library's in the last bit.
    with np.errstate(all="ignore"):
        return float(np.exp(x))


def log(x: float) -> float:
    """Return the natural logarithm of ``x``: minus infinity at zero, NaN below."""
    with np.errstate(all="ignore"):
        return float(np.log(x))


def minimum(x: float, y: float) -> float:
    """Return the smaller of two values; NaN if either is NaN."""
    return x if x <= y or x != x else y


def maximum(x: float, y: float) -> float:
    """Return the larger of two values; NaN if either is NaN."""
    return x if x >= y or x != x else y


def clip(x: float, low: float, high: float) -> float:
    """Return ``minimum(maximum(x, low), high)``."""
    return minimum(maximum(x, low), high)


def sign(x: float) -> float:
    """Return -1.0, +0.0 (for both zeros) or 1.0; NaN for NaN."""
    if x > 0.0:
        return 1.0
    if x < 0.0:
        return -1.0
    return 0.0 if x == 0.0 else x


def square(x: float) -> float:
    """Return ``x * x``, which is what ``x ** 2`` means in a spec."""
    return x * x


def tanh(x: float) -> float:
    """Return the hyperbolic tangent of ``x``."""
    return math.tanh(x)
