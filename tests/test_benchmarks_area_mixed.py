"""benchmarks/area_mixed: small arrays through table, crossings, figure; what is missing is told."""

import json
import sys
from fractions import Fraction
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))

import area_mixed
import area_mixed_figure
from area_mixed import FAMILIES, TERMS, WEIGHTS, Family, Point

from hw.design import BitmodTile, from_record
from hw.formats.bitmod_datatypes import DATATYPES


def mac(bits):
    return {"kind": "mac", "weight": WEIGHTS[bits], "activation": "int2"} if bits < 3 else None


def planes(bits):
    if bits > 3:
        return None
    return {
        "kind": "bitplane", "organisation": "weight-serial", "lanes": 2, "weight": "int3",
        "activation": "int2",
    }  # fmt: skip


SMALL = (
    Family("fixed", "one width", "int8", mac, lambda bits: Fraction(1)),
    Family("serial", "planes", "int8", planes, lambda bits: Fraction(2, -int(-bits // 1))),
    Family("bitmod", "nobody", "int8", lambda bits: {"kind": "none"}, lambda bits: Fraction(1)),
)


@pytest.mark.slow
def test_small_arrays_from_end_to_end(tmp_path, capsys):
    assert area_mixed.run(["xcup"], tmp_path, SMALL) == 0
    record = json.loads((tmp_path / "area_mixed.json").read_text())
    points = [Point(**point) for point in record["points"]]
    assert [point.family for point in points] == ["fixed"] * 3 + ["serial"] * 4
    serial = [point for point in points if point.family == "serial"]
    assert len({(p.lut, p.sites, p.ff, p.transistors) for p in serial}) == 1
    assert [point.macs_per_cycle for point in serial] == [2, 1, 1, 2 / 3]
    assert serial[3].per_mac("sites") == pytest.approx(serial[3].sites * 1.5)
    assert all(point.lut and point.ff and point.transistors for point in points)
    assert (tmp_path / "area_mixed.png").stat().st_size > 10_000
    out = capsys.readouterr().out
    assert "left out: nobody × int8: kind" in out
    assert out.count("one width") == 3


def point(family, bits, sites, macs=1.0):
    return Point(family, bits, "int8", "xcup", "x", macs, sites, sites, 1, None)


def test_crossings_compare_at_equal_throughput():
    fixed = [point("fixed", 2.0, 10), point("fixed", 8.0, 50)]
    serial = [point("serial", 2.0, 60, 4.0), point("serial", 8.0, 60, 1.0)]
    sites, transistors = area_mixed.crossings(fixed + serial)
    assert "same width at no width; less than arrays of 8 bits at 2 bits" in sites
    assert "at no width; less than arrays of 8 bits at no width" in transistors


def test_an_empty_figure_is_refused():
    with pytest.raises(ValueError, match="at least one point"):
        area_mixed_figure.draw([])


def test_families_are_what_their_titles_say():
    cycles = {float(datatype.bits): datatype.cycles for datatype in DATATYPES}
    assert {bits: cycles[bits] for bits in TERMS} == TERMS
    designs = 0
    for family in FAMILIES:
        for bits in WEIGHTS:
            record = family.record(bits)
            if record is None:
                assert family.key == "bitmod"
                continue
            design = from_record(record)
            assert design.cores == 64
            assert design.activation.name == family.activation
            if isinstance(design, BitmodTile):
                assert family.macs_per_cycle(bits) == 64 * 4 / Fraction(TERMS[bits])
            designs += 1
    assert designs == 6 * 7 + 2 * 4
    assert area_mixed.main(["--only", "xc6"]) == 2
