"""`optgen eject`: the package runs where there is no optgen, and gives the same bits."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from optgen import Variable, driver, folders
from optgen.cli import app
from optgen.ejecting import MARK, RUNTIME_FOLDER, _relative, eject
from optgen.schedules import CosineDecay
from tests import ejected_steps
from tests.generated_classes import EVERYTHING, hyperparameters_of
from tests.oracle import SPECS, compiled, generated, thorough_modes, thorough_specs

ROOT = Path(__file__).parent.parent
run = CliRunner().invoke

Case = tuple[dict[str, Any], str, int]


def ejected(spec: str, folder: Path) -> Path:
    result = run(app, ["eject", str(SPECS / f"{spec}.toml"), "--out", str(folder)])
    assert result.exit_code == 0, result.output
    return folder / spec


def outside(folder: Path, package: str, spec: str, cases: list[Case], **more: Any) -> list[str]:
    """What the cases give in a process that cannot import optgen."""
    name = compiled(spec).program.name
    task = {"folder": str(folder), "package": package, "class": name, "cases": cases, **more}
    result = subprocess.run(
        [sys.executable, "-I", str(ROOT / "tests" / "ejected_steps.py")],
        input=json.dumps(task),
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "numba")},
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    digests: list[str] = json.loads(result.stdout)
    return digests


def inside(spec: str, case: Case) -> str:
    return ejected_steps.digest(*ejected_steps.stepped(generated(spec), *case))


def modes_of(spec: str) -> list[str]:
    return [mode for name, mode in thorough_modes() if name == spec]


# All modes of two optimizers, and one with two phases and numbers per variable; that the code of
# every other one is that of the package, which has tests of its own, is shown below.
RUN = {"sgd": modes_of("sgd"), "adam": modes_of("adam"), "novograd": modes_of("novograd")[-1:]}


@pytest.mark.parametrize("spec", RUN)
def test_modes_give_the_same_bits_with_everything_on(spec: str, tmp_path: Path) -> None:
    ejected(spec, tmp_path)
    cases: list[Case] = [
        ({**EVERYTHING, **hyperparameters_of(spec, mode)}, "float32", 4) for mode in RUN[spec]
    ]
    found = outside(tmp_path, spec, spec, cases)
    assert found == [inside(spec, case) for case in cases]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("spec", thorough_specs())
def test_the_code_is_that_of_the_package(spec: str) -> None:
    """Apart from comments and the module of an import, every statement is the same."""
    for file in eject(compiled(spec)):
        place = file.path.replace(RUNTIME_FOLDER, "optgen/runtime")
        original = ROOT / (place if place.startswith("optgen/") else f"generated/{place}")
        if file.path.endswith(".py") and file.path != "__init__.py":
            assert statements(file.text) == statements(original.read_text("utf-8")), place


def statements(text: str) -> str:
    """The syntax tree of a file without the modules that it imports from."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            node.module, node.level = "", 0
    return ast.dump(tree)


def test_it_saves_for_optgen_and_minimizes(tmp_path: Path) -> None:
    ejected("sgd", tmp_path)
    arguments = {"momentum": 0.5, "learning_rate": 0.125}
    path = tmp_path / "saved"
    case = (arguments, "float64", 3)
    found = outside(tmp_path, "sgd", "sgd", [case], save=str(path), minimize=True)
    with np.load(f"{path}.npz") as file:
        own = [file[name] for name in file.files]
    optimizer = generated("sgd")(**arguments)
    optimizer.build(own)
    optimizer.load(path)
    optimizer.apply(ejected_steps.gradients("float64", 3), own)
    assert ejected_steps.digest(optimizer, own) == inside("sgd", (arguments, "float64", 4))

    x = Variable([3.0, -4.0])
    here = generated("sgd")(learning_rate=CosineDecay(0.5, decay_steps=50))
    for _ in range(3):
        here.minimize(lambda: (x**2).sum(), [x])
    assert found[-1] == x.numpy().tobytes().hex()


def test_it_runs_under_any_name_and_inside_another_package(tmp_path: Path) -> None:
    folder = ejected("sgd", tmp_path)
    case = (hyperparameters_of("sgd", "momentum"), "float32", 2)
    outer = tmp_path / "outer" / "inner"
    outer.mkdir(parents=True)
    (tmp_path / "outer" / "__init__.py").write_text("")
    (outer / "__init__.py").write_text("")
    folder.rename(outer / "another_name")
    found = outside(tmp_path, "outer.inner.another_name", "sgd", [case])
    assert found == [inside("sgd", case)]


