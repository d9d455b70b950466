"""Hostile specs: messages or harmless code, whatever stands in them."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from optgen.backends.artifact import Artifact
from optgen.diagnostics import CompileError
from optgen.driver import Optimizer, compile_text, emit
from tests import mutations

ROOT = Path(__file__).parents[1]
MUTATIONS = 1_000


def test_mutated_specs_give_messages_or_harmless_code() -> None:
    found = [mutations.outcome(content) for content in mutations.mutations(range(MUTATIONS))]
    # The mutations reach every stage: file, format, equations, conditions, examples, code.
    assert {code[:2] for codes in found for code in codes} == {"E1", "E2", "E3", "E4", "E5"}
    assert sum(not codes for codes in found) > MUTATIONS / 20


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import os\n", ["imports :os"]),
        ("from os import system\n", ["imports os:system"]),
        ("def f(w):\n    return eval(w)\n", ["calls eval", "reads eval"]),
        ("x = ().__class__\n", ["reads .__class__"]),
        ("x = lambda: 1\n", ["holds Lambda"]),
    ],
)
def test_code_that_no_spec_asks_for_is_noticed(text: str, found: list[str]) -> None:
    optimizer = compile_text(SPEC.encode(), mutations.NAME)
    assert mutations.excess(optimizer, mutations.files_of(optimizer)) == []
    assert mutations.excess(optimizer, [Artifact("x.py", text)]) == found


def test_numbers_that_overflow_give_code_and_no_warning() -> None:
    text = SPEC.replace("* m\n", "* 1e32 * m\n").split("[[example]]")[0]
    optimizer = compile_text(text.encode(), mutations.NAME)
    assert mutations.files_of(optimizer)


# --- Injection ----------------------------------------------------------------------------

SPEC = """
name = "Plain"
summary = "SUMMARY"
description = "DESCRIPTION"
references = ["REFERENCE"]

[hyperparameters]
learning_rate = { default = 0.5, doc = "HYPERPARAMETER" }
kind = { default = "hard", choices = ["hard", "smooth"], doc = "CHOICE" }

[slots]
m = { doc = "SLOT" }

[[modes]]
name = "hard"
when = 'kind == "hard"'
doc = "MODE"
update = '''
m = 0.5 * m + g  # COMMENT
w = w - learning_rate * m
'''

[[modes]]
name = "smooth"
when = 'kind == "smooth"'
update = '''
m = 0.9 * m + g
w = w - learning_rate * m
'''

[[example]]
mode = "hard"
start = 1.0
gradients = [1.0]
expected = [0.5]
source = "SOURCE"
"""
WORDS = "SUMMARY DESCRIPTION REFERENCE HYPERPARAMETER CHOICE SLOT MODE COMMENT SOURCE".split()
TOUCH = "open('SENTINEL', 'w').close()"
PAYLOADS = (
    *(
        "'",
        '"',
        "\\",
        "'''",
        '"""',
        '\\"\\"\\"',
        '\\"',
        "\\\\",
        "\\'",
        '"""""""""',
        "\\N{DIGIT ONE}",
    ),
    *(
        "{{ 7 * 7 }}",
        "{% for x in [1] %}",
        "{# x #}",
        "%(name)s",
        "{0.__class__}",
        "${HOME}",
        "\\x41",
    ),
    *(f"__import__('os'); {TOUCH}", f'"""\n{TOUCH}\n"""', f"'''\n{TOUCH}\n'''", f'\n"""\n{TOUCH}'),
    *(
        f"\n\n{TOUCH}\n",
        f'\\"""\n{TOUCH}',
        f'\\\n"""\n{TOUCH}\n"""',
        f"    >>> {TOUCH}",
        "#",
        "# noqa",
    ),
    *(
        "\u202e",
        "\u2028",
        "\u2029",
        "\x85",
        "\x00",
        "\x0c",
        "\x1b[2J",
        "\ufeff",
        "\u200b",
        "漢字",
        "é",
    ),
    *(
        "\n" * 50,
        "word " * 2_000,
        "x" * 3_000,
        " trailing ",
        "\t tab",
        "-- >",
        "Args:",
        "\\u0022" * 3,
    ),
    *("coding: latin-1", "# -*- coding: utf-7 -*-", "+AGEAYg-", "\U0001f600", "a\u0301"),
)
"""What could end a string or a comment, be expanded by a template, or be run."""


