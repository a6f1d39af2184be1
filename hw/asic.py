"""Measured cost in gates (floor 3): transistors, 2-input gates, and a user's own cell library.

Yosys maps a design three times, each kept module by itself, as on the other targets:

- **transistors**: ``abc -g cmos4`` (NAND, NOR, AOI and OAI of up to four inputs, inverters),
  counted as static CMOS as ``stat -tech cmos`` does: 2 an input. A flip-flop is a plain D
  flip-flop of 16 transistors (that command's figure for ``$_DFF_P_``); enables and synchronous
  resets become gates before it. `ff` tells how many, so that ``transistors - 16 * ff`` is the
  logic alone.
- **gates**: ``abc -g AND,NAND,OR,NOR,XOR,XNOR``: the number of gates of two inputs. Inverters and
  flip-flops are counted apart. Gate equivalents are transistors / 4 (the NAND of two inputs).
- with a Liberty file, its own cells (``dfflibmap``, ``abc -liberty``): area and leakage by the
  sums of the cells, delay of the longest path between registers by ABC's ``stime`` over the whole
  netlist, flattened after mapping. Clock trees, wires, and the registers' own delays are left out.

Initial values are dropped: on silicon only the reset sets a register.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hw import yosys
from hw.cache import Cache, content_key
from hw.liberty import Liberty, LibertyCell

FF_TRANSISTORS = 16
TRANSISTORS_PER_GATE = 4
"""Of a gate equivalent, the NAND of two inputs."""
TRANSISTORS = {
    "$_NOT_": 2,
    "$_NAND_": 4,
    "$_NOR_": 4,
    "$_AOI3_": 6,
    "$_OAI3_": 6,
    "$_AOI4_": 8,
    "$_OAI4_": 8,
    "$_DFF_P_": FF_TRANSISTORS,
}
"""Transistors of each cell in static CMOS."""
GATES = ("$_AND_", "$_NAND_", "$_OR_", "$_NOR_", "$_XOR_", "$_XNOR_")
CACHE_VERSION = "1"
_GATE_SET = ",".join(gate.strip("$_") for gate in GATES)
_CONSTANTS = {"0": "zero", "1": "one", "x": "undriven", "z": "undriven"}
_MODULE = ("transistors", "gates", "ff")


@dataclass(frozen=True, slots=True)
class LibraryCost:
    """Cost in the cells of a Liberty file.

    Parameters
    ----------
    library
        Its name.
    area_um2
        Sum of the cells' areas (µm² by custom of Liberty files).
    leakage
        Sum of the cells' leakage, in `leakage_unit`.
    leakage_unit
        As the library says, such as ``1nW``.
    delay_ns
        Longest path between registers, inputs and outputs; None in a design without logic.
    by_cell
        Number of each cell.

    """

    library: str
    area_um2: float
    leakage: float
    leakage_unit: str
    delay_ns: float | None
    by_cell: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class AsicMeasurement:
    """What a design costs in gates.

    Parameters
    ----------
    transistors
        Of static CMOS, flip-flops included (16 each).
    gates
        Gates of two inputs, without inverters and flip-flops.
    inverters
        Beside them.
    ff
        Flip-flops.
    by_cell
        Number of each cell of the transistor count.
    by_module
        For each kept module: ``instances``, and transistors, gates and ff of one of them, those
        of the modules in it left out.
    liberty
        Cost in a user's library, else None.
    tool, flow, seconds
        With what, by which commands, how long it took when it was run.

    """

    transistors: int
    gates: int
    inverters: int
    ff: int
    by_cell: Mapping[str, int]
    by_module: Mapping[str, Mapping[str, int]]
    liberty: LibraryCost | None
    tool: str
    flow: str
    seconds: float

    @property
    def gate_equivalents(self) -> float:
        """Transistors over those of a NAND of two inputs."""
        return self.transistors / TRANSISTORS_PER_GATE

    def to_record(self) -> dict[str, Any]:
        """Return a JSON-able record with a key per field."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> AsicMeasurement:
        """Return the measurement of a record; a wrong record raises `TypeError`."""
        library = record["liberty"]
        return cls(**{**record, "liberty": library and LibraryCost(**library)})


