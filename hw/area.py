"""Counting a mapped netlist (floor 3): LUT, sites, carry, registers, by cell and by module.

The netlist is what Yosys' ``write_json`` wrote after technology mapping. Modules that kept their
hierarchy are counted once and multiplied by the number of their instances.

**LUT** is what Yosys reports: LUT1 … LUT6 and LUT6_2 on Xilinx, LUT4 and two per CCU2C on ECP5,
SB_LUT4 on iCE40, LUT1 … LUT4 and one per ALU on Gowin. **Sites** are the places a real device needs
(plus those of LUTs used as memory, if there are any):

- Xilinx: LUT + INV + those carry bits in use that have no LUT of their own. A carry cell is in use
  up to its highest bit whose O or CO is read. A bit has a LUT of its own when its S input is
  driven, in the same module, by a LUT (or INV) that drives the S of no bit before it; other
  readers of that LUT do not matter. A constant, a bare net or a port at S costs nothing in Yosys
  but occupies the LUT in front of it. An INV counts unless it drives only clock pins, which invert
  by themselves. A LUT6_2 is one site. Not counted: where its O5 and the sum of the carry bit it
  drives both leave the place, a device has one output for them (UG474, UG574), so that one must go
  into the register there, as in pipelined or accumulating rows of three words; in a purely
  combinational row of three words a placer must make O5's function again, in another LUT.
- ECP5: the LUT4 inside a CCU2C are its own: sites are LUT4 + 2 per CCU2C, the same as LUT.
- iCE40: SB_LUT4 + each SB_CARRY that cannot share a logic cell with an SB_LUT4. They share it when
  the LUT's I1 and I2 are the carry's I0 and I1, and its I3 the carry's CI (any I3 when CI is
  constant); each LUT serves one carry. A chain that starts at a net instead of a constant needs one
  cell more to get into it.
- Gowin: an ALU is a LUT4 in arithmetic mode (Gowin UG288), so that functions before it are LUTs of
  their own. A chain that starts at a net needs one ALU more to get into it, and a carry that leaves
  the chain one more to get out of it. MUX2_LUT5 … MUX2_LUT8, which join LUT4, are listed apart.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Bit = int | str
Cell = Mapping[str, Any]

_CLOCKS = frozenset({"C", "CLK", "G"})
_KINDS = (
    ("lut", re.compile(r"LUT[1-6](_2)?|LUT4|SB_LUT4")),
    ("inv", re.compile(r"INV")),
    ("carry", re.compile(r"CARRY[48]|CCU2C|SB_CARRY|ALU")),
    ("mux", re.compile(r"MUXF[789]|PFUMX|L6MUX21|MUX2(_LUT[5-8])?")),
    (
        "ff",
        re.compile(
            r"FD[RSCP]E(_1)?|LD[CP]E|TRELLIS_FF|SB_DFF\w*|DFF\w*|DLN?C?P?E?"
            r"|\$_(DFF|SDFF|ALDFF|DLATCH)\w*_"
        ),
    ),
    ("dsp", re.compile(r"DSP48\w*|MULT18X18[CD]|ALU54[ABD]|SB_MAC16|MULT(9X9|18X18|36X36)")),
    (
        "bram",
        re.compile(
            r"RAMB\w+|URAM288|DP16KD|PDPW16KD|SB_RAM40_4K\w*|SB_SPRAM256KA|(SP|SDP|DP)X?9?B"
        ),
    ),
    ("lutram", re.compile(r"RAM\d+\w*|SRL\w+|TRELLIS_DPR16X4")),
)
_LUTRAM_SITES = {
    "SRL16E": 1,
    "SRLC16E": 1,
    "SRLC32E": 1,
    "RAM32X1S": 1,
    "RAM64X1S": 1,
    "RAM32X1D": 2,
    "RAM64X1D": 2,
    "RAM128X1S": 2,
    "RAM128X1D": 4,
    "RAM32M": 4,
    "RAM64M": 4,
    "RAM256X1S": 4,
    "RAM32M16": 8,
    "RAM64M8": 8,
    "RAM256X1D": 8,
    "RAM512X1S": 8,
    "TRELLIS_DPR16X4": 4,
}


@dataclass(frozen=True, slots=True)
class Count:
    """What a netlist, or one of its modules without its submodules, holds."""

    lut: int = 0
    sites: int = 0
    ff: int = 0
    carry: int = 0
    carry_bits: int = 0
    dsp: int = 0
    bram: int = 0
    lutram: int = 0
    inv: int = 0
    mux: int = 0
    by_cell: Mapping[str, int] = field(default_factory=dict)

    def scaled_sum(self, other: "Count", times: int) -> "Count":
        """Return this count plus `times` another."""
        cells = Counter(self.by_cell)
        cells.update({cell: number * times for cell, number in other.by_cell.items()})
        numbers = {
            name: getattr(self, name) + times * getattr(other, name)
            for name in self.__slots__
            if name != "by_cell"
        }
        return Count(**numbers, by_cell=dict(sorted(cells.items())))


def count_netlist(
    modules: Mapping[str, Any], top: str
) -> tuple[Count, dict[str, tuple[int, Count]]]:
    """Count a mapped netlist.

    Parameters
    ----------
    modules
        The ``modules`` of Yosys' JSON.
    top
        Name of the top module.

    Returns
    -------
    tuple
        The sum over the hierarchy, and for each module in it the number of its instances and the
        count of its own cells.
    """
    instances = _instances(modules, top)
    by_module = {
        name: (times, count_module(modules[name], modules)) for name, times in instances.items()
    }
    total = Count()
    for times, count in by_module.values():
        total = total.scaled_sum(count, times)
    return total, by_module


def count_module(module: Mapping[str, Any], modules: Mapping[str, Any]) -> Count:
    """Count one module's own cells; instances of other `modules` are left out."""
    cells = [cell for cell in module["cells"].values() if cell["type"] not in modules]
    by_cell = Counter(cell["type"] for cell in cells if cell["type"] != "$scopeinfo")
    kinds: Counter[str] = Counter()
    for cell, number in by_cell.items():
        kinds[_kind(cell)] += number
    lut = kinds["lut"] + 2 * by_cell["CCU2C"] + by_cell["ALU"]
    bits, bare = _carry_bits(module, cells)
    inverters = sum(
        1 for cell in cells if cell["type"] == "INV" and not _only_clocks(cell, cells, module)
    )
    return Count(
        lut=lut,
        sites=lut + bare + inverters + _lutram_sites(by_cell),
        carry_bits=bits,
        by_cell=dict(sorted(by_cell.items())),
        **{kind: kinds[kind] for kind in ("ff", "carry", "dsp", "bram", "lutram", "inv", "mux")},
    )


