"""hw.asic, hw.liberty: transistors, gates, a user's library, and what is wrong with a library."""

from importlib.resources import files
from pathlib import Path

import pytest

from hw import asic
from hw.asic_alone import TOP, alone
from hw.design import from_record
from hw.liberty import parse_liberty, read_liberty
from hw.rtl import emit
from hw.target import ASIC, load

EXAMPLE = (files("costmodel") / "data" / "example.lib").read_text(encoding="utf-8")
REGISTER = """
module register(input clk, input rst, input enable, input [3:0] d, output reg [3:0] q);
  always @(posedge clk) if (rst) q <= 0; else if (enable) q <= d;
endmodule
"""


def product(bits):
    """Return a plain signed product."""
    return (
        f"module product(input signed [{bits - 1}:0] a, b, output signed [{2 * bits - 1}:0] y);\n"
        "  assign y = a * b;\nendmodule\n"
    )


# What `synth -flatten; abc -g cmos4; stat -tech cmos` says of plain products (Yosys 0.70).
@pytest.mark.parametrize(("bits", "transistors"), [(4, 738), (3, 276)])
def test_transistors_are_those_of_stat(bits, transistors):
    found = asic.measure(product(bits), "product")
    assert found.transistors == transistors
    assert found.ff == 0
    assert 0 < found.gates < found.transistors / 4
    assert found.gate_equivalents == transistors / 4


def test_flip_flops_are_counted_and_their_enables_are_gates():
    found = asic.measure(REGISTER, "register")
    assert found.ff == 4
    assert found.by_cell["$_DFF_P_"] == 4
    logic = found.transistors - asic.FF_TRANSISTORS * found.ff
    assert 4 * 10 <= logic <= 4 * 24
    assert asic.AsicMeasurement.from_record(found.to_record()) == found


def test_a_library_gives_area_leakage_and_delay():
    library = parse_liberty(EXAMPLE)
    small, large = (
        asic.measure(product(bits), "product", liberty=library).liberty for bits in (2, 4)
    )
    assert small is not None
    assert large is not None
    for cost in (small, large):
        cells = library.cells
        assert cost.area_um2 == pytest.approx(
            sum(cells[c].area * n for c, n in cost.by_cell.items())
        )
        # Every cell of the example leaks 0.5 nW and takes 0.4 µm² a transistor.
        assert cost.leakage == pytest.approx(cost.area_um2 / 0.4 * 0.5)
    assert small.area_um2 < large.area_um2
    assert 0.01 < small.delay_ns < large.delay_ns < 2


def test_delay_of_one_gate_is_that_of_its_table():
    """With the slew and load that ABC assumes of ports (none), a NAND takes its own delay."""
    text = "module one(input a, input b, output y); assign y = ~(a & b); endmodule"
    found = asic.measure(text, "one", liberty=parse_liberty(EXAMPLE)).liberty
    assert found.by_cell == {"NAND2": 1}
    assert found.delay_ns == pytest.approx(0.014, abs=0.003)


def test_delay_goes_through_no_register():
    chain = "".join(f"  always @(posedge clk) r{i + 1} <= ~(r{i} & b);\n" for i in range(4))
    text = (
        "module chain(input clk, input a, input b, output y);\n  wire r0 = a;\n"
        f"  reg r1, r2, r3, r4;\n{chain}  assign y = r4;\nendmodule\n"
    )
    found = asic.measure(text, "chain", liberty=parse_liberty(EXAMPLE)).liberty
    assert found.by_cell["DFF"] == 4
    assert found.delay_ns < 0.04


BROKEN = [
    ("", "line 1: the file ends"),
    ("hello", "line 1: the file ends where ':' or '(' after hello"),
    ("library (x) {", "line 1: group library (x) is never closed"),
    ("library (x) {\n cell (a) {\n area : ; } }", "line 3: area has no value"),
    ("library (x) {\n  area 3;\n}", "line 2: area is followed by ':' or '(', not 3"),
    ("library (x) {\n cell (a { } }", "line 2: ')' of cell is missing"),
    ("cell (x) { area : 1; }", "line 1: a Liberty file starts with library"),
    (EXAMPLE + "}", "the library ended before '}'"),
    (EXAMPLE.replace('"1ns"', '"1ns'), "never closed"),
    (EXAMPLE.replace("area : 6.4", "area : big"), "area is a number, not 'big'"),
    (EXAMPLE.replace("    area : 6.4;\n", ""), "cell DFF has no area"),
    (EXAMPLE.replace("ff (IQ, IQN)", "latch (IQ, IQN)"), "no flip-flop"),
    (EXAMPLE.replace('function : "!A"', 'function : "A"'), "no inverter"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_a_broken_library_says_where_and_why(text, message):
    with pytest.raises(ValueError) as raised:
        parse_liberty(text, "own.lib")
    assert str(raised.value).startswith("own.lib")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_library_that_is_no_text(tmp_path):
    file = tmp_path / "own.lib"
    file.write_bytes(b"library \xff")
    with pytest.raises(ValueError, match="byte 8 is not UTF-8"):
        read_liberty(file)
    with pytest.raises(OSError, match=r"none\.lib"):
        read_liberty(Path(tmp_path / "none.lib"))


def test_the_example_library():
    library = parse_liberty(EXAMPLE)
    assert library.name == "macloom_example"
    assert len(library.cells) == 11
    assert [n for n, cell in library.cells.items() if cell.sequential] == ["DFF"]
    assert [n for n, cell in library.cells.items() if cell.is_inverter] == ["INV"]
    assert library.leakage_unit == "1nW"


def test_a_unit_alone_has_neither_enable_nor_reset():
    record = {"kind": "mac", "weight": "int3", "activation": "int3", "accumulator": "wrap:8"}
    design = from_record({**record, "structure": "rows"})
    emitted = emit(design, load(ASIC))
    whole = asic.measure(emitted.verilog, emitted.top)
    name = f"{design.slug}_accumulate"
    unit = asic.measure(alone(emitted.verilog, name), TOP)
    assert whole.ff == 17
    assert unit.ff == 8  # the running sum and what is shown of it are one register now
    inside = whole.by_module[name]
    assert unit.transistors - 16 * unit.ff < inside["transistors"] - 16 * inside["ff"]
    with pytest.raises(ValueError, match="no module 'adder'"):
        alone(emitted.verilog, "adder")