def measure(
    verilog: str,
    top: str,
    *,
    liberty: Liberty | None = None,
    cache: bool = True,
    timeout: float | None = None,
) -> AsicMeasurement:
    """Map a design to gates and count it.

    Parameters
    ----------
    verilog
        Verilog text.
    top
        Name of the top module.
    liberty
        A library to map to besides, see `hw.liberty.read_liberty`.
    cache
        Whether to use and keep results.
    timeout
        Seconds after which Yosys is ended.

    Raises
    ------
    ValueError
        When Yosys refuses the design (`hw.yosys.YosysError`), or a cell is left that cannot be
        counted.
    hw.errors.MissingTool
        When pyosys is not installed.

    """
    head, flow = _head(top), _flow(liberty is not None)
    bare = re.sub(r"\A(?:\s*//[^\n]*\n)+", "", verilog)
    tool = yosys.version()
    library = liberty.text if liberty else ""
    key = content_key(CACHE_VERSION, tool, top, *head, *flow, bare, library)
    store = Cache("asic")
    found = store.get(key) if cache else None
    if found is not None:
        return AsicMeasurement.from_record(found)
    result = _measure(verilog, top, liberty, tool, timeout)
    if cache:
        store.put(key, result.to_record())
    return result


def _head(top: str) -> list[str]:
    return [
        "read_verilog design.v",
        "proc",
        "setattr -unset init w:*",
        f"synth -flatten -top {top}",
        "design -save generic",
        "dfflegalize -cell $_DFF_P_ x",
        "design -save plain",
    ]


def _flow(with_liberty: bool) -> list[str]:
    commands = [
        "abc -g cmos4",
        "opt_clean",
        "write_json cmos.json",
        "design -load plain",
        f"abc -g {_GATE_SET}",
        "opt_clean",
        "write_json gates.json",
    ]
    if with_liberty:
        commands += [
            "design -load generic",
            "dfflibmap -liberty cells.lib",
            "abc -liberty cells.lib",
            "opt_clean -purge",
            "write_json cells.json",
            "setattr -mod -unset keep_hierarchy *",
            "setattr -unset keep_hierarchy c:*",
            "flatten",
            "opt_clean -purge",
            "write_json flat.json",
        ]
    return commands


def _measure(
    verilog: str, top: str, liberty: Liberty | None, tool: str, timeout: float | None
) -> AsicMeasurement:
    started = time.perf_counter()
    flow = _flow(liberty is not None)
    outputs = [command.split()[1] for command in flow if command.startswith("write_json")]
    inputs = {"design.v": verilog} | ({"cells.lib": liberty.text} if liberty else {})
    texts = yosys.run([*_head(top), *flow], inputs, outputs, timeout=timeout)
    netlists = {name: json.loads(text)["modules"] for name, text in texts.items()}
    modules = _cells(netlists["cmos.json"], top)
    gate_modules = _cells(netlists["gates.json"], top)
    by_module = {}
    for name, (instances, own) in modules.items():
        numbers = (_transistors(own), _gates(gate_modules[name][1]), own["$_DFF_P_"])
        by_module[name] = {"instances": instances, **dict(zip(_MODULE, numbers, strict=True))}
    cmos, gates = _total(modules), _total(gate_modules)
    cost = None
    if liberty is not None:
        cost = _library_cost(liberty, netlists["cells.json"], netlists["flat.json"], top)
    return AsicMeasurement(
        _transistors(cmos),
        _gates(gates),
        gates["$_NOT_"],
        cmos["$_DFF_P_"],
        dict(sorted(cmos.items())),
        by_module,
        cost,
        tool,
        "; ".join([*_head(top), *flow]),
        round(time.perf_counter() - started, 3),
    )


def _cells(modules: Mapping[str, Any], top: str) -> dict[str, tuple[int, Counter[str]]]:
    """Return for each module below `top` the number of its instances and its own cells."""
    instances: Counter[str] = Counter()

    def visit(name: str, times: int) -> None:
        instances[name] += times
        for cell in modules[name]["cells"].values():
            if cell["type"] in modules:
                visit(cell["type"], times)

    visit(top, 1)
    return {
        name: (
            times,
            Counter(
                cell["type"]
                for cell in modules[name]["cells"].values()
                if cell["type"] not in modules and cell["type"] != "$scopeinfo"
            ),
        )
        for name, times in instances.items()
    }


