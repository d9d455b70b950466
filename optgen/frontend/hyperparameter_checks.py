"""Checks of what the keys of one hyperparameter mean together."""

from __future__ import annotations

import math

from optgen.diagnostics import Label
from optgen.frontend.names import CHOICE_WORD, MAX_NAME
from optgen.frontend.report import Report
from optgen.frontend.schema import LOWER_BOUNDS, UPPER_BOUNDS, HyperparameterSpec
from optgen.frontend.schema_errors import is_plain

MAX_INTEGER = 2**53


def is_sound(number: float) -> bool:
    """Whether a number is finite, and an integer is one that a float64 can hold."""
    if isinstance(number, int):
        return abs(number) <= MAX_INTEGER
    return math.isfinite(number)


def _unsound(number: float) -> str:
    """What is wrong with a number that is not sound, as the end of a sentence."""
    if isinstance(number, int):
        return "must be from -2**53 to 2**53, the integers that a float64 holds"
    return "must be a finite number"


def check_hyperparameter(name: str, spec: HyperparameterSpec, report: Report) -> None:
    """Report what is wrong with the keys of a hyperparameter."""
    location = ("hyperparameters", name)
    kind = spec.kind
    if _quoted_number(name, spec, report):
        return
    if spec.default is None and not spec.optional:
        hint = "give a `default`, or say `optional = true`"
        headline = f"hyperparameter `{name}` has no default"
        report.error("E208", headline, report.index.key(*location), help=hint)
    elif spec.default is None and spec.type is None and spec.choices is None:
        headline = f"hyperparameter `{name}` has neither a default nor a type"
        report.error("E208", headline, report.index.key(*location), help='type = "float"')
    if kind == "bool" and spec.optional:
        headline = f"bool hyperparameter `{name}` cannot be optional"
        report.error("E208", headline, report.index.key(*location, "optional"))
    _check_bounds(name, spec, report)
    _check_choices(name, spec, report)
    has_room = _check_room(name, spec, report)
    if spec.default is not None and has_room:
        problem = value_problem(spec, spec.default)
        if problem is not None:
            code = "E204" if value_has_type(kind, spec.default) else "E208"
            span = report.index.value(*location, "default")
            numeric = code == "E204" and not isinstance(spec.default, str)
            advice = "give a finite default within the bounds" if numeric else None
            report.error(code, f"the default of `{name}` {problem}", span, help=advice)


def _quoted_number(name: str, spec: HyperparameterSpec, report: Report) -> bool:
    """Report a default that is a number in quotes."""
    if spec.choices is not None or not isinstance(spec.default, str) or not is_plain(spec.default):
        return False
    span = report.index.value("hyperparameters", name, "default")
    headline = f"the default of `{name}` is a text"
    report.error("E208", headline, span, help=f"write `{spec.default}`, without quotes")
    return True


def value_has_type(kind: str, value: object) -> bool:
    """Whether a value of a TOML file has the type that a hyperparameter of this kind takes."""
    if isinstance(value, bool):
        return kind == "bool"
    if isinstance(value, str):
        return kind == "choice"
    return kind == "float" or (kind == "int" and isinstance(value, int))


def value_problem(spec: HyperparameterSpec, value: bool | int | float | str) -> str | None:
    """What is wrong with a value, as the end of a sentence; None if nothing."""
    words = {"float": "a number", "int": "an integer", "bool": "true or false", "choice": "a word"}
    if not value_has_type(spec.kind, value):
        return f"must be {words[spec.kind]}"
    if isinstance(value, str):
        known = ", ".join(f'"{choice}"' for choice in spec.choices or ())
        return None if value in (spec.choices or (value,)) else f"must be one of {known}"
    if isinstance(value, bool):
        return None
    if not is_sound(value):
        return _unsound(value)
    if spec.min is not None and value < spec.min:
        return f"is below the minimum {spec.min}"
    if spec.max is not None and value > spec.max:
        return f"is above the maximum {spec.max}"
    if spec.above is not None and value <= spec.above:
        return f"is not above {spec.above}"
    if spec.below is not None and value >= spec.below:
        return f"is not below {spec.below}"
    return None


