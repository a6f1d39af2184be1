"""Merged lanes: cells computed one by one, hardware against golden, area against the formula."""

import itertools
import random
import time
from graphlib import TopologicalSorter

import numpy as np
import pytest
from sim_designs import case

from costmodel import estimate
from hw import synthesis
from hw.design import from_record
from hw.plan import plan, structures
from hw.plan.carry_count import CarryCount
from hw.plan.cells import Chain, Lut, Netlist, function
from hw.plan.merged_cells import lane_netlist, row_netlist
from hw.plan.merged_window import maximum_netlist
from hw.plan.operand import OperandPlan
from hw.plan.placement import Placement, placements, wiring
from hw.rtl import emit
from hw.target import load
from sim import bulk
from sim.bulk import Bulk
from sim.runner import simulate
from sim.vectors import pair_steps
from sweeps.autotune import resolve

XCUP = load("xcup")
FORMATS = ("e2m1fn", "e2m3fn", "e3m2fn", "e4m3finite", "e5m2finite")


def record(kind, weight, activation=None, **settings):
    return from_record(
        {"kind": kind, "weight": weight, "activation": activation, "structure": "merged"}
        | {"specials": "ignore"}
        | settings
    )


def evaluate(netlist, nets):
    """Return all nets of a netlist, one cell after the other, as soon as its inputs are known."""
    known = dict(nets) | {"0": 0, "1": 1}
    waiting = [*netlist.luts, *netlist.chains]
    while waiting:
        ready = [cell for cell in waiting if all(net in known for net in cell.inputs)]
        assert ready
        for cell in ready:
            known |= drive(cell, known)
        waiting = [cell for cell in waiting if cell not in ready]
    return known


def read(lut, known):
    return lut.truth >> sum(known[net] << n for n, net in enumerate(lut.inputs)) & 1


def drive(cell, known):
    if isinstance(cell, Lut):
        return {cell.output: read(cell, known)}
    assert isinstance(cell, Chain)
    carry, found = known[cell.carry_in], {}
    for bit in cell.bits:
        select = read(bit.select, known)
        direct = known[bit.direct] if isinstance(bit.direct, str) else read(bit.direct, known)
        found[bit.output] = select ^ carry
        carry = carry if select else direct
    return found | ({cell.carry_out: carry} if cell.carry_out else {})


def spread(name, word, bits):
    return {f"{name}{i}": word >> i & 1 for i in range(bits)}


def lane_inputs(format, code, side):
    fraction, exponent = format.fraction_bits, format.exponent_bits
    field = code >> fraction & ((1 << exponent) - 1)
    significand = code & ((1 << fraction) - 1) | (field > 0) << fraction
    nets = spread(f"{side}m", significand, fraction + 1) | spread(f"{side}f", field, exponent)
    return nets | {f"{side}n": int(field > 0), f"{side}s": code >> (format.bits - 1)}


@pytest.mark.parametrize("name", FORMATS)
def test_cells_of_lane_and_row_place_every_product(name):
    what = record("mac", name)
    lane, row = plan(what, XCUP).core.lane, plan(what, XCUP).core.accumulate.row
    format, width = what.weight, row.width
    rng = np.random.default_rng(3)
    codes = range(1 << format.bits)
    pairs = list(itertools.product(codes, codes))
    if len(pairs) > 1 << 10:
        pairs = [pairs[i] for i in rng.choice(len(pairs), 1 << 9, replace=False)]
    checked = 0
    for w, a in pairs:
        nets = evaluate(lane.netlist, lane_inputs(format, w, "w") | lane_inputs(format, a, "a"))
        before = int(rng.integers(0, 1 << min(width, 62)))
        sums = evaluate(row.netlist, nets | spread("p", before, width))
        total = sum(sums[f"t{i}"] << i for i in range(width))
        assert total == (before + format.integer(w) * format.integer(a)) % (1 << width)
        checked += 1
    assert checked == min(1 << 2 * format.bits, 1 << 9) or checked == 1 << 2 * format.bits


def test_the_largest_exponent_of_live_lanes_and_of_the_sum_is_found():
    rng, lanes, bits = np.random.default_rng(7), 9, 4
    cells = maximum_netlist(lanes, bits)
    for _ in range(200):
        exponents = rng.integers(0, 1 << bits, lanes).tolist()
        live = (rng.random(lanes) < rng.random()).astype(int).tolist()
        highest = int(rng.integers(0, 1 << bits) * (rng.random() < 0.5))
        nets = {f"nz{lane}": live[lane] for lane in range(lanes)} | spread("h", highest, bits)
        for lane, exponent in enumerate(exponents):
            nets |= {f"e{lane * bits + bit}": exponent >> bit & 1 for bit in range(bits)}
        found = evaluate(cells, nets)
        largest = max([highest, *(e for e, on in zip(exponents, live, strict=True) if on)])
        assert sum(found[f"r{bit}"] << bit for bit in range(bits)) == largest