def _instances(modules: Mapping[str, Any], top: str) -> dict[str, int]:
    """Number of instances of each module below `top`, `top` itself first."""
    found: Counter[str] = Counter()

    def visit(name: str, times: int) -> None:
        found[name] += times
        children = Counter(
            cell["type"] for cell in modules[name]["cells"].values() if cell["type"] in modules
        )
        for child, number in children.items():
            visit(child, times * number)

    visit(top, 1)
    return dict(found)


def _kind(cell: str) -> str:
    return next((kind for kind, pattern in _KINDS if pattern.fullmatch(cell)), "other")


def _lutram_sites(by_cell: Mapping[str, int]) -> int:
    """LUTs that memories and shift registers occupy."""
    memories = [cell for cell in by_cell if _kind(cell) == "lutram"]
    for cell in memories:
        if cell not in _LUTRAM_SITES:
            raise ValueError(f"the sites of a memory cell must be known, but {cell} is not")
    return sum(_LUTRAM_SITES[cell] * by_cell[cell] for cell in memories)


def _carry_bits(module: Mapping[str, Any], cells: list[Cell]) -> tuple[int, int]:
    """Number of carry bits in use, and of those that need a site of their own."""
    xilinx = [cell for cell in cells if cell["type"] in ("CARRY4", "CARRY8")]
    ice = [cell for cell in cells if cell["type"] == "SB_CARRY"]
    ecp = [cell for cell in cells if cell["type"] == "CCU2C"]
    gowin = [cell for cell in cells if cell["type"] == "ALU"]
    if xilinx:
        return _bare_xilinx(xilinx, cells, _read(module))
    if ice:
        return len(ice), _bare_ice40(ice, cells)
    if gowin:
        return len(gowin), _ends_gowin(module, gowin)
    return 2 * len(ecp), 0


