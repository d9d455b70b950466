"""A CUDA kernel is the CPU kernel but for where its index comes from."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from optgen.ir.intrinsics import INTRINSICS
from tests.oracle import spec_names

GENERATED = Path(__file__).parents[1] / "generated"
MODULES = [*spec_names(), "common"]


@cache
def functions(file: str) -> dict[str, ast.FunctionDef]:
    """The functions of a generated file by name."""
    tree = ast.parse((GENERATED / file).read_text("utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def kernels() -> list[tuple[str, str]]:
    """The (module, function) pairs that go through elements, or compute numbers of variables."""
    return [
        (module, name)
        for module in MODULES
        for name in functions(f"{module}_cuda.py")
        if f"{name}_chunks" in functions(f"{module}_cuda.py") or name.endswith("_variable")
    ]


def as_on_the_device(text: str) -> str:
    """CPU text with the function table's spelling for CUDA."""
    for row in INTRINSICS.values():
        cpu = row.cpu.partition("(")[0]
        if cpu.startswith("np."):
            text = re.sub(rf"\b{re.escape(cpu)}\(", f"{cpu.removeprefix('np.')}(", text)
    return text


def lines_of(file: str, name: str) -> list[str]:
    """A function's lines: parameters, docstring, body."""
    node = functions(file)[name]
    text = (GENERATED / file).read_text("utf-8").splitlines()
    return text[node.lineno - 1 : node.end_lineno]


def element_body(file: str, name: str) -> list[str]:
    """The lines of the innermost loop, behind its index, without indentation by that loop."""
    loops = [node for node in ast.walk(functions(file)[name]) if isinstance(node, ast.For)]
    innermost = [
        n for n in loops if not any(isinstance(m, ast.For) for m in ast.walk(n) if m is not n)
    ]
    assert len(innermost) == 1
    statements = innermost[0].body
    if ast.unparse(statements[0]) == "i = first + lane":
        statements = statements[1:]
    text = (GENERATED / file).read_text("utf-8").splitlines()
    lines = text[statements[0].lineno - 1 : statements[-1].end_lineno]
    indent = statements[0].col_offset
    return [line[indent:] for line in lines]


@pytest.mark.parametrize(("module", "name"), kernels())
def test_both_texts_compute_the_same(module: str, name: str) -> None:
    cpu, cuda = f"{module}_cpu.py", f"{module}_cuda.py"
    assert name in functions(cpu)
    if name.endswith("_variable"):
        expected = as_on_the_device("\n".join(lines_of(cpu, name)))
        assert "\n".join(lines_of(cuda, name)) == expected
        return
    head = functions(cuda)[name]
    assert ast.dump(head.args) == ast.dump(functions(cpu)[name].args)
    assert ast.get_docstring(head) == ast.get_docstring(functions(cpu)[name])
    body = element_body(cuda, name)
    assert body == as_on_the_device("\n".join(element_body(cpu, name))).splitlines()
    assert any("[i]" in line for line in body)


@pytest.mark.parametrize(("module", "name"), kernels())
def test_the_rest_is_an_index_and_its_guard(module: str, name: str) -> None:
    """All that the CUDA text has in front of the loop's body."""
    if name.endswith("_variable"):
        return
    file = f"{module}_cuda.py"
    body = element_body(file, name)
    own = [line.strip() for line in lines_of(file, name)]
    inside = {line.strip() for line in body}
    doc = functions(file)[name].body[0]
    start = doc.end_lineno - functions(file)[name].lineno + 1 if doc.end_lineno else 0
    rest = [line for line in own[start:] if line not in inside]
    known = (
        r"real = \w+\.dtype\.type|for i in range(_of_thread)?\(.*\):|for block in range\(.*\):"
        r"|for lane in range\(cuda\.threadIdx\.x, LANES, cuda\.blockDim\.x\):"
        r"|start = block \* BLOCK|stop = min\(start \+ BLOCK, \w+\.size\)"
        r"|\w*lanes = cuda\.shared\.array\(LANES, float64\)|\w*lanes\[lane\] = (0\.0|-np\.inf)"
        r"|block_sums\[block, \d+\] = fold_lanes(_maximum)?\(\w*lanes\)"
    )
    assert rest
    assert [line for line in rest if not re.fullmatch(known, line)] == []


def test_all_kinds_of_functions_are_compared() -> None:
    names = [name for _, name in kernels()]
    assert any(name.endswith("_variable") for name in names)
    assert any("reduce" in name for name in names)
    assert {"accumulate_update", "rest_update"} <= set(names)
