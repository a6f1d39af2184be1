"""Adder rows too narrow for the carry chain of ECP5: what is estimated is what Yosys counts."""

import pytest

import costmodel
from costmodel import coefficients
from costmodel.rows import sum_row
from hw.design import from_record
from hw.plan import Bounds, Sign, SumRow
from hw.plan.sums import Word
from hw.rtl import emit
from hw.rtl.library import Library
from hw.rtl.sums import SumRowAdder
from hw.synthesis import synthesize
from hw.target import load
from hw.yosys import clean_verilog
from sweeps.autotune import resolve

ROWS = [
    ((-2, 1), 1, (-2, 1), 1),
    ((-2, 1), 2, (-2, 1), 2),
    ((-3, 2), 2, (-2, 1), 1),
    ((-3, 2), 2, (-3, 2), 2),
    ((-4, 3), 4, (-2, 1), 2),
    ((-5, 4), 4, (-2, 1), 1),
    ((-5, 4), 3, (-5, 4), 3),
]
"""Range of the bits and reach of the value of both words, each with a bit still to be added."""


def test_narrow_rows_with_a_carry():
    widths = set()
    for left, left_reach, right, right_reach in ROWS:
        words = [
            Word(Bounds(*bits), Bounds(-reach, reach), Sign.CARRY)
            for bits, reach in ((left, left_reach), (right, right_reach))
        ]
        row = SumRow(tuple(words))
        widths.add(row.width)
        library = Library()
        text = library.convert(SumRowAdder(row), "row")
        found = synthesize(clean_verilog(text, "row"), "row", "ecp5")
        assert sum_row(row, coefficients.load("ecp5")).lut == found.lut
    assert widths == {3, 4}


@pytest.mark.parametrize("weight", ["binary", "ternary"])
def test_the_choice_follows(weight):
    """Eight lanes of int2: rows of 3 and 4 bits with carries were taken for smaller."""
    ecp5 = load("ecp5")
    what = from_record({"kind": "dot", "weight": weight, "activation": "int2", "lanes": 8})
    measured = {}
    for structure in ("rows", "table"):
        emitted = emit(what.with_structure(structure), ecp5)
        measured[structure] = synthesize(emitted.verilog, emitted.top, ecp5).lut
        estimate = costmodel.estimate(what.with_structure(structure), ecp5)
        assert estimate.lut == measured[structure]
    assert resolve(what, ecp5).structure == min(measured, key=measured.__getitem__)
