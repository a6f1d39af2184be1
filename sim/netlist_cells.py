"""Floor 3: cells of mapped netlists as truth tables and registers.

What each cell does is told by its vendor (AMD UG953 and UG974; Lattice FPGA-TN-02205 and the iCE40
technology library; Gowin SUG283) and by Yosys' models of them. Every output is a function of at
most six bits; carry chains become one function for the sum and one for the carry of each bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sim.netlist_parts import Gate, Kind, Net, Parameters, Part, Pins, bits_of, word_of
from sim.netlist_registers import (
    gowin_register,
    ice_register,
    plain_register,
    trellis_register,
    xilinx_register,
)

_XOR, _AND, _MUX = 0b0110, 0b1000, 0b11001010
_CARRY = 0b11001010
"""(DI, CI, S): CI where S, else DI."""


def parts_of(name: str, cell: Mapping[str, Any]) -> Iterator[Part]:
    """Return what a cell consists of.

    Raises
    ------
    ValueError
        If there is no model of this type of cell: multiplier blocks, memories and latches have
        none.

    """
    kind: str = cell["type"]
    pins: Pins = cell["connections"]
    given: Parameters = cell["parameters"]
    model = _MODELS.get(kind) or _model_of_family(kind)
    if model is None:
        raise ValueError(
            f"the netlist simulator has LUTs, multiplexers, carry chains, gates and flip-flops; "
            f"cell {name} is a {kind}: map without DSP blocks and memories, or simulate the Verilog"
        )
    yield from model(kind, name, pins, given)


def _model_of_family(kind: str) -> Callable[..., Iterator[Part]] | None:
    if kind in _SIMPLE or kind in _GOWIN_MUXES:
        return _simple
    if kind.startswith("SB_DFF"):
        return ice_register
    if kind.startswith("DFF"):
        return gowin_register
    return None


def _lut(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    inputs = tuple(pins[f"I{k}"][0] for k in range(6) if f"I{k}" in pins)
    (output,) = pins["O"] if "O" in pins else pins["F"]
    size = 1 << len(inputs)
    yield Gate(output, inputs, bits_of(given, "INIT") & ((1 << size) - 1), Kind.LOGIC)


def _lut6_2(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    inputs = tuple(pins[f"I{k}"][0] for k in range(6))
    table = bits_of(given, "INIT")
    for port, used, mask in (("O6", inputs, -1 % (1 << 64)), ("O5", inputs[:5], -1 % (1 << 32))):
        if port in pins:
            yield Gate(pins[port][0], used, table & mask, Kind.LOGIC)


def _ice_lut(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    inputs = tuple(pins[f"I{k}"][0] for k in range(4))
    yield Gate(pins["O"][0], inputs, bits_of(given, "LUT_INIT"), Kind.LOGIC)


def _trellis_lut(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    if "Z" not in pins:
        yield from _lut(kind, name, pins, given)
        return
    inputs = tuple(pins[port][0] for port in "ABCD")
    yield Gate(pins["Z"][0], inputs, bits_of(given, "INIT"), Kind.LOGIC)


def _xilinx_carry(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    bits = len(pins["S"])
    carry: Net = pins["CI"][0]
    start: Net = pins.get("CYINIT", ["0"])[0]
    if kind == "CARRY8" and word_of(given, "CARRY_TYPE", "SINGLE_CY8") != "SINGLE_CY8":
        raise ValueError(f"carry cell {name} must be one chain of eight bits (SINGLE_CY8)")
    if start != "0" and carry == "0":
        carry = start
    elif start != "0":
        yield Gate(f"{name}/start", (carry, start), 0b1110, Kind.CARRY)
        carry = f"{name}/start"
    sums, carries = pins.get("O", []), pins.get("CO", [])
    for bit in range(bits):
        select = pins["S"][bit]
        if bit < len(sums):
            yield Gate(sums[bit], (select, carry), _XOR, Kind.CARRY)
        if bit < len(carries):
            yield Gate(carries[bit], (pins["DI"][bit], carry, select), _CARRY, Kind.CARRY)
            carry = carries[bit]


def _ccu2c(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    carry: Net = pins["CIN"][0] if pins.get("CIN") else "0"
    for half in "01":
        table = bits_of(given, f"INIT{half}")
        inputs = tuple(pins[f"{port}{half}"][0] for port in "ABCD")
        closed = word_of(given, f"INJECT1_{half}", "YES") == "YES"
        inner: Net = f"{name}/lut{half}"
        yield Gate(inner, inputs, table, Kind.LOGIC)
        if f"S{half}" in pins:
            seen = "0" if closed else carry
            yield Gate(pins[f"S{half}"][0], (inner, seen), _XOR, Kind.CARRY)
        out: Net = f"{name}/carry" if half == "0" else pins.get("COUT", [f"{name}/out"])[0]
        if closed:
            yield Gate(out, (inner, carry), _AND, Kind.CARRY)
        else:
            small = table & 0b1111
            rows = sum(
                (row >> 3 & 1 if row >> 2 & 1 else small >> (row & 3) & 1) << row
                for row in range(16)
            )
            yield Gate(out, (inputs[0], inputs[1], inner, carry), rows, Kind.CARRY)
        carry = out


def _ice_carry(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    inputs = tuple(pins[port][0] for port in ("I0", "I1", "CI"))
    yield Gate(pins["CO"][0], inputs, 0b11101000, Kind.CARRY)


_ALU_MODES: dict[int, tuple[Callable[[int, int, int], int], Callable[[int, int, int], int]]] = {
    0: (lambda a, b, d: a ^ b, lambda a, b, d: a),
    1: (lambda a, b, d: a ^ b ^ 1, lambda a, b, d: a),
    2: (lambda a, b, d: a ^ b ^ 1 ^ d, lambda a, b, d: a),
    3: (lambda a, b, d: a ^ b ^ 1, lambda a, b, d: 1),
    4: (lambda a, b, d: a ^ b ^ 1, lambda a, b, d: a),
    5: (lambda a, b, d: a ^ b ^ 1, lambda a, b, d: b),
    6: (lambda a, b, d: a, lambda a, b, d: 0),
    7: (lambda a, b, d: a ^ 1, lambda a, b, d: 1),
    8: (lambda a, b, d: a ^ 1 ^ d, lambda a, b, d: a),
    9: (lambda a, b, d: (a & b) ^ d, lambda a, b, d: a & b),
}
"""Gowin ALU: what is added to the carry, and the carry where that is 0."""


def _gowin_alu(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    mode = bits_of(given, "ALU_MODE")
    if mode not in _ALU_MODES:
        raise ValueError(f"cell {name}: an ALU has the modes 0 to 9, not {mode}")
    select, other = _ALU_MODES[mode]
    inputs = tuple(pins[port][0] if pins.get(port) else "0" for port in ("I0", "I1", "I3", "CIN"))
    sums = carries = 0
    for row in range(16):
        a, b, d, c = (row >> k & 1 for k in range(4))
        s = select(a, b, d)
        sums |= (s ^ c) << row
        carries |= (c if s else other(a, b, d)) << row
    for port, table in (("SUM", sums), ("COUT", carries)):
        if pins.get(port):
            yield Gate(pins[port][0], inputs, table, Kind.CARRY)


_SIMPLE: dict[str, tuple[tuple[str, ...], str, int]] = {
    "INV": (("I",), "O", 0b01),
    "BUF": (("I",), "O", 0b10),
    "IBUF": (("I",), "O", 0b10),
    "OBUF": (("I",), "O", 0b10),
    "VCC": ((), "V", 1),
    "GND": ((), "G", 0),
    "MUXF7": (("I0", "I1", "S"), "O", _MUX),
    "MUXF8": (("I0", "I1", "S"), "O", _MUX),
    "MUXF9": (("I0", "I1", "S"), "O", _MUX),
    "PFUMX": (("BLUT", "ALUT", "C0"), "Z", _MUX),
    "L6MUX21": (("D0", "D1", "SD"), "Z", _MUX),
    "$_BUF_": (("A",), "Y", 0b10),
    "$_NOT_": (("A",), "Y", 0b01),
    "$_AND_": (("A", "B"), "Y", _AND),
    "$_NAND_": (("A", "B"), "Y", 0b0111),
    "$_OR_": (("A", "B"), "Y", 0b1110),
    "$_NOR_": (("A", "B"), "Y", 0b0001),
    "$_XOR_": (("A", "B"), "Y", _XOR),
    "$_XNOR_": (("A", "B"), "Y", 0b1001),
    "$_ANDNOT_": (("A", "B"), "Y", 0b0010),
    "$_ORNOT_": (("A", "B"), "Y", 0b1011),
    "$_MUX_": (("A", "B", "S"), "Y", _MUX),
    "$_NMUX_": (("A", "B", "S"), "Y", 0b00110101),
    "$_AOI3_": (("A", "B", "C"), "Y", 0b00000111),
    "$_OAI3_": (("A", "B", "C"), "Y", 0b00011111),
    "$_AOI4_": (("A", "B", "C", "D"), "Y", 0b0000011101110111),
    "$_OAI4_": (("A", "B", "C", "D"), "Y", 0b0001000100011111),
}
_GOWIN_MUXES = {"MUX2", *(f"MUX2_LUT{size}" for size in range(5, 9))}


def _simple(kind: str, name: str, pins: Pins, given: Parameters) -> Iterator[Part]:
    mux: tuple[tuple[str, ...], str, int] = (("I0", "I1", "S0"), "O", _MUX)
    ports, output, table = mux if kind in _GOWIN_MUXES else _SIMPLE[kind]
    yield Gate(pins[output][0], tuple(pins[port][0] for port in ports), table, Kind.LOGIC)


_MODELS: dict[str, Callable[[str, str, Pins, Parameters], Iterator[Part]]] = {
    **dict.fromkeys(("LUT1", "LUT2", "LUT3", "LUT5", "LUT6"), _lut),
    "LUT4": _trellis_lut,
    "LUT6_2": _lut6_2,
    "SB_LUT4": _ice_lut,
    "CARRY4": _xilinx_carry,
    "CARRY8": _xilinx_carry,
    "CCU2C": _ccu2c,
    "SB_CARRY": _ice_carry,
    "ALU": _gowin_alu,
    **dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), xilinx_register),
    **dict.fromkeys(("FDRE_1", "FDSE_1", "FDCE_1", "FDPE_1"), xilinx_register),
    "TRELLIS_FF": trellis_register,
    "$_DFF_P_": plain_register,
}