def _read(module: Mapping[str, Any]) -> set[Bit]:
    """Bits that something besides the carry cell they come from is connected to."""
    found: set[Bit] = set()
    for port in module["ports"].values():
        if port["direction"] != "input":
            found.update(port["bits"])
    for cell in module["cells"].values():
        for name, bits in cell["connections"].items():
            if not (name in ("O", "CO") and cell["type"].startswith("CARRY")):
                found.update(bits)
    return found


def _bare_xilinx(carries: list[Cell], cells: list[Cell], read: set[Bit]) -> tuple[int, int]:
    drivers = set(_lut_outputs(cells))
    taken: set[Bit] = set()
    used = bare = 0
    for cell in carries:
        pins = cell["connections"]
        outs = zip(pins.get("O", []), pins.get("CO", []), strict=True)
        in_use = [i for i, (sum_bit, carry) in enumerate(outs) if sum_bit in read or carry in read]
        for select in pins["S"][: max(in_use, default=-1) + 1]:
            used += 1
            if select in drivers and select not in taken:
                taken.add(select)
            else:
                bare += 1
    return used, bare


def _lut_outputs(cells: list[Cell]) -> Iterator[Bit]:
    for cell in cells:
        if _kind(cell["type"]) in ("lut", "inv"):
            for name in ("O", "O6", "O5"):
                yield from cell["connections"].get(name, [])


def _bare_ice40(carries: list[Cell], cells: list[Cell]) -> int:
    luts: dict[tuple[frozenset[Bit], Bit | None], list[int]] = {}
    for number, cell in enumerate(cells):
        if cell["type"] == "SB_LUT4":
            pins = cell["connections"]
            pair = frozenset((pins["I1"][0], pins["I2"][0]))
            for third in (pins["I3"][0], None):
                luts.setdefault((pair, third), []).append(number)
    chain = {cell["connections"]["CO"][0] for cell in carries}
    taken: set[int] = set()
    bare = 0
    for cell in carries:
        pins = {name: bits[0] for name, bits in cell["connections"].items()}
        start = isinstance(pins["CI"], str)
        key = frozenset((pins["I0"], pins["I1"])), None if start else pins["CI"]
        free = [number for number in luts.get(key, []) if number not in taken]
        taken.update(free[:1])
        bare += (not free) + (not start and pins["CI"] not in chain)
    return bare


def _ends_gowin(module: Mapping[str, Any], alus: list[Cell]) -> int:
    """Number of ALUs that chains need to begin at a net, and carries to leave them."""
    carries = {cell["connections"]["COUT"][0] for cell in alus}
    begins = {cell["connections"]["CIN"][0] for cell in alus} - carries - _constants(module)
    read: set[Bit] = set()
    for port in module["ports"].values():
        if port["direction"] != "input":
            read.update(port["bits"])
    for cell in module["cells"].values():
        for name, bits in cell["connections"].items():
            if not (cell["type"] == "ALU" and name in ("CIN", "COUT")):
                read.update(bits)
    starts = [cell for cell in alus if cell["connections"]["CIN"][0] in begins]
    return len(starts) + len(carries & read)


def _constants(module: Mapping[str, Any]) -> set[Bit]:
    """Bits that are constant: literals, and what cells of constants drive."""
    found: set[Bit] = {"0", "1", "x", "z"}
    for cell in module["cells"].values():
        if cell["type"] in ("VCC", "GND"):
            found.update(bit for bits in cell["connections"].values() for bit in bits)
    return found


def _only_clocks(inverter: Cell, cells: list[Cell], module: Mapping[str, Any]) -> bool:
    """Tell whether all that reads an inverter is clock pins."""
    bit = inverter["connections"]["O"][0]
    if any(bit in port["bits"] for port in module["ports"].values()):
        return False
    readers = [
        name
        for cell in module["cells"].values()
        for name, bits in cell["connections"].items()
        if cell is not inverter and bit in bits
    ]
    return bool(readers) and all(name in _CLOCKS for name in readers)