def _total(modules: Mapping[str, tuple[int, Counter[str]]]) -> Counter[str]:
    """Return the number of each cell over the whole hierarchy."""
    total: Counter[str] = Counter()
    for times, own in modules.values():
        for cell, number in own.items():
            total[cell] += times * number
    return total


def _transistors(by_cell: Mapping[str, int]) -> int:
    for cell in by_cell:
        if cell not in TRANSISTORS:
            raise ValueError(f"the number of transistors must be known, but {cell} was left")
    return sum(TRANSISTORS[cell] * number for cell, number in by_cell.items())


def _gates(by_cell: Mapping[str, int]) -> int:
    return sum(by_cell.get(gate, 0) for gate in GATES)


def _library_cost(
    liberty: Liberty, modules: Mapping[str, Any], flat: Mapping[str, Any], top: str
) -> LibraryCost:
    """Return what the mapped netlist costs in the library's cells."""
    count = _total(_cells(modules, top))
    for cell in count:
        if cell not in liberty.cells:
            raise ValueError(
                f"every cell must be one of the library {liberty.name}, but {cell} was left"
            )
    cells = liberty.cells
    return LibraryCost(
        liberty.name,
        round(sum(cells[cell].area * n for cell, n in count.items()), 6),
        round(sum(cells[cell].leakage * n for cell, n in count.items()), 6),
        liberty.leakage_unit,
        _delay_ns(liberty, flat[top]),
        dict(sorted(count.items())),
    )


def _delay_ns(liberty: Liberty, module: Mapping[str, Any]) -> float | None:
    """Return the longest path of a flat mapped netlist, by ABC."""
    netlist = combinational_blif(module, liberty.cells)
    if ".gate" not in netlist:
        return None
    abc = Path(yosys._folder()) / "pyosys" / "yosys-abc"
    with tempfile.TemporaryDirectory(prefix="macloom-abc-") as name:
        folder = Path(name)
        (folder / "cells.lib").write_text(liberty.text, encoding="utf-8")
        (folder / "design.blif").write_text(netlist, encoding="utf-8")
        script = "read_lib -w cells.lib; read_blif design.blif; topo; stime"
        told = subprocess.run(
            [abc, "-q", script], cwd=folder, capture_output=True, text=True, check=False
        ).stdout
    found = re.search(r"Delay\s*=\s*([0-9.]+)\s*ps", told)
    if found is None:
        last = told.strip().splitlines()[-1:] or ["it said nothing"]
        raise ValueError(f"ABC finds no delay with the library {liberty.name}: {last[0]}")
    return float(found[1]) / 1000


def combinational_blif(module: Mapping[str, Any], cells: Mapping[str, LibertyCell]) -> str:
    """Return a mapped netlist as BLIF with its registers cut open.

    The outputs of flip-flops and constants become inputs, and what flip-flops read outputs.
    """
    read: list[str] = []
    driven: list[str] = []
    gates: list[str] = []
    for port in module["ports"].values():
        names = [_net(bit) for bit in port["bits"]]
        (driven if port["direction"] == "input" else read).extend(names)
    for cell in module["cells"].values():
        kind = cells[cell["type"]]
        pins = {name: _net(bits[0]) for name, bits in cell["connections"].items() if bits}
        if kind.sequential:
            driven += [pins[name] for name in kind.outputs if name in pins]
            read += [pins[name] for name in kind.inputs if name in pins]
        else:
            told = " ".join(f"{name}={net}" for name, net in pins.items())
            gates.append(f".gate {cell['type']} {told}")
    inputs = " ".join(dict.fromkeys([*driven, *_CONSTANTS.values()]))
    outputs = " ".join(net for net in dict.fromkeys(read) if net not in _CONSTANTS.values())
    head = [".model design", f".inputs {inputs}", f".outputs {outputs}"]
    return "\n".join([*head, *gates, ".end"]) + "\n"


def _net(bit: int | str) -> str:
    return _CONSTANTS[bit] if isinstance(bit, str) else f"n{bit}"
