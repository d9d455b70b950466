"""Formulas say what the equations say, in the author's form."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from latex2mathml.converter import convert

from optgen.backends.docs.latex import block, formulas, latex
from optgen.backends.docs.notation import Notation, notation_of
from optgen.driver import compile_text
from optgen.ir.expr import Apply, Expr, Kind, Number, Ref, Symbol, symbols
from optgen.ir.intrinsics import INTRINSICS, SHORTHANDS
from optgen.ir.rate import STEP
from tests.latex_reader import Reader, Tree
from tests.oracle import CORE, compiled, spec_modes
from tests.random_programs import Generator

GOLDEN = Path(__file__).parent / "golden"


def tree(expr: Expr) -> Tree:
    """An expression in the reader's form."""
    if isinstance(expr, Number):
        # A sign in front of a number is read as an operation.
        return expr.value if expr.value >= 0 else ("negative", -expr.value)
    if isinstance(expr, Ref):
        return expr.symbol.name
    assert isinstance(expr, Apply)
    return (expr.function, *(tree(arg) for arg in expr.args))


def read_back(expr: Expr, notation: Notation, assigned: set[str]) -> Tree:
    names = {}
    for symbol in symbols(expr):
        text = latex(Ref(symbol), notation, assigned)
        names[re.sub(r"\s", "", text)] = symbol.name
    return understood(Reader(latex(expr, notation, assigned), names).read())


def understood(read: Tree) -> Tree:
    """What was read, with powers of ten as numbers and means as the sums that they stand for."""
    if not isinstance(read, tuple):
        return read
    match read[0], *map(understood, read[1:]):
        case "power", 10.0, ("negative", float(exponent)):
            return float(f"1e-{exponent:.0f}")
        case "multiply", float(mantissa), float(power) if repr(power).startswith("1e-"):
            return float(f"{mantissa!r}{repr(power)[1:]}")
        case "mean", argument:
            return ("divide", ("sum", argument), "size")
        case function, *args:
            return (function, *args)
    return read


@pytest.mark.parametrize(("spec", "mode"), spec_modes())
def test_formulas_of_the_specs_read_back_as_their_equations(spec: str, mode: str) -> None:
    program = compiled(spec).program
    assigned: set[str] = set()
    for equation in program.mode(mode).equations:
        assert read_back(equation.value, notation_of(program), assigned) == tree(equation.value)
        assigned.add(equation.target.name)


@pytest.mark.parametrize("seed", range(150))
def test_random_formulas_read_back_as_their_equations(seed: int) -> None:
    program = Generator(random.Random(seed)).program()
    assigned: set[str] = set()
    notation = notation_of(program)
    for equation in program.modes[0].equations:
        assert read_back(equation.value, notation, assigned) == tree(equation.value)
        assigned.add(equation.target.name)
    convert(block(program.modes[0].equations, notation), display="block")


def ref(name: str, kind: Kind = Kind.HYPERPARAMETER) -> Ref:
    return Ref(Symbol(name, kind, STEP))


A, B, C = ref("a"), ref("b"), ref("c")


def op(function: str, *args: Expr) -> Apply:
    return Apply(function, args)


CASES: list[tuple[Expr, str]] = [
    (op("subtract", A, op("subtract", B, C)), r"a - \left(b - c\right)"),
    (op("subtract", op("subtract", A, B), C), r"a - b - c"),
    (op("multiply", A, op("add", B, C)), r"a \, \left(b + c\right)"),
    (op("multiply", A, op("multiply", B, C)), r"a \, \left(b \, c\right)"),
    (op("multiply", op("divide", A, B), C), r"\frac{a}{b} \, c"),
    (op("divide", op("multiply", A, B), op("add", B, C)), r"\frac{a \, b}{b + c}"),
    (op("multiply", A, op("negative", B)), r"a \, \left(-b\right)"),
    (op("add", A, op("multiply", op("negative", B), C)), r"a + \left(-b \, c\right)"),
    (op("add", op("negative", A), B), r"-a + b"),
    (op("negative", op("add", A, B)), r"-\left(a + b\right)"),
    (op("power", op("negative", A), B), r"\left(-a\right)^{b}"),
    (op("power", A, op("negative", B)), r"a^{-b}"),
    (op("power", op("power", A, B), C), r"\left(a^{b}\right)^{c}"),
    (op("power", A, op("power", B, C)), r"a^{b^{c}}"),
    (op("square", op("divide", A, B)), r"\left(\frac{a}{b}\right)^{2}"),
    (op("square", op("abs", A)), r"\left(\left|a\right|\right)^{2}"),
    (op("multiply", A, Number(2.0)), r"a \cdot 2"),
    (op("multiply", Number(2.0), A), r"2 \, a"),
    (op("multiply", ref("momentum"), A), r"\mathrm{momentum} \cdot a"),
    (op("multiply", A, ref("momentum")), r"a \cdot \mathrm{momentum}"),
    (op("multiply", Number(1e-7), A), r"10^{-7} \, a"),
    (op("power", Number(2.5e-9), A), r"\left(2.5 \cdot 10^{-9}\right)^{a}"),
    (op("multiply", A, Number(-0.5)), r"a \, \left(-0.5\right)"),
    (op("not", op("less", A, B)), r"\lnot \left(a < b\right)"),
    (op("and", op("less", A, B), op("equal", A, C)), r"a < b \land a = c"),
    (op("sqrt", op("add", A, B)), r"\sqrt{a + b}"),
    (
        op("multiply", op("where", op("less", A, B), A, B), C),
        r"\left(\begin{cases} a & \text{if } a < b \\ b & \text{otherwise} \end{cases}\right) \, c",
    ),
    (op("sqrt", op("sum_of_squares", A)), r"\left\lVert a \right\rVert_2"),
    (op("divide", op("sum", A), ref("size")), r"\operatorname{mean}\left(a\right)"),
    (op("divide", op("sum", A), B), r"\frac{\sum\left(a\right)}{b}"),
]


