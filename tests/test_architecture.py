"""What the tree promises to a newcomer: one direction of imports, no evaluation, small pieces."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.oracle import compiled, spec_names

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "optgen"

# What each part may import of optgen, besides itself; everything may read the version.
ALLOWED = {
    "diagnostics": set(),
    "ir": {"diagnostics"},
    "analysis": {"diagnostics", "ir"},
    "frontend": {"diagnostics", "ir"},
    "passes": {"diagnostics", "ir"},
    "backends": {"diagnostics", "ir", "passes"},
    "driver": {"diagnostics", "ir", "frontend", "passes", "backends"},
    "folders": {"backends"},
    "shipped": set(),
    "loading": {"backends", "driver", "folders", "shipped"},
    "building": {"backends", "diagnostics", "driver", "folders", "loading"},
    "ejecting": {"backends", "driver"},
    "scaffold": {"ir", "frontend", "backends", "driver"},
    "warming": {"driver", "runtime"},
    "commands": {
        "diagnostics",
        "ir",
        "analysis",
        "frontend",
        "backends",
        "driver",
        "folders",
        "loading",
        "building",
        "ejecting",
        "scaffold",
        "shipped",
        "testing",
        "optimizers",
        "warming",
        "bench",
    },
    "testing": {"frontend", "ir", "passes", "runtime", "driver", "loading", "shipped"},
    "cli": {"diagnostics", "commands"},
    "__main__": {"cli"},
    "schedules": {"runtime"},
    "gpu_check": {"runtime"},
    "bench": {"runtime", "gpu_check"},
    "runtime": set(),
}
# Says which optimizer of another library does the same as one of ours.
NAMES_OPTIMIZERS = {
    "bench/steps.py",
    "bench/peers/with_optax.py",
    "bench/peers/with_pytorch_optimizer.py",
    "bench/peers/with_torch.py",
    "gpu_check/peers.py",
}
RUNTIME_IMPORTS = {"numpy", "numba"}
LAZY_IMPORTS = {"tape.py": {"autograd"}}

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
MOST_TEMPLATE_DECISIONS = 12


def python_files() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py"))


def part_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The full names of the modules that a file imports, wherever the import stands."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        yield from imported_by(node)


def imported_by(node: ast.AST) -> Iterator[str]:
    """The full names of the modules that a statement imports."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "a relative import"
        base = node.module or ""
        # `from optgen import driver` imports a part; `from optgen.ir import rate` is one already.
        yield from (
            (f"{base}.{alias.name}" for alias in node.names) if base == "optgen" else [base]
        )


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        assert not [name for name in imported(path) if name.startswith("optgen")]
        return
    for name in imported(path):
        if name.startswith("optgen.") and name != "optgen.__version__":
            other = name.split(".")[1]
            assert other == part or other in ALLOWED[part], f"{part} imports {name}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "runtime").rglob("*.py")), ids=lambda p: p.name)
def test_the_runtime_needs_numpy_and_numba_alone(path: Path) -> None:
    lazy = LAZY_IMPORTS.get(path.name, set())
    for name in imported(path):
        top = name.split(".")[0]
        known = top in RUNTIME_IMPORTS | lazy or top in sys.stdlib_module_names
        assert known or name.startswith("optgen.runtime"), f"{path.name} imports {name}"
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert not any(name.split(".")[0] in lazy for name in imported_by(node))


@pytest.mark.parametrize("path", sorted((ROOT / "generated").glob("*.py")), ids=lambda p: p.name)
def test_generated_code_needs_numpy_numba_and_the_runtime_alone(path: Path) -> None:
    allowed = re.compile(
        r"(__future__|collections\.abc|typing|importlib|numpy|numba|optgen\.runtime\S*)$"
    )
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            assert all(allowed.match(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert allowed.match(node.module or ""), node.module


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_evaluated(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"eval", "exec", "compile", "__import__"}, node.lineno


def test_no_optimizer_is_named_in_the_compiler() -> None:
    """Neither a class as a word, nor a module as a name: some are words of English, too."""
    classes = "|".join(compiled(spec).program.name for spec in spec_names())
    modules = "|".join(spec_names())
    words = re.compile(rf"\b({classes})\b|[\"'`/.]({modules})\b|\b({modules})(_cpu|_cuda|\.toml)")
    for path in [*python_files(), *PACKAGE.rglob("*.j2")]:
        if str(path.relative_to(PACKAGE)) in NAMES_OPTIMIZERS:
            continue
        found = words.search(path.read_text("utf-8"))
        assert found is None, f"{path}: {found}"


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    text = path.read_text("utf-8")
    if path.name not in {"intrinsics.py", "catalogue.py"}:  # tables grow by rows
        assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


def test_templates_hold_layout_and_no_decisions() -> None:
    templates = list(PACKAGE.rglob("*.j2"))
    assert templates
    text = "".join(path.read_text("utf-8") for path in templates)
    assert len(re.findall(r"{%-?\s*if", text)) <= MOST_TEMPLATE_DECISIONS
    assert not re.findall(r"{%-?\s*(set|macro|import|include|block)", text)


def test_the_project_speaks_of_itself_alone() -> None:
    private = re.compile(r"/(work|farm|tmp|opt)/\w|\bsession'?s? (of|that)\b")
    for path in [*python_files(), *(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]:
        assert private.search(path.read_text("utf-8")) is None, path
