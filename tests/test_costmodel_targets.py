"""costmodel: sizes on Gowin by hand, floating parts by hand, and merged lanes mapped anew."""

import pytest

from costmodel import coefficients, estimate
from costmodel.chain import Row, row_cost
from costmodel.collapse import collapsed_luts
from costmodel.lanes import gate_luts
from costmodel.normalize import dropped_luts, left_luts
from hw.design import from_record
from hw.plan import LeftLevel
from hw.plan.cells import Lut, Netlist
from hw.target import load


def test_rows_on_gowin_by_hand():
    gowin = coefficients.load("gowin")
    plain = Row(tuple(((("a", i),), (("b", i),)) for i in range(8)))
    cost = row_cost(plain, gowin)
    assert (cost.lut, cost.sites, cost.carry) == (8, 8, 8)
    negated = Row(tuple(((("a", i),), (("b", i), "n")) for i in range(8)), ("n",))
    cost = row_cost(negated, gowin)
    assert (cost.lut, cost.sites, cost.carry) == (16, 17, 8)  # an inverter a bit; n enters


def test_gates_on_gowin_join_luts():
    gowin = coefficients.load("gowin")
    assert [gate_luts(n, gowin) for n in (4, 5, 6, 7, 8, 9)] == [1, 2, 4, 8, 16, 3]


@pytest.mark.parametrize(
    ("target", "level", "expected"),
    [
        ("xcup", LeftLevel(0, 2, 12, 9), 9),  # a 4:1 multiplexer per bit
        ("ecp5", LeftLevel(0, 2, 12, 9), 36),
        ("ecp5", LeftLevel(4, 2, 36, 36), 40),  # few bits have two sources, fewer have three
        ("ice40", LeftLevel(0, 2, 12, 9), 20),  # nine, and eleven of the first step
        ("ice40", LeftLevel(4, 2, 35, 35), 38),
        ("ice40", LeftLevel(2, 2, 24, 12), 32),
    ],
)
def test_levels_of_the_normalisation_by_hand(target, level, expected):
    assert left_luts(level, coefficients.load(target)) == expected


def test_levels_that_drop_nothing_have_no_sticky_bit():
    assert dropped_luts(LeftLevel(4, 1, 19, 19), coefficients.load("xcup")) == 0
    assert dropped_luts(LeftLevel(0, 2, 12, 9), coefficients.load("xcup")) == 1


def test_a_lut_that_one_other_reads_goes_into_it():
    inner = Lut("x", ("a", "b"), 0b1000)
    outer = Lut("y", ("x", "c"), 0b0110)
    assert collapsed_luts(Netlist((inner, outer), ()), 6) == 1
    second = Lut("z", ("x", "d"), 0b0110)
    assert collapsed_luts(Netlist((inner, outer, second), ()), 6) == 3
    wide = Lut("y", ("x", "c", "d", "e", "f", "g"), 1)
    assert collapsed_luts(Netlist((inner, wide), ()), 6) == 2


def test_an_int8_mac_on_gowin_by_hand():
    # Four Booth rows, three of 10 bits and the first of 10, each selected bit a function of five
    # inputs (two LUT4); 24 ALUs and two LUTs of control and the overflow flag.
    what = from_record({"kind": "mac", "weight": "int8", "structure": "rows"})
    found = estimate(what, load("gowin"))
    assert found.ff == 2 * (24 + 1) + 1
    assert found.carry == 4 * 10 + 24
    assert found.sites >= found.lut > 64
