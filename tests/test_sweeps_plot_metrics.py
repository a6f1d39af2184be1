"""Figures of other metrics and of several targets: what is up, where the ticks are, one PNG."""

from dataclasses import replace

import numpy as np
import pytest

from sweeps.frame import round_ticks
from sweeps.plot import draw, draw_targets, render_targets
from sweeps.points import Point, from_csv, to_csv
from sweeps.runs import mark_fronts
from tests.test_sweeps_plot import POINTS, point


def in_bits(image: Point, target: str = "xcup") -> Point:
    """The same point judged by bits per byte."""
    bits = 1.657 + image.error_percent / 50
    none = ("images", "correct", "float_correct", "accuracy_percent", "accuracy_low_percent")
    none += ("accuracy_high_percent", "error_percent", "float_accuracy_percent")
    return replace(
        image,
        **dict.fromkeys(none),
        target=target,
        metric="bits_per_byte",
        contexts=256,
        bits_per_byte=bits,
        bits_per_byte_low=bits - 0.02,
        bits_per_byte_high=bits + 0.03,
        float_bits_per_byte=1.657,
        float_bits_per_byte_low=1.637,
        float_bits_per_byte_high=1.677,
    )


TEXT = [in_bits(p) for p in POINTS]
BOTH = [in_bits(p, t) for t in ("xcup", "ecp5") for p in POINTS[::4]]
BOTH = mark_fronts(BOTH, ("bits_per_byte", "sites_per_lane"))


def test_fewer_bits_stand_higher():
    axes = draw(TEXT).axes[0]
    low, high = axes.get_ylim()
    assert high < 1.637 < 1.657 < low
    places = [axes.transData.transform((10, bits))[1] for bits in (1.637, 1.657, 1.7, 2.0, 2.5)]
    assert (np.diff(places) < 0).all()
    assert axes.get_ylabel() == "Bits per byte on 256 held-out contexts"
    assert "float64 1.657 bits per byte" in [text.get_text() for text in axes.texts]
    ticks = [t for t in axes.get_yticks() if high < t < low]
    assert 4 <= len(ticks) <= 10


def test_the_front_is_named_and_has_bars():
    best = [p for p in mark_fronts(TEXT, ("bits_per_byte", "sites_per_lane")) if p.on_front]
    axes = draw(TEXT).axes[0]
    shown = [p for p in best if p.value <= axes.get_ylim()[0]]
    named = [t for t in axes.texts if "×" in t.get_text()]
    assert len(named) == len(shown) > 8
    bars = {
        (line.get_xdata()[0], *line.get_ydata())
        for line in axes.lines
        if len(line.get_xdata()) == 2 and line.get_xdata()[0] == line.get_xdata()[1]
    }
    for p in shown:
        assert (p.sites_per_lane, *p.interval) in bars


def test_what_is_not_told_from_the_best_is_ringed():
    def rings(points):
        lines = draw(points).axes[0].lines
        return sum(line.get_markerfacecolor() == "none" for line in lines)

    marked = [replace(p, indistinct_from_best=p.on_front) for p in POINTS]
    top = [p for p in POINTS if p.on_front and p.accuracy_percent >= 80]
    assert rings(POINTS) == 0
    assert rings(marked) == len(top) > 5
    alone = max(top, key=lambda p: p.accuracy_percent)
    assert rings([replace(p, indistinct_from_best=p is alone) for p in POINTS]) == 0
    legend = [text.get_text() for text in draw(marked).legends[0].get_texts()]
    assert "not told from the best" in legend


def test_targets_stand_side_by_side_on_one_scale():
    figure = draw_targets(BOTH)
    assert [axes.get_title() for axes in figure.axes] == ["AMD UltraScale+", "Lattice ECP5"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert len(figure.legends) == 1
    for axes in figure.axes:
        assert axes.get_title() in axes.get_xlabel().replace("\n", " ")
        assert sum("×" in text.get_text() for text in axes.texts) > 3
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert not boxes[0].overlaps(boxes[1])
    assert render_targets(BOTH, "png").startswith(b"\x89PNG")
    assert render_targets(BOTH, "svg") == render_targets(BOTH, "svg")


def test_metrics_are_not_mixed():
    with pytest.raises(ValueError, match="one metric, not accuracy, bits_per_byte"):
        draw([POINTS[0], replace(TEXT[1], network=POINTS[0].network)])
    with pytest.raises(ValueError, match="at least one point"):
        draw_targets([])


@pytest.mark.parametrize("bits", [[1.6], [1.657], [2.0, 7.9], [7.0, 7.5], [1.64, 1.7, 2.2]])
def test_few_points_and_extreme_bits(bits):
    low = point("int4", "int4", 500, 10.0)
    chosen = [
        replace(
            in_bits(low), bits_per_byte=b, bits_per_byte_low=b - 0.01, bits_per_byte_high=b + 0.01
        )
        for b in bits
    ]
    worst, best = draw(chosen).axes[0].get_ylim()
    assert best < min(bits) < worst


def test_ticks_are_round_and_apart():
    ticks = round_ticks(1.62, 2.6, lambda value: np.log(np.asarray(value) - 1.55))
    assert ticks == sorted(ticks)
    assert 2.0 in ticks
    assert (np.diff(np.log(np.array(ticks) - 1.55)) > np.log(1.05 / 0.07) / 10).all()
    assert 4 < len(ticks) < 11


def test_points_of_both_metrics_come_back_from_csv():
    points = [*POINTS[:5], *TEXT[:5]]
    assert from_csv(to_csv(points)) == points


def test_older_tables_are_read():
    lines = to_csv(POINTS[:3]).splitlines()
    names = lines[0].split(",")
    new = [n for n, name in enumerate(names) if name in ("metric", "contexts", "bits_per_byte")]
    kept = [
        ",".join(cell for n, cell in enumerate(line.split(",")) if n not in new) for line in lines
    ]
    assert from_csv("\n".join(kept) + "\n") == POINTS[:3]
    broken = to_csv(TEXT[:1]).replace("bits_per_byte_low", "bits_low", 1)
    with pytest.raises(ValueError, match=r"points\.csv:2: a point judged by bits_per_byte needs"):
        from_csv(broken, "points.csv")