def test_functions_drop_what_does_not_matter():
    assert function("y", ("a", "0", "b", "1"), lambda a, z, b, o: a ^ z ^ (b & (1 - o))) == Lut(
        "y", ("a",), 2
    )
    with pytest.raises(ValueError, match="at most 6 inputs, not 7"):
        function("y", tuple("abcdefg"), lambda *v: sum(v) & 1)


def test_packing_shares_inputs_and_makes_no_loop():
    luts = [
        Lut("u", tuple("abcd"), 0x8000),
        Lut("v", tuple("abce"), 0x8000),
        Lut("w", tuple("fghijk"), 1),
        Lut("x", ("u", "a"), 8),
    ]
    groups = Netlist(tuple(luts), ()).pairs
    assert [[lut.output for lut in group] for group in groups] == [["u", "v"], ["w"], ["x"]]
    groups = Netlist(tuple(luts[::3]), ()).pairs
    assert [[lut.output for lut in group] for group in groups] == [["u"], ["x"]]


def test_packing_lets_the_choosy_choose_and_the_idle_wait():
    chain = [
        Lut("p", tuple("abcd"), 1),  # with q only
        Lut("q", tuple("bcde"), 1),
        Lut("r", tuple("de"), 1),
        Lut("s", tuple("ef"), 1),  # with q, r
        Lut("late", ("p", "g"), 8),
        Lut("idle", ("h", "i", "g", "p"), 1),
        Lut("alone", ("g", "j", "k"), 1),  # waits for its mate "late"
    ]
    groups = [{lut.output for lut in group} for group in Netlist(tuple(chain), ()).pairs]
    assert {"p", "q"} in groups
    assert {"r", "s"} in groups
    assert len(groups) == 4
    rng, checked = random.Random(11), 0
    for _ in range(60):
        netlist = some_netlist(rng)
        groups_of = netlist.pairs
        assert sorted(lut.output for group in groups_of for lut in group) == sorted(
            lut.output for lut in netlist.luts
        )
        place = {lut.output: number for number, group in enumerate(groups_of) for lut in group}
        edges = [
            {place[net] for lut in group for net in lut.inputs if net in place}
            for group in groups_of
        ]
        assert all(len({n for lut in g for n in lut.inputs}) <= 6 - (len(g) > 1) for g in groups_of)
        tuple(TopologicalSorter(dict(enumerate(edges))).static_order())  # raises at a loop
        checked += len(groups_of)
    assert checked > 600


def some_netlist(rng: random.Random) -> Netlist:
    """Return LUTs of random inputs, each reading outer nets and LUTs before it."""
    nets, luts = list("abcdefgh"), []
    for number in range(20):
        luts.append(Lut(f"n{number}", tuple(rng.sample(nets, rng.randint(2, 6))), 1))
        nets.append(luts[-1].output)
    return Netlist(tuple(luts), ())


def test_placements_have_a_code_for_every_amount():
    checked = 0
    for placement in placements(8, 0, 4, 12, free_code=True):
        codes = [placement.code(amount) for amount in range(5)]
        assert len(set(codes)) == 5
        for amount, code in enumerate(codes):
            coarse, fine = divmod(code, 1 << len(placement.fine))
            assert placement.shifts[coarse] + placement.fine_sums[fine] == amount
            checked += 1
    assert checked >= 5 * 8
    crowded = Placement(16, (), tuple(range(31)), 0, 30, 46, False)
    assert wiring(crowded) is None


def test_rows_and_lanes_take_what_was_planned():
    checked = 0
    for number, name in enumerate(FORMATS):
        accumulator = ("exact", "window:20")[number % 2]
        what = record("dot", name, lanes=2, accumulator=accumulator)
        measured = synthesis.synthesize(emit(what, XCUP).verilog, what.slug, XCUP)
        found = estimate(what, XCUP)
        assert abs(found.sites - measured.sites) <= 2
        assert abs(found.lut - measured.lut) <= 3
        assert found.ff == measured.ff
        assert found.carry == measured.carry
        checked += 1
    assert checked == len(FORMATS)


@pytest.mark.parametrize(("name", "most"), [("e2m3fn", 42), ("e3m2fn", 48), ("e4m3finite", 90)])
def test_area_per_lane_of_32(name, most):
    what = record("dot", name, lanes=32)
    assert estimate(what, XCUP).sites <= 32 * most
    auto = resolve(what.with_structure("auto"), XCUP)
    assert auto.structure == "merged"


@pytest.mark.parametrize("accumulator", ["exact", "window:24"])
def test_wide_exponents_are_served_or_refused_in_time(accumulator):
    checked = 0
    for weight, activation in [("e8m2finite", "e5m1"), ("e7m0finite", "e3m4"), ("e6m7", "e8m7")]:
        what = record("mac", weight, activation, accumulator=accumulator)
        start = time.perf_counter()
        if "merged" in structures(what, XCUP):
            assert estimate(what, XCUP).sites > 0
            checked += 1
        assert time.perf_counter() - start < 10
    assert checked >= 2


