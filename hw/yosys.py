"""Yosys at arm's length (floor 2a): clean Verilog from RTLIL, and a way to run any script.

This is the only module that knows pyosys. Yosys always runs in a fresh child process, because a
Yosys error ends the process it happens in, because its names depend on what ran before, and because
a child can be stopped. Starting one takes about 40 ms. Nothing is printed; an error becomes
`YosysError` with Yosys' own message.
"""

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hw.errors import MissingTool
from hw.rtlil import dedupe_rtlil, module_names, read_modules
from hw.verilog import tidy

__all__ = [
    "Cancelled",
    "YosysError",
    "clean_verilog",
    "dedupe_rtlil",
    "run",
    "version",
]

Kept = str | tuple[str, ...] | Callable[[str], bool]

_WORKER = """
import ctypes, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: never outlive the one who asked
sys.path.insert(0, sys.argv[1])
from pyosys import libyosys
design = libyosys.Design()
for command in sys.stdin.read().splitlines():
    if command.startswith("when_cells "):
        _, kind, command = command.split(" ", 2)
        modules = design.selected_modules()
        if not any(str(cell.type) == kind for module in modules for cell in module.cells_.values()):
            continue
    libyosys.run_pass(command, design)
"""


class YosysError(ValueError):
    """Yosys refused its input; the message is Yosys' own."""


class Cancelled(RuntimeError):
    """The run was given up because its `cancel` event was set."""


def version() -> str:
    """Name and version of the Yosys in use, such as ``Yosys 0.70``; `MissingTool` without one."""
    _folder()
    return f"Yosys {importlib.metadata.version('pyosys')}"


