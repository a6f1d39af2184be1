"""Serial designs cycle by cycle: by cocotb and by the native library, on a small design of ours."""

import re
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest

from hw.design import SerialDesign
from hw.formats import parse_element
from sim import bulk, cycles
from sim.cycle_bulk import CycleBulk
from sim.cycles import CycleStimulus, Streams
from sim.harness import Case
from sim.ports import code_bits, input_layout, output_layout
from sim.runner import simulate

VERILOG = """module ones(clk, rst, start, bits, total, total_valid);
  input clk;
  input rst;
  input start;
  input [2:0] bits;
  output [7:0] total;
  output total_valid;
  reg [7:0] total = 0;
  reg total_valid = 0;
  wire [7:0] sofar = start ? 8'd0 : total;
  always @(posedge clk) begin
    total_valid <= rst ? 1'd0 : start;
    total <= rst ? 8'd0 : sofar + {5'd0, bits};
  end
endmodule
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ones(SerialDesign):
    """Adds words of three bits from each start on; the highest bit of the total is not compared."""

    kind: ClassVar[str] = "ones"
    careless: bool = False

    @property
    def slug(self):
        return "ones"

    @property
    def input_fields(self):
        return (("rst", 1), ("start", 1), ("bits", 3))

    @property
    def output_fields(self):
        return (("total", 8), ("total_valid", 1))

    @classmethod
    def from_keys(cls, record):
        return ones()


def ones(**settings):
    return Ones(weight=parse_element("uint3"), activation=parse_element("uint3"), **settings)


def stimulus(design, vectors, seed, thorough):
    """The golden model of `Ones`, in the naive way."""
    rng = np.random.default_rng(seed)
    reset = rng.random(vectors) < (0.02 if thorough else 0)
    start = rng.random(vectors) < 0.1
    bits = rng.integers(8, size=vectors)
    total, totals, valid = 0, [], []
    for reset_now, start_now, word in zip(reset, start, bits, strict=True):
        total = 0 if reset_now else ((0 if start_now else total) + int(word)) % 256
        totals.append(total)
        valid.append(start_now and not reset_now)
    pack = {
        "rst": reset[:, None].astype(np.uint8),
        "start": start[:, None].astype(np.uint8),
        "bits": code_bits(bits[:, None], 3),
    }
    shown = {
        "total": code_bits(np.array(totals)[:, None], 8),
        "total_valid": np.array(valid, np.uint8)[:, None],
    }
    expected = output_layout(design).pack(shown)
    care = np.ones_like(expected)
    care[:, 0] = 0
    words = input_layout(design).pack(pack)
    return CycleStimulus(words, expected, vectors, care=care if design.careless else None)


@pytest.fixture(autouse=True)
def known(monkeypatch):
    monkeypatch.setitem(cycles.MODULES, "ones", __name__)


def case(pattern="$^", replacement="", **settings):
    text, count = re.subn(pattern, replacement, VERILOG)
    assert count or pattern == "$^"
    return Case(ones(**settings), text, "ones", 1)


MUTANTS = {
    "reset": (r"total <= rst \? 8'd0 :", "total <="),
    "start": (r"start \? 8'd0 : total;", "total;"),
    "dead": (r"total_valid <= rst \? 1'd0 : start;", "total_valid <= 0;"),
    "carry": (r"sofar \+ \{", "sofar ^ {"),
    "high": (r"sofar \+ \{5'd0, bits\}", "((sofar + {5'd0, bits}) & 8'd127)"),
}


@pytest.fixture(scope="module")
def verdicts():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cycles.MODULES, "ones", __name__)
        cases = {"right": case(), "careless": case(careless=True)}
        cases |= {name: case(*change) for name, change in MUTANTS.items()}
        cases["careless high"] = case(*MUTANTS["high"], careless=True)
        return dict(zip(cases, simulate(list(cases.values()), vectors=3000), strict=True))


def test_cocotb_passes_the_right_design_and_only_it(verdicts):
    passed = {name for name, verdict in verdicts.items() if verdict.passed}
    assert passed == {"right", "careless", "careless high"}
    assert verdicts["right"].vectors == 3000
    assert verdicts["right"].cycles == 3001
    assert verdicts["dead"].first.port == "total_valid"


def test_the_library_passes_the_right_design_and_only_it():
    names = {"right": case(), "careless high": case(*MUTANTS["high"], careless=True)}
    names |= {name: case(*change) for name, change in MUTANTS.items()}
    found = {n: bulk.check(one.verilog, one.design, 60_000) for n, one in names.items()}
    assert {name for name, verdict in found.items() if verdict.passed} == {"right", "careless high"}
    assert all(verdict.vectors >= 60_000 for verdict in found.values())
    first = found["dead"].first
    assert (first.port, first.expected, first.got) == ("total_valid", "1", "0")
    assert re.fullmatch(r"stream 0 cycle \d+ \(rst=0 start=1 bits=0x\d\)", first.where)


@pytest.mark.parametrize(("count", "length"), [(1, 9), (7, 40), (256, 21)])
def test_every_bit_of_every_stream_is_compared(count, length):
    chip = CycleBulk(VERILOG, ones())
    runs = [stimulus(ones(), length, seed, True) for seed in range(count)]
    words, expected = (np.stack([getattr(r, n) for r in runs]) for n in ("words", "expected"))
    assert chip.compare(Streams(words, expected, None, 1)) == (0, None)
    rng = np.random.default_rng(count)
    for _ in range(30):
        place = rng.integers(count), rng.integers(length), rng.integers(9)
        expected[place] ^= 1
        wrong, first = chip.compare(Streams(words, expected, None, 1))
        assert wrong == 1
        assert first.where.startswith(f"stream {place[0]} cycle {place[1]} ")
        care = np.ones_like(expected)
        care[place] = 0
        assert chip.compare(Streams(words, expected, care, 1)) == (0, None)
        expected[place] ^= 1


def test_runs_that_do_not_fit_are_refused():
    run = stimulus(ones(), 5, 1, False)
    with pytest.raises(ValueError, match="a word in and a word out for every cycle"):
        replace(run, words=run.words[:4])
    with pytest.raises(ValueError, match="shape of the outputs"):
        replace(run, care=run.words)
    chip = CycleBulk(VERILOG, ones())
    with pytest.raises(ValueError, match=r"1\.\.256 runs at once, not 257"):
        chip.compare(cycles.streams(ones(), 257, 257, 1))
    with pytest.raises(ValueError, match="words have 5 bits, not 4"):
        chip.compare(Streams(run.words[None, :, 1:], run.expected[None], None, 1))
    with pytest.raises(ValueError, match="must have the ports of its design"):
        CycleBulk(VERILOG.replace("[2:0]", "[3:0]"), ones())
    cycles.MODULES.pop("ones")
    with pytest.raises(ValueError, match="no bench for designs of the kind ones"):
        cycles.stimulus(ones(), 5, 1)
    with pytest.raises(ValueError, match="not ones"):
        bulk.Bulk(VERILOG, ones())
