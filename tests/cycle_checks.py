"""Hardware of cycles against its golden run and its formula: for tests of kinds alike."""

import re
from dataclasses import replace

import pytest
from sim_designs import case_of as case

from costmodel import estimate
from hw.synthesis import synthesize
from hw.target import load
from sim import cycle_bulk
from sim.runner import simulate


def mutant(right, pattern, replacement):
    """Return a case whose Verilog, below its header, has a pattern replaced at least once."""
    header, body = right.verilog.split("\n", 1)
    wrong, count = re.subn(pattern, replacement, body)
    assert count > 0
    return replace(right, verilog=f"{header}\n{wrong}")


def check_hardware(what, target):
    """Assert that no cycle of 5000 differs, and that few codes mean all of them."""
    verdict = cycle_bulk.check(case(what, target).verilog, what, 5000)
    assert verdict.passed, verdict.first
    assert verdict.vectors >= 4000
    assert verdict.exhaustive == (what.lanes * what.activation.bits <= 16)


def check_cost(what, target, rel=0.0, least=2):
    """Assert that LUTs and sites are what Yosys maps, FF and DSP exactly.

    LUTs and sites may differ by `rel`, or by `least` where that is more.
    """
    technology = load(target)
    found = estimate(what, technology)
    one = case(what, target)
    mapped = synthesize(one.verilog, one.top, technology)
    assert (found.ff, found.dsp) == (mapped.ff, mapped.dsp)
    for name in ("lut", "sites"):
        assert getattr(found, name) == pytest.approx(getattr(mapped, name), rel=rel, abs=least)


def check_caught(wrong):
    """Assert that the bulk bench sees a fault."""
    assert not cycle_bulk.check(wrong.verilog, wrong.design, 3000).passed


def check_cocotb(right, wrong):
    """Assert that the cocotb bench passes what is right, all of it, and nothing that is wrong."""
    verdicts = simulate([*right, *wrong], vectors=800)
    passed = verdicts[: len(right)]
    assert [verdict.first for verdict in passed] == [None] * len(right)
    assert all(verdict.passed and verdict.vectors > 600 for verdict in passed)
    assert [verdict.passed for verdict in verdicts[len(right) :]] == [False] * len(wrong)
