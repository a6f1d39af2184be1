"""Floor 2a: multiply-add of DSP48E1 and DSP48E2, by name in synthesis and as a model elsewhere.

One configuration: ``P = (A + D)·B + PCIN``, no registers inside (AMD UG479, UG579): the pre-adder
adds (INMODE 00100), X and Y are the product, Z is PCIN or, in the first block of a cascade, 0
(OPMODE). A, D and B are as wide as the multiplier takes them; A + D wraps at that width.
"""

from __future__ import annotations

from dataclasses import dataclass

from amaranth.hdl import Const, Instance, Module, Signal, Value

from hw.plan.packed import BLOCKS, Block
from hw.rtl.library import Library


@dataclass(frozen=True, slots=True)
class _Settings:
    """What differs between the blocks: parameters, and bits of OPMODE."""

    parameters: str
    opmode_bits: int


_SETTINGS = {
    "DSP48E2": _Settings('.AMULTSEL("AD"), .BMULTSEL("B"), .PREADDINSEL("A")', 9),
    "DSP48E1": _Settings('.USE_DPORT("TRUE")', 7),
}
_REGISTERS = (
    *("A", "ACASC", "B", "BCASC", "C", "D", "AD", "M", "P"),
    *("INMODE", "OPMODE", "ALUMODE", "CARRYIN", "CARRYINSEL"),
)
_ENABLES = (
    "A1",
    "A2",
    "B1",
    "B2",
    "C",
    "D",
    "AD",
    "M",
    "P",
    "INMODE",
    "CTRL",
    "ALUMODE",
    "CARRYIN",
)
_RESETS = ("A", "B", "C", "D", "M", "P", "INMODE", "CTRL", "ALUMODE", "ALLCARRYIN")

_MODEL = """
module @name(A, B, D, PCIN, P, PCOUT);
  parameter CASCADED = 0;
  input [@top:0] A, D;
  input [17:0] B;
  input [47:0] PCIN;
  output [47:0] P, PCOUT;
`ifdef SYNTHESIS
  @block #(@parameters,
    @registers) u (
    .A({{@fill{A[@top]}}, A}), .B(B), .C(48'h0), .D(D), .PCIN(PCIN), .INMODE(5'b00100),
    .OPMODE(CASCADED ? @opmode'h15 : @opmode'h05), .ALUMODE(4'h0),
    .CARRYIN(1'b0), .CARRYINSEL(3'h0), .ACIN(30'h0), .BCIN(18'h0), .CARRYCASCIN(1'b0),
    .MULTSIGNIN(1'b0), .CLK(1'b0),
    @controls,
    .P(P), .PCOUT(PCOUT));
`else
  wire signed [@top:0] added = A + D;
  wire signed [17:0] other = B;
  wire signed [47:0] product = added * other;
  assign P = CASCADED ? product + PCIN : product;
  assign PCOUT = P;
`endif
endmodule
"""


def model(kind: str, name: str) -> str:
    """Return the Verilog of a block's module under a name."""
    block, settings = BLOCKS[kind.upper()], _SETTINGS[kind.upper()]
    controls = [f".CE{pin}(1'b0)" for pin in _ENABLES] + [f".RST{pin}(1'b0)" for pin in _RESETS]
    words = {
        "name": name,
        "top": block.wide - 1,
        "fill": 30 - block.wide,
        "block": block.name,
        "parameters": settings.parameters,
        "registers": ", ".join(f".{register}REG(0)" for register in _REGISTERS),
        "opmode": settings.opmode_bits,
        "controls": ", ".join(controls),
    }
    text = _MODEL
    for word, value in words.items():
        text = text.replace(f"@{word}", str(value))
    return text


def multiply_add(
    m: Module,
    library: Library,
    block: Block,
    number: int,
    operands: tuple[Value, Value, Value],
    before: Value | None,
) -> tuple[Signal, Signal]:
    """Add block `number` of a cascade: ``(a + d)·b``, plus what the block before passes on.

    Returns the sum, and the same for the next block of the cascade only.
    """
    total, onward = Signal(block.sum, name=f"sum{number}"), Signal(block.sum, name=f"pass{number}")
    a, d, b = operands
    m.submodules[f"block{number}"] = Instance(
        library.primitive(block.name.lower()),
        p_CASCADED=int(before is not None),
        i_A=a,
        i_D=d,
        i_B=b,
        i_PCIN=Const(0, block.sum) if before is None else before,
        o_P=total,
        o_PCOUT=onward,
    )
    return total, onward
