"""hw.verilog: declarations in order, wires unique, and the reason for both: one LUT per bit."""

import re

import pytest

from hw import yosys
from hw.synthesis import synthesize
from hw.verilog import tidy

ACCUMULATOR = """module acc_8(clk, t, neg, total);
  input clk;
  wire clk;
  input [7:0] t;
  wire [7:0] t;
  input neg;
  wire neg;
  output [7:0] total;
  wire [7:0] total;
  wire [7:0] _0_;
  wire [8:0] _1_;
  wire [9:0] _2_;
  wire [7:0] masked;
  reg [7:0] state = 8'h00;
  assign _0_ = t ^ { neg, neg, neg, neg, neg, neg, neg, neg };
  assign masked = _0_;
  assign _1_ = state + masked;
  assign _2_ = _1_ + neg;
  always @(posedge clk)
    state <= _2_[7:0];
  assign total = state;
endmodule
"""
OTHER = """module other(a, masked_2, y);
  input a;
  wire a;
  input masked_2;
  wire masked_2;
  output y;
  wire y;
  wire _0_;
  wire masked;
  wire state;
  assign masked = a ^ masked_2;
  assign state = masked;
  assign _0_ = ~state;
  assign y = _0_;
endmodule
"""


def declared(module):
    return re.findall(r"^  (?:input|output|wire|reg)(?: \[[^]]*\])? (\w+)", module, re.MULTILINE)


def test_plain_nets_are_declared_first():
    names = list(dict.fromkeys(declared(tidy(ACCUMULATOR))))
    assert names == ["clk", "t", "neg", "total", "state", "masked", "_0_", "_1_", "_2_"]


def test_only_declarations_move():
    def others(text):
        return [
            line for line in text.splitlines() if not re.match("  (input|output|wire|reg)", line)
        ]

    assert others(tidy(ACCUMULATOR)) == others(ACCUMULATOR)
    assert sorted(tidy(ACCUMULATOR).splitlines()) == sorted(ACCUMULATOR.splitlines())


def test_wires_are_unique_in_the_file():
    text = tidy(OTHER + "\n" + ACCUMULATOR)
    first, second = text.split("\n\n")
    assert declared(first)[6:] == ["masked", "state", "_0_"]
    # masked_2 is taken by a port of the first; the register keeps its name
    assert "masked_3" in declared(second)
    assert "reg [7:0] state" in second
    assert declared(second)[-3:] == ["_1_", "_2_", "_3_"]
    assert not re.search(r"\bmasked\b", second)


def test_module_names_are_left_alone():
    text = tidy(
        "module leaf(y);\n  output y;\n  wire y;\n  wire leaf_2;\n  assign y = leaf_2;\nendmodule\n"
        "module m(y);\n  output y;\n  wire y;\n  leaf leaf_2 (\n    .y(y)\n  );\nendmodule\n"
    )
    assert "  leaf leaf_2 (\n    .y(y)\n" in text


@pytest.mark.parametrize("before", ["", OTHER])
def test_a_row_is_one_lut_per_bit_in_any_company(before):
    text = tidy(before + "\n" + ACCUMULATOR)
    found = synthesize(text, "acc_8", "xcup", cache=False)
    assert (found.lut, found.sites) == (8, 8)


def test_without_the_order_a_row_is_two_luts_per_bit():
    """If this fails, Yosys has changed its choice of operand and `hw.verilog` may not be needed."""
    assert synthesize(ACCUMULATOR, "acc_8", "xcup", cache=False).lut == 16


def test_tidied_text_means_the_same():
    text = tidy(OTHER + "\n" + ACCUMULATOR)
    for name in ("other", "acc_8"):
        script = [
            *("read_verilog before.v", f"hierarchy -top {name}", "proc", f"rename {name} gold"),
            *("design -stash first", "read_verilog after.v", f"hierarchy -top {name}", "proc"),
            *(f"rename {name} gate", "design -copy-from first gold"),
            *("equiv_make gold gate pair", "hierarchy -top pair"),
            *("equiv_simple", "equiv_induct", "equiv_status -assert"),
        ]
        yosys.run(script, {"before.v": OTHER + ACCUMULATOR, "after.v": text}, [])
