"""What is installed: every package of the tree, its data, and one version."""

from __future__ import annotations

import tomllib
from importlib import metadata, resources
from pathlib import Path

import optgen

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUPTOOLS = PROJECT["tool"]["setuptools"]


def test_every_package_is_listed() -> None:
    folders = {file.parent for file in (ROOT / "optgen").rglob("__init__.py")}
    found = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    elsewhere = {name: ROOT / folder for name, folder in SETUPTOOLS["package-dir"].items()}
    assert set(SETUPTOOLS["packages"]) == found | set(elsewhere)
    assert all((folder / "__init__.py").is_file() for folder in elsewhere.values())


def test_every_data_file_is_covered() -> None:
    patterns = [p for patterns in SETUPTOOLS["package-data"].values() for p in patterns]
    files = [
        file
        for file in (ROOT / "optgen").rglob("*")
        if file.is_file() and file.suffix not in {".py", ".pyc", ".nbi", ".nbc"}
    ]
    assert files
    assert [file for file in files if not any(file.match(pattern) for pattern in patterns)] == []


def test_version_is_that_of_the_installed_distribution() -> None:
    assert metadata.version("optgen") == optgen.__version__


def test_specs_are_package_data() -> None:
    installed = {file.name for file in resources.files("optgen.specs").iterdir()}
    specs = {file.name for file in (ROOT / "specs").glob("*.toml")}
    assert specs
    assert specs <= installed
