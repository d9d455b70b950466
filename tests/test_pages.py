"""Reference pages: complete, true, runnable, the same everywhere, and safe to render."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from docutils import nodes
from docutils.core import publish_doctree
from myst_parser.docutils_ import Parser

from optgen import driver
from optgen.backends.docs.markdown import blocks, cell, line
from optgen.backends.docs.page import STAGES
from optgen.backends.pytext import literal
from optgen.driver import compile_text
from optgen.frontend.common import COMMON_HYPERPARAMETERS, stages_program
from tests.oracle import (
    SPECS,
    compiled,
    generated,
    selecting,
    spec_modes,
    spec_names,
    thorough_specs,
)

ROOT = Path(__file__).parents[1]
MYST = {
    "myst_enable_extensions": ["dollarmath", "colon_fence", "attrs_inline"],
    "report_level": 2,
    "halt_level": 2,
}


def page(spec: str) -> str:
    texts = {file.path: file.text for file in driver.pages([compiled(spec)])}
    return texts[f"{spec}.md"]


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> dict[str, list[str]]:
    """The rows of all tables, by their first cell."""
    lines = re.findall(r"^\| (.*) \|$", text, re.MULTILINE)
    cells = [re.split(r" (?<!\\)\| ", line) for line in lines]
    return {row[0].strip("`"): row[1:] for row in cells}


@pytest.mark.parametrize("spec", spec_names())
def test_a_page_says_everything_that_the_spec_says(spec: str) -> None:
    optimizer = compiled(spec)
    text, program = page(spec), optimizer.program
    found = sections(text)
    assert optimizer.spec.summary in text
    arguments = rows(found["Arguments"])
    assert set(arguments) - {"argument", "---"} == {
        row.name for row in (*program.hyperparameters, *program.common)
    }
    for row in program.hyperparameters:
        assert arguments[row.name][0] == f"`{literal(row.default)}`"
        assert arguments[row.name][2] == row.doc
    assert {slot.name for slot in program.slots} <= set(rows(found["State and memory"]))
    update = found["Update rule"]
    assert update.count("$$") == 2 * (len(program.modes) + len(program.evaluations[:1]))
    for mode in program.modes:
        assert mode.condition in update
    for reference in optimizer.spec.references:
        assert f"- {line(reference)}\n" in found["References"]


@pytest.mark.parametrize(("spec", "mode"), spec_modes())
def test_the_memory_is_what_the_class_takes(spec: str, mode: str) -> None:
    memory = rows(sections(page(spec))["State and memory"])[mode]
    for dtype, told in ((np.float32, memory[0]), (np.float64, memory[1])):
        optimizer: Any = generated(spec)(**selecting(spec, mode))
        variable = np.zeros(1000, dtype)
        optimizer.build([variable])
        # Numbers per row, column and index follow from a variable's shape, not from its size.
        counted = [slot.name for slot in optimizer.slots if slot.rate in ("element", "variable")]
        slots = [optimizer._state.slots.get(name, []) for name in counted]
        sizes = [np.asarray(array).nbytes for arrays in slots for array in arrays]
        assert sum(size for size in sizes if size >= 1000) == 1000 * int(told)
        assert sum(size for size in sizes if size < 1000) == int(memory[2])


def test_a_reduction_costs_a_second_pass() -> None:
    assert rows(sections(page("novograd"))["State and memory"])["plain"][3] == "2"
    assert rows(sections(page("adam"))["State and memory"])["plain"][3] == "1"


def test_common_costs_are_those_of_arguments_that_every_optimizer_has() -> None:
    spec = b"""
name = "Clipped"
summary = "A rule that clips by its own argument."
update = 'w = w - learning_rate * clip(g, -clipnorm, clipnorm)'

