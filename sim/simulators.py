"""Floor 3: building and starting a simulator with cocotb inside: Verilator and Icarus."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sim import harness, toolchain
from sim.process import Children, ToolFailed, appearing

RUNTIME = ("verilated", "verilated_vpi", "verilated_threads", "verilated_random")
"""Sources of Verilator's runtime that a model without tracing needs."""
DEFINES = ("-DVERILATOR=1", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0")
FLAGS = ("-std=c++17", "-fno-strict-aliasing", "-w", "-pipe")
Command = list[str | Path]
_RUNTIME_LOCK = threading.Lock()
WAIVED = ("-Wno-fatal", "-Wno-lint", "-Wno-style")


def build(
    simulator: str,
    program: str,
    folder: Path,
    children: Children,
    sources: tuple[Path, ...] = (),
) -> list[str]:
    """Compile a harness, and the files it needs, in a folder; return the command that runs it."""
    source = folder / ("bench.sv" if sources else "bench.v")
    source.write_text(program, encoding="utf-8")
    if simulator == "icarus":
        return _build_icarus(source, folder, children, sources)
    return _build_verilator(source, folder, children, sources)


def _include(sources: tuple[Path, ...]) -> Command:
    """Return the options that let files include their neighbours."""
    return [f"-I{parent}" for parent in dict.fromkeys(path.parent for path in sources)]


def environment(bench: Path) -> dict[str, str]:
    """Return the environment in which cocotb finds Python, our bench and its cases."""
    import cocotb_tools.config

    entry = cocotb_tools.config.pygpi_entry_point()
    return os.environ | {
        "COCOTB_TOPLEVEL": harness.TOP,
        "COCOTB_TEST_MODULES": "sim.bench",
        "COCOTB_RESULTS_FILE": str(bench / "results.xml"),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_ANSI_OUTPUT": "0",
        "COCOTB_RANDOM_SEED": "1",
        "TOPLEVEL_LANG": "verilog",
        "MACLOOM_BENCH": str(bench),
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *filter(None, sys.path)]),
        "GPI_USERS": f"{toolchain.libpython()};{entry}",
    }


def _build_icarus(
    source: Path, folder: Path, children: Children, sources: tuple[Path, ...]
) -> list[str]:
    import cocotb_tools.config

    program, scale = folder / "bench.vvp", folder / "timescale.f"
    scale.write_text("+timescale+1ns/1ps\n")
    command: Command = [toolchain.icarus().path, "-g2012", "-f", scale, "-s", harness.TOP]
    command += _include(sources)
    children.run(
        "Icarus", [*command, "-o", program, *sources, source], folder, folder / "build.log"
    )
    library = cocotb_tools.config.lib_entry("vpi", "icarus")
    vvp = toolchain.icarus().path.with_name("vvp")
    return [str(vvp), "-m", str(library), str(program), "-none"]


def _build_verilator(
    source: Path, folder: Path, children: Children, needed: tuple[Path, ...]
) -> list[str]:
    """Verilate, then compile two files (all that runs, all that starts up) and link the runtime."""
    model, program = folder / "model", folder / "bench"
    with ThreadPoolExecutor(2) as beside:
        runtime = beside.submit(_runtime, folder, children)
        _verilate([*needed, source], model, _include(needed), folder, children)
        sources = sorted(model.glob("Vtop*.cpp"))
        slow = [path for path in sources if path.name.endswith("Slow.cpp")]
        startup = beside.submit(_compile, folder, "startup", slow, "-O0", children)
        fast = [*(path for path in sources if path not in slow), _main()]
        objects = [_compile(folder, "model", fast, "-O1", children), startup.result()]
        kept = runtime.result()
    try:
        _link(program, [*objects, kept], folder, children)
    except ToolFailed:  # perhaps the kept runtime is damaged
        kept.unlink(missing_ok=True)
        _link(program, [*objects, _runtime(folder, children)], folder, children)
    return [str(program)]


def _verilate(
    sources: list[Path], model: Path, include: Command, folder: Path, children: Children
) -> None:
    shutil.rmtree(model, ignore_errors=True)
    options: Command = ["--cc", "--vpi", "--prefix", "Vtop", "--top-module", harness.TOP]
    options += ["-Mdir", model, "--timescale", "1ns/1ps", "--no-timing", "--quiet", *WAIVED]
    command: Command = [toolchain.verilator().path, *options, *include, *sources]
    surroundings = os.environ | {"VERILATOR_ROOT": str(toolchain.verilator_root())}
    children.run("Verilator", command, folder, folder / "verilator.log", surroundings)


def _main() -> Path:
    """Return cocotb's main program for Verilator."""
    import cocotb_tools.config

    return Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp"


def _link(program: Path, objects: list[Path], folder: Path, children: Children) -> None:
    import cocotb_tools.config

    libraries = cocotb_tools.config.libs_dir
    link: Command = [toolchain.compiler().path, "-o", program, *objects, f"-L{libraries}"]
    link += [f"-Wl,-rpath,{libraries}", "-lcocotbvpi_verilator", "-pthread"]
    children.run("the linker", link, folder, folder / "link.log")


def _compile(folder: Path, name: str, sources: list[Path], level: str, children: Children) -> Path:
    """Compile several sources as one file: the headers are read once."""
    unit, output = folder / f"{name}.cpp", folder / f"{name}.o"
    unit.write_text("".join(f'#include "{source}"\n' for source in sources))
    command: Command = [
        toolchain.compiler().path,
        level,
        *_flags(),
        f"-I{folder / 'model'}",
        "-c",
        unit,
    ]
    children.run("g++", [*command, "-o", output], folder, folder / f"{name}.log")
    return output


def _flags() -> list[str]:
    include = toolchain.verilator_root() / "include"
    return [*FLAGS, *DEFINES, f"-I{include}", f"-I{include / 'vltstd'}"]


def _runtime(folder: Path, children: Children) -> Path:
    """Return Verilator's runtime as one object file, compiled once per version and kept."""
    kept = runtime_path()
    with _RUNTIME_LOCK:
        if kept.is_file():
            return kept
        include = toolchain.verilator_root() / "include"
        unit = folder / "runtime.cpp"
        unit.write_text("".join(f'#include "{include / name}.cpp"\n' for name in RUNTIME))
        with appearing(kept) as partial:
            command: Command = [toolchain.compiler().path, "-Os", *_flags(), "-c", unit]
            children.run("g++", [*command, "-o", partial], folder, folder / "runtime.log")
    return kept


def runtime_path() -> Path:
    """Return where the compiled runtime of these versions is kept."""
    versions = f"{toolchain.verilator().version} {toolchain.compiler().version} {FLAGS} {DEFINES}"
    key = hashlib.sha256(f"{versions} {toolchain.verilator_root()}".encode()).hexdigest()[:16]
    return toolchain.cache_folder() / "verilator" / f"runtime-{key}.o"
