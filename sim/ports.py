"""Floor 3: the ports of an exported design, and bit strings made of their values.

A `Layout` packs the values of several ports into one word, the first port in its highest bits.
Words travel as matrices of bits (one row each, highest bit first), which NumPy packs and compares
quickly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.design import Design, Grid, OutputStationaryArray, SerialDesign, WeightStationaryArray

Bits = NDArray[np.uint8]
"""Matrix of zeros and ones: one word per row, highest bit first."""


@dataclass(frozen=True, slots=True)
class Field:
    """One port: its name and width in bits."""

    name: str
    width: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Ports packed into one word, the first port in the highest bits."""

    fields: tuple[Field, ...]

    @property
    def width(self) -> int:
        """Bits of a word."""
        return sum(field.width for field in self.fields)

    def column(self, name: str) -> slice:
        """Return where a port lies in a row of bits."""
        start = 0
        for field in self.fields:
            if field.name == name:
                return slice(start, start + field.width)
            start += field.width
        raise KeyError(name)

    def part_select(self, name: str) -> str:
        """Return the Verilog part select of a port, such as ``[11:4]``."""
        column = self.column(name)
        return f"[{self.width - 1 - column.start}:{self.width - column.stop}]"

    def pack(self, values: dict[str, Bits]) -> Bits:
        """Return rows of words from the bits of each port."""
        return np.concatenate([values[field.name] for field in self.fields], axis=1)


def operand_words(design: Design) -> tuple[int, int]:
    """Return how many codes a step brings, scales included: (weights, activations)."""
    if isinstance(design, Grid):
        return design.columns * design.lane_count, design.rows * design.lane_count
    return design.operand_codes, design.operand_codes


def input_layout(design: Design) -> Layout:
    """Return the inputs of a design, without its clock."""
    if isinstance(design, SerialDesign):
        return Layout(tuple(Field(name, width) for name, width in design.input_fields))
    if isinstance(design, OutputStationaryArray):
        names = ["rst", "result_ready", "operands_valid", "operands_last"]
    elif isinstance(design, WeightStationaryArray):
        names = ["rst", "result_ready", "operands_valid", "operands_swap", "operands_last"]
        names.append("weights_valid")
    else:
        names = ["rst", "valid", "last"]
    weights, activations = operand_words(design)
    scale = design.scale_bits
    words = (
        Field("weight", design.weight.bits * (weights - (scale > 0)) + scale),
        Field("activation", design.activation.bits * (activations - (scale > 0)) + scale),
    )
    return Layout((*(Field(name, 1) for name in names), *words))


def output_layout(design: Design) -> Layout:
    """Return the outputs of a design; the first of an array are its handshakes."""
    if isinstance(design, SerialDesign):
        return Layout(tuple(Field(name, width) for name, width in design.output_fields))
    if isinstance(design, OutputStationaryArray):
        copies, prefix = design.columns, "result_"
        fields = [Field("operands_ready", 1), Field("result_valid", 1), Field("result_last", 1)]
        fields.append(Field("result", design.accumulator_bits * copies))
    elif isinstance(design, WeightStationaryArray):
        copies, prefix = design.columns, "result_"
        fields = [Field(f"{name}_ready", 1) for name in ("operands", "weights")]
        fields.append(Field("result_valid", 1))
        fields.append(Field("result", design.accumulator_bits * copies))
    else:
        copies, prefix = design.cores, ""
        fields = [Field("total_valid", 1), Field("total", design.accumulator_bits * copies)]
    if design.exponent_bits:
        fields.append(Field(f"{prefix}exponent", design.exponent_bits * copies))
    return Layout((*fields, *(Field(f"{prefix}{flag}", copies) for flag in design.flags)))


_PORT = re.compile(r"^\s*(input|output)\s+(?:reg\s+|wire\s+)?(?:\[(\d+):0\]\s+)?(\w+);", re.M)


def check_ports(verilog: str, top: str, design: Design) -> None:
    """Raise ValueError unless the Verilog module has exactly the ports of the design."""
    found = re.search(rf"^module {re.escape(top)}\((.*?)\);.*?^endmodule", verilog, re.M | re.S)
    if found is None:
        raise ValueError(f"the Verilog must hold the module {top}")
    listed = found[1].replace(" ", "").split(",")
    ports = {
        (kind, name, int(high or 0) + 1)
        for kind, high, name in _PORT.findall(found[0])
        if name in listed
    }
    wanted = {("input", "clk", 1)}
    wanted |= {("input", field.name, field.width) for field in input_layout(design).fields}
    wanted |= {("output", field.name, field.width) for field in output_layout(design).fields}
    if ports != wanted:
        names = ", ".join(f"{kind} {name}[{bits}]" for kind, name, bits in sorted(ports ^ wanted))
        raise ValueError(f"module {top} must have the ports of its design; they differ in {names}")


def code_bits(codes: NDArray[np.generic], width: int) -> Bits:
    """Return rows of bits for codes of shape (rows, words), word 0 in the lowest bits."""
    rows, words = codes.shape
    little = np.ascontiguousarray(codes[:, ::-1].astype("<u4")).view(np.uint8)
    bits = np.unpackbits(little.reshape(rows, words, 4), axis=2, bitorder="little")
    return np.ascontiguousarray(bits[:, :, :width][:, :, ::-1].reshape(rows, words * width))


def operand_bits(design: Design, codes: NDArray[np.generic], width: int) -> Bits:
    """Return rows of bits of an operand's codes; a scale, the last code, in the highest bits."""
    if not design.scale_bits:
        return code_bits(codes, width)
    scale = code_bits(codes[:, -1:], design.scale_bits)
    return np.concatenate([scale, code_bits(codes[:, :-1], width)], axis=1)


def limb_bits(limbs: NDArray[np.uint64], width: int) -> Bits:
    """Return rows of bits of unsigned words given as 64-bit limbs, lowest limb first."""
    little = np.ascontiguousarray(limbs.astype("<u8")).view(np.uint8)
    bits = np.unpackbits(little.reshape(len(limbs), -1), axis=1, bitorder="little")
    return np.ascontiguousarray(bits[:, :width][:, ::-1])


def bit_strings(bits: Bits) -> list[str]:
    """Return each row as text of zeros and ones."""
    rows, width = bits.shape
    text = (bits + ord("0")).astype(np.uint8).tobytes().decode("ascii")
    return [text[row * width : (row + 1) * width] for row in range(rows)]


def text_bits(texts: list[str], width: int) -> Bits:
    """Return rows of bits from texts; a digit other than 0 and 1 (X, Z) becomes 2 or more."""
    if not texts:
        return np.zeros((0, width), np.uint8)
    raw = np.frombuffer("".join(texts).encode("ascii"), np.uint8)
    return (raw - ord("0")).reshape(len(texts), width)
