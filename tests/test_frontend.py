"""The front end: conditions and cells, positions, lowering of stages, and hostile input."""

from __future__ import annotations

from pathlib import Path

import pytest

from optgen.diagnostics import CompileError, Span
from optgen.frontend.cells import cells_of
from optgen.frontend.common import COMMON_HYPERPARAMETERS, COMMON_SLOTS, STAGES, common_programs
from optgen.frontend.conditions import Condition, holds, parse_condition, python_text
from optgen.frontend.lower import load_program, load_text
from optgen.frontend.report import Report
from optgen.frontend.source import Source
from optgen.frontend.toml import SpanIndex, parse_toml
from optgen.ir.expr import Apply, Kind, Number, symbols
from optgen.ir.program import Hyperparameter, HyperparameterValue, Program
from optgen.ir.rate import ELEMENT, STEP, TENSOR

SPECS = sorted((Path(__file__).parents[1] / "specs").glob("*.toml"))

HYPERPARAMETERS = {
    row.name: row
    for row in (
        Hyperparameter("momentum", "float", 0.0, minimum=0.0, maximum=1.0),
        Hyperparameter("threshold", "float", None, optional=True),
        Hyperparameter("steps", "int", 5, minimum=1),
        Hyperparameter("beta", "float", 0.5, 0.0, 1.0, True, True),
        Hyperparameter("few", "int", 1, 0, 3, True, True),
        Hyperparameter("nesterov", "bool", False),
        Hyperparameter("kind", "choice", "hard", choices=("hard", "smooth")),
    )
}


def condition(text: str) -> Condition:
    """The condition that a text holds."""
    report = Report(SpanIndex("when", text))
    found = parse_condition(Source.builtin(text, "when"), HYPERPARAMETERS, report)
    report.raise_if_any()
    assert found is not None
    return found


def spec(update: str, declarations: str = "", quotes: str = "'''") -> str:
    """A spec around some equations."""
    return (
        'name = "Test"\nsummary = "A test."\n'
        f"update = {quotes}\n{update}\n{quotes}\n"
        "[hyperparameters]\n"
        'learning_rate = { default = 0.1, doc = "The learning rate." }\n'
        f"{declarations}"
    )


def lower(update: str, declarations: str = "") -> Program:
    """The program of a spec with these equations."""
    return load_text(spec(update, declarations), "test.toml")[1]


def codes(text: str) -> list[str]:
    """The codes of a spec's messages."""
    with pytest.raises(CompileError) as caught:
        load_text(text, "test.toml")
    return [diagnostic.code for diagnostic in caught.value.diagnostics]


# --- Conditions and cells -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("momentum > 0", {"momentum": 0.5}, True),
        ("0 < momentum", {"momentum": 0.0}, False),
        ("momentum > -1", {"momentum": 0.0}, True),
        ("momentum > 0 and not nesterov", {"momentum": 0.5, "nesterov": True}, False),
        ("momentum == 0 or nesterov", {"momentum": 0.5, "nesterov": True}, True),
        ("not (momentum == 0 or nesterov)", {"momentum": 0.5, "nesterov": True}, False),
        ("nesterov == False", {"nesterov": False}, True),
        ("nesterov is True", {"nesterov": False}, False),
        ('kind == "hard"', {"kind": "hard"}, True),
        ('kind != "hard"', {"kind": "hard"}, False),
        ("threshold is None", {"threshold": None}, True),
        ("threshold is not None", {"threshold": None}, False),
        ("threshold > 0", {"threshold": None}, False),
        ("threshold <= 0", {"threshold": None}, False),
        ("threshold != 0", {"threshold": None}, True),
    ],
)
def test_condition(text: str, values: dict[str, HyperparameterValue], expected: bool) -> None:
    assert holds(condition(text), values) is expected


@pytest.mark.parametrize(
    ("text", "optional", "expected"),
    [
        ("not (momentum == 0 or nesterov)", (), "not (momentum == 0 or nesterov)"),
        ("threshold > 1", ("threshold",), "threshold is not None and threshold > 1"),
        ("not threshold > 1", ("threshold",), "not (threshold is not None and threshold > 1)"),
        ("0 < momentum and nesterov is False", (), "momentum > 0 and not nesterov"),
        ('(nesterov or steps > 2) and kind == "hard"', (), None),
    ],
)
def test_condition_as_python(text: str, optional: tuple[str, ...], expected: str | None) -> None:
    expected = text if expected is None else expected
    assert python_text(condition(text), frozenset(optional)) == expected


