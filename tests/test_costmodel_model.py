"""costmodel: hand-derived sizes, refusals, the sum over a plan, speed and a light import."""

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from costmodel import coefficients, estimate, measured
from costmodel.cost import Cost, luts, total
from costmodel.model import part_costs
from costmodel.products import table_luts
from costmodel.rows import adder
from costmodel.shift import level_luts
from hw.design import from_record
from hw.plan import AdderRow, Bounds, ShiftLevel, plan, structures
from hw.target import load, names

TARGETS = ("xcup", "xc7", "ecp5", "ice40", "gowin")


def design(**record):
    return from_record({"kind": "mac", **record})


def test_every_target_has_a_model():
    assert set(names()) - {"asic"} == set(TARGETS)
    for name in TARGETS:
        assert estimate(design(weight="int8", structure="rows"), load(name)).lut > 50


def test_record_has_the_keys_of_the_command_line():
    what = design(weight="int4", structure="rows")
    record = estimate(what, load("xcup")).to_record()
    assert list(record) == ["lut", "sites", "ff", "carry", "dsp", "target", "design"]
    assert record["design"] == what.to_record()
    assert all(isinstance(record[key], int) for key in ("lut", "sites", "ff", "carry", "dsp"))


def test_int8_mac_by_hand():
    # Four Booth rows of 9 LUTs and a bare sign bit each; 24 + 2 + 1 LUTs of the accumulator: its
    # row, valid & last, what clears, and the overflow flag.
    what = design(weight="int8", structure="rows")
    found = estimate(what, load("xcup").portable())
    assert (found.lut, found.sites) == (4 * 9 + 24 + 3, 4 * 10 + 24 + 3)
    assert found.carry == 4 * 3 + 6
    # With LUT6_2 the lowest digit takes one per two bits, nine and its sign, instead of a row,
    # no row has a bare bit, and what clears says that the sum ends.
    found = estimate(what, load("xcup"))
    assert (found.lut, found.sites) == (5 + 3 * 9 + 24 + 2, 5 + 3 * 9 + 24 + 2)
    assert found.carry == 3 * 3 + 6
    assert found.ff == 2 * (24 + 1) + 1
    assert found.dsp == 0


@pytest.mark.parametrize(
    ("left", "right", "relative", "expected"),
    [
        (Bounds(0, 255), Bounds(0, 255), False, (8, 9, 3)),  # the carry-out is a bare bit
        (Bounds(-128, 127), Bounds(-128, 127), False, (8, 9, 3)),  # so is the second sign
        (Bounds(0, 4095), Bounds(0, 15), False, (4, 13, 4)),  # bits of one operand are bare
        (Bounds(0, 255), Bounds(0, 255), True, (9, 10, 3)),  # one LUT for whether to subtract
        (Bounds(-128, 127), Bounds(-128, 127), True, (9, 10, 3)),
    ],
)
def test_adder_rows_on_xilinx_by_hand(left, right, relative, expected):
    cost = adder(AdderRow(left, right, relative), coefficients.load("xcup"))
    assert (cost.lut, cost.sites, cost.carry) == expected


@pytest.mark.parametrize(("name", "expected"), [("ecp5", (10, 10, 5)), ("ice40", (8, 8, 8))])
def test_adder_rows_elsewhere_by_hand(name, expected):
    row = AdderRow(Bounds(0, 255), Bounds(0, 255), False)
    cost = adder(row, coefficients.load(name))
    assert (cost.lut, cost.sites, cost.carry) == expected


def test_shift_levels_by_hand():
    xcup, ecp5 = coefficients.load("xcup"), coefficients.load("ecp5")
    assert level_luts(ShiftLevel(0, 1, 11), 10, False, 0, xcup) == 11
    assert level_luts(ShiftLevel(0, 2, 12), 9, True, 0, xcup) == 11  # the last bit is the sign
    assert level_luts(ShiftLevel(1, 4, 32), 3, False, 2, xcup) == 30  # two bits dropped
    assert level_luts(ShiftLevel(0, 2, 6), 4, False, 0, ecp5) > 6  # 4:1 does not fit a LUT4


def test_tables_count_functions_not_bits():
    xcup = coefficients.load("xcup")
    assert table_luts([0, 0, 0, 0], xcup) == 0
    assert table_luts([0, 1, 2, 3], xcup) == 0  # wires
    assert table_luts([0, 0, 0, 3], xcup) == 1  # both bits are one and
    assert table_luts([w * a for a in range(8) for w in range(8)], xcup) == 6


