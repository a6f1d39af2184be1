"""The activity formula on windows, floats, MX blocks, compressors, squares, pipelines, blocks."""

import json

import numpy as np
import pytest

from costmodel import activity, energy
from costmodel.energy_blocks import block, product_pj
from hw.design import from_record
from hw.target import load
from sweeps.activity import NAMES, chains_of, errors, read_rows, stream_statistics
from sweeps.activity_draw import FITTED, JUDGED, LOOKED
from sweeps.activity_kinds import SETS, draw, specification
from sweeps.cli import main

BOUND = 8
"""Most mean error in percent of each family on xcup and ecp5."""
AGAIN = ("window", "floating", "mxdot", "baugh-wooley, pipelined")
"""Ends of families that were judged anew: under each stream they are within the bound."""
OTHERS = {"xc7": 6, "ice40": 12, "gowin": 9}
"""The same of MACs and dot products of targets that take coefficients over."""


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "ecp5", *OTHERS])
def test_errors_of_other_kinds_are_those_that_are_stated(target):
    rows = read_rows(f"kinds_{target}")
    for chosen in SETS:
        found = list(dict.fromkeys(row.design for row in rows if row.chosen == chosen))
        assert found == draw(target, chosen)
    judged = [row for row in rows if row.chosen == JUDGED]
    assert len(judged) >= 35
    off = 100 * np.abs(errors(target, judged))
    families = {activity.family_of(row.design) for row in judged}
    checked = 0
    for family in families:
        own = [v for v, row in zip(off, judged, strict=True) if family_of(row) == family]
        stored = activity.errors()[target][family]
        assert np.mean(own) <= OTHERS.get(target, BOUND), family
        assert np.mean(own) == pytest.approx(stored["all"]["mean"], abs=0.1)
        assert max(own) == pytest.approx(stored["all"]["worst"], abs=0.1)
        if family.endswith(AGAIN):
            assert stored["all"]["designs"] >= 12
            assert all(stored[name]["mean"] <= BOUND for name in NAMES if name in stored)
        checked += len(own)
    assert checked == len(judged)


def family_of(row):
    return activity.family_of(row.design)


def test_no_fitted_design_is_judged():
    for target in ("xcup", "ecp5"):
        sets = {chosen: {d.slug for d in draw(target, chosen)} for chosen in SETS}
        judged = sets[JUDGED]
        assert not (sets[FITTED] | sets[LOOKED]) & judged
        assert not sets[FITTED] & sets[LOOKED]
        counts = specification()["counts"]
        wanted = sum(by[target][JUDGED] for by in counts.values() if target in by)
        assert len(judged) == wanted
    with pytest.raises(ValueError, match="no other kinds are drawn for asic"):
        draw("asic", JUDGED)


def test_pipeline_registers_cost_what_they_are():
    plain = from_record({"kind": "dot", "weight": "int4", "lanes": 4, "structure": "rows"})
    staged = from_record(plain.to_record() | {"pipeline": 1})
    given, target = stream_statistics()(plain), load("xcup")
    chains = chains_of(staged, "xcup")
    found = energy.estimate(staged, target, given, chains)
    without = energy.estimate(plain, target, given)
    registers = sum(length * number for length, number in chains.items())
    assert registers > 20
    added = 4 * (found.energy_pj_per_mac - without.energy_pj_per_mac)
    known = energy.constants("xcup")
    assert 0.2 < (added / registers - known.clock) / known.registers < 0.6
    with pytest.raises(ValueError, match="whose chains are not given"):
        energy.estimate(staged, target, given)


def test_a_product_in_a_block_is_a_constant():
    design = from_record({"kind": "mac", "weight": "int8", "structure": "dsp"})
    found = energy.estimate(design, load("xcup"), stream_statistics()(design))
    assert found.parts["DSP block"] == pytest.approx(product_pj(design, "xcup"))
    assert found.error_percent is None
    known = block("xcup")
    assert (
        product_pj(design, "xcup") == (64 * known.bit_product_aj / 1000 + known.addition_fj) / 1000
    )
    assert isinstance(known.bit_product_aj, int)
    assert known.factor >= 2
    with pytest.raises(ValueError, match="no energy of the DSP blocks of 'gowin'"):
        block("gowin")


def test_floating_sums_in_arrays_have_the_error_of_their_cores():
    design = from_record(
        {"kind": "array", "weight": "e2m1fn", "accumulator": "fp32", "structure": "rows"}
    )
    found = energy.estimate(design, load("xcup"), stream_statistics()(design))
    stored = activity.errors()["xcup"]["dot, floating"]["all"]["mean"]
    assert found.error_percent == stored
    assert found.parts["floating accumulator"] > found.parts["product"]


def test_the_table_is_shown(capsys):
    assert main(["energy", "--show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["target", "kind", "stream"]
    rows = sum(len(s) for families in activity.errors().values() for s in families.values())
    assert len(lines) == rows + 2
    assert main(["energy", "--show", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == activity.errors()
