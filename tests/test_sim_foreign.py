"""Foreign RTL behind the ports of a design: every way to join it, and what the bench then sees."""

from pathlib import Path

import pytest

from hw.design import DotProduct, Mac, OutputStationaryArray
from hw.foreign import ForeignRtl, Port
from hw.formats import parse_element
from sim import runner
from sim.foreign import parse_port_map, read_port_map, wrap

DOT = """
module adder_of_products #(parameter int LANES = 2, parameter int W = 4, parameter logic BUG = 0) (
  input  logic signed [W-1:0] a [LANES],
  input  logic signed [W-1:0] b [LANES],
  output logic signed [2*W+$clog2(LANES)-1:0] y);
  always_comb begin
    y = 0;
    for (int i = 0; i < LANES; i++) y += a[i] * b[i];
    if (BUG && a[0] == -3 && b[LANES-1] == 5) y = y ^ 1;
  end
endmodule
"""
LANES_APART = """
module apart(input signed [3:0] x0, x1, input [7:0] k, output signed [8:0] sum);
  wire signed [3:0] k0 = k[3:0], k1 = k[7:4];
  assign sum = x0 * k0 + x1 * k1;
endmodule
"""
PIPELINE = """
module pipeline(input clock, input [7:0] x, w, output reg signed [8:0] y);
  reg signed [7:0] p0, p1;
  wire signed [3:0] x0 = x[3:0], x1 = x[7:4], w0 = w[3:0], w1 = w[7:4];
  always @(posedge clock) begin
    p0 <= x0 * w0;
    p1 <= x1 * w1;
    y <= p0 + p1;
  end
endmodule
"""
MAC = """
module accumulate #(parameter W = 20) (
  input clk, input rst_n, input ce, input start, input test_mode,
  input signed [3:0] x, input signed [3:0] w, output reg signed [W-1:0] acc);
  wire signed [7:0] p = x * w;
  always @(posedge clk)
    if (!rst_n) acc <= 0;
    else if (ce) acc <= test_mode ? 0 : start ? p : acc + p;
endmodule
"""
INT4 = parse_element("int4")
PAIR = DotProduct(weight=INT4, activation=INT4, lane_count=2)


def foreign(folder: Path, text: str, top: str, **parameters: object) -> ForeignRtl:
    path = folder / f"{top}.sv"
    path.write_text(text)
    return ForeignRtl((path,), top, tuple((name, str(v)) for name, v in parameters.items()))


def mac(bits: int = 20) -> Mac:
    from hw.accumulators import parse_accumulator

    return Mac(weight=INT4, activation=INT4, accumulator=parse_accumulator(f"wrap:{bits}"))


@pytest.mark.slow
def test_every_way_to_join_a_correct_module_agrees(tmp_path):
    cases = [
        wrap(
            PAIR,
            foreign(tmp_path, DOT, "adder_of_products"),
            parse_port_map("weight=a[], activation=b[], total=y"),
        )
    ]
    joined = "weight=x{},activation=k,total=sum"
    cases.append(wrap(PAIR, foreign(tmp_path, LANES_APART, "apart"), parse_port_map(joined)))
    piped = parse_port_map("clk=clock,weight=w,activation=x,total=y")
    cases.append(wrap(PAIR, foreign(tmp_path, PIPELINE, "pipeline"), piped, latency_cycles=2))
    summing = "clk=clk,rst=~rst_n,valid=ce,first=start,0=test_mode,weight=w,activation=x,total=acc"
    cases.append(wrap(mac(), foreign(tmp_path, MAC, "accumulate"), parse_port_map(summing)))
    found = [runner.simulate([case], vectors=2000)[0] for case in cases]
    assert [verdict.mismatches for verdict in found] == [0, 0, 0, 0]
    assert all(verdict.vectors >= 2000 for verdict in found)
    assert [case.latency_cycles for case in cases] == [1, 1, 3, 1]
    assert [case.sums_alone for case in cases] == [True, True, True, False]


@pytest.mark.parametrize(
    ("text", "top", "parameters", "ports", "latency"),
    [
        (DOT, "adder_of_products", {"BUG": 1}, "weight=a[],activation=b[],total=y", None),
        (PIPELINE, "pipeline", {}, "clk=clock,weight=w,activation=x,total=y", 1),
    ],
    ids=["one wrong pair of codes", "one cycle too late"],
)
def test_a_wrong_module_is_found_out(tmp_path, text, top, parameters, ports, latency):
    rtl = foreign(tmp_path, text, top, **parameters)
    case = wrap(PAIR, rtl, parse_port_map(ports), latency)
    (verdict,) = runner.simulate([case], vectors=4000)
    assert verdict.mismatches > 0
    assert verdict.first is not None
    assert verdict.first.port == "total"