def _check_bounds(name: str, spec: HyperparameterSpec, report: Report) -> None:
    for key, bound in spec.bounds.items():
        span = report.index.key("hyperparameters", name, key)
        if spec.kind not in ("float", "int"):
            report.error("E208", f"`{name}` is not a number, so it has no `{key}`", span)
        elif not is_sound(bound):
            report.error("E204", f"the `{key}` of `{name}` {_unsound(bound)}", span)
    if spec.kind == "int":
        _check_bounds_of_integer(name, spec, report)
    for inclusive, exclusive in LOWER_BOUNDS, UPPER_BOUNDS:
        if inclusive in spec.bounds and exclusive in spec.bounds:
            report.error(
                "E208",
                f"`{name}` has both `{inclusive}` and `{exclusive}`",
                report.index.key("hyperparameters", name, exclusive),
                "",
                Label(report.index.key("hyperparameters", name, inclusive), "a bound already"),
                help=f"keep `{inclusive}` if that number is allowed itself, else `{exclusive}`",
            )


def _check_bounds_of_integer(name: str, spec: HyperparameterSpec, report: Report) -> None:
    """Report bounds with a point in one message: mostly it is the default that lacks one."""
    wrong = [key for key, x in spec.bounds.items() if is_sound(x) and not isinstance(x, int)]
    if not wrong:
        return
    location = ("hyperparameters", name)
    first, *others = [Label(report.index.value(*location, key), "not an integer") for key in wrong]
    if spec.type is None:
        others.append(Label(report.index.value(*location, "default"), "an integer"))
    keys = " and ".join(f"`{key}`" for key in wrong)
    report.error(
        "E208",
        f"`{name}` is an integer, so its {keys} must be {'one' if len(wrong) == 1 else 'integers'}",
        first.span,
        first.text,
        *others,
        help='for a float, write its default with a point, as `1.0`, or `type = "float"`',
    )


def _check_room(name: str, spec: HyperparameterSpec, report: Report) -> bool:
    """Report bounds between which there is nothing; return whether there is something."""
    lower = [key for key in LOWER_BOUNDS if key in spec.bounds]
    upper = [key for key in UPPER_BOUNDS if key in spec.bounds]
    if len(lower) != 1 or len(upper) != 1 or not all(map(is_sound, spec.bounds.values())):
        return True
    low, high = spec.bounds[lower[0]], spec.bounds[upper[0]]
    if "above" in lower:
        low = low + 1 if spec.kind == "int" else math.nextafter(low, math.inf)
    if "below" in upper:
        high = high - 1 if spec.kind == "int" else math.nextafter(high, -math.inf)
    if low <= high:
        return True
    report.error(
        "E204",
        f"the bounds of `{name}` leave no value",
        report.index.value("hyperparameters", name, lower[0]),
        "",
        Label(report.index.value("hyperparameters", name, upper[0]), "nothing is between"),
    )
    return False


def _check_choices(name: str, spec: HyperparameterSpec, report: Report) -> None:
    location = ("hyperparameters", name)
    if spec.kind != "choice":
        if spec.choices is not None:
            headline = f"`{name}` is of type {spec.kind}, so it has no `choices`"
            report.error("E208", headline, report.index.key(*location, "choices"))
        return
    if not spec.choices:
        headline = f"`{name}` needs `choices`, the words to choose from"
        hint = 'choices = ["hard", "smooth"]'
        report.error("E208", headline, report.index.key(*location), help=hint)
        return
    for number, choice in enumerate(spec.choices):
        span = report.index.value(*location, "choices", number)
        if not CHOICE_WORD.fullmatch(choice) or len(choice) > MAX_NAME:
            report.error("E205", f"a choice of `{name}` is not a word", span)
        elif choice in spec.choices[:number]:
            report.error("E207", f"the choice `{choice}` of `{name}` is given twice", span)
