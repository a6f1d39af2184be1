"""What BitMoD's element costs: by formula and by Yosys."""

from __future__ import annotations

import pytest

from costmodel import coefficients
from costmodel.bitmod import BITMOD_FORMULAS
from costmodel.model import estimate
from hw.design import BitmodPe
from hw.formats import parse_element
from hw.plan.bitmod import BitmodElementPlan, plan_bitmod, plan_element
from hw.rtl.bitmod import BitmodElement
from hw.rtl.emit import emit
from hw.rtl.library import Library
from hw.rtl.xilinx import models
from hw.synthesis import Measurement, synthesize
from hw.target import load
from hw.yosys import clean_verilog

INT8 = parse_element("int8")
PEER_LUT = 547
"""The element rebuilt from public parts, truncating, in the same flow."""


def _element(plan: BitmodElementPlan) -> Measurement:
    library = Library("element_", plan.packed)
    text = library.convert(BitmodElement(plan), "element")
    verilog = clean_verilog(text, "element", library.names.__contains__, None)
    verilog += models(library.prefix, library.used_primitives)
    return synthesize(verilog, "element", "xcup")


def test_the_element_is_well_below_its_goal_and_exactly_estimated() -> None:
    plan = plan_element(BitmodPe(specials="ignore"), load("xcup"))
    assert isinstance(plan, BitmodElementPlan)
    found = _element(plan)
    known = coefficients.load("xcup")
    lut = sites = ff = 0.0
    for part, count in plan.parts().items():
        for _, formula in BITMOD_FORMULAS[type(part)]:
            cost = formula(part, known)
            lut += count * cost.lut
            sites += count * cost.sites
            ff += count * cost.ff
    assert (lut, sites, ff) == (found.lut, found.sites, found.ff) == (300, 301, 30)
    assert found.sites < 400 < PEER_LUT


def test_the_generator_of_one_column_is_small_beside_its_elements() -> None:
    plan = plan_bitmod(BitmodPe(), load("xcup"))
    known = coefficients.load("xcup")
    parts = plan.generator.parts().items()
    lut = sum(
        count * formula(part, known).lut
        for part, count in parts
        for _, formula in BITMOD_FORMULAS[type(part)]
    )
    assert lut == 64


def test_a_target_without_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has no coefficient bitmod\."):
        estimate(BitmodPe(), load("ice40"))


@pytest.mark.slow
@pytest.mark.parametrize(("target", "tolerance"), [("xcup", 0.03), ("ecp5", 0.06)])
def test_estimates_of_whole_designs_are_near(target: str, tolerance: float) -> None:
    for design in (
        BitmodPe(activation=INT8),
        BitmodPe(activation=INT8, group=256, length=2048, datatypes=("fp3", "fp4")),
        BitmodPe(),
    ):
        emitted = emit(design, load(target))
        found = synthesize(emitted.verilog, emitted.top, target)
        guess = estimate(design, load(target))
        assert guess.sites == pytest.approx(found.sites, rel=tolerance)
        assert guess.lut == pytest.approx(found.lut, rel=tolerance)
        assert guess.ff == found.ff
