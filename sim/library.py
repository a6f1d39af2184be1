"""Floor 3: C++ compiled into shared libraries that are kept by the hash of their text."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable
from pathlib import Path

from hw import yosys
from sim import toolchain
from sim.process import Children, appearing, work_folder

OPTIMISE = ("-march=native", "-std=c++17", "-w", "-shared", "-fPIC")

Writer = Callable[[Path], Path]
"""Writes sources into a folder and returns the one to compile."""


def load(text: str, write: Writer, level: str) -> ctypes.CDLL:
    """Return a library, compiled now or before; a damaged one in the cache is made anew.

    Parameters
    ----------
    text
        All that the library depends on, besides the versions of Yosys and of the compiler.
    write
        Called when it must be compiled.
    level
        Optimisation, such as ``-O3``.

    Raises
    ------
    hw.errors.MissingTool
        If Yosys or the C++ compiler is missing.
    ValueError
        As `sim.process.ToolFailed`, if the compiler fails.

    """
    path = _kept(text, level)
    if path.is_file():
        try:
            return ctypes.CDLL(str(path))
        except OSError:
            path.unlink(missing_ok=True)
    _compile(path, write, level)
    return ctypes.CDLL(str(path))


def _kept(text: str, level: str) -> Path:
    """Return where a library is kept; the machine counts, for its code is native."""
    tools = f"{yosys.version()} {toolchain.compiler().version} {level} {OPTIMISE}"
    parts = "\0".join([text, tools, toolchain.machine()])
    return toolchain.cache_folder() / "bulk" / f"{hashlib.sha256(parts.encode()).hexdigest()}.so"


def _compile(target: Path, write: Writer, level: str) -> None:
    """Compile; safe when two runs do it at once."""
    with work_folder(None, "macloom-bulk-") as folder, Children() as children:
        source = write(folder)
        with appearing(target) as partial:
            command: list[str | Path] = [toolchain.compiler().path, level, *OPTIMISE, source]
            command += ["-o", partial]
            children.run("g++", command, folder, folder / "build.log")
