"""Every kind of mistake has a spec that makes it, with the exact message that it gets.

``pytest tests/test_messages.py --bless`` accepts the present messages as the expected ones.
"""

from __future__ import annotations

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
from optgen.frontend.lower import load_program, load_text

FOLDER = Path(__file__).parent / "bad_specs"
BAD_SPECS = sorted(FOLDER.glob("*.toml"))
# A file that is missing, and two files at once.
WITHOUT_FILE = {"E101", "E213"}


def messages(path: Path) -> tuple[CompileError, str]:
    """The error for a bad spec, and its text; files are named as if they stood in specs/."""
    with pytest.raises(CompileError) as caught:
        load_text(path.read_bytes(), f"specs/{path.name}", "bad")
    error = caught.value
    return error, render_all(error.diagnostics, error.sources)


@pytest.mark.parametrize("path", BAD_SPECS, ids=lambda path: path.stem)
def test_message(path: Path, request: pytest.FixtureRequest) -> None:
    error, text = messages(path)
    expected = path.with_suffix(".txt")
    if request.config.getoption("--bless"):
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")
    assert path.stem.split("-")[0] in {diagnostic.code for diagnostic in error.diagnostics}
    assert {diagnostic.code for diagnostic in error.diagnostics} <= set(CATALOGUE)


def test_every_code_has_a_bad_spec() -> None:
    assert {path.stem.split("-")[0] for path in BAD_SPECS} == set(CATALOGUE) - WITHOUT_FILE


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