@pytest.mark.parametrize(
    ("name", "constants", "expected"),
    [
        ("momentum", [0], [("momentum == 0", 0.0), ("momentum > 0", 1.0)]),
        ("momentum", [1], [("momentum < 1", 0.0), ("momentum == 1", 1.0)]),
        ("momentum", [2], [("momentum < 2", 0.0)]),
        ("momentum", [], [("", 0.0)]),
        ("nesterov", [True], [("not nesterov", False), ("nesterov", True)]),
        ("kind", ["hard"], [('kind == "hard"', "hard"), ('kind == "smooth"', "smooth")]),
        ("threshold", [None], [("threshold is None", None), ("threshold is not None", 0.0)]),
        ("steps", [1, 2], [("steps == 1", 1), ("steps == 2", 2), ("steps > 2", 3)]),
        ("steps", [1.5], [("steps < 1.5", 1), ("steps > 1.5", 2)]),
        ("beta", [0, 1], [("0 < beta < 1", 0.5)]),
        ("beta", [], [("", 0.5)]),
        ("few", [1], [("few == 1", 1), ("few > 1", 2)]),
        ("few", [0, 1, 2, 3], [("few == 1", 1), ("few == 2", 2)]),
    ],
)
def test_cells(
    name: str,
    constants: list[HyperparameterValue],
    expected: list[tuple[str, HyperparameterValue]],
) -> None:
    cells = cells_of(HYPERPARAMETERS[name], constants)
    assert [(cell.text, cell.value) for cell in cells] == expected


def test_cells_between_neighbouring_numbers_are_left_out() -> None:
    cells = cells_of(HYPERPARAMETERS["momentum"], [0.5, 0.5000000000000001])
    assert [cell.value for cell in cells] == [0.0, 0.5, 0.5000000000000001, 1.0]


def test_every_cell_selects_the_mode_that_its_condition_says() -> None:
    loaded, program = load_program(SPECS[0].parent / "novograd.toml")
    by_name = {row.name: row for row in program.hyperparameters}
    conditions = {}
    for mode in loaded.modes:
        report = Report(SpanIndex("when", mode.when))
        conditions[mode.name] = parse_condition(Source.builtin(mode.when, "when"), by_name, report)
    assert len(program.choices) == 8
    for choice in program.choices:
        selected = conditions[choice.mode]
        assert selected is not None
        assert holds(selected, dict(choice.cell))


def test_a_condition_over_several_lines_is_kept_on_one() -> None:
    text = (
        'name = "Test"\nsummary = "A test."\n'
        "[hyperparameters]\n"
        'learning_rate = { default = 0.1, doc = "The learning rate." }\n'
        'rate = { default = 0.1, doc = "A number." }\n'
        "[[modes]]\nname = 'all'\nwhen = '''\n(rate == 0  # nothing\n"
        "  or rate != 0)\n'''\nupdate = 'w = w - learning_rate * g'\n"
    )
    (mode,) = load_text(text, "test.toml")[1].modes
    assert mode.condition == "(rate == 0 or rate != 0)"


# --- Positions ----------------------------------------------------------------------------


def test_spans_of_a_literal_string_are_exact() -> None:
    text = spec("# a comment\n  w = (w  # another\n    - learning_rate * g)")
    (equation,) = load_text(text, "test.toml")[1].modes[0].equations
    assert equation.text == "w = (w - learning_rate * g)"
    assert equation.span is not None
    assert text[equation.span.start :].startswith("w = (w  #")
    assert equation.span.position(text) == (5, 3)


def test_spans_in_a_string_with_escapes_are_the_whole_value() -> None:
    text = spec("w = w - \\u0067 * rate", quotes='"""')
    with pytest.raises(CompileError) as caught:
        load_text(text, "test.toml")
    span = caught.value.diagnostics[0].span
    assert text[span.start : span.end].startswith('"""')
    assert text[span.start : span.end].endswith('"""')