def test_chains_are_equal_or_one():
    def chains(lanes, name="e4m3fn", **settings):
        what = record("dot", name, lanes=lanes, **settings)
        found = plan(what, XCUP).core.chain
        assert (found.count is None) != all(row.carries for row in found.chains[0])
        return [len(rows) for rows in found.chains], found.count

    assert chains(32) == ([32], CarryCount(32, 6))
    assert chains(64) == ([32] * 2, CarryCount(32, 6))
    assert chains(11)[0] == [11]
    assert chains(24)[0] == [24]
    assert chains(2, "e2m1fn") == ([2], None)
    lane = plan(record("mac", "e2m3fn"), XCUP).core.lane
    assert row_netlist(lane.placement, True, 13).sites == 13
    assert row_netlist(lane.placement, True, 12, True).sites == 12
    assert row_netlist(lane.placement, True, 13, True).sites == 14
    assert lane_netlist(lane.weight, lane.activation, lane.placement) is lane.netlist


def test_carries_and_signs_are_counted():
    rng, checked = random.Random(7), 0
    for rows in (*range(1, 20), 32, 47):
        bits = rows.bit_length() + 1
        cells = CarryCount(rows, bits).netlist
        for chance in (0, 0.1, 0.5, 0.9, 1):
            nets = {f"{kind}{i}": int(rng.random() < chance) for kind in "cs" for i in range(rows)}
            nets |= {f"s{i}": int(rng.random() < 1 - chance) for i in range(rows)}
            known = evaluate(cells, nets)
            found = sum(known[f"n{i}"] << i for i in range(bits))
            value = sum(nets[f"c{i}"] - nets[f"s{i}"] for i in range(rows))
            assert found == value % (1 << bits)
            checked += 1
    assert checked == 21 * 5
    assert CarryCount(32, 7).netlist.sites <= 1.5 * 32


def test_refusals():
    what = record("mac", "e4m3finite")
    with pytest.raises(ValueError, match=r"merged cannot serve .* on ice40; one of behavioural"):
        plan(what, load("ice40"))
    for name in ("int8", "e5m10"):
        with pytest.raises(ValueError, match="merged cannot serve"):
            plan(record("mac", name), XCUP)
    assert OperandPlan(what.weight).field_bits == 4


CASES = [
    ("mac", "e2m3fn", None, {}),
    ("mac", "e4m3fn", "e2m1fn", {"specials": "flag", "accumulator": "saturate:20"}),
    ("mac", "e5m2", None, {"specials": "flag"}),
    ("dot", "e2m1fn", "e2m0finite", {"lanes": 16, "accumulator": "wrap:20"}),
    ("mac", "e3m0finite", "e4m1finite", {"accumulator": "wrap:12"}),
    ("mac", "e4m3fn", None, {"accumulator": "window:20:8", "specials": "flag"}),
    ("dot", "e5m2finite", "e2m1fn", {"lanes": 2, "accumulator": "window:16"}),
]


@pytest.mark.parametrize(("kind", "weight", "activation", "more"), CASES)
def test_hardware_is_golden(kind, weight, activation, more):
    what = record(kind, weight, activation, **more)
    verdict = bulk.check(emit(what, XCUP).verilog, what, 20_000)
    assert verdict.passed
    assert verdict.vectors >= 20_000


def test_portable_hardware_is_golden():
    what = record("dot", "e2m1fn", lanes=2)
    text = emit(what, load("xcup:portable")).verilog
    assert "LUT6_2" not in text
    assert bulk.check(text, what, 20_000).passed


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FORMATS, "e4m3fn", "e5m2"])
def test_a_million_vectors_and_every_pair(name):
    dot = record("dot", name, lanes=8)
    assert bulk.check(emit(dot, XCUP).verilog, dot, 1_000_000).passed
    window = record("dot", name, lanes=8, accumulator="window:24")
    assert bulk.check(emit(window, XCUP).verilog, window, 1_000_000).passed
    mac = record("mac", name)
    steps = pair_steps(mac, np.random.default_rng(1))
    wrong, first = Bulk(emit(mac, XCUP).verilog, mac).check(steps)
    assert (wrong, first) == (0, None)
    assert (
        len({*zip(steps.weight[:, 0], steps.activation[:, 0], strict=True)})
        == 1 << 2 * mac.weight.bits
    )


@pytest.mark.slow
def test_cocotb_run(tmp_path):
    cases = [
        case("mac", "e2m3fn", structure="merged"),
        case("dot", "e5m2", lanes=4, structure="merged"),
        case("dot", "e4m3fn", lanes=4, structure="merged", accumulator="window:24"),
    ]
    verdicts = simulate(cases, folder=tmp_path, vectors=1000)
    assert len(verdicts) == 3
    assert all(verdict.passed and verdict.vectors >= 1000 for verdict in verdicts)
