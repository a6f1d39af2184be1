"""sweeps.autotune: the structure with the fewest estimated sites, never a DSP block."""

import pytest

from costmodel import estimate
from hw.design import DSP_STRUCTURES, from_record
from hw.plan import structures
from hw.target import load
from sweeps.autotune import resolve

DESIGNS = [
    {"kind": "dot", "weight": "int8"},
    {"kind": "dot", "weight": "e2m1fn"},
    {"kind": "mac", "weight": "e4m3fn", "activation": "int4"},
    {"kind": "array", "weight": "int2", "activation": "uint3", "rows": 2, "columns": 2},
    {"kind": "dot", "weight": "e5m2", "accumulator": "window:24"},
]


@pytest.mark.parametrize("target", ["xcup", "xc7", "ecp5", "ice40"])
@pytest.mark.parametrize("record", DESIGNS, ids=lambda r: f"{r['kind']}-{r['weight']}")
def test_nothing_is_cheaper(target, record):
    design = from_record(record)
    settled = resolve(design, load(target))
    price = estimate(settled, load(target))
    others = [
        estimate(design.with_structure(structure), load(target))
        for structure in structures(design, load(target))
        if structure not in DSP_STRUCTURES
    ]
    assert len(others) >= 2
    best = min((other.sites, other.lut) for other in others)
    assert (price.sites, price.lut) == best
    assert settled.with_structure("auto") == design


def test_known_choices():
    def choice(weight):
        return resolve(from_record({"kind": "dot", "weight": weight}), load("xcup")).structure

    assert choice("int8") == "rows"
    assert choice("e2m1fn") == "table"


def test_a_dsp_block_is_never_chosen_but_kept():
    design = from_record({"kind": "mac", "weight": "int8", "activation": "int8"})
    assert "dsp" in structures(design)
    assert resolve(design, load("xcup")).structure != "dsp"
    asked = design.with_structure("dsp")
    assert resolve(asked, load("xcup")) is asked


def test_a_tie_goes_to_the_plainer_structure():
    # A product with one bit is the same ands in every structure.
    design = from_record({"kind": "mac", "weight": "uint1", "activation": "uint4"})
    prices = {
        (found.sites, found.lut)
        for structure in ("behavioural", "rows", "table")
        for found in [estimate(design.with_structure(structure), load("xcup").portable())]
    }
    assert len(prices) == 1
    assert resolve(design, load("xcup").portable()).structure == "behavioural"
