"""`optgen build`: what is known is not compiled again, and nothing stale is ever taken."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from optgen import building, driver, folders
from optgen.building import Results, build_package, compiler_digest
from optgen.cli import app
from optgen.commands.importing import import_sentence
from optgen.diagnostics import CompileError
from tests.oracle import SPECS

ROOT = Path(__file__).parent.parent
TEXT = """
name = "Plain"
summary = "Gradient descent."
update = 'w = w - learning_rate * g'

[hyperparameters]
learning_rate = { default = 0.5, doc = "How far a step goes." }
"""

run = CliRunner().invoke


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Results:
    monkeypatch.setenv("OPTGEN_CACHE_DIR", str(tmp_path / "cache"))
    results = Results()
    assert results.folder == tmp_path / "cache" / "builds"
    return results


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "plain.toml").write_text(TEXT)
    (folder / "other.toml").write_text(TEXT.replace("Plain", "Other"))
    return folder


def built(specs: Path, kept: Results | None) -> tuple[list[Any], list[str]]:
    """The files, and the specs that were compiled for them."""
    compiled: list[str] = []
    paths = folders.spec_files([specs])
    files = build_package(
        paths, kept, lambda path, known: None if known else compiled.append(path.stem)
    )
    return files, compiled


def test_a_second_build_compiles_nothing(
    specs: Path, kept: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, compiled = built(specs, kept)
    assert compiled == ["other", "plain"]
    assert files == driver.emit(driver.compile_all(folders.spec_files([specs])))

    def never(*arguments: object) -> None:
        raise AssertionError("compiled again")

    for name in ("compile_text", "emit_part", "emit_shared"):
        monkeypatch.setattr(driver, name, never)
    assert built(specs, Results()) == (files, [])
    with pytest.raises(AssertionError, match="compiled again"):
        built(specs, None)


def test_a_change_of_a_spec_compiles_it_again(specs: Path, kept: Results) -> None:
    before, _ = built(specs, kept)
    (specs / "plain.toml").write_text(f"{TEXT}# a comment\n")
    after, compiled = built(specs, kept)
    assert compiled == ["plain"]
    assert after == driver.emit(driver.compile_all(folders.spec_files([specs])))
    assert after != before
    (specs / "plain.toml").rename(specs / "renamed.toml")
    renamed, compiled = built(specs, kept)
    assert compiled == ["renamed"]
    assert "renamed.py" in {file.path for file in renamed}


@pytest.mark.parametrize("file", ["runtime/kernels.py", "backends/keras_api/class.py.j2"])
def test_a_change_of_the_compiler_compiles_everything_again(file: str, tmp_path: Path) -> None:
    for part in ("optgen", "specs"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "OPTGEN_CACHE_DIR": str(tmp_path / "cache"),
    }

    def build(*options: str) -> tuple[str, dict[str, bytes]]:
        result = subprocess.run(
            [sys.executable, "-m", "optgen.cli", "build", "specs/sgd.toml", *options],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        folder = tmp_path / "generated"
        return result.stdout, {path.name: path.read_bytes() for path in folder.glob("*.py")}

    assert "1 of 1 specs compiled" in build()[0]
    assert "0 of 1 specs compiled" in build()[0]
    changed = tmp_path / "optgen" / file
    comment = "{# changed #}" if file.endswith("j2") else "\n# changed\n"
    changed.write_text(changed.read_text() + comment)
    output, files = build()
    assert "1 of 1 specs compiled" in output
    assert build("--fresh")[1] == files


def test_every_source_file_counts() -> None:
    counted = {p.suffix for p in (ROOT / "optgen").rglob("*") if p.is_file()}
    assert counted - {".pyc", ".typed", ".nbi", ".nbc"} <= set(building.SUFFIXES)
    assert compiler_digest() == compiler_digest.__wrapped__()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "list", "folder"])
def test_a_damaged_result_is_not_taken(damage: str, specs: Path, kept: Results) -> None:
    files, _ = built(specs, kept)
    for path in kept.folder.rglob("*.json"):
        data = path.read_bytes()
        changed = {
            "cut": data[:-20],
            "flip": data.replace(b"learning_rate", b"learning_late", 1),
            "empty": b"",
            "list": building._digest(b"[]").encode() + b"\n[]",
        }
        path.unlink()
        if damage == "folder":
            path.mkdir()
        else:
            path.write_bytes(changed[damage])
    results = Results()
    assert built(specs, results) == (files, ["other", "plain"])
    assert (results.problem is None) == (damage != "folder")


def test_a_check_takes_nobody_s_word(specs: Path, kept: Results, tmp_path: Path) -> None:
    out = str(tmp_path / "package")
    assert run(app, ["build", str(specs), "--out", out]).exit_code == 0
    right = (tmp_path / "package" / "plain.py").read_bytes()
    for path in kept.folder.rglob("*.json"):
        content = path.read_bytes().partition(b"\n")[2].replace(b"How far", b"How wide")
        path.write_bytes(building._digest(content).encode() + b"\n" + content)
    assert run(app, ["build", str(specs), "--check", "--out", out]).exit_code == 0
    assert run(app, ["build", str(specs), "--out", out]).exit_code == 0
    assert (tmp_path / "package" / "plain.py").read_bytes() != right  # the forgery, taken
    assert run(app, ["build", str(specs), "--check", "--out", out]).exit_code == 1
    assert run(app, ["build", str(specs), "--fresh", "--out", out]).exit_code == 0
    assert (tmp_path / "package" / "plain.py").read_bytes() == right


def test_where_nothing_can_be_kept_a_build_still_works(
    specs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OPTGEN_CACHE_DIR", str(tmp_path / "file"))
    result = run(app, ["build", str(specs), "--out", str(tmp_path / "package")])
    assert result.exit_code == 0
    assert "nothing was kept" in result.stderr
    assert (tmp_path / "package" / "plain.py").is_file()


def test_mistakes_are_told_whether_others_are_known_or_not(specs: Path, kept: Results) -> None:
    built(specs, kept)
    (specs / "wrong.toml").write_text(TEXT.replace("w - learning", "x - learning"))
    (specs / "twice.toml").write_text(TEXT)
    for _ in range(2):
        with pytest.raises(CompileError, match=r"E301(?s:.*)wrong.toml") as caught:
            built(specs, kept)
        assert "E213" in str(caught.value)


def test_results_of_old_compilers_are_removed(
    specs: Path, kept: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(building.KEPT_COMPILERS + 2):
        monkeypatch.setattr(building, "compiler_digest", lambda number=number: f"state-{number}")
        built(specs, kept)
    assert len(list(kept.folder.iterdir())) == building.KEPT_COMPILERS
    monkeypatch.setattr(building, "KEPT_RESULTS", 2)
    (specs / "plain.toml").write_text(f"{TEXT}# a comment\n")
    built(specs, kept)
    assert len(list((kept.folder / building.compiler_digest()).iterdir())) == 2


def test_the_bar_is_for_terminals_alone(
    specs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["build", str(specs), "--fresh", "--out", str(tmp_path / "package")]
    plain = run(app, arguments)
    assert plain.exit_code == 0
    assert plain.stderr == ""
    assert "\x1b" not in plain.stdout
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=80)
    monkeypatch.setattr("optgen.commands.build.errors", terminal)
    assert run(app, arguments).exit_code == 0
    assert "2/2" in shown.getvalue()


def sentences(folder: Path) -> list[str]:
    files = driver.emit([driver.compile_spec(SPECS / "sgd.toml")])
    return list(import_sentence(files, folder))


def test_the_import_is_said_as_it_works(
    specs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(app, ["build", "specs", "--out", "my_project/optimizers"])
    assert result.exit_code == 0
    statement = result.stdout.splitlines()[-1].strip()
    assert statement == "from my_project.optimizers import Other, Plain"
    subprocess.run(
        [sys.executable, "-c", f"{statement}\nprint(Plain(), Other())"],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"},
        check=True,
    )


def test_the_import_of_a_package_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "outer" / "__init__.py").write_text("")
    monkeypatch.chdir(inner)
    assert sentences(inner / "opt")[-1] == "    from opt import SGD"
    monkeypatch.chdir(ROOT)
    found = sentences(tmp_path / "outer" / "opt")
    assert found[-1] == "    from outer.opt import SGD"
    assert str(tmp_path) in found[0]
    assert "rename" in sentences(tmp_path / "my-opt")[0]
    assert "rename" in sentences(tmp_path / "class")[0]


def test_paths_of_the_wrong_kind_are_refused(specs: Path, tmp_path: Path) -> None:
    (specs / "notes.txt").write_text("")
    result = run(app, ["build", str(specs / "notes.txt"), "--out", str(tmp_path / "package")])
    assert result.exit_code == 2
    assert "expected specs" in result.output
    result = run(app, ["build", str(specs), "--out", str(specs / "plain.toml")])
    assert result.exit_code == 2
    assert "expected a folder" in result.output
    assert not (tmp_path / "package").exists()


def test_a_check_of_specs_says_what_is_wrong_and_writes_nothing(
    specs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    plain = specs / "plain.toml"
    result = run(app, ["check", str(plain)])
    assert (result.exit_code, result.output) == (0, f"no mistakes in {plain}\n")
    plain.write_text(plain.read_text("utf-8").replace("w = ", "w = nothing + "), "utf-8")
    result = run(app, ["check", str(specs)])
    assert isinstance(result.exception, CompileError)
    assert "nothing" in str(result.exception)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_check_compares_the_package_of_a_folder(specs: Path, tmp_path: Path) -> None:
    package = tmp_path / "package"
    assert run(app, ["build", str(specs), "--out", str(package)]).exit_code == 0
    checked = ["check", str(specs), "--out", str(package)]
    assert run(app, checked).exit_code == 0
    (package / "plain.py").write_text("# nothing\n", "utf-8")
    result = run(app, checked)
    assert result.exit_code == 1
    assert "optgen build" in result.output


def test_a_build_needs_no_numba(specs: Path, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom optgen import cli\n"
        f"cli.app(['build', {str(specs)!r}, '--out', {str(tmp_path / 'package')!r}, '--fresh'], "
        "standalone_mode=False)\nprint('numba' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.stdout.endswith("False\n"), found.stdout + found.stderr


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("umask", "expected"), [(0o022, 0o644), (0o077, 0o600)])
def test_files_have_the_permissions_that_the_user_gives_new_ones(
    umask: int, expected: int, tmp_path: Path
) -> None:
    before = os.umask(umask)
    try:
        folders.replace_file(tmp_path / "file", "text")
    finally:
        assert os.umask(before) == umask
    assert (tmp_path / "file").stat().st_mode & 0o777 == expected


def test_either_all_files_are_replaced_or_none(tmp_path: Path) -> None:
    (tmp_path / "first").write_text("old")
    with pytest.raises(FileNotFoundError):
        folders.replace_files({tmp_path / "first": "new", tmp_path / "nowhere" / "second": "new"})
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("first", "old")]


def test_results_hold_no_path_of_the_machine(specs: Path, kept: Results) -> None:
    built(specs, kept)
    for path in kept.folder.rglob("*.json"):
        content = path.read_text("utf-8").partition("\n")[2]
        assert json.loads(content)["files"]
        assert str(specs) not in content
