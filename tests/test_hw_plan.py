"""Plans: ranges against brute force, Booth digits, shifter levels, refusals."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.design import from_record, signed_bits
from hw.plan import AdderRow, BoothRow, Bounds, ExponentMaximum, LanePlan, plan, structures
from hw.plan.digits import booth_rows, booth_triples
from hw.plan.tree import plan_tree
from hw.target import load


def planned(target: str = "xcup", **record: object):
    return plan(from_record(record), load(target))


@given(st.integers(-5000, 5000), st.integers(-5000, 5000))
def test_signed_bits_is_the_smallest_word(one, other):
    low, high = min(one, other), max(one, other)
    bits = signed_bits(low, high)
    assert -(1 << (bits - 1)) <= low
    assert high < 1 << (bits - 1)
    if bits > 1:
        assert low < -(1 << (bits - 2)) or high >= 1 << (bits - 2)


@pytest.mark.parametrize(
    ("bits", "signed"),
    [*((bits, False) for bits in range(1, 9)), *((bits, True) for bits in range(2, 9))],
)
def test_booth_digits_add_up_to_the_multiplier(bits, signed):
    for code in range(1 << bits):
        value = code - (1 << bits) if signed and code >> (bits - 1) else code
        total = 0
        for j, triple in enumerate(booth_triples(bits, signed)):
            high, middle, low = (0 if bit is None else code >> bit & 1 for bit in triple)
            total += (middle + low - 2 * high) << (2 * j)
        assert total == value


def test_booth_rows_are_as_wide_as_their_partial_products_need():
    rows = booth_rows(Bounds(-8, 7), 4, Bounds(-8, 7), 4)
    assert [row.width for row in rows] == [6, 6]
    assert rows[1].previous_bits == 4
    values = [a * (b0 - 2 * b1) for a in range(-8, 8) for b0 in (0, 1) for b1 in (0, 1)]
    assert signed_bits(min(values), max(values)) == 6


@pytest.mark.parametrize(
    ("weight", "activation"),
    [
        ("int4", "int4"),
        ("int3", "uint5"),
        ("e2m1fn", "e3m2fn"),
        ("e4m3fn", "int4"),
        ("e5m2", "e5m2"),
    ],
)
def test_lane_range_holds_every_product_and_is_tight(weight, activation):
    design = from_record({"kind": "mac", "weight": weight, "activation": activation})
    lane = plan(design.with_structure("rows"), load("xcup")).core.lane
    assert isinstance(lane, LanePlan)
    products = [
        design.weight.integer(w) * design.activation.integer(a)
        for w in range(1 << design.weight.bits)
        for a in range(1 << design.activation.bits)
    ]
    assert (min(products), max(products)) == design.product_bounds
    reach = max(-min(products), max(products))
    assert lane.bounds.magnitude == reach
    assert design.product_bits == signed_bits(min(products), max(products))


@given(
    st.integers(1, 33),
    st.tuples(st.integers(-300, 0), st.integers(0, 300)),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_tree_range_holds_every_sum(lanes, reach, relative, generator):
    low, high = reach
    tree = plan_tree(lanes, Bounds(low, high), relative)
    for _ in range(20):
        addends = [
            (generator.choice([low, high, 0]), generator.choice([1, -1]) if relative else 1)
            for _ in range(lanes)
        ]
        first = addends[0][1]
        total = first * sum(sign * value for value, sign in addends)
        assert tree.bounds.low <= total <= tree.bounds.high
    rows = [row for level in tree.levels for row in level if row is not None]
    assert len(rows) == lanes - 1


def test_a_shift_level_sees_at_most_one_lut_of_inputs():
    for name, target in itertools.product(
        ("e4m3fn", "e5m2", "e3m2fn", "e2m5finite"), ("xcup", "ecp5")
    ):
        lane = planned(target, kind="mac", weight=name, structure="rows").core.lane
        shift = lane.shift
        inputs = load(target).lut_inputs
        data = shift.input_bits
        for level in shift.levels:
            sources = min(level.ways, -(-data // (1 << level.low_bit)))
            assert level.bits == 1 or sources + level.bits <= inputs
            data = level.width
        assert data == shift.width + shift.offset
        assert sum(level.bits for level in shift.levels) == shift.amount_bits


def test_parts_count_lanes_rows_and_cells():
    dot = planned("ecp5", kind="dot", weight="int8", lanes=16, structure="rows").parts()
    assert sum(count for part, count in dot.items() if isinstance(part, AdderRow)) == 15
    assert sum(count for part, count in dot.items() if isinstance(part, LanePlan)) == 16
    array = planned(kind="array", weight="int8", rows=3, columns=5, structure="rows").parts()
    assert sum(count for part, count in array.items() if isinstance(part, LanePlan)) == 15
    window = planned(kind="dot", weight="e7m0finite", lanes=4, structure="behavioural").parts()
    assert window[ExponentMaximum(8)] == 3


def test_equal_rows_compare_equal_so_that_they_are_built_once():
    lane = planned("ecp5", kind="mac", weight="int8", structure="rows").core.lane
    shapes = {(row.shape, row.width, row.previous_bits) for row in lane.product.rows}
    assert len(lane.product.rows) == 4
    assert len(shapes) == 2
    assert all(isinstance(row, BoothRow) for row in lane.product.rows)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"weight": "int8"}, "structure auto must be resolved before planning"),
        ({"weight": "int8", "structure": "table"}, "structure table cannot serve int8 × int8"),
        ({"weight": "e2m1fn", "structure": "dsp"}, "behavioural, rows, table, merged, packed can"),
        ({"weight": "e7m0finite", "structure": "dsp"}, "behavioural, rows, table, merged can"),
    ],
)
def test_impossible_structures_are_refused(record, message):
    with pytest.raises(ValueError, match=message):
        planned(kind="mac", **record)


def test_tables_are_offered_where_six_inputs_suffice():
    def offered(weight: str, activation: str) -> bool:
        design = from_record({"kind": "mac", "weight": weight, "activation": activation})
        return "table" in structures(design)

    assert offered("int3", "int3")
    assert offered("e2m1fn", "e2m1fn")
    assert offered("e3m2fn", "e3m2fn")
    assert not offered("int4", "int3")
    assert not offered("e4m3fn", "e4m3fn")


def test_latency_and_interval():
    assert planned(kind="mac", weight="int8", structure="rows").latency_cycles == 1
    array = planned(kind="array", weight="int8", rows=3, columns=5, structure="rows")
    assert (array.latency_cycles, array.initiation_interval) == (7, 1)
