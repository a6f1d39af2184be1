"""Special codes told apart: lanes without flags map alike alone and beside others."""

import pytest

import costmodel
from hw.design import from_record
from hw.plan import OperandPlan, gated_apart
from hw.rtl import emit
from hw.synthesis import synthesize
from hw.target import load


@pytest.mark.parametrize("target", ["ecp5", "gowin"])
def test_lanes_cost_what_is_estimated(target):
    """ABC mapped the gates of this lane in 40 LUTs or in 95, as it happened."""
    found = {}
    for lanes in (1, 2):
        record = {"kind": "dot", "weight": "e3m6fn", "lanes": lanes, "specials": "ignore"}
        design = from_record(record | {"structure": "rows"})
        emitted = emit(design, load(target))
        measured = synthesize(emitted.verilog, emitted.top, target)
        estimate = costmodel.estimate(design, load(target))
        assert abs(estimate.lut - measured.lut) <= 2
        assert estimate.carry == measured.carry
        found[lanes] = measured.by_module[f"{emitted.top}_lane"]["lut"]
    assert found[1] == found[2] < 24


def test_where_codes_are_told_apart():
    def apart(name, target, flags=()):
        operand = OperandPlan(from_record({"kind": "mac", "weight": name}).weight)
        return gated_apart(operand, flags, load(target)).told_apart

    assert apart("e4m3fn", "ecp5") == apart("e5m2", "gowin") == ("special",)
    assert apart("e4m3fn", "ecp5", ("nan",)) == ()
    for name, target in (
        ("e4m3fn", "xcup"),
        ("e4m3fn", "ice40"),
        ("e4m3fn", "asic"),
        ("e3m3fn", "ecp5"),
        ("e4m3", "ecp5"),
        ("e4m3finite", "ecp5"),
        ("int8", "ecp5"),
    ):
        assert apart(name, target) == ()
