"""How far a result may be from what it is compared with: one table."""

from __future__ import annotations

from dataclasses import dataclass

COMPARISONS = ("interpreter float32", "interpreter float64", "reference", "live", "batched")
"""What every mode is compared with; ``batched`` is a library's other way to compute a step."""


@dataclass(frozen=True)
class Tolerance:
    """How far results may be off.

    Attributes:
        value: the largest difference over ``1 + abs(expected)``; of the interpreter in units in
            the last place of the array's largest value.
        reason: why it is more than usual.
    """

    value: float
    reason: str = ""


USUAL = Tolerance(1e-12)
EQUAL = Tolerance(0.0)

POWERS = (
    "Numba and NumPy compute {} by different code, each right to a few units in the last place. "
    "`optgen test` bounds every element by what errors of 8 units do to it."
)

TOLERANCES: dict[tuple[str, str], Tolerance] = {
    ("ftrl", "interpreter float32"): Tolerance(32, POWERS.format("powers")),
    ("ftrl", "interpreter float64"): Tolerance(32, POWERS.format("powers")),
    ("yogi", "interpreter float32"): Tolerance(8, POWERS.format("tanh")),
    ("yogi", "interpreter float64"): Tolerance(8, POWERS.format("tanh")),
    ("laprop", "batched"): Tolerance(
        1e-7,
        "The library holds the correction of the momentum in float32 there, which rounds it by up "
        "to 6e-8; computed parameter by parameter it does not.",
    ),
}
"""By spec and comparison, what differs from the usual."""


def tolerance_of(spec: str, comparison: str, *, exact: bool) -> Tolerance:
    """Return the tolerance of a comparison of a mode.

    Args:
        spec: the spec's stem.
        comparison: one of `COMPARISONS`.
        exact: whether the mode must give the interpreter's bits.

    Raises:
        LookupError: if the table must name one and does not.
    """
    if not comparison.startswith("interpreter"):
        return TOLERANCES.get((spec, comparison), USUAL)
    if exact:
        return EQUAL
    if (spec, comparison) not in TOLERANCES:
        raise LookupError(
            f"{spec}, {comparison}: expected a row in tests/parity/tolerances.py for a spec with "
            "functions that are not exactly defined, found none; measure it and name the reason"
        )
    return TOLERANCES[spec, comparison]
