"""Floor 2a: chains of SB_MAC16 of iCE40, each of which adds what it multiplies to what comes in.

As Lattice FPGA-TN-02007 has it, without registers: the adder of a half takes C or D and, with two
products of 8 × 8 bits, the product of its half; or both adders, the carry passed on, the product of
16 × 16 bits. Of a product and a sum in a module of their own Yosys (``synth_ice40 -dsp``) makes the
whole block. Halves are named in synthesis, elsewhere the module says what they do; they must be
synthesised without ``-dsp``, whose pass takes every SB_MAC16 for a product of 16 × 16 bits.
"""

from __future__ import annotations

from dataclasses import replace

from amaranth.hdl import Const, Instance, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.plan import PackedChain
from hw.rtl.library import Library, place
from hw.rtl.multiplier import signed_model

PREFIX = "mac16_halves_"
"""How the kind of a module of halves starts; the signs of both operands follow."""

_MODEL = """
module @name(A, B, C, D, O);
  input [15:0] A, B, C, D;
  output [31:0] O;
`ifdef SYNTHESIS
  SB_MAC16 #(.MODE_8x8(1'b1), .TOPOUTPUT_SELECT(2'b00), .BOTOUTPUT_SELECT(2'b00),
    .TOPADDSUB_UPPERINPUT(1'b1), .BOTADDSUB_UPPERINPUT(1'b1),
    .TOPADDSUB_LOWERINPUT(2'b01), .BOTADDSUB_LOWERINPUT(2'b01),
    .TOPADDSUB_CARRYSELECT(2'b00), .BOTADDSUB_CARRYSELECT(2'b00),
    .A_SIGNED(1'b@a), .B_SIGNED(1'b@b)) u (
    .A(A), .B(B), .C(C), .D(D), .O(O), @tied
`else
  wire signed [15:0] a1 = {{8{A[15] & 1'b@a}}, A[15:8]};
  wire signed [15:0] a0 = {{8{A[7] & 1'b@a}}, A[7:0]};
  wire signed [15:0] b1 = {{8{B[15] & 1'b@b}}, B[15:8]};
  wire signed [15:0] b0 = {{8{B[7] & 1'b@b}}, B[7:0]};
  assign O[31:16] = a1 * b1 + C;
  assign O[15:0] = a0 * b0 + D;
`endif
endmodule
"""


def kind_of(plan: PackedChain) -> str:
    """Return the kind of the modules of a chain of halves."""
    return f"{PREFIX}{int(plan.wide_signed)}{int(plan.narrow_signed)}"


def model(kind: str, name: str) -> str:
    """Return the Verilog of a block's module under a name."""
    signs = kind.removeprefix(PREFIX)
    return signed_model(_MODEL, name, signs)


class MultiplyAdd(wiring.Component):
    """One block: ``sum = wide·narrow + addend``, two's complement, or of both halves apart.

    Combinational; sums wrap.
    """

    def __init__(self, plan: PackedChain) -> None:
        self.plan = plan
        block = plan.block
        super().__init__(
            {
                "wide": In(block.wide),
                "narrow": In(block.narrow),
                "addend": In(block.sum),
                "sum": Out(block.sum),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Multiply and add; name the block if it is used in halves."""
        m = Module()
        plan, half = self.plan, self.plan.block.sum // 2
        if not plan.block.halves:
            product = self.wide.as_signed() * self.narrow.as_signed()
            m.d.comb += self.sum.eq(product + self.addend.as_signed())
        elif isinstance(platform, Library):
            m.submodules.block = Instance(
                platform.primitive(kind_of(plan)),
                i_A=self.wide,
                i_B=self.narrow,
                i_C=self.addend[half:],
                i_D=self.addend[:half],
                o_O=self.sum,
            )
        else:
            for number in range(2):
                wide = self._half(self.wide, number, plan.wide_signed)
                product = wide * self._half(self.narrow, number, plan.narrow_signed)
                total = product + self.addend.word_select(number, half)
                m.d.comb += self.sum.word_select(number, half).eq(total)
        return m

    @staticmethod
    def _half(operand: Value, number: int, signed: bool) -> Value:
        value = operand.word_select(number, len(operand) // 2)
        return value.as_signed() if signed else value


class BlockChain(wiring.Component):
    """A chain of SB_MAC16: ``sum = Σ wide[i]·narrow[i]``, of both halves apart or of the whole.

    Each operand 16 bits, the sum 32, or twice 16. Combinational; sums wrap.
    """

    def __init__(self, plan: PackedChain) -> None:
        self.plan = plan
        block, links = plan.block, plan.links
        super().__init__(
            {
                "wide": In(block.wide * links),
                "narrow": In(block.narrow * links),
                "sum": Out(block.sum),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Chain the blocks."""
        m = Module()
        total: Value = Const(0, self.plan.block.sum)
        for number in range(self.plan.links):
            block = MultiplyAdd(replace(self.plan, links=1))
            place(m, platform, "multiply_add", block, number)
            m.d.comb += [
                block.wide.eq(self.wide.word_select(number, len(block.wide))),
                block.narrow.eq(self.narrow.word_select(number, len(block.narrow))),
                block.addend.eq(total),
            ]
            total = block.sum
        m.d.comb += self.sum.eq(total)
        return m
