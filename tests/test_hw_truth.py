"""Truth tables of all codes at once, against the rules asked code by code."""

import itertools
import random

import pytest

from hw.formats import parse
from hw.plan.builder import any_both, chosen, equals
from hw.plan.cells import Lut, Netlist, bitwise, function, leanest, lookup
from hw.plan.merged import candidates
from hw.plan.merged_cells import lane_netlist
from hw.plan.operand import OperandPlan
from hw.plan.placement import packed_choices
from hw.plan.truth import column, columns_of, supported


def mixed(a: int, b: int, c: int, d: int, turn: int) -> int:
    """Return some function of four nets, another one for each `turn`."""
    return (a & b ^ ~c, a | d & ~b, (a ^ b) & (c ^ d), a & ~a | c)[turn]


def read(value: int, codes: tuple[int, ...]) -> bool:
    """Whether the lowest bit is set: rules in integers, asked about a code."""
    return bool(value & 1)


def test_a_rule_for_all_codes_is_the_rule_code_by_code():
    nets = ("0", "1", "x", "y", "z")
    checked = 0
    for inputs in itertools.product(nets, repeat=4):
        for turn in range(4):
            slow = function("o", inputs, lambda *v, turn=turn: read(mixed(*v, turn), v))
            assert bitwise("o", inputs, mixed, turn) == slow
            checked += 1
    assert checked == 4 * 5**4


def test_library_rules_are_what_they_say():
    names = tuple("abcdef")
    slow = function("o", names, lambda *v: any(x and y for x, y in zip(v[:3], v[3:], strict=True)))
    assert bitwise("o", names, any_both) == slow
    slow = function("o", names[:4], lambda low, high, c, s: (high if c else low) ^ s)
    assert bitwise("o", names[:4], chosen, 1) == slow
    slow = function("o", names, lambda *v: v[v[4] + 2 * v[5]])
    assert bitwise("o", (*names, "0"), chosen, 2) == slow
    for code in range(16):
        truth = equals([column(i, 4) for i in range(4)], code) & 0xFFFF
        assert truth == 1 << code


def test_tables_drop_inputs_that_do_not_matter():
    rng = random.Random(3)
    for _ in range(200):
        live = rng.sample(range(8), rng.randrange(5))
        small = rng.getrandbits(1 << len(live))
        truth = 0
        for code in range(256):
            index = sum((code >> net & 1) << i for i, net in enumerate(sorted(live)))
            truth |= (small >> index & 1) << code
        lut = lookup("o", tuple(f"n{i}" for i in range(8)), truth)
        assert set(lut.inputs) <= {f"n{i}" for i in live}
        for code in range(256):
            index = sum((code >> int(net[1:]) & 1) << i for i, net in enumerate(lut.inputs))
            assert lut.truth >> index & 1 == truth >> code & 1


def test_more_than_six_inputs_are_refused():
    parity = 0
    for code in range(128):
        parity |= (code.bit_count() & 1) << code
    with pytest.raises(ValueError, match="at most 6 inputs, not 7"):
        supported(parity, 7)


def test_columns_of_a_table():
    entries = (5, 0, 3, 6)
    for bit, table in enumerate(columns_of(entries, 3)):
        assert [table >> code & 1 for code in range(4)] == [e >> bit & 1 for e in entries]


def test_pairs_read_five_nets_and_lose_nothing():
    rng = random.Random(5)
    for _ in range(50):
        luts = [
            Lut(f"o{i}", tuple(sorted(rng.sample("abcdefgh", rng.randint(2, 6)))), 1)
            for i in range(12)
        ]
        groups = Netlist(tuple(luts), ()).pairs
        assert sorted(lut.output for group in groups for lut in group) == sorted(
            lut.output for lut in luts
        )
        for group in groups:
            nets = {net for lut in group for net in lut.inputs}
            assert len(group) == 1 or len(nets) <= 5


def test_the_leanest_is_found_without_packing_what_cannot_win(monkeypatch):
    widths = [9, 7, 7, 8, 6]
    some = [Netlist(tuple(Lut(f"o{i}", tuple("abcdef"), 1) for i in range(n)), ()) for n in widths]
    small = Netlist(tuple(Lut(f"o{i}", (f"a{i}", f"b{i}", f"c{i}"), 1) for i in range(8)), ())
    assert (small.least_sites, small.sites) == (4, 8)
    packed = []
    monkeypatch.setattr(Netlist, "pairs", property(lambda n: packed.append(n) or n.luts))
    assert leanest([*some, small]) == 4
    assert packed == [small, some[4]]
    assert leanest([]) is None
    assert leanest([some[1], some[2]]) == 0


def test_bounds_of_lanes_hold():
    checked = 0
    for first, second in itertools.product(
        ("e2m1fn", "e4m3fn", "e3m2fn", "e5m2", "e2m5finite"), repeat=2
    ):
        weight, activation = OperandPlan(parse(first)), OperandPlan(parse(second))
        served = candidates(weight, activation)
        for placement in [choice for known in served for choice in packed_choices(known)]:
            cells = lane_netlist(weight, activation, placement)
            assert cells.least_sites <= cells.sites
            checked += 1
    assert checked > 200
