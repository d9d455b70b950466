"""The language reference says what the compiler does: tables, reserved names and examples."""

from __future__ import annotations

import builtins
import keyword
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from textwrap import dedent

import pytest

from optgen.frontend import common, names
from optgen.frontend.builtin_names import BUILTIN_NAMES, SOFT_KEYWORDS
from optgen.frontend.lower import load_text
from optgen.frontend.names import reserved
from optgen.ir.intrinsics import INTRINSICS, SHORTHANDS, Intrinsic

REFERENCE = Path(__file__).parents[1] / "docs" / "language.md"


def section(name: str) -> list[str]:
    """The lines between a pair of markers."""
    text = REFERENCE.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name}: begin .*-->\n(.*?)<!-- {name}: end -->", text, re.DOTALL)
    assert found is not None, f"docs/language.md has no section {name}"
    return found.group(1).strip("\n").splitlines()


def written(row: Intrinsic) -> str:
    """An operator between its arguments, or a function before them."""
    if row.operator is None:
        return f"{row.name}({', '.join(row.parameters)})"
    if len(row.parameters) == 2:
        return f"x {row.operator} y"
    return f"{row.operator}{' ' if row.operator.isalpha() else ''}x"


def function_table() -> list[str]:
    """The table as the compiler's own rows make it: operators, functions, then reductions."""
    rows = [row for row in INTRINSICS.values() if row.public or row.operator is not None]
    lines = [
        (row.reduces is not None, row.operator is None, written(row), row.doc, row.exact)
        for row in rows
    ]
    for shorthand in SHORTHANDS.values():
        form = f"{shorthand.name}({', '.join(shorthand.parameters)})"
        reduces = any(f"{name}(" in shorthand.expansion for name in ("sum", "sum_of_squares"))
        lines.append((reduces, True, form, shorthand.doc, True))
    lines.sort(key=lambda line: line[:2])
    return [
        "| written | meaning | exact |",
        "|---|---|---|",
        *(f"| `{form}` | {doc} | {'yes' if exact else 'no'} |" for _, _, form, doc, exact in lines),
    ]


def reserved_names() -> list[str]:
    """The lists of reserved names as the compiler has them."""
    functions = sorted({*INTRINSICS, *SHORTHANDS})
    lists = {
        "The language": sorted(names.LANGUAGE_NAMES),
        "Functions, and the compiler's names of operators": functions,
        "Arguments that every optimizer has": sorted(names.COMMON_ARGUMENTS),
        "Kept by the common stages": sorted(names.STAGE_NAMES),
        "Used in generated code": sorted(names.GENERATED_NAMES),
        "Members of the class, present and future": sorted(names.CLASS_MEMBERS),
    }
    return [f"- {title}: {', '.join(f'`{n}`' for n in found)}." for title, found in lists.items()]


def stage_equations() -> list[str]:
    """The equations of the common stages as the compiler has them."""
    lines = ["```"]
    before = True
    for stage in common.STAGES:
        if before and not stage.before:
            lines += ["# the author's equations", ""]
            before = False
        lines += [f"# {stage.name}", *dedent(stage.text).strip().splitlines(), ""]
    return [*lines[:-1], "```"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("functions", function_table()),
        ("reserved", reserved_names()),
        ("stages", stage_equations()),
    ],
)
def test_generated_sections_match_the_compiler(name: str, expected: list[str]) -> None:
    assert section(name) == expected, (
        f"the section {name} of docs/language.md must read:\n" + "\n".join(expected)
    )


def test_names_of_this_python_are_reserved_whoever_reads_a_spec(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bare = [sys.executable, "-I", "-S", "-c", "import builtins; print(*dir(builtins))"]
    found = subprocess.run(bare, capture_output=True, text=True, check=True).stdout.split()
    assert {name for name in found if not name.startswith("_")} <= BUILTIN_NAMES
    assert set(keyword.softkwlist) <= SOFT_KEYWORDS
    monkeypatch.setattr(builtins, "display", print, raising=False)
    assert reserved("display") is None


def test_all_names_of_classes_are_listed() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in names.CLASS_NAMES)


def test_links_within_the_page_lead_somewhere() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    headings = re.findall(
        r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE
    )
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= anchors


def test_example_is_a_spec() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    assert tomllib.loads(example)["name"] == "SignDescent"
    load_text(example.encode(), "language.md")
