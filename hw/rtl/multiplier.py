"""Floor 2a: DSP blocks that only multiply: MULT18X18D of ECP5, SB_MAC16 of iCE40.

One product per block is plain Verilog in a module of its own, of which Yosys makes the block. Two
products of 8 × 8 bits in an SB_MAC16 (Lattice FPGA-TN-02007: both outputs taken from the halves'
multipliers, no registers) are an instance, or what it does where it is not synthesised. With
``synth_ice40 -dsp`` Yosys makes one product of it: such a design is synthesised without.
"""

from __future__ import annotations

from amaranth.hdl import Instance, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import PackedChain
from hw.rtl.library import Library, place

HALVES = "sb_mac16_"
"""How the kind of a module of two products starts; the signs of both operands follow."""

TIED = """.CLK(1'b0), .CE(1'b0),
    .AHOLD(1'b0), .BHOLD(1'b0), .CHOLD(1'b0), .DHOLD(1'b0), .IRSTTOP(1'b0), .IRSTBOT(1'b0),
    .ORSTTOP(1'b0), .ORSTBOT(1'b0), .OLOADTOP(1'b0), .OLOADBOT(1'b0), .ADDSUBTOP(1'b0),
    .ADDSUBBOT(1'b0), .OHOLDTOP(1'b0), .OHOLDBOT(1'b0), .CI(1'b0), .ACCUMCI(1'b0),
    .SIGNEXTIN(1'b0));"""
"""Ports of an SB_MAC16 that nothing drives: no registers, no carry from below."""
_MODEL = """
module @name(A, B, O);
  input [15:0] A;
  input [7:0] B;
  output [31:0] O;
`ifdef SYNTHESIS
  SB_MAC16 #(.MODE_8x8(1'b1), .TOPOUTPUT_SELECT(2'b10), .BOTOUTPUT_SELECT(2'b10),
    .A_SIGNED(1'b@a), .B_SIGNED(1'b@b)) u (
    .A(A), .B({B, B}), .C(16'h0), .D(16'h0), .O(O), @tied
`else
  wire signed [15:0] top = {{8{A[15] & 1'b@a}}, A[15:8]};
  wire signed [15:0] bottom = {{8{A[7] & 1'b@a}}, A[7:0]};
  wire signed [15:0] other = {{8{B[7] & 1'b@b}}, B};
  assign O[31:16] = top * other;
  assign O[15:0] = bottom * other;
`endif
endmodule
"""


def kind_of(plan: PackedChain) -> str:
    """Return the kind of the module of two products, after the signs of its operands."""
    return f"{HALVES}{int(plan.wide_signed)}{int(plan.narrow_signed)}"


def model(kind: str, name: str) -> str:
    """Return the Verilog of a block's module under a name."""
    signs = kind.removeprefix(HALVES)
    return signed_model(_MODEL, name, signs)


def signed_model(text: str, name: str, signs: str) -> str:
    """Return the Verilog of a module under a name, with the signs of its operands."""
    text = text.replace("@name", name).replace("@tied", TIED)
    return text.replace("@a", signs[0]).replace("@b", signs[1])


class Multiplier(wiring.Component):
    """One product: ``sum = wide · narrow``, two's complement. Combinational."""

    def __init__(self, plan: PackedChain) -> None:
        self.plan = plan
        block = plan.block
        super().__init__(
            {"wide": In(block.wide), "narrow": In(block.narrow), "sum": Out(block.sum)}
        )

    def elaborate(self, platform: object) -> Module:
        """Multiply."""
        m = Module()
        m.d.comb += self.sum.eq(self.wide.as_signed() * self.narrow.as_signed())
        return m


class Halves(wiring.Component):
    """Two products: each half of ``sum`` is that half of ``wide``, times ``narrow``.

    Signed or not as the plan says. Combinational.
    """

    def __init__(self, plan: PackedChain) -> None:
        self.plan = plan
        block = plan.block
        super().__init__(
            {"wide": In(block.wide), "narrow": In(block.narrow), "sum": Out(block.sum)}
        )

    def elaborate(self, platform: object) -> Module:
        """Name the block; without names, say what it does."""
        m = Module()
        if isinstance(platform, Library):
            m.submodules.block = Instance(
                platform.primitive(kind_of(self.plan)),
                i_A=self.wide,
                i_B=self.narrow,
                o_O=self.sum,
            )
            return m
        width = self.plan.block.sum // 2
        other = self._number(self.narrow, self.plan.narrow_signed)
        for half in range(2):
            value = self.wide.word_select(half, self.plan.block.wide // 2)
            product = self._number(value, self.plan.wide_signed) * other
            m.d.comb += self.sum.word_select(half, width).eq(product)
        return m

    @staticmethod
    def _number(value: Value, signed: bool) -> Value:
        return value.as_signed() if signed else value


def multiply(
    m: Module, platform: object, plan: PackedChain, index: str, wide: Value, narrow: Value
) -> Signal:
    """Add a block that stands alone to a module; return its products."""
    block = Halves(plan) if plan.block.halves else Multiplier(plan)
    place(m, platform, "multiply", block, index)
    m.d.comb += [block.wide.eq(wide), block.narrow.eq(narrow)]
    found: Signal = block.sum
    return found
