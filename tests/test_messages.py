"""Every kind of mistake has a spec that makes it, with the exact message that it gets.

``pytest tests/test_messages.py --bless`` accepts the present messages as the expected ones.
"""

from __future__ import annotations

import ast
import re
from importlib import resources
from pathlib import Path

import pytest

from optgen.diagnostics import (
    CATALOGUE,
    CompileError,
    Diagnostic,
    Label,
    Span,
    render,
    render_all,
)
from optgen.diagnostics.examples import example_of
from optgen.driver import compile_all, compile_texts
from optgen.frontend.lower import load_program, load_text

SPECS = Path(__file__).parents[1] / "specs"
FOLDER = Path(__file__).parent / "bad_specs"
EXAMPLES = Path(str(resources.files("optgen.diagnostics"))) / "examples"
CODES = sorted(path.stem for path in EXAMPLES.glob("*.toml") if "." not in path.stem)
BAD_SPECS = [
    *(EXAMPLES / f"{code}.toml" for code in CODES if code != "E213"),
    *sorted(FOLDER.glob("*.toml")),
]


def messages(path: Path) -> tuple[CompileError, str]:
    """The error for a bad spec, and its text; files are named as if they stood in specs/."""
    with pytest.raises(CompileError) as caught:
        load_text(path.read_bytes(), f"specs/{path.name}", "bad")
    error = caught.value
    return error, render_all(error.diagnostics, error.sources)


