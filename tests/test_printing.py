"""The printer writes no parenthesis too many and none too few; names are words."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from optgen.backends.names import distinct_names, parameter_name
from optgen.backends.pytext import (
    LINE_LENGTH,
    Style,
    call,
    docstring,
    fitted,
    print_expr,
)
from optgen.ir.expr import Apply, Expr, Kind, Number, Ref, Symbol
from optgen.ir.rate import STEP
from optgen.passes.naming import fresh, words


def ref(name: str, version: int = 0) -> Ref:
    return Ref(Symbol(name, Kind.LOCAL, STEP, version))


A, B, C = ref("a"), ref("b"), ref("c")


def op(function: str, *args: Expr) -> Apply:
    return Apply(function, args)


CPU = Style("cpu", lambda symbol: symbol.name)
HOST = Style("host", lambda symbol: symbol.name)

CASES: list[tuple[Expr, str]] = [
    (op("subtract", op("subtract", A, B), C), "a - b - c"),
    (op("subtract", A, op("subtract", B, C)), "a - (b - c)"),
    (op("add", A, op("add", B, C)), "a + (b + c)"),
    (op("multiply", op("multiply", A, B), C), "a * b * c"),
    (op("multiply", A, op("multiply", B, C)), "a * (b * c)"),
    (op("divide", A, op("multiply", B, C)), "a / (b * c)"),
    (op("divide", op("multiply", A, B), C), "a * b / c"),
    (op("multiply", op("add", A, B), C), "(a + b) * c"),
    (op("power", op("power", A, B), C), "(a**b) ** c"),
    (op("power", A, op("power", B, C)), "a**b**c"),
    (op("power", op("negative", A), B), "(-a) ** b"),
    (op("negative", op("power", A, B)), "-(a**b)"),
    (op("negative", op("negative", A)), "--a"),
    (op("multiply", op("negative", A), B), "-a * b"),
    (op("subtract", A, op("negative", B)), "a - -b"),
    (op("negative", op("add", A, B)), "-(a + b)"),
    (op("power", A, op("negative", B)), "a ** (-b)"),
    (op("sqrt", op("add", A, B)), "np.sqrt(a + b)"),
    (op("where", op("less", A, B), A, op("add", B, C)), "a if a < b else b + c"),
    (op("add", op("where", op("less", A, B), A, B), C), "(a if a < b else b) + c"),
    (op("equal", op("less", A, B), C), "(a < b) == c"),
    (op("not", op("and", A, B)), "not (a and b)"),
    (op("and", op("or", A, B), C), "(a or b) and c"),
    (op("or", op("and", A, B), C), "a and b or c"),
    (op("square", A), "a * a"),
    (op("square", op("subtract", A, B)), "square(a - b)"),
    (op("divide", A, op("square", B)), "a / (b * b)"),
    (op("clip", A, B, C), "np.minimum(np.maximum(a, b), c)"),
    (op("subtract", Number(1.0), Number(1e-07)), "1.0 - 1e-07"),
]


def test_a_formatter_changes_nothing() -> None:
    source = "".join(f"x = {print_expr(expr, CPU)}\n" for expr, _ in CASES)
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "-"]
    result = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    assert result.stdout == source


@pytest.mark.parametrize(("expr", "text"), CASES, ids=[text for _, text in CASES])
def test_exact_text(expr: Expr, text: str) -> None:
    assert print_expr(expr, CPU) == text
    ast.parse(text, mode="eval")


def test_the_host_divides_and_raises_to_powers_by_ieee_functions() -> None:
    expr = op("divide", A, op("power", B, C))
    assert print_expr(expr, HOST) == "divide(a, power(b, c))"


def test_a_long_line_becomes_named_values_in_order_of_evaluation() -> None:
    long = ref("a_name_that_is_rather_long")
    expr: Expr = long
    for _ in range(6):
        expr = op("multiply", op("add", expr, long), long)
    lines = list(fitted("x", expr, CPU, 2, ()))
    assert len(lines) > 1
    assert all(len(line) + 8 <= LINE_LENGTH for line in lines)
    names = [line.split(" = ")[0] for line in lines]
    assert len(set(names)) == len(names)
    assert names[-1] == "x"
    # Running the statements one by one gives what the whole expression gives.
    values = {"a_name_that_is_rather_long": 1.25}
    for line in lines:
        name, text = line.split(" = ")
        values[name] = evaluate(ast.parse(text, mode="eval").body, values)
    assert values["x"] == evaluate(ast.parse(print_expr(expr, CPU), mode="eval").body, values)


def evaluate(node: ast.expr, values: dict[str, float]) -> float:
    """The value of sums and products."""
    if isinstance(node, ast.Name):
        return values[node.id]
    assert isinstance(node, ast.BinOp)
    left, right = evaluate(node.left, values), evaluate(node.right, values)
    return left + right if isinstance(node.op, ast.Add) else left * right


def test_newer_values_keep_the_plain_name() -> None:
    old, new = Symbol("v", Kind.SLOT, STEP), Symbol("v", Kind.SLOT, STEP, 1)
    assert distinct_names([old], {"v"}) == {old: "v"}
    assert distinct_names([new, old], {"v"}) == {old: "previous_v", new: "v"}
    assert distinct_names([new, old], {"v", "previous_v"})[old] == "previous_previous_v"


@pytest.mark.parametrize("name", ["elements", "lanes", "update", "m_i", "reduce_all", "class"])
def test_names_of_generated_code_are_left_to_it(name: str) -> None:
    symbol = Symbol(name, Kind.LOCAL, STEP)
    assert distinct_names([symbol], {name}) == {symbol: f"{name}_"}
    assert parameter_name(name, {f"{name}_"}) == f"{name}__"


def test_values_are_named_by_what_they_are() -> None:
    assert words(op("subtract", Number(1.0), ref("beta_1"))) == "one_minus_beta_1"
    assert words(op("add", op("sqrt", A), B)) == "sqrt_a_plus_b"
    assert words(op("multiply", Number(0.5), A)) == "0_point_5_times_a"
    assert fresh(op("multiply", Number(0.5), A), "w", ()) == "factor_of_w"
    assert fresh(op("add", A, B), "w", {"a_plus_b"}) == "other_a_plus_b"


def test_calls_and_docstrings_fit_their_lines() -> None:
    assert call("f", ["a", "b"]) == "f(a, b)"
    wide = call("f", [f"argument_number_{i}" for i in range(9)], 1)
    assert wide.startswith("f(\n        argument_number_0,\n")
    assert wide.endswith(",\n    )")
    for text in ('say """', 'ends with "', "back\\slash", 'a """ b \\'):
        source = "def f():\n" + docstring([text], 1)
        assert ast.get_docstring(ast.parse(source).body[0], clean=False) == text  # type: ignore[arg-type]
