"""What a tile of BitMoD elements costs: by formula and by Yosys, part by part and whole."""

import pytest

from costmodel import coefficients
from costmodel.bitmod_tile import BITMOD_TILE_FORMULAS
from costmodel.model import estimate, formulas_of
from hw.design import BitmodTile, from_record
from hw.formats import parse_element
from hw.plan import plan
from hw.plan.bitmod import SequencerPlan
from hw.plan.bitmod_decode import TermCells
from hw.plan.bitmod_tile import SpecialBankPlan, TileColumnPlan, TileControlPlan
from hw.rtl.bitmod_bank import SpecialBank, TileControl
from hw.rtl.bitmod_column import TileColumn
from hw.rtl.emit import emit
from hw.rtl.library import Library
from hw.synthesis import synthesize
from hw.target import load
from hw.yosys import clean_verilog

PARTS = [
    (TileControl, TileControlPlan(8), 1),
    (SpecialBank, SpecialBankPlan(8), 2),
    (TileColumn, TileColumnPlan(8, 26, 4, False, 32), 0),
    (TileColumn, TileColumnPlan(2, 26, 4, True, 32), 4),
    *(
        pytest.param(*each, marks=pytest.mark.slow)
        for each in (
            (TileControl, TileControlPlan(1), 1),
            (SpecialBank, SpecialBankPlan(1), 2),
            (TileColumn, TileColumnPlan(8, 24, 0, False, 36), 0),
            (TileColumn, TileColumnPlan(16, 24, 0, False, 36), 12),
        )
    ),
]


@pytest.mark.parametrize(("component", "part", "luts"), PARTS)
def test_parts_cost_what_yosys_says_within_a_few_luts(component, part, luts):
    library = Library("part_", True)
    text = library.convert(component(part), "part")
    verilog = clean_verilog(text, "part", library.names.__contains__, None)
    found = synthesize(verilog, "part", "xcup")
    ((_, formula),) = BITMOD_TILE_FORMULAS[type(part)]
    cost = formula(part, coefficients.load("xcup"))
    assert abs(cost.lut - found.lut) <= luts
    assert abs(cost.sites - found.sites) <= luts + 1
    assert cost.ff == found.ff == part.ff


def share(design, kinds):
    """LUTs of parts of some types over those of the whole, by formula."""
    target = coefficients.load("xcup")
    chosen = whole = 0.0
    for part, count in plan(design, load("xcup")).parts().items():
        for _, formula in formulas_of(type(part)):
            lut = count * formula(part, target).lut
            whole += lut
            chosen += lut * isinstance(part, kinds)
    return chosen / whole


def test_the_encoders_are_a_small_part_of_the_tile():
    """2.5 % in the paper, for an area in 28 nm; in LUTs here, without and with what they need."""
    paper = BitmodTile(specials="ignore")
    assert 0.017 < share(paper, TermCells) < 0.021
    assert 0.02 < share(paper, (TermCells, SpecialBankPlan, SequencerPlan)) < 0.025


@pytest.mark.slow
@pytest.mark.parametrize(
    "design",
    [
        BitmodTile(specials="ignore"),
        BitmodTile(rows=2, columns=3, group=32, length=64, activation=parse_element("int8")),
    ],
    ids=["fp16", "int8"],
)
def test_whole_tiles(design):
    emitted = emit(design, load("xcup"))
    found = synthesize(emitted.verilog, emitted.top, "xcup")
    known = estimate(plan(design, load("xcup")))
    assert known.ff == found.ff
    for what in ("lut", "sites"):
        assert abs(getattr(known, what) / getattr(found, what) - 1) < 0.02


@pytest.mark.slow
def test_an_element_takes_less_than_a_mac_of_fp16_with_sums_of_fp32():
    """−24 % per element in the paper; here with its share of what its column and tile have."""
    tile = estimate(plan(BitmodTile(specials="ignore"), load("xcup"))).sites / 64
    mac = from_record(
        {"kind": "mac", "weight": "fp16", "accumulator": "float:fp32:step", "specials": "ignore",
         "structure": "rows"}
    )  # fmt: skip
    emitted = emit(mac, load("xcup"))
    found = synthesize(emitted.verilog, emitted.top, "xcup").sites
    assert 0.5 < tile / found < 0.65