def injected() -> Iterator[tuple[str, bytes]]:
    """Each payload, with specs that hold it in place of their words."""
    for payload in PAYLOADS:
        escaped = json.dumps(payload, ensure_ascii=False)[1:-1]
        # A summary takes less than other texts: what it refuses must not hide the others.
        for words in (WORDS[:1], WORDS[1:]):
            for form in (f'"{escaped}"', f"'''{payload}'''"):
                text = SPEC
                for word in words:
                    text = text.replace(f'"{word}"', form)
                if words[0] != "SUMMARY":
                    text = text.replace("COMMENT", payload)
                yield payload, text.encode("utf-8", "surrogatepass")


def compiled(content: bytes) -> Optimizer | None:
    """The optimizer of a spec; None if it is refused, with messages that can be shown."""
    try:
        return compile_text(content, mutations.NAME)
    except CompileError as refusal:
        shown = str(refusal)
    assert shown
    return None


def without_words(text: str) -> str:
    """What a file does: its syntax without docstrings and other strings that stand alone."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [  # type: ignore[attr-defined]
                line
                for line in body
                if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            ]
    return ast.dump(tree)


def test_words_of_a_spec_stay_words(tmp_path: Path) -> None:
    whole = compile_text(SPEC.encode(), mutations.NAME)
    plain = [without_words(file.text) for file in mutations.files_of(whole)]
    common = [file for file in emit([whole]) if file.path.startswith("common")]
    packages = []
    for number, (payload, content) in enumerate(injected()):
        optimizer = compiled(content)
        if optimizer is None:
            continue
        files = mutations.files_of(optimizer)
        assert [without_words(file.text) for file in files] == plain, payload
        folder = tmp_path / f"package_{number}"
        folder.mkdir()
        packages.append(folder.name)
        for file in (*files, *common):
            (folder / file.path).write_text(file.text, encoding="utf-8")
    assert len(packages) > len(PAYLOADS)
    script = (
        "import importlib, json, sys\n"
        "for name in json.load(sys.stdin):\n"
        "    module = importlib.import_module(name)\n"
        "    assert module.__all__ == ['Plain'], name\n"
        "    assert module.Plain(kind='smooth').kind == 'smooth'\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(tmp_path)])}
    subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        input=json.dumps(packages),
        text=True,
        check=True,
        env=environment,
        cwd=tmp_path,
    )
    assert not (tmp_path / "SENTINEL").exists()


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_names_and_equations_take_no_payload(payload: str) -> None:
    places = (
        ('name = "Plain"', f"name = {json.dumps('P' + payload)}"),
        (
            "learning_rate = {",
            f"{json.dumps('x' + payload)} = {{ default = 1.0, doc = 'x' }}\nlearning_rate = {{",
        ),
        ("m = { doc", f"{json.dumps('m' + payload)} = {{ doc = 'x' }}\nm = {{ doc"),
        ('name = "smooth"', f"name = {json.dumps('s' + payload)}"),
        ('["hard", "smooth"]', f'["hard", "smooth", {json.dumps("x" + payload)}]'),
        ('default = "hard"', f"default = {json.dumps('x' + payload)}"),
        ("""when = 'kind == "smooth"'""", f"when = {json.dumps('kind == ' + repr('x' + payload))}"),
        ('mode = "hard"', f"mode = {json.dumps('x' + payload)}"),
    )
    for old, new in places:
        assert old in SPEC
        with pytest.raises(CompileError) as caught:
            compile_text(SPEC.replace(old, new).encode("utf-8", "surrogatepass"), mutations.NAME)
        assert str(caught.value)
