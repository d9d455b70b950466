"""The function table of the language: one row per operator, function and reduction.

A row says everything that any part of the compiler needs to know about a function: how many
arguments it takes and of which type, how the rate of its result follows from theirs, what it means
(NumPy), and how each backend spells it.  The language reference is checked against this table.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from optgen.ir.axis_intrinsics import AXIS_INTRINSICS, AXIS_SHORTHANDS
from optgen.ir.functions import Intrinsic, Meaning, Reduction, Shorthand
from optgen.ir.rate import ELEMENT, STEP, TENSOR


def _sign(x: Any) -> Any:
    """-1, +0.0 or 1; NaN for NaN."""
    return np.sign(x) + x.dtype.type(0.0)


# Precedences are Python's, so that a printed expression reads back as the same tree.
_OR, _AND, _NOT, _COMPARE, _ADD, _MULTIPLY, _NEGATE, _POWER = 1, 2, 3, 4, 5, 6, 7, 8


def _binary(
    name: str, operator: str, precedence: int, meaning: Meaning, doc: str, latex: str
) -> Intrinsic:
    text = f"{{0}} {operator} {{1}}"
    return Intrinsic(
        name,
        ("x", "y"),
        meaning,
        doc,
        operator,
        precedence,
        text,
        text,
        public=False,
        latex=latex,
    )


def _comparison(name: str, operator: str, meaning: Meaning, sign: str) -> Intrinsic:
    text = f"{{0}} {operator} {{1}}"
    doc = f"Whether `x {operator} y`; false if either is NaN."
    if operator == "!=":
        doc = "Whether `x` and `y` differ; true if either is NaN."
    return Intrinsic(
        name,
        ("x", "y"),
        meaning,
        doc,
        operator,
        _COMPARE,
        text,
        text,
        gives_truth=True,
        public=False,
        latex=f"#1 {sign} #2",
    )


def _logical(name: str, precedence: int, meaning: Meaning, doc: str, sign: str) -> Intrinsic:
    unary = name == "not"
    text = "not {0}" if unary else f"{{0}} {name} {{1}}"
    return Intrinsic(
        name,
        ("x",) if unary else ("x", "y"),
        meaning,
        doc,
        name,
        precedence,
        text,
        text,
        truth_parameters=(0,) if unary else (0, 1),
        gives_truth=True,
        public=False,
        latex=f"{sign} #1" if unary else f"#1 {sign} #2",
    )


def _power(x: Any, y: Any) -> Any:
    """C's power: infinite for `-inf ** 0.5`, where NumPy takes a root for a single exponent."""
    shape = np.broadcast_shapes(np.shape(x), np.shape(y))
    if not shape:
        return operator.pow(*(z[()] if isinstance(z, np.ndarray) else z for z in (x, y)))
    dtype = np.result_type(x, y)
    return np.power(np.asarray(x, dtype), np.full(shape, y, dtype))