def test_windows_line_ends_do_not_shift_positions() -> None:
    text = spec("w = w - learning_rat * g")
    with pytest.raises(CompileError) as caught:
        load_text(text.replace("\n", "\r\n"), "test.toml")
    (diagnostic,) = caught.value.diagnostics
    start = text.index("learning_rat *")
    assert diagnostic.span == Span("test.toml", start, start + len("learning_rat"))


def test_span_index() -> None:
    text = "[[modes]]\nname = 'a'\n\n[[modes]]\n\n[[modes]]\nname = 'c'\n[slots.m]\ndoc = ''\n"
    data, index = parse_toml(text, "x.toml")
    assert data == {"modes": [{"name": "a"}, {}, {"name": "c"}], "slots": {"m": {"doc": ""}}}
    lines = [index.value("modes", number).position(text).line for number in range(3)]
    assert lines == [1, 4, 6]
    assert index.key("slots", "m", "doc").position(text) == (9, 1)
    assert index.value("slots", "m", "rate").position(text) == (8, 8)


# --- Lowering -----------------------------------------------------------------------------


def test_square_and_negative() -> None:
    program = lower("w = w - learning_rate * g ** 2 * 2 ** -1 * g ** 3")
    functions = []
    pending = [program.modes[0].equations[0].value]
    while pending:
        part = pending.pop()
        if isinstance(part, Apply):
            functions.append(part.function)
            pending.extend(part.args)
    assert sorted(functions) == [
        "multiply",
        "multiply",
        "multiply",
        "negative",
        "power",
        "power",
        "square",
        "subtract",
    ]


def test_shorthands_expand() -> None:
    program = lower("n = norm(g)\na = mean(abs(g))\nw = w - learning_rate * g / n / a")
    norm, mean, _ = program.modes[0].equations
    assert norm.target.rate == TENSOR
    assert isinstance(norm.value, Apply)
    assert norm.value.function == "sqrt"
    assert isinstance(mean.value, Apply)
    assert [symbol.name for symbol in symbols(mean.value)] == ["g", "size"]
    assert mean.value.function == "divide"


def test_locals_have_the_rate_and_type_of_their_value() -> None:
    program = lower("a = t == 1\nb = g > 0\nc = 2\nw = w - where(a and b, c, learning_rate) * g")
    a, b, c, _ = (equation.target for equation in program.modes[0].equations)
    assert (a.rate, a.truth, a.kind) == (STEP, True, Kind.LOCAL)
    assert (b.rate, b.truth) == (ELEMENT, True)
    assert (c.rate.level, c.truth) == (0, False)
    assert program.modes[0].equations[2].value == Number(2.0)


def test_a_slot_may_be_assigned_a_value_of_lower_rate() -> None:
    program = lower(
        "w = w - learning_rate * g * m\nm = norm(g)", '[slots]\nm = { doc = "Memory." }\n'
    )
    assert program.modes[0].equations[1].target.rate == ELEMENT


def test_every_mistake_is_reported_once() -> None:
    text = spec("a = oops + 1\nb = a + oops\nw = w - learning_rate * b", "unused = { default = 1 }")
    assert codes(text) == ["E301", "E202"]
    text = text.replace("{ default = 1 }", '{ default = 1, doc = "Nothing." }')
    assert codes(text) == ["E301"]
    assert codes(text.replace("oops", "g")) == ["E314"]


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_specs_lower(path: Path) -> None:
    _, program = load_program(path)
    assert program.module == path.stem
    declared = {row.name for row in program.hyperparameters}
    assert [stage.name for stage in program.stages] == [
        stage.name for stage in STAGES if stage.name not in declared
    ]
    assert {row.name for row in program.common} == {
        row.name for row in COMMON_HYPERPARAMETERS
    } - declared


def test_weight_decay_may_differ_between_variables() -> None:
    _, program = load_program(SPECS[0].parent / "adamw.toml")
    (decay,) = (row for row in program.hyperparameters if row.name == "weight_decay")
    assert decay.per_variable
    assert decay.rate == TENSOR


