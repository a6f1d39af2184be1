"""What BitMoD's element costs: by formula and by Yosys."""

from __future__ import annotations

import pytest

from costmodel import coefficients
from costmodel.bitmod import ALL_DATATYPES, BITMOD_FORMULAS, known_cost, sequencer
from costmodel.model import estimate
from hw.design import BitmodPe
from hw.formats import parse_element
from hw.plan.bitmod import BitmodElementPlan, SequencerPlan, plan_bitmod, plan_element
from hw.rtl.bitmod import BitmodElement
from hw.rtl.bitmod_terms import Sequencer
from hw.rtl.emit import emit
from hw.rtl.library import Library
from hw.rtl.xilinx import models
from hw.synthesis import Measurement, synthesize
from hw.target import load
from hw.yosys import clean_verilog
from sweeps.module_sizes import measure_parts

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


def test_a_module_that_was_not_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="has no measured row of BitMoD: 3_4"):
        known_cost(("row", "3_4"), coefficients.load("ice40"))


def test_the_sequencers_costs_add_up() -> None:
    """Steps, groups and datatypes each change it by themselves; within 3 LUTs of Yosys."""
    some = ("fp3", "fp4")
    plans = [SequencerPlan(ALL_DATATYPES, 9, 5), SequencerPlan(some, 64, 16)]
    found = measure_parts([(Sequencer(plan), True) for plan in plans], load("xcup"))
    known = coefficients.load("xcup")
    for plan, counts in zip(plans, found, strict=True):
        cost = sequencer(plan, known)
        assert abs(cost.lut - counts["lut"]) <= 3
        assert (cost.carry, cost.ff) == (counts["carry"], counts["ff"])


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "xc7", "xcup:portable", "ecp5", "ice40", "gowin"])
def test_estimates_of_whole_designs_are_near(target: str) -> None:
    for design in (
        BitmodPe(activation=INT8),
        BitmodPe(activation=INT8, group=256, length=2048, datatypes=("fp3", "fp4")),
        BitmodPe(),
    ):
        emitted = emit(design, load(target))
        found = synthesize(emitted.verilog, emitted.top, load(target))
        guess = estimate(design, load(target))
        within = 0.03 if target == "gowin" else 0.02  # its sequencers of two datatypes share more
        assert guess.sites == pytest.approx(found.sites, rel=within)
        assert guess.lut == pytest.approx(found.lut, rel=within)
        assert (guess.ff, guess.carry) == (found.ff, found.carry)
