"""costmodel.constant_rows: rows with a constant cost what Yosys counts, on every family."""

from types import SimpleNamespace

import pytest

from costmodel import coefficients
from costmodel.constant_rows import ConstantRow, constant_row
from hw.rtl.alignment import Reference
from hw.rtl.rounding import FieldRow
from hw.target import load
from sweeps.module_sizes import measure_parts

TARGETS = ("xcup", "ecp5", "ice40", "gowin")
SUMS = ((2, 153, 9), (2, 141, 9), (3, 28, 7), (4, 131, 9), (5, 126, 9), (9, -104, 10), (5, 96, 9))
"""Bits of the word, constant, width."""
DIFFERENCES = ((151, 5), (149, 5), (143, 5), (139, 4), (85, 5), (27, 5), (12, 4), (158, 6), (81, 7))
"""Constant, bits of the word."""


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_estimated_is_what_yosys_counts(target):
    known = coefficients.load(target)
    rows, parts = [], []
    for bits, constant, width in SUMS:
        plan = SimpleNamespace(exponent_bits=bits, anchor=constant, difference_bits=width)
        rows.append(ConstantRow(constant, bits, width))
        parts.append((Reference(plan), False))
    for constant, bits in DIFFERENCES:
        width = constant.bit_length()
        plan = SimpleNamespace(
            exponent_bits=0, highest=constant, highest_bits=width, count_bits=bits
        )
        rows.append(ConstantRow(constant, bits, width, subtracts=True))
        parts.append((FieldRow(plan), False))
    found = measure_parts(parts, load(target))
    assert len(found) == len(rows) == len(SUMS) + len(DIFFERENCES)
    for row, measured in zip(rows, found, strict=True):
        cost = constant_row(row, known)
        assert (cost.lut, cost.carry) == (measured["lut"], measured["carry"]), row
        assert cost.sites == measured["sites"], row
    assert any(cost["carry"] for cost in found)


def test_what_a_constant_does():
    row = ConstantRow(0b10010111, 5, 8, subtracts=True)
    assert (row.low, row.active, row.chain_bits, row.alu_bits) == (3, 2, 3, 5)
    assert row.top_is_inverse
    assert row.takes_both
    row = ConstantRow(0b010001101, 2, 9)
    assert (row.low, row.active, row.chain_bits, row.alu_bits) == (0, 2, 3, 5)
    assert ConstantRow(0b1100, 2, 6).active == 0
    assert ConstantRow(-104, 9, 10).low == 3