def run(
    script: Sequence[str],
    inputs: Mapping[str, str],
    outputs: Sequence[str],
    *,
    timeout: float | None = None,
    cancel: threading.Event | None = None,
) -> dict[str, str]:
    """Run Yosys commands in a private folder and return the text of the files they wrote.

    Parameters
    ----------
    script
        One command each; relative file names are in the private folder. ``when_cells TYPE COMMAND``
        runs the command if a cell of this type is in the design.
    inputs
        Files to put there: name to text.
    outputs
        Names of the files to bring back.
    timeout
        Seconds after which the run is ended with `YosysError`.
    cancel
        When set (from another thread), the run is ended with `Cancelled`.

    Raises
    ------
    YosysError
        When a command fails, Yosys dies, or the time is over.
    MissingTool
        When pyosys is not installed.
    """
    command = [sys.executable, "-S", "-E", "-P", "-c", _WORKER, str(_folder())]
    with tempfile.TemporaryDirectory(prefix="macloom-yosys-") as name:
        folder = Path(name)
        for file, text in inputs.items():
            (folder / file).write_text(text, encoding="utf-8")
        child = subprocess.Popen(
            command,
            cwd=folder,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            errors = _wait(child, "\n".join(script) + "\n", timeout, cancel)
        except BaseException:
            _end(child)
            raise
        if child.returncode:
            raise YosysError(_message(errors, child.returncode))
        return {file: (folder / file).read_text(encoding="utf-8") for file in outputs}


def clean_verilog(
    rtlil_text: str,
    top: str,
    kept: Kept = (),
    rewrite: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> str:
    """Turn RTLIL (of Amaranth) into a short Verilog-2005 text with plain names.

    Everything is flattened into `top`, except the modules to keep, which come out once each
    (identical ones are merged, see `dedupe_rtlil`) with ``(* keep_hierarchy *)`` before them. No
    escaped identifiers, no ``$`` in names, no other attributes, no comments; modules are in the
    order of their names. The same input gives the same bytes.

    Parameters
    ----------
    rtlil_text
        Modules in RTLIL; texts of several `rtlil.convert` calls may be joined.
    top
        Name of the top module; it keeps this name.
    kept
        Which modules to keep, judged by their base name (`hw.rtlil.base_name`): a prefix, a tuple
        of prefixes, or a predicate. None by default.
    rewrite
        Changes the netlist (Yosys' JSON, the kept modules whole) before it is written.

    Raises
    ------
    ValueError
        When `top` is not among the modules, a port of it or of a kept module has a name that
        Verilog does not allow, or (as `YosysError`) Yosys refuses the text.
    """
    text = dedupe_rtlil(rtlil_text, top)
    names = module_names(text)
    if top not in names:
        raise ValueError(f"the top module must be one of {sorted(names)}, not {top!r}")
    keep = kept if callable(kept) else _starts_with(kept)
    kept_names = [name for name in names if name != top and keep(name)]
    script = [
        "read_rtlil design.il",
        *(f"setattr -mod -set keep_hierarchy 1 {name}" for name in kept_names),
        f"hierarchy -top {top}",
        "proc -norom",
        "flatten -noscopeinfo -separator _",
        "opt_clean -purge",
    ]
    files = {"design.il": text}
    if rewrite is not None:
        netlist = _rewritten(script, files, rewrite)
        files = {"design.json": json.dumps(netlist)}
        script = ["read_json design.json", f"hierarchy -top {top}", "opt_clean -purge"]
        kept_names = [name for name in netlist["modules"] if name != top]
    script += ["rename -unescape", "write_verilog -noattr design.v"]
    verilog = run(script, files, ["design.v"])["design.v"]
    verilog = tidy(verilog)
    _check_ports(text, {top, *kept_names}, verilog)
    return re.sub(
        r"^module (\w+)",
        lambda found: ("(* keep_hierarchy *)\n" if found[1] in kept_names else "") + found[0],
        verilog,
        flags=re.MULTILINE,
    )


def _rewritten(
    script: list[str], files: Mapping[str, str], rewrite: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    """Return the netlist a script leaves, changed."""
    found = run([*script, "write_json design.json"], files, ["design.json"])["design.json"]
    return rewrite(json.loads(found))


def _folder() -> Path:
    """Return the folder from which pyosys is imported."""
    found = importlib.util.find_spec("pyosys")
    if found is None or found.origin is None:
        raise MissingTool("Yosys (pyosys)", "pip install 'macloom[synth]'")
    return Path(found.origin).parent.parent


def _check_ports(rtlil: str, names: set[str], verilog: str) -> None:
    """Refuse ports that had to be renamed."""
    heads = re.findall(r"^module (\w+)\((.*?)\);", verilog, flags=re.MULTILINE | re.DOTALL)
    found = {name: set(re.findall(r"\w+", ports)) for name, ports in heads}
    for module in read_modules(rtlil):
        for port in module.ports() if module.name in names & found.keys() else ():
            if port not in found[module.name]:
                raise ValueError(f"ports must be plain Verilog names, not {port!r}")


def _starts_with(prefixes: str | tuple[str, ...]) -> Callable[[str], bool]:
    return lambda name: name.startswith(prefixes)


def _wait(
    child: subprocess.Popen[str], script: str, timeout: float | None, cancel: threading.Event | None
) -> str:
    """Feed the script to the child and return what it wrote to stderr; raise to have it ended."""
    left = timeout
    step = 0.1 if cancel is not None else timeout
    text: str | None = script
    while True:
        try:
            return child.communicate(text, timeout=step)[1]
        except subprocess.TimeoutExpired:
            text = None
        if cancel is not None and cancel.is_set():
            raise Cancelled("the Yosys run was cancelled")
        if left is not None:
            left -= step or 0
            if left <= 0:
                raise YosysError(f"Yosys did not finish within {timeout:g} s")


def _end(child: subprocess.Popen[str]) -> None:
    """End the child and the ABC it may have started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.communicate()


def _message(errors: str, code: int) -> str:
    """Return Yosys' own words out of what it wrote to stderr."""
    found = re.findall(r"^.*?ERROR: (.*(?:\n(?!\S*Warning).+)*)", errors, flags=re.MULTILINE)
    if found:
        return f"Yosys: {found[-1].strip()}"
    lines = errors.strip().splitlines()
    return f"Yosys ended with code {code}" + (f": {lines[-1]}" if lines else "")
