"""Floor 2a: LUT6_2 and CARRY4 of Xilinx, by name in synthesis and as models in simulation.

A design instantiates two small modules of its own, which an exported file carries at its end. Where
the macro ``SYNTHESIS`` is defined, as Vivado and Yosys do, they hold the primitive; elsewhere, in
simulators, they say in plain Verilog what it does (AMD UG953). Both families of targets have
CARRY4: Vivado turns it into half a CARRY8 on UltraScale+.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from amaranth.hdl import Cat, Const, Instance, Module, Signal, Value

from hw.rtl import dsp48, memory, multiplier, sb_mac16
from hw.rtl.library import Library

Function = Callable[..., object]
"""A truth function of single bits, each 0 or 1; what it returns counts as true or false."""

DUAL_LUT, CARRY = "lut6_2", "carry4"
CARRY_BITS = 4
SHARED_INPUTS = 5

_MODELS = {
    DUAL_LUT: """
module {name}(I, O5, O6);
  parameter [63:0] INIT = 64'h0;
  input [5:0] I;
  output O5, O6;
`ifdef SYNTHESIS
  LUT6_2 #(.INIT(INIT)) u (.I0(I[0]), .I1(I[1]), .I2(I[2]), .I3(I[3]), .I4(I[4]), .I5(I[5]),
    .O5(O5), .O6(O6));
`else
  wire [63:0] bits = INIT;
  assign O5 = bits[{{1'b0, I[4:0]}}];
  assign O6 = bits[I];
`endif
endmodule
""",
    CARRY: """
module {name}(CI, CYINIT, DI, S, O, CO);
  input CI, CYINIT;
  input [3:0] DI, S;
  output [3:0] O;
  output CO;
`ifdef SYNTHESIS
  wire [3:0] carry;
  CARRY4 u (.CI(CI), .CYINIT(CYINIT), .DI(DI), .S(S), .O(O), .CO(carry));
  assign CO = carry[3];
`else
  wire c0 = CI | CYINIT;
  wire c1 = S[0] ? c0 : DI[0];
  wire c2 = S[1] ? c1 : DI[1];
  wire c3 = S[2] ? c2 : DI[2];
  assign CO = S[3] ? c3 : DI[3];
  assign O = S ^ {{c3, c2, c1, c0}};
`endif
endmodule
""",
}


def models(prefix: str, used: frozenset[str]) -> str:
    """Return the Verilog of the modules a design instantiates."""
    return "".join(_model(kind, prefix + kind) for kind in sorted(used))


def _model(kind: str, name: str) -> str:
    if kind in _MODELS:
        return _MODELS[kind].format(name=name)
    if kind.startswith(memory.PREFIX):
        return memory.model(kind, name)
    if kind.startswith(multiplier.HALVES):
        return multiplier.model(kind, name)
    if kind.startswith(sb_mac16.PREFIX):
        return sb_mac16.model(kind, name)
    return dsp48.model(kind, name)


def native(platform: object) -> Library | None:
    """Return the library of an export that may use the primitives, else None."""
    return platform if isinstance(platform, Library) and platform.primitives else None


def dual_lut(
    m: Module, library: Library, name: str, inputs: Sequence[Value], five: Function, six: Function
) -> tuple[Signal, Signal]:
    """Add a LUT6_2 with two functions of the same inputs, at most five; return O5 and O6."""
    index = range(1 << len(inputs))
    bits = [[number >> place & 1 for place in range(len(inputs))] for number in index]
    five_truth, six_truth = (
        sum(bool(function(*values)) << number for number, values in zip(index, bits, strict=True))
        for function in (five, six)
    )
    return lut6_2(m, library, name, inputs, five_truth, six_truth)


def lut6_2(
    m: Module, library: Library, name: str, inputs: Sequence[Value], five: int, six: int
) -> tuple[Signal, Signal]:
    """Add a LUT6_2 with two truth tables of the same inputs, at most five; return O5 and O6."""
    o5, o6 = Signal(name=f"{name}_o5"), Signal(name=f"{name}_o6")
    padding = Const(0, SHARED_INPUTS - len(inputs))
    m.submodules[name] = Instance(
        library.primitive(DUAL_LUT),
        p_INIT=Const(six << 32 | five, 64),
        i_I=Cat(*inputs, padding, Const(1, 1)),
        o_O5=o5,
        o_O6=o6,
    )
    return o5, o6


def carry_chain(
    m: Module, library: Library, name: str, selects: Value, direct: Value, carry_in: Value
) -> Value:
    """Add a carry chain; return its sum: ``selects ^ direct + direct + carry_in``, as wide."""
    width = len(selects)
    sums = []
    carry = carry_in
    for start in range(0, width, CARRY_BITS):
        bits = min(CARRY_BITS, width - start)
        padding = Const(0, CARRY_BITS - bits)
        word = Signal(CARRY_BITS, name=f"{name}_{start}_sum")
        out = Signal(name=f"{name}_{start}_carry")
        m.submodules[f"{name}_{start}"] = Instance(
            library.primitive(CARRY),
            i_CI=carry if start else Const(0, 1),
            i_CYINIT=Const(0, 1) if start else carry,
            i_DI=Cat(direct[start : start + bits], padding),
            i_S=Cat(selects[start : start + bits], padding),
            o_O=word,
            o_CO=out,
        )
        sums.append(word[:bits])
        carry = out
    return Cat(*sums)