def test_a_sum_that_is_never_cleared_is_found_out(tmp_path):
    ports = "clk=clk,rst=~rst_n,valid=ce,0=start,0=test_mode,weight=w,activation=x,total=acc"
    rtl = foreign(tmp_path, MAC, "accumulate")
    (verdict,) = runner.simulate([wrap(mac(), rtl, parse_port_map(ports))], vectors=200)
    assert verdict.mismatches > 100


def test_our_own_array_passes_as_foreign_rtl(tmp_path):
    from hw.rtl import emit
    from hw.target import load

    design = OutputStationaryArray(
        weight=INT4, activation=INT4, rows=2, columns=2, structure="rows"
    )
    emitted = emit(design, load("xcup").portable())
    text = emitted.verilog.replace(emitted.top, "theirs")
    rtl = foreign(tmp_path, text, "theirs")
    names = [name for name in rtl.ports() if name != "result_overflow"]
    case = wrap(design, rtl, parse_port_map({name: name for name in names}), 3)
    (verdict,) = runner.simulate([case], vectors=200)
    # An overflow flag that is left out of the map leaves an output open, which is not compared.
    assert verdict.mismatches == 0
    assert verdict.vectors >= 200
    assert case.unchecked == {"result_overflow"}


def test_ports_of_the_top_module_with_its_parameters(tmp_path):
    rtl = foreign(tmp_path, DOT, "adder_of_products", LANES=8)
    assert rtl.ports() == {"a": Port("input", 32), "b": Port("input", 32), "y": Port("output", 11)}


@pytest.mark.parametrize(
    ("ports", "message"),
    [
        ("weight=a[],activation=b[],totl=y", "has no port 'totl'; did you mean 'total'?"),
        ("weight=a[],activation=bb[],total=y", "module adder_of_products has no port 'bb'"),
        ("weight=a[],total=y", "every input of adder_of_products must be in the port map, b is"),
        ("weight=a[],activation=b[]", "the port map must say which port is total"),
        ("weight=a[],activation=b[],total=y,valid=a", "a port is mapped once, a is mapped twice"),
        ("weight=a[],activation=y,total=b", "activation=y joins an input, y is an output"),
        ("weight:a", "a port map is OURS=THEIRS"),
    ],
)
def test_maps_that_do_not_fit(tmp_path, ports, message):
    rtl = foreign(tmp_path, DOT, "adder_of_products")
    with pytest.raises(ValueError) as error:
        wrap(PAIR, rtl, parse_port_map(ports))
    assert message in str(error.value)


def test_widths_and_protocols_that_do_not_fit(tmp_path):
    rtl = foreign(tmp_path, DOT, "adder_of_products", LANES=4)
    pins = parse_port_map("weight=a[],activation=b[],total=y")
    with pytest.raises(ValueError, match=r"weight of dot2_\S+ has 8 bits, a of \S+ has 16"):
        wrap(PAIR, rtl, pins)
    with pytest.raises(ValueError, match="a latency of 2 cycles needs a clock"):
        wrap(PAIR, foreign(tmp_path, DOT, "adder_of_products"), pins, 2)
    summing = foreign(tmp_path, MAC, "accumulate")
    ports = "clk=clk,rst=~rst_n,valid=ce,first=start,0=test_mode,weight=w,activation=x,total=acc"
    with pytest.raises(ValueError, match=r"total of mac_\S+ has 24 bits.*--accumulator wrap:20"):
        wrap(mac(24), summing, parse_port_map(ports))
    free = "clk=clk,1=rst_n,1=ce,first=start,0=test_mode,weight=w,activation=x,total=acc"
    with pytest.raises(ValueError, match="a module that keeps sums needs valid"):
        wrap(mac(), summing, parse_port_map(free))
    without = "clk=clk,1=rst_n,valid=ce,first=start,0=test_mode,weight=w,activation=x,total=acc"
    with pytest.raises(ValueError, match="a module with a valid port needs rst"):
        wrap(mac(), summing, parse_port_map(without))


def test_files_and_names_that_are_wrong(tmp_path):
    with pytest.raises(ValueError, match="at least one file"):
        ForeignRtl((), "top")
    with pytest.raises(ValueError, match="plain Verilog name, not 'a b'"):
        ForeignRtl((tmp_path / "x.v",), "a b")
    with pytest.raises(ValueError, match="a parameter is NAME=VALUE"):
        ForeignRtl((tmp_path / "x.v",), "top", (("W", "1; exec"),))
    with pytest.raises(ValueError, match="Yosys"):
        foreign(tmp_path, "module broken(input a; endmodule", "broken").ports()
    with pytest.raises(ValueError, match="Yosys"):
        foreign(tmp_path, DOT, "another").ports()


def test_a_map_may_stand_in_a_file(tmp_path):
    path = tmp_path / "ports.txt"
    path.write_text("# theirs\nweight=a[],  # packed by word\nactivation=b[]\n\ntotal=y\n")
    assert read_port_map(str(path)) == parse_port_map("weight=a[],activation=b[],total=y")