_ROWS = (
    _binary("add", "+", _ADD, np.add, "The sum.", "#1 + #2"),
    _binary("subtract", "-", _ADD, np.subtract, "The difference.", "#1 - #2"),
    _binary("multiply", "*", _MULTIPLY, np.multiply, "The product.", r"#1 \, #2"),
    Intrinsic(
        "divide",
        ("x", "y"),
        np.divide,
        "The IEEE quotient: `x / 0` is an infinity with the sign of the quotient, `0 / 0` is NaN.",
        "/",
        _MULTIPLY,
        "divide({0}, {1})",
        "{0} / {1}",
        public=False,
        latex=r"\frac{#1}{#2}",
    ),
    Intrinsic(
        "power",
        ("x", "y"),
        _power,
        "`x` to the power `y`; `x ** 2` means `x * x`.",
        "**",
        _POWER,
        "power({0}, {1})",
        "{0} ** {1}",
        exact=False,
        public=False,
        latex="#1^{#2}",
    ),
    Intrinsic(
        "square",
        ("x",),
        np.square,
        "`x * x`; the meaning of `x ** 2`.",
        host="square({0})",
        cpu="square({0})",
        latex="#1^{2}",
    ),
    Intrinsic(
        "negative",
        ("x",),
        np.negative,
        "`x` with the opposite sign.",
        "-",
        _NEGATE,
        "-{0}",
        "-{0}",
        public=False,
        latex="-#1",
    ),
    _comparison("less", "<", np.less, "<"),
    _comparison("less_equal", "<=", np.less_equal, r"\le"),
    _comparison("greater", ">", np.greater, ">"),
    _comparison("greater_equal", ">=", np.greater_equal, r"\ge"),
    _comparison("equal", "==", np.equal, "="),
    _comparison("not_equal", "!=", np.not_equal, r"\ne"),
    _logical("and", _AND, np.logical_and, "Whether both conditions hold.", r"\land"),
    _logical("or", _OR, np.logical_or, "Whether either condition holds.", r"\lor"),
    _logical("not", _NOT, np.logical_not, "Whether the condition does not hold.", r"\lnot"),
    Intrinsic(
        "where",
        ("condition", "x", "y"),
        np.where,
        "`x` where the condition holds, otherwise `y`.",
        precedence=0,
        host="{1} if {0} else {2}",
        cpu="{1} if {0} else {2}",
        latex=r"\begin{cases} #2 & \text{if } #1 \\ #3 & \text{otherwise} \end{cases}",
        truth_parameters=(0,),
    ),
    Intrinsic(
        "sqrt",
        ("x",),
        np.sqrt,
        "The square root, correctly rounded; NaN below zero.",
        host="sqrt({0})",
        cpu="np.sqrt({0})",
        cuda="sqrt({0})",
        latex=r"\sqrt{#1}",
    ),
    Intrinsic(
        "abs",
        ("x",),
        np.abs,
        "The magnitude.",
        host="abs({0})",
        cpu="abs({0})",
        latex=r"\left|#1\right|",
    ),
    Intrinsic(
        "sign",
        ("x",),
        _sign,
        "-1, 0 or 1; +0.0 for both zeros, NaN for NaN.",
        host="sign({0})",
        cpu="sign({0})",
        latex=r"\operatorname{sign}\left(#1\right)",
    ),
    Intrinsic(
        "minimum",
        ("x", "y"),
        np.minimum,
        "The smaller value; NaN if either is NaN; of two zeros either one.",
        host="minimum({0}, {1})",
        cpu="np.minimum({0}, {1})",
        cuda="minimum({0}, {1})",
        latex=r"\min\left(#1, #2\right)",
    ),
    Intrinsic(
        "maximum",
        ("x", "y"),
        np.maximum,
        "The larger value; NaN if either is NaN; of two zeros either one.",
        host="maximum({0}, {1})",
        cpu="np.maximum({0}, {1})",
        cuda="maximum({0}, {1})",
        latex=r"\max\left(#1, #2\right)",
    ),
    Intrinsic(
        "clip",
        ("x", "low", "high"),
        lambda x, low, high: np.minimum(np.maximum(x, low), high),
        "`minimum(maximum(x, low), high)`.",
        host="clip({0}, {1}, {2})",
        cpu="np.minimum(np.maximum({0}, {1}), {2})",
        cuda="minimum(maximum({0}, {1}), {2})",
        latex=r"\operatorname{clip}\left(#1, #2, #3\right)",
    ),
    Intrinsic(
        "exp",
        ("x",),
        np.exp,
        "e to the power `x`.",
        host="exp({0})",
        cpu="np.exp({0})",
        cuda="exp({0})",
        latex=r"\exp\left(#1\right)",
        exact=False,
    ),
    Intrinsic(
        "log",
        ("x",),
        np.log,
        "The natural logarithm; minus infinity at zero, NaN below.",
        host="log({0})",
        cpu="np.log({0})",
        cuda="log({0})",
        latex=r"\log\left(#1\right)",
        exact=False,
    ),
    Intrinsic(
        "tanh",
        ("x",),
        np.tanh,
        "The hyperbolic tangent.",
        host="tanh({0})",
        cpu="np.tanh({0})",
        cuda="tanh({0})",
        latex=r"\tanh\left(#1\right)",
        exact=False,
    ),
    Intrinsic(
        "sum",
        ("x",),
        np.add,
        "The sum of all elements of the variable, in float64; 0 for no elements.",
        reduces=Reduction.VARIABLE,
        takes=(ELEMENT,),
        gives=TENSOR,
        element=lambda x: x,
        cpu="{0}",
        latex=r"\sum\left(#1\right)",
    ),
    Intrinsic(
        "sum_of_squares",
        ("x",),
        np.add,
        "The sum of the squares of all elements, squared and summed in float64; 0 for no elements.",
        reduces=Reduction.VARIABLE,
        takes=(ELEMENT,),
        gives=TENSOR,
        element=lambda x: x * x,
        cpu="square({0})",
        latex=r"\left\lVert #1 \right\rVert_2^2",
    ),
    Intrinsic(
        "max",
        ("x",),
        np.maximum,
        "The largest element of the variable; NaN if any is NaN; minus infinity for no elements.",
        reduces=Reduction.VARIABLE,
        takes=(ELEMENT,),
        gives=TENSOR,
        initial=-np.inf,
        element=lambda x: x,
        cpu="{0}",
        latex=r"\max\left(#1\right)",
    ),
    *AXIS_INTRINSICS,
    Intrinsic(
        "sum_over_variables",
        ("x",),
        np.add,
        "The sum over all variables of the step, in the order of build, in float64.",
        reduces=Reduction.ALL_VARIABLES,
        takes=(TENSOR,),
        gives=STEP,
        latex=r"\sum_{\text{variables}}\left(#1\right)",
        public=False,
    ),
)

INTRINSICS: dict[str, Intrinsic] = {row.name: row for row in _ROWS}

OPERATORS: dict[str, str] = {
    row.operator: row.name for row in _ROWS if row.operator and len(row.parameters) == 2
}


SHORTHANDS: dict[str, Shorthand] = {
    row.name: row
    for row in (
        Shorthand(
            "norm",
            ("x",),
            "sqrt(sum_of_squares(x))",
            "The L2 norm over the variable, squared and summed in float64; 0 for no elements.",
            r"\left\lVert #1 \right\rVert_2",
        ),
        Shorthand(
            "mean",
            ("x",),
            "sum(x) / size",
            "The mean over the variable, summed in float64; NaN for no elements.",
            r"\operatorname{mean}\left(#1\right)",
        ),
        *AXIS_SHORTHANDS,
    )
}

__all__ = ["INTRINSICS", "OPERATORS", "SHORTHANDS", "Intrinsic", "Reduction", "Shorthand"]