def test_stages_of_untouched_variables() -> None:
    accumulate, rest, finite = common_programs()
    assert [stage.name for stage in accumulate.stages] == [
        "loss_scale_factor",
        "average",
        "overwrite",
    ]
    assert [stage.name for stage in rest.stages] == ["accumulator", "average", "overwrite"]
    assert rest.modes[0].equations == ()
    assert finite.stages == ()
    assert [slot.name for slot in COMMON_SLOTS] == ["average", "accumulator"]


# --- Hostile input ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbfname = 1",
        b"[" * 100_000,
        b"a = " + b"[" * 3_000,
        b"a = " + b"{a=" * 1_000,
        b"a." * 1_900 + b"a = 1",
        b"a = {" + b"a." * 1_900 + b"a = 1}",
        b"[" + b"a." * 1_900 + b"a]",
        b"a = " + b"9" * 3_900,
        b"a = 0x" + b"f" * 3_900,
        b"a = 2021-02-31",
        b"[[a]]\n" * 40_000,
        b"[[a]]\nb=1\n" * 26_000,
        b"".join(b"a%d = 1\n" % number for number in range(20_000)),
        b"a = {" + b"b={c=1}," * 400 + b"}\n" + b"a = {" * 2_000,
        b"a = " + b'"' * 3_000,
        b'"' * 300_000,
        b"a = '''" * 30_000,
        b"a = '\\ud800'",
        b'a = "\\ud800"',
        b"a = 1\na.b = 2",
        b"a = []\n[[a]]",
        b"a = []\n[a.b]",
        b"[a]\n[[a]]",
        b"[[a]]\n[a]",
    ],
    ids=range(27),
)
def test_hostile_toml(content: bytes) -> None:
    with pytest.raises(CompileError) as caught:
        load_text(content, "hostile.toml")
    assert str(caught.value)


@pytest.mark.parametrize(
    "equation",
    [
        "w = " + "(" * 900 + "w" + ")" * 900,
        "w = " + "-" * 1_900 + "w",
        "w = " + "not " * 480 + "w",
        "w = " + "w+" * 990 + "w",
        "w = " + "w**" * 600 + "w",
        "w = " + "w if w else " * 150 + "w",
        "w = " + "abs(" * 400 + "w" + ")" * 400,
        "w = " + "[" * 900 + "w",
        "w = " + "lambda: " * 200 + "w",
        "w = " + "w<" * 900 + "w",
        "w = " + "9" * 1_900,
        "w = 1j",
        "w = w @ g",
        "w = f",
        "w = __import__",
        "w: int = 1",
        "w = yield",
        "w = await g",
        "w = *g,",
        "w = {**g}",
        "w = (w := g)",
        "w = `g`",
        "w = 0777",
        "w = 1if g else 2",
        "w = \\",
        "def f(): pass",
        "w = g; w = w",
        "w = g\\\n",
        "w = \x0c g",
        "w = ...",
        "w = None",
        "w = ｇ",
        "_ = g",
        "__class__ = g",
    ],
    ids=range(34),
)
def test_hostile_equation(equation: str) -> None:
    assert codes(spec(equation))


@pytest.mark.parametrize(
    "text",
    [
        "'''\nimport os\n'''",
        "\"__import__('os').system('ls') == 1\"",
        "'momentum == 10 ** 100'",
        "'momentum == 1e999'",
        "'momentum == " + "9" * 400 + "'",
        "'" + "not " * 900 + "momentum == 0'",
        "'" + "(" * 900 + "'",
        "'momentum == momentum'",
        "'momentum in (1, 2)'",
        "'momentum is 1'",
        "'momentum == \"1\"'",
        "'momentum == b\"1\"'",
        "''",
        "' '",
        "'True'",
        "'momentum == 0 if momentum else momentum'",
    ],
    ids=range(16),
)
def test_hostile_condition(text: str) -> None:
    spec_text = (
        'name = "Test"\nsummary = "A test."\n'
        "[hyperparameters]\n"
        'learning_rate = { default = 0.1, doc = "The learning rate." }\n'
        'momentum = { default = 0.1, doc = "Momentum." }\n'
        f"[[modes]]\nname = 'all'\nwhen = {text}\nupdate = 'w = w - learning_rate * g'\n"
    )
    assert codes(spec_text)
