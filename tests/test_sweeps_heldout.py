"""sweeps.heldout: what is drawn, that a seed gives it again, and that it spans the distribution."""

from collections import Counter
from dataclasses import replace

import pytest

from hw.accumulators import AccumulatorKind
from hw.design import SerialDesign, WeightStationaryArray
from hw.formats import FixedFormat
from hw.plan import plan
from hw.target import load
from sweeps.heldout import FILES, SEEDS, VERSION, distribution, draw, settled, work


@pytest.fixture(scope="module")
def drawn():
    return draw(load("xcup"), 5, 160)


def test_the_same_seed_draws_the_same_designs(drawn):
    assert draw(load("xcup"), 5, 12) == drawn[:12]
    assert draw(load("xcup"), 6, 12) != drawn[:12]
    assert draw(load("ecp5"), 5, 12) != drawn[:12]


def test_no_two_are_the_same_and_all_can_be_built(drawn):
    assert len({(one.design.slug, one.target.label) for one in drawn}) == 160
    for one in drawn[::5]:
        plain = (
            one.design if isinstance(one.design, SerialDesign) else replace(one.design, pipeline=0)
        )
        assert plan(plain, one.target).design == plain


def test_the_distribution_is_spanned(drawn):
    kinds = Counter(one.design.kind for one in drawn)
    assert set(kinds) >= set(distribution()["kinds"]) - {"bitmod", "bitmodtile"}  # one in a hundred
    plain = [one for one in drawn if not isinstance(one.design, SerialDesign)]
    kinds_of_sums = {one.design.accumulator.kind for one in plain}
    assert kinds_of_sums == set(AccumulatorKind) - {AccumulatorKind.BINNED}  # younger than the file
    assert 10 < sum(one.design.pipeline > 0 for one in plain) < 60
    assert any(isinstance(one.design, WeightStationaryArray) for one in plain)
    assert {"binary", "ternary"} <= {one.design.weight.name for one in plain}
    structures = {one.design.structure for one in drawn}
    assert {"rows", "merged", "table", "behavioural", "packed", "compressor"} <= structures
    assert {one.target.label for one in drawn} == {"xcup", "xcup:portable"}
    assert {one.design.specials for one in drawn} == {"flag", "ignore"}
    operands = [f for one in drawn for f in (one.design.weight, one.design.activation)]
    assert max(format.bits for format in operands) > 12
    assert sum(not isinstance(format, FixedFormat) for format in operands) > 50
    assert sum(one.asked == "auto" for one in drawn) > 20


def test_designs_are_of_modest_size(drawn):
    large = [one for one in drawn if work(one.design) > distribution()["most_work"]]
    assert all(one.design.kind == "memory" for one in large)


def test_earlier_versions_stay():
    known = {version: distribution(version)["version"] for version in FILES}
    assert known == {version: version for version in range(1, VERSION + 1)}
    first = draw(load("ecp5"), 5, 60, version=1)
    assert not any(one.design.pipeline for one in first)
    assert not any(isinstance(one.design, SerialDesign) for one in first)
    assert first[:5] == draw(load("ecp5"), 5, 5, version=1)


def test_counts_are_those_asked_for():
    counts = [distribution(version)["count"] for version in SEEDS]
    assert all(set(count) == {"xcup", "xc7", "ecp5", "ice40", "gowin"} for count in counts)
    whole = {name: sum(count[name] for count in counts) for name in counts[0]}
    assert min(whole[name] for name in ("xcup", "ecp5")) >= 200
    assert min(whole.values()) >= 60


def test_a_structure_that_cannot_be_built_is_refused(drawn):
    with pytest.raises(ValueError, match="merged"):
        settled(drawn[0].design, "merged", load("ecp5"))