def test_costs_add_and_multiply():
    one = Cost(1, 2, 3, 4, 5)
    assert one + luts(1, ff=1) == Cost(2, 3, 4, 4, 5)
    assert one * 3 == total([one, one, one]) == Cost(3, 6, 9, 12, 15)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "record",
    [
        {"kind": "dot", "weight": "e4m3fn", "lanes": 7},
        {"kind": "array", "weight": "e3m2", "activation": "int5", "rows": 5, "columns": 3},
        {"kind": "dot", "weight": "e5m2", "lanes": 4, "accumulator": "window:24"},
        {"kind": "mac", "weight": "uint3", "activation": "e2m1fn", "accumulator": "saturate:11"},
        {"kind": "mac", "weight": "fixed<16,4>", "accumulator": "wrap:40"},
    ],
)
def test_breakdown_adds_up_in_every_structure(target, record):
    what = from_record(record)
    for structure in structures(what):
        found = estimate(what.with_structure(structure), load(target))
        for resource in ("lut", "sites"):
            parts = sum(getattr(part, resource) for part in found.breakdown)
            assert abs(parts - getattr(found, resource)) <= len(found.breakdown) / 2
            assert getattr(found, resource) > 0
        assert sum(part.ff for part in found.breakdown) == found.ff
        assert sum(part.carry for part in found.breakdown) == found.carry


def test_lanes_are_paid_for():
    eight, sixteen = (
        estimate(
            from_record({"kind": "dot", "weight": "int8", "lanes": n, "structure": "rows"}),
            load("xcup"),
        )
        for n in (8, 16)
    )
    assert 1.9 < sixteen.lut / eight.lut < 2.1


def test_dsp_blocks_are_counted_only_where_yosys_uses_them():
    def blocks(weight, target):
        return estimate(design(weight=weight, structure="dsp"), load(target)).dsp

    assert blocks("int8", "xcup") == 1
    assert blocks("int4", "xcup") == 0  # products of 8 bits stay in LUTs
    assert blocks("int4", "ecp5") == 1


def test_what_is_unknown_is_refused():
    with pytest.raises(ValueError, match="structure auto must be resolved"):
        estimate(design(weight="int8"), load("xcup"))
    with pytest.raises(ValueError, match="needs a target"):
        estimate(design(weight="int8", structure="rows"))
    other = replace(load("xcup"), name="tapeout")
    with pytest.raises(ValueError, match="no cost model of the target 'tapeout'"):
        estimate(design(weight="int8", structure="rows"), other)
    with pytest.raises(ValueError, match="no formula for a str"):
        part_costs("a part of which nothing is known", coefficients.load("xcup"))
    with pytest.raises(ValueError, match=r"no coefficient chain\.colour"):
        coefficients.load("xcup").of("chain", "colour")
    with pytest.raises(ValueError, match=r"no coefficients chain\.colours"):
        coefficients.load("xcup").row("chain", "colours")


def test_a_plan_says_its_target():
    built = plan(design(weight="int8", structure="rows"), load("ecp5"))
    assert estimate(built) == estimate(built.design, load("ecp5"))


@pytest.mark.parametrize("target", TARGETS)
def test_every_coefficient_has_its_provenance(target):
    count = 0
    for names_in_group in coefficients._groups(target).values():
        for entry in names_in_group.values():
            assert set(entry) == {"value", "source"}
            assert len(entry["source"]) > 5
            count += 1
    assert count >= 10


@pytest.mark.parametrize("target", TARGETS)
def test_measured_parts_are_there(target):
    assert measured.measured(target, "product", "s8xs8").lut > 100
    assert measured.measured(target, "product", "no such key") is None


def test_an_estimate_takes_a_millisecond():
    designs = [
        from_record(
            {"kind": "dot", "weight": f"int{w}", "activation": f"uint{a}", "structure": "rows"}
        )
        for w in range(2, 9)
        for a in range(1, 9)
    ]
    target = load("xcup")
    for what in designs:
        estimate(what, target)
    started = time.process_time()
    for what in designs:
        estimate(what, target)
    assert (time.process_time() - started) / len(designs) < 0.003  # 0.2 ms on an idle machine


def test_import_is_light():
    code = (
        "import sys, costmodel; "
        "print([m for m in ('amaranth', 'numpy', 'pyosys', 'yaml', 'hw.rtl') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