@pytest.mark.parametrize(("expr", "text"), CASES, ids=[text for _, text in CASES])
def test_the_form_is_the_authors(expr: Expr, text: str) -> None:
    notation = Notation(["a", "b", "c", "momentum", "size"])
    assert latex(expr, notation) == text
    convert(text)


NAMES = {
    "beta_1": r"\beta_{1}",
    "beta1": r"\beta_{1}",
    "epsilon": r"\epsilon",
    "Gamma": r"\Gamma",
    "v_hat": r"\hat{v}",
    "m_bar_2": r"m_{\mathrm{bar},2}",
    "m_max": r"m_{\mathrm{max}}",
    "theta_t": r"\theta_{t}",
    "learning_rate": r"\eta",
    "weight_decay": r"\lambda",
    "momentum": r"\mathrm{momentum}",
    "grad_averaging": r"\mathrm{grad\_averaging}",
    "momentum_hat": r"\mathrm{momentum\_hat}",
    "x_": r"\mathrm{x\_}",
    "_x": r"\mathrm{\_x}",
}


@pytest.mark.parametrize("name", NAMES)
def test_names_look_as_in_papers(name: str) -> None:
    assert Notation([name]).text(name) == NAMES[name]
    convert(NAMES[name])


def test_the_language_reference_shows_names_as_formulas_do() -> None:
    text = (GOLDEN.parents[1] / "docs" / "language.md").read_text("utf-8")
    section = re.findall(r"<!-- formulas: begin .*?-->(.*?)<!-- formulas: end -->", text, re.DOTALL)
    rows = re.findall(r"^\| `(\w+)` \| \$(.*)\$ \|$", section[0], re.MULTILINE)
    assert len(rows) == 8
    for name, shown in rows:
        assert Notation([name]).text(name) == shown


def test_names_that_would_look_alike_are_words() -> None:
    alike = Notation(["learning_rate", "eta", "beta1", "beta_1", "m"])
    assert [alike.text(name) for name in ("learning_rate", "eta", "beta1", "beta_1", "m")] == [
        r"\mathrm{learning\_rate}",
        r"\mathrm{eta}",
        r"\mathrm{beta1}",
        r"\mathrm{beta\_1}",
        "m",
    ]


def test_an_index_says_which_step_is_meant() -> None:
    program = compile_text(
        b"""
name = "Indices"
summary = "Every kind of value."
update = '''
half = 0.5
old = m
m = old * beta_1 + half * g
g = g + m
d = g * t
d = d * half
w = w - learning_rate * d
w = w - old
'''
[hyperparameters]
learning_rate = { default = 0.5, doc = "Size of a step." }
beta_1 = { default = 0.5, doc = "What is kept." }
[slots]
m = { doc = "Average." }
""",
        "indices.toml",
    ).program
    lines = formulas(program.modes[0].equations, notation_of(program))
    assert [f"{left} {sign} {right}" for left, sign, right in lines] == [
        r"\mathrm{half} = 0.5",
        r"\mathrm{old}_{t} = m_{t-1}",
        r"m_{t} = \mathrm{old}_{t} \cdot \beta_{1} + \mathrm{half} \cdot g_{t}",
        r"g_{t} \leftarrow g_{t} + m_{t}",
        r"d_{t} = g_{t} \, t",
        r"d_{t} \leftarrow d_{t} \cdot \mathrm{half}",
        r"w_{t} = w_{t-1} - \eta \, d_{t}",
        r"w_{t} \leftarrow w_{t} - \mathrm{old}_{t}",
    ]


@pytest.mark.parametrize("row", [*INTRINSICS.values(), *SHORTHANDS.values()], ids=lambda r: r.name)
def test_every_function_has_a_formula(row: object) -> None:
    template = row.latex
    wanted = {f"#{number}" for number in range(1, len(row.parameters) + 1)}
    assert set(re.findall(r"#\d", template)) == wanted
    convert(re.sub(r"#(\d)", r"x_\1", template))


@pytest.mark.parametrize("spec", CORE)
def test_the_formulas_are_the_expected_ones(spec: str, request: pytest.FixtureRequest) -> None:
    path = GOLDEN / f"{spec}.latex.txt"
    program = compiled(spec).program
    notation = notation_of(program)
    text = "".join(f"{m.name}\n{block(m.equations, notation)}\n\n" for m in program.modes)
    if request.config.getoption("--bless"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
