"""pyproject.toml: all packages, all data files, reasons for all dependencies."""

import importlib.metadata
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(TEXT)
TOP = ("hw", "costmodel", "sim", "sweeps")


def test_every_package_is_listed():
    found = {
        path.parent.relative_to(ROOT).as_posix().replace("/", ".")
        for name in TOP
        for path in (ROOT / name).rglob("__init__.py")
    }
    assert found == set(PROJECT["tool"]["setuptools"]["packages"])


def test_every_data_file_is_packed():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    for name in TOP:
        for path in (ROOT / name).rglob("*"):
            inner = path.relative_to(ROOT / name).as_posix()
            if path.is_dir() or path.suffix in (".py", ".pyc") or "__pycache__" in inner:
                continue
            assert any(fnmatch(inner, pattern) for pattern in patterns.get(name, [])), path


def test_every_dependency_has_its_reason():
    lines = [
        line for line in TEXT.splitlines() if re.match(r'\s+"[A-Za-z_]+[\w.\[\]-]*[><=]', line)
    ]
    assert len(lines) > 5
    for line in lines:
        assert "#" in line, line


def test_the_console_command_exists():
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="macloom")
    assert callable(entry.load())


@pytest.mark.parametrize("name", ["LICENSE", "README.md", "CHANGELOG.md", "Makefile", ".ci/run"])
def test_the_usual_files_are_there(name):
    assert (ROOT / name).is_file()


def test_the_licence_is_whole():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_knows_the_version():
    assert PROJECT["project"]["version"] in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
