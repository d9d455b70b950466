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


def axis_functions() -> list[tuple[str, str]]:
    """The (module, function) pairs that compute numbers per matrix, row, column or index."""
    return [
        (module, name.removesuffix("_run"))
        for module in MODULES
        for name in functions(f"{module}_cuda.py")
        if name.endswith(("_axes_run", "_indices_run"))
    ]


def as_on_the_device(text: str) -> str:
    """CPU text with the function table's spelling for CUDA."""
    for row in INTRINSICS.values():
        cpu = row.cpu.partition("(")[0]
        if cpu.startswith("np."):
            text = re.sub(rf"\b{re.escape(cpu)}\(", f"{cpu.removeprefix('np.')}(", text)
    return text


def without_spreads(text: str) -> str:
    """Text in which a number of a row or column is read as an element of an array is."""
    return re.sub(r"\bnumber_of_(?:row|column)\((\w+), i\)", r"\1[i]", text)


def loops_of_axes(text: str) -> str:
    """Text of a function of numbers per row and column, with the loops of a device."""
    text = re.sub(
        r"for matrix in range\(\w+\.size\):\n +for (\w+) in range\(matrix \* (\w+), .*\):\n",
        r"for \1 in ALL:\n        matrix = \1 // \2\n",
        text,
    )
    text = re.sub(r"for (\w+) in range(_of_block)?\(\w+\.size\):", r"for \1 in ALL:", text)
    return "\n".join(
        line.strip() for line in text.splitlines() if line.strip() != "cuda.syncthreads()"
    )


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
    body = without_spreads("\n".join(element_body(cuda, name))).splitlines()
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


@pytest.mark.parametrize(("module", "name"), axis_functions())
def test_numbers_of_rows_and_columns_are_computed_alike(module: str, name: str) -> None:
    """But for the loops, of which the threads of a block each take a part."""
    cpu, cuda = f"{module}_cpu.py", f"{module}_cuda.py"
    expected = as_on_the_device("\n".join(lines_of(cpu, name)))
    assert loops_of_axes("\n".join(lines_of(cuda, name))) == loops_of_axes(expected)
    run = f"{name}_run"
    assert lines_of(cuda, run) == lines_of(cpu, run)


@pytest.mark.parametrize(("module", "name"), axis_functions())
def test_threads_wait_between_loops_over_numbers(module: str, name: str) -> None:
    """Each of these loops, and each sum of matrices, but the last stands before a barrier."""
    parts = [
        ast.unparse(node).split("(")[0]
        for node in functions(f"{module}_cuda.py")[name].body[1:]
        if isinstance(node, ast.For | ast.Expr)
    ]
    waits = [part == "cuda.syncthreads" for part in parts]
    assert waits == [index % 2 == 1 for index in range(len(parts))]


def test_all_kinds_of_functions_are_compared() -> None:
    names = [name for _, name in kernels()]
    assert any(name.endswith("_variable") for name in names)
    assert any("reduce" in name for name in names)
    assert {"accumulate_update", "rest_update"} <= set(names)
    assert {name.rpartition("_")[2] for _, name in axis_functions()} == {"axes", "indices"}