[hyperparameters]
learning_rate = { default = 0.1, doc = "How far a step goes." }
clipnorm = { default = 1.0, doc = "The largest magnitude of an element." }
"""
    text = driver.pages([compile_text(spec, "clipped.toml")])[1].text
    costs = sections(text)["State and memory"]
    assert "`global_clipnorm` needs one more pass" in costs
    assert "`clipnorm`" not in costs
    assert "`clipnorm` and `global_clipnorm` need one more pass" in page("sgd")


def test_common_stages_are_told_in_their_order_with_their_switches() -> None:
    assert [stage.name for stage in stages_program().stages] == list(STAGES)
    arguments = {row.name for row in COMMON_HYPERPARAMETERS}
    for _, condition in STAGES.values():
        assert set(re.findall(r"`(\w+)`", condition)) <= arguments
    order = sections(page("sgd"))["Order of operations"]
    steps = re.findall(r"^\d+\. \*\*(\w+)", order, re.MULTILINE)
    assert steps == [
        "Unscale",
        "Accumulate",
        *["Clip"] * 3,
        "Decay",
        "Update",
        "Average",
        "Overwrite",
    ]
    own_decay = sections(page("adamw"))["Order of operations"]
    assert "Decay" not in own_decay


@pytest.mark.parametrize("spec", thorough_specs())
def test_the_example_runs(spec: str) -> None:
    """Those of the other pages are those of the docstrings, which test_class_text.py runs."""
    code = re.findall(r"```python\n(.*?)```", page(spec), re.DOTALL)
    assert len(code) == 1
    test = doctest.DocTestParser().get_doctest(code[0], {}, spec, None, None)
    assert doctest.DocTestRunner().run(test).failed == 0
    assert len(test.examples) > 4


def test_the_list_leads_to_every_page() -> None:
    files = driver.pages([compiled(spec) for spec in spec_names()])
    (listing,) = (file.text for file in files if file.path == "all-optimizers.md")
    assert sorted(re.findall(r"\]\((.*?)\)", listing)) == sorted(f"{s}.md" for s in spec_names())


def test_pages_are_the_same_under_any_hash_seed(tmp_path: Path) -> None:
    for seed in ("0", "7"):
        command = [sys.executable, "-m", "optgen", "pages", SPECS, "--out", tmp_path / seed]
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, check=True, env=environment, cwd=tmp_path, capture_output=True)
    written = sorted((tmp_path / "0").iterdir())
    assert len(written) == len(spec_names()) + 1
    for file in written:
        assert file.read_bytes() == (tmp_path / "7" / file.name).read_bytes()


def test_pages_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "sgd.md").write_text("mine")
    (tmp_path / "notes.md").write_text("mine, too")
    command = [sys.executable, "-m", "optgen", "pages", SPECS / "sgd.toml", "--out", tmp_path]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 1
    assert "did not write" in result.stderr
    assert (tmp_path / "sgd.md").read_text() == "mine"
    (tmp_path / "sgd.md").unlink()
    subprocess.run(command, check=True, env=environment, capture_output=True)
    assert (tmp_path / "notes.md").read_text() == "mine, too"


HOSTILE = [
    "```{include} /etc/passwd\n```",
    ":::{raw} html\n<script>alert(1)</script>\n:::",
    "{eval-rst}`x` and {download}`a <b>`",
    "<script>alert(1)</script> &lt; <b>bold</b>",
    "[here](javascript:alert(1)) ![x](http://example.org/x.png)",
    "$x$ and $$y$$ and *stars* and __lines__ and ~~gone~~",
    "# a title\n\n---\n\n> quoted\n\n1. one\n\n+++\n\n% comment\n\n(target)=\n\n: definition",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "a\n===\nb\n---",
    "back\\slash and `code | with { } <b> $x$` and a lone ` tick",
]


PLAIN = {
    nodes.document,
    nodes.paragraph,
    nodes.literal,
    nodes.reference,
    nodes.table,
    nodes.tgroup,
    nodes.colspec,
    nodes.thead,
    nodes.tbody,
    nodes.row,
    nodes.entry,
}


def rendered(text: str) -> nodes.document:
    return publish_doctree(text, parser=Parser(), settings_overrides=MYST)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_spec_says_is_text_and_no_more(text: str) -> None:
    for markdown in (blocks(text), line(text), f"| head |\n| --- |\n| {cell(text)} |"):
        document = rendered(markdown)
        kinds = {type(node) for node in document.findall(nodes.Element)}
        assert kinds <= PLAIN
        shown = document.astext().strip().removeprefix("head")
        assert "".join(shown.replace("`", "").split()) == "".join(text.replace("`", "").split())
        for reference in document.findall(nodes.reference):
            assert reference["refuri"] == "http://example.org/x.png"


def test_a_cell_stays_one_cell() -> None:
    text = "| `a | b` | c\nd"
    document = rendered(f"| head |\n| --- |\n| {cell(text)} |")
    (*_, entry) = document.findall(nodes.entry)
    assert entry.astext() == "| a | b | c d"


def test_addresses_and_points_keep_their_meaning() -> None:
    document = rendered(blocks("See https://example.org/a_b?c=1:\n- one `x`\n- two"))
    assert [node["refuri"] for node in document.findall(nodes.reference)] == [
        "https://example.org/a_b?c=1"
    ]
    assert [node.astext() for node in document.findall(nodes.list_item)] == ["one x", "two"]


def test_choices_bounds_and_none_are_told() -> None:
    optimizer = compile_text(
        b"""
name = "Chooser"
summary = "All kinds of arguments."
update = 'w = w - learning_rate * g * a * n * b * c'
[hyperparameters]
learning_rate = { default = 0.5, min = 0.0, doc = "Size." }
a = { default = 0.5, max = 2.5, doc = "Factor." }
n = { default = 3, min = 1, max = 9, doc = "Count." }
b = { default = 0.5, min = 0.0, below = 1.0, doc = "Fraction." }
c = { default = 0.5, above = 0.0, doc = "Divisor." }
""",
        "chooser.toml",
    )
    text = driver.pages([optimizer], "mine")[1].text
    arguments = rows(sections(text)["Arguments"])
    assert [arguments[name][1] for name in ("learning_rate", "a", "n", "b", "c")] == [
        "number, at least 0",
        "number, at most 2.5",
        "integer from 1 to 9",
        "number, at least 0 and below 1",
        "number, above 0",
    ]
    assert arguments["clipnorm"][1] == "number, above 0; or `None`"
    assert ">>> from mine import Chooser" in text
    assert "Mode" not in sections(text)["Update rule"]
