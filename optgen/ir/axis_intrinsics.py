"""The functions between a variable's elements and its matrices, rows, columns and indices."""

from __future__ import annotations

import numpy as np

from optgen.ir import axes
from optgen.ir.functions import Intrinsic, Meaning, Reduction, Shorthand
from optgen.ir.rate import COLUMN, ELEMENT, INDEX, MATRIX, ROW, Rate


def _axis_reduction(
    name: str, reduces: Reduction, takes: Rate, gives: Rate, doc: str, latex: str
) -> Intrinsic:
    maximum = name.endswith("_max")
    return Intrinsic(
        name,
        ("x",),
        np.maximum if maximum else np.add,
        doc,
        cpu="{0}",
        reduces=reduces,
        initial=-np.inf if maximum else 0.0,
        element=lambda x: x,
        latex=latex,
        takes=(takes,),
        gives=gives,
    )


def _between_axes(
    name: str, takes: tuple[Rate, ...], gives: Rate, meaning: Meaning, latex: str
) -> Intrinsic:
    """A function that only shorthands use; its meaning rearranges numbers and compares them."""
    doc = "A step of `index_max` or `index_minimum`."
    parameters = ("x", "y")[: len(takes)]
    return Intrinsic(
        name, parameters, meaning, doc, public=False, takes=takes, gives=gives, latex=latex
    )


AXIS_INTRINSICS = (
    _axis_reduction(
        "row_sum",
        Reduction.ROW,
        ELEMENT,
        ROW,
        "The sum of each row of each matrix, in float64; 0 for no elements.",
        r"\sum_{\text{row}}\left(#1\right)",
    ),
    _axis_reduction(
        "row_max",
        Reduction.ROW,
        ELEMENT,
        ROW,
        "The largest element of each row; NaN if any is NaN; minus infinity for no elements.",
        r"\max_{\text{row}}\left(#1\right)",
    ),
    _axis_reduction(
        "column_sum",
        Reduction.COLUMN,
        ELEMENT,
        COLUMN,
        "The sum of each column of each matrix, in float64; 0 for no elements.",
        r"\sum_{\text{column}}\left(#1\right)",
    ),
    _axis_reduction(
        "column_max",
        Reduction.COLUMN,
        ELEMENT,
        COLUMN,
        "The largest element of each column; NaN if any is NaN; minus infinity for no elements.",
        r"\max_{\text{column}}\left(#1\right)",
    ),
    _axis_reduction(
        "matrix_sum",
        Reduction.MATRIX,
        ROW,
        MATRIX,
        "The sum of the rows' numbers of each matrix; 0 for no rows.",
        r"\sum_{\text{rows}}\left(#1\right)",
    ),
    _between_axes(
        "index_maxima",
        (ROW, COLUMN),
        INDEX,
        axes.index_maxima,
        r"\max_{\text{index}}\left(#1, #2\right)",
    ),
    _between_axes(
        "index_rows", (INDEX,), ROW, axes.index_rows, r"\min_{\text{row}}\left(#1\right)"
    ),
    _between_axes(
        "index_columns",
        (INDEX,),
        COLUMN,
        axes.index_columns,
        r"\min_{\text{column}}\left(#1\right)",
    ),
)

AXIS_SHORTHANDS = (
    Shorthand(
        "row_mean",
        ("x",),
        "row_sum(x) / columns",
        "The mean of each row of each matrix, summed in float64; NaN for no elements.",
        r"\operatorname{mean}_{\text{row}}\left(#1\right)",
    ),
    Shorthand(
        "column_mean",
        ("x",),
        "column_sum(x) / rows",
        "The mean of each column of each matrix, summed in float64; NaN for no elements.",
        r"\operatorname{mean}_{\text{column}}\left(#1\right)",
    ),
    Shorthand(
        "matrix_mean",
        ("x",),
        "matrix_sum(x) / rows",
        "The mean of the rows' numbers of each matrix; NaN for no rows.",
        r"\operatorname{mean}_{\text{rows}}\left(#1\right)",
    ),
    Shorthand(
        "index_max",
        ("x",),
        "index_maxima(row_max(x), column_max(x))",
        "The largest element at each index of each axis; NaN if any is NaN; minus infinity for "
        "no elements.",
        r"\max_{\text{index}}\left(#1\right)",
    ),
    Shorthand(
        "index_minimum",
        ("x",),
        "minimum(index_rows(x), index_columns(x))",
        "For each element the smallest of its indices' numbers; NaN if any is NaN.",
        r"\min_{\text{indices}}\left(#1\right)",
    ),
)