@pytest.mark.parametrize("spec", thorough_specs())
def test_it_holds_what_it_needs_and_nothing_else(spec: str) -> None:
    files = {file.path: file.text for file in eject(compiled(spec))}
    modules = {path for path in files if path.endswith(".py")}
    # Imported by their names, when device arrays are given.
    lazy = {f"{spec}_cuda.py", "common_cuda.py", f"{RUNTIME_FOLDER}/cuda/__init__.py"}
    reached = {"__init__.py", *lazy}
    pending = sorted(reached)
    while pending:
        path = pending.pop()
        for target in imports(path, files[path]):
            found = {f"{target}.py", f"{target}/__init__.py".lstrip("/")} & modules
            pending += sorted(found - reached)
            reached |= found
    packages = {f"{RUNTIME_FOLDER}/__init__.py", f"{RUNTIME_FOLDER}/schedules/__init__.py"}
    assert reached | packages == modules
    for path in modules:
        assert MARK in files[path][:200], path
        assert "LICENSE" in files[path][:200], path
        tops = {name for node in ast.walk(ast.parse(files[path])) for name in absolute(node)}
        assert tops <= {*sys.stdlib_module_names, "numpy", "numba", "autograd"}, path
    assert files["LICENSE"] == (ROOT / "LICENSE").read_text("utf-8")
    assert files[f"{spec}.toml"] == (SPECS / f"{spec}.toml").read_text("utf-8")
    assert "optgen build" not in files[f"{spec}_cpu.py"]


def imports(path: str, text: str) -> list[str]:
    """The relative imports of a file, as paths without ending below the package."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.level:
            folder = path.split("/")[:-1]
            base = folder[: len(folder) - node.level + 1] + (node.module or "").split(".")
            base = [part for part in base if part]
            found.append("/".join(base))
            found += ["/".join([*base, alias.name]) for alias in node.names]
    return found


def absolute(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [(node.module or "").split(".")[0]]
    return []


def test_imports_are_rewritten_and_texts_are_not() -> None:
    text = '''"""Uses from optgen.runtime.state import State."""
import numpy as np
from optgen.runtime import Mode, Phase
from  optgen.runtime.schedules.base import (
    LearningRateSchedule,  # from optgen.runtime.x import y
)
def f():
    from optgen.runtime.state import State; x = "from optgen.runtime.a import b"
'''
    place = (RUNTIME_FOLDER, "schedules")
    assert (
        _relative(text, place)
        == '''"""Uses from optgen.runtime.state import State."""
import numpy as np
from .. import Mode, Phase
from .base import (
    LearningRateSchedule,  # from optgen.runtime.x import y
)
def f():
    from ..state import State; x = "from optgen.runtime.a import b"
'''
    )
    assert f"from .{RUNTIME_FOLDER} import Mode, Phase\n" in _relative(text, ())
    for wrong in ("import optgen.runtime.state\n", "from optgen import driver\n"):
        with pytest.raises(AssertionError):
            _relative(wrong, ())


AWKWARD = '''
name = "Variable"
summary = 'Ends in """ quotes, \\ and "'
update = 'w = w - learning_rate * g'

[hyperparameters]
learning_rate = { default = 0.5, doc = "How far a step goes." }
'''


@pytest.mark.parametrize("stem", ["schedules", "runtime", "plain"])
def test_names_and_texts_of_specs_do_no_harm(stem: str, tmp_path: Path) -> None:
    path = tmp_path / f"{stem}.toml"
    path.write_text(AWKWARD)
    files = eject(driver.compile_spec(path))
    assert len({file.path for file in files}) == len(files)
    for file in files:
        if file.path.endswith(".py"):
            ast.parse(file.text)
    folders.write(files, tmp_path / "out" / stem, MARK)
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"from {stem} import Variable; assert Variable().learning_rate == 0.5",
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "out")},
        check=True,
    )


def test_a_spec_that_ships_is_ejected_by_name_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        result = CliRunner().invoke(app, ["eject", "sgd"])
        assert result.exit_code == 0, result.output
    assert (tmp_path / "sgd" / "__init__.py").is_file()


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "sgd"
    mine.mkdir()
    (mine / "__init__.py").write_text("VALUE = 1\n")
    result = run(app, ["eject", str(SPECS / "sgd.toml"), "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "did not eject" in result.output
    assert [path.name for path in mine.iterdir()] == ["__init__.py"]


def test_a_second_time_takes_away_what_is_gone(tmp_path: Path) -> None:
    folder = ejected("sgd", tmp_path)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.py")}
    gone = folder / RUNTIME_FOLDER / "gone.py"
    gone.write_text(f"# optgen/runtime/gone.py, {MARK} 0.0.1\n")
    (folder / "mine.py").write_text("# mine\n")
    ejected("sgd", tmp_path)
    assert not gone.exists()
    assert (folder / "mine.py").exists()
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