@pytest.mark.parametrize("path", BAD_SPECS, ids=lambda path: path.stem)
def test_message(path: Path, request: pytest.FixtureRequest) -> None:
    error, text = messages(path)
    expected = FOLDER / f"{path.stem}.txt"
    if request.config.getoption("--bless"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")
    assert path.stem.split("-")[0] in {diagnostic.code for diagnostic in error.diagnostics}
    assert {diagnostic.code for diagnostic in error.diagnostics} <= set(CATALOGUE)


@pytest.mark.parametrize("path", BAD_SPECS, ids=lambda path: path.stem)
def test_no_help_suggests_an_empty_or_dangling_name(path: Path) -> None:
    for diagnostic in messages(path)[0].diagnostics:
        for written in re.findall(r"write[^`]*`([^`]*)`", diagnostic.help or ""):
            assert written.strip("_") == written != "", diagnostic.help


def test_every_code_has_an_example() -> None:
    # A file that cannot be read has no content.
    assert set(CODES) == set(CATALOGUE) - {"E101"}
    mended = {path.name.split(".")[0] for path in EXAMPLES.glob("*.mended.toml")}
    assert mended == set(CODES)
    assert example_of("E101") is None


@pytest.mark.parametrize("code", CODES)
def test_an_example_has_one_kind_of_mistake_and_its_mended_form_none(code: str) -> None:
    example = example_of(code)
    assert example is not None
    beside = [] if example.beside is None else [("other.toml", example.beside)]
    with pytest.raises(CompileError) as caught:
        compile_texts([*beside, ("example.toml", example.failing)])
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {code}
    assert all(diagnostic.help is not None for diagnostic in caught.value.diagnostics)
    assert len(compile_texts([*beside, ("example.toml", example.mended)])) == len(beside) + 1


def test_two_specs_of_one_name() -> None:
    example = example_of("E213")
    assert example is not None
    assert example.beside is not None
    with pytest.raises(CompileError) as caught:
        compile_texts([("a/one.toml", example.beside), ("b/two.toml", example.failing)])
    assert str(caught.value) == (
        "\nerror[E213]: the class `Descent` is also that of a/one.toml\n"
        " --> b/two.toml:1:8\n"
        "  |\n"
        '1 | name = "Descent"\n'
        "  |        ^^^^^^^^^\n"
        "  |\n"
        "  = help: give it another name\n"
        "\n"
        "For more about a message: optgen explain E213\n"
    )


def test_messages_of_all_specs_come_in_one_run(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    paths = [tmp_path / "folder.toml", EXAMPLES / "E301.toml", EXAMPLES / "E104.toml"]
    with pytest.raises(CompileError) as caught:
        compile_all(paths)
    codes = [diagnostic.code for diagnostic in caught.value.diagnostics]
    assert codes == ["E101", "E205", "E301", "E104"]
    assert str(caught.value).count("optgen explain") == 1


def test_a_message_of_the_schema_hides_no_other() -> None:
    # Every part of the spec has a mistake: a top-level key, a declaration, a mode, an equation.
    text = (FOLDER / "E201-and-others.toml").read_text("utf-8")
    with pytest.raises(CompileError) as caught:
        load_text(text, "example.toml")
    codes = [diagnostic.code for diagnostic in caught.value.diagnostics]
    assert codes == ["E201", "E203", "E204", "E201", "E202", "E301", "E401", "E209", "E202"]


@pytest.mark.parametrize(
    "line",
    [
        *("w = (w", "w = w)", "w = w g", "w = w +", "w = * w", "w = w if g", "w = sum(, w)"),
        *("w = 2w", "w = 0777", "w = 1.real", "w = g..w", "w = print w", "w = sum(*)", "w = ()"),
        *(
            "type w = g",
            "match w: pass",
            "w = not",
            "w w = g",
            "(w) = (",
            "w = g else w",
            "=",
            "1 = w",
        ),
        *(
            "w() = g",
            "w + g = w",
            "w = 'a",
            "w = t'{g}'",
            "w = f'{g!x}'",
            "except* w:",
            "w = 1_",
            "w = 0x",
        ),
    ],
)
def test_messages_do_not_depend_on_the_parser_of_a_version(
    line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (EXAMPLES / "E104.mended.toml").read_text("utf-8")
    text = text.replace("m = beta * m + (1 - beta) * g", line)
    with pytest.raises(CompileError) as caught:
        load_text(text, "example.toml")

    def other_words(source: str) -> ast.Module:
        try:
            return parsed(source)
        except SyntaxError:
            raise SyntaxError("other words", ("", 7, 99, "elsewhere", 8, 99)) from None

    parsed = ast.parse
    monkeypatch.setattr("optgen.frontend.source.ast.parse", other_words)
    with pytest.raises(CompileError) as again:
        load_text(text, "example.toml")
    assert str(again.value) == str(caught.value)


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_one_misspelt_word_gives_one_message(name: str) -> None:
    text = (SPECS / f"{name}.toml").read_text("utf-8").split("[[example]]")[0]
    places = re.compile("(?:update|before|after) = '+(.*?)'+\n|when = \"(.*?)\"", re.DOTALL)
    words = [
        (found.start(number) + word.start(), word[0])
        for found in places.finditer(text)
        for number in (1, 2)
        for word in re.finditer("[a-z][a-z0-9_]*", found[number] or "")
        if word[0] not in ("and", "or", "not")
    ]
    assert len(words) > 25
    for start, word in words:
        damaged = f"{text[:start]}{word}x{text[start + len(word) :]}"
        with pytest.raises(CompileError) as caught:
            load_text(damaged, "example.toml")
        assert len(caught.value.diagnostics) == 1, (start, word, str(caught.value))


def test_the_documentation_quotes_a_message_as_it_is() -> None:
    page = (Path(__file__).parents[1] / "docs" / "messages.md").read_text("utf-8")
    quoted = page.split("```\n")[1]
    expected = (FOLDER / "E302.txt").read_text("utf-8").replace("E302.toml", "normalized.toml")
    assert quoted == f"{expected}\nFor more about a message: optgen explain E302\n"


def test_every_expected_text_has_its_spec() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {path.stem for path in BAD_SPECS}


def test_a_missing_file_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(CompileError) as caught:
        load_program(tmp_path / "missing.toml")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E101"
    assert "missing.toml" in str(caught.value)


def test_remarks_under_one_line_stand_below_each_other() -> None:
    text = "a = b + c\n"
    labels = (
        Label(Span("x.toml", 0, 1), "the target"),
        Label(Span("x.toml", 4, 9), "the whole"),
        Label(Span("x.toml", 8, 9)),
    )
    shown = render(Diagnostic("E301", "wrong", labels, "mend it\nor not"), {"x.toml": text})
    assert shown == (
        "error[E301]: wrong\n"
        " --> x.toml:1:1\n"
        "  |\n"
        "1 | a = b + c\n"
        "  | ^   ----- the whole\n"
        "  | |\n"
        "  | the target\n"
        "  |\n"
        "  = help: mend it\n"
        "          or not\n"
    )


def test_labels_stand_under_tabs_and_wide_characters() -> None:
    text = "\t漢 = b\n"
    shown = render(Diagnostic("E301", "x", (Label(Span("x", 5, 6), "here"),)), {"x": text})
    assert "1 |     漢 = b\n  |          ^ here\n" in shown


def test_a_long_line_is_cut_around_its_label() -> None:
    text = "a" * 500 + "b" + "c" * 500
    shown = render(Diagnostic("E301", "x", (Label(Span("x", 500, 501)),)), {"x": text})
    line, underline = shown.splitlines()[3:5]
    assert len(line) < 130
    assert line.index("b") == underline.index("^")
    assert line.startswith("1 | ...")
    assert line.endswith("...")


def test_control_characters_are_shown_as_escapes() -> None:
    shown = render(Diagnostic("E301", "\x1b[31m\u202e", (Label(Span("x", 0, 1)),)), {"x": "\x07"})
    assert shown.isascii()
    assert "\x1b" not in shown
