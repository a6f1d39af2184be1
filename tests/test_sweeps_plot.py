import hashlib
import math
import re
import subprocess
import sys
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from hw.accumulators import Accumulator
from hw.design import DotProduct
from hw.formats import parse
from sweeps.accuracy import wilson
from sweeps.frame import stretched, unstretched
from sweeps.labels import Box, Label, place_labels
from sweeps.looks import LAYOUTS, LOOKS
from sweeps.plot import draw, render, save_figure
from sweeps.points import COLUMNS, Point, from_csv, front_numbers, read_points, to_csv
from sweeps.runs import mark_fronts
from sweeps.space import BLOCKS, PAIR_FAMILIES, Integers, Minifloats, formats_of

IMAGES = 540


def point(weight: str, activation: str, correct: int, sites: float, **more) -> Point:
    design = DotProduct(
        weight=parse(weight), activation=parse(activation), accumulator=Accumulator.exact(144)
    )
    low, high = wilson(correct, IMAGES)
    return Point(
        weight=weight,
        activation=activation,
        weight_bits=design.weight.bits,
        activation_bits=design.activation.bits,
        design=design.slug,
        lanes=16,
        accumulator=design.accumulator.name,
        accumulator_bits=design.accumulator_bits,
        structure="rows",
        target="xcup",
        network="digits_cnn",
        method="mse",
        images=IMAGES,
        correct=correct,
        float_correct=536,
        accuracy_percent=100 * correct / IMAGES,
        accuracy_low_percent=100 * low,
        accuracy_high_percent=100 * high,
        error_percent=100 * (IMAGES - correct) / IMAGES,
        float_accuracy_percent=53600 / IMAGES,
        lut=sites * 15,
        sites=sites * 16,
        ff=30.0,
        carry=9.0,
        dsp=0.0,
        lut_per_lane=sites * 15 / 16,
        sites_per_lane=sites,
        ff_per_lane=30 / 16,
        dsp_per_lane=0.0,
        **more,
    )


def sweep() -> list[Point]:
    """Some three hundred made-up points with a front of many, some of them measured."""
    weights = formats_of([Integers(tuple(range(2, 9))), Minifloats((3, 4, 6, 8))])
    activations = formats_of([Integers((2, 4, 5, 8), signed=False), Minifloats((4, 6, 8))])
    points = []
    for w in weights:
        for a in activations:
            draw_of = int(hashlib.sha256(f"{w}{a}".encode()).hexdigest()[:4], 16) / 2**16
            bits = w.bits * a.bits
            correct = int(538 * (1 - math.exp(-bits / 4.5)) - 4 * draw_of)
            points.append(point(str(w), str(a), correct, 4 + 1.1 * bits + 6 * draw_of))
    marked = mark_fronts(points, ("error_percent", "sites_per_lane"))
    return [
        replace(p, sites_per_lane_measured=p.sites_per_lane * 1.03) if p.on_front else p
        for p in marked
    ]


POINTS = sweep()


def test_the_made_up_sweep_is_worth_drawing():
    assert len(POINTS) > 250
    assert 8 < sum(p.on_front for p in POINTS) < 40
    assert {p.family for p in POINTS} == set(PAIR_FAMILIES) - {BLOCKS}
    assert set(PAIR_FAMILIES) == set(LOOKS)


def test_blocks_have_a_look_of_their_own_and_pairs_without_hardware_are_counted():
    blocks = [
        replace(point("int4", "int4", 530, 20.0), weight="mxfp4", activation="mxint8", lanes=32),
        replace(point("int4", "int8", 531, 25.0), method="max/group:32@e8m0"),
    ]
    assert {p.family for p in blocks} == {BLOCKS}
    assert blocks[1].pair == "int4×int8/group:32@e8m0"
    lost = replace(point("int4", "int4", 537, math.nan), weight="nvfp4", no_hardware="no scales")
    figure = draw([*POINTS, *blocks, lost])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "1 pair without hardware is not drawn" in texts
    assert "16–32-lane dot product" in figure.axes[0].get_xlabel().replace("\n", " ")
    (legend,) = figure.legends
    assert "blocks with scales" in [text.get_text() for text in legend.get_texts()]
    with pytest.raises(ValueError, match="none of the points has a cost: no scales"):
        draw([lost])
    assert math.isnan(from_csv(to_csv([lost]))[0].sites)
    assert ",,,,,," in to_csv([lost])
    assert not any(p.on_front for p in mark_fronts([lost], ("error_percent", "sites_per_lane")))


def test_files_are_written_and_nothing_else(tmp_path):
    paths = save_figure(POINTS, tmp_path / "new" / "pareto")
    assert [path.name for path in paths] == ["pareto.png", "pareto.svg"]
    assert sorted((tmp_path / "new").iterdir()) == sorted(paths)
    assert paths[0].read_bytes().startswith(b"\x89PNG\r\n")
    assert b"</svg>" in paths[1].read_bytes()


@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_names_neither_overlap_nor_leave_the_figure(layout):
    figure = draw(POINTS, layout)
    axes = figure.axes[0]
    figure.canvas.draw()
    named = [t for t in axes.texts if "×" in t.get_text()]
    best = [p for p in POINTS if p.on_front and p.accuracy_percent > axes.get_ylim()[0]]
    assert len(named) == min(len(best), LAYOUTS[layout].most_labels)
    boxes = [text.get_window_extent() for text in named]
    frame = axes.get_window_extent()
    for number, box in enumerate(boxes):
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1
        assert frame.y0 <= box.y0
        assert box.y1 <= frame.y1
        assert not any(box.overlaps(other) for other in boxes[:number])
    whole = figure.bbox
    for text in (axes.xaxis.label, axes.yaxis.label, *figure.legends[0].get_texts()):
        extent = text.get_window_extent()
        assert whole.x0 <= extent.x0
        assert extent.x1 <= whole.x1


def test_the_figure_says_what_it_shows():
    figure = draw(POINTS)
    axes = figure.axes[0]
    title = axes.get_xlabel()
    for part in (
        "sites per lane",
        "16-lane",
        "AMD UltraScale+",
        "Yosys",
        "exact over 144 products",
    ):
        assert part in title
    assert axes.get_ylabel() == "Accuracy on 540 held-out images (%)"
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert len(legend) == 8
    assert "measured (Yosys)" in legend
    texts = [text.get_text() for text in axes.texts]
    assert "float64 99.3 %" in texts
    assert axes.get_xscale() == "log"


def test_points_beyond_the_frame_are_counted():
    outside = [point("int2", "uint2", 100, 50.0), point("int8", "int8", 530, 9000.0)]
    (note,) = [
        t.get_text() for t in draw([*POINTS, *outside]).axes[0].texts if "frame" in t.get_text()
    ]
    (before,) = [t.get_text() for t in draw(POINTS).axes[0].texts if "frame" in t.get_text()]
    assert int(note.split()[0]) == int(before.split()[0]) + 2


def test_windows_are_named_on_the_axis():
    wide = replace(point("e5m2", "e5m2", 530, 60.0), accumulator="window:24:144")
    assert "24-bit window beyond 80 bits" in draw([*POINTS, wide]).axes[0].get_xlabel()


@pytest.mark.parametrize("correct", [[540], [536], [54], [540, 54], [0, 540, 0]])
def test_few_points_and_extreme_accuracies(correct):
    chosen = [point("int4", "int4", c, 10.0 + n) for n, c in enumerate(correct)]
    figure = draw(chosen)
    assert render(chosen, "svg").startswith(b"<?xml")
    low, high = figure.axes[0].get_ylim()
    assert low < max(p.accuracy_percent for p in chosen) < high


def test_equal_points_give_equal_bytes_in_any_process():
    program = (
        "import sys; import hashlib\n"
        "from sweeps.plot import render; from sweeps.points import from_csv\n"
        "points = from_csv(sys.stdin.read())\n"
        "for kind in ('svg', 'png', 'pdf'):\n"
        "    print(hashlib.sha256(render(points, kind)).hexdigest())\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], input=to_csv(POINTS), capture_output=True, text=True
    )
    here = [hashlib.sha256(render(POINTS, kind)).hexdigest() for kind in ("svg", "png", "pdf")]
    assert found.stdout.split() == here, found.stderr


def test_the_svg_has_no_date():
    assert not re.search(rb"dc:date|20\d\d-\d\d-\d\d", render(POINTS, "svg"))


def test_global_settings_neither_matter_nor_change():
    expected = render(POINTS, "svg")
    with mpl.rc_context({"font.size": 20, "lines.linewidth": 9, "svg.hashsalt": "other"}):
        before = dict(mpl.rcParams)
        assert render(POINTS, "svg") == expected
        assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(
    ("points", "layout", "message"),
    [
        ([], "wide", "at least one point"),
        (POINTS, "narrow", "layout must be one of wide, column, not 'narrow'"),
        ([POINTS[0], replace(POINTS[1], target="ice40")], "wide", "one target, not ice40, xcup"),
        ([POINTS[0], replace(POINTS[1], network="b")], "wide", "one network"),
    ],
)
def test_what_cannot_be_drawn(points, layout, message):
    with pytest.raises(ValueError, match=message):
        draw(points, layout)


def test_the_stretched_axis_goes_both_ways():
    accuracy = np.linspace(0, 100, 501)
    assert np.allclose(unstretched(stretched(accuracy)), accuracy)
    assert (np.diff(stretched(accuracy)) > 0).all()


def test_labels_avoid_each_other_points_and_the_frame():
    frame = Box(0, 0, 400, 300)
    random = np.random.default_rng(0)
    places = random.uniform((60, 40), (340, 260), (14, 2))
    labels = [Label(x, y, 3.0, 50.0, 9.0) for x, y in places]
    boxes = place_labels(labels, frame, places, places)
    for number, box in enumerate(boxes):
        assert box.within(frame)
        assert not any(box.overlaps(other) for other in boxes[:number])
        assert box.count(places) == 0
    assert boxes == place_labels(labels, frame, places, places)
    assert place_labels([], frame, places, places) == []


def test_csv_gives_the_points_back(tmp_path):
    text = to_csv(POINTS)
    again = from_csv(text)
    assert again == POINTS
    assert to_csv(again) == text
    assert again[0].sites_measured is None
    path = tmp_path / "points.csv"
    path.write_text(text)
    assert read_points(path) == again
    head = text.splitlines()[0].split(",")
    assert head == list(COLUMNS)
    for column in ("accuracy_percent", "sites_per_lane", "lut_per_lane", "on_front"):
        assert column in head


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: "", "no column 'weight'"),
        (lambda t: t.replace("sites_per_lane,", "sites,", 1), "has no column 'sites_per_lane'"),
        (lambda t: t.replace(",rows,", ",rows,x", 1).replace("540", "many", 1), ":2: "),
        (lambda t: t[: t.index("\n") + 40], ":2: "),
        (lambda t: t.replace("false", "maybe", 1), "must be true or false, not 'maybe'"),
    ],
)
def test_csv_that_is_none_of_ours(change, message):
    with pytest.raises(ValueError, match=message):
        from_csv(change(to_csv(POINTS[:3])), "points.csv")


def test_files_that_are_no_text(tmp_path):
    path = tmp_path / "points.csv"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="not UTF-8 text"):
        read_points(path)


def test_objectives_are_columns_of_numbers():
    assert front_numbers(POINTS, ("error_percent", "sites_per_lane", "weight_bits"))
    assert front_numbers([], ("error_percent", "sites_per_lane")) == []
    with pytest.raises(ValueError, match="an objective is a column of numbers, not 'weight'"):
        front_numbers(POINTS, ("weight", "sites_per_lane"))
    with pytest.raises(ValueError, match="has NaN"):
        front_numbers(POINTS, ("error_percent", "sites_measured"))


def test_a_name_between_two_points_is_plainly_of_one():
    """A staircase of points a text's height apart, as where two formats are all but equal."""
    steps = [(100 + 27 * n, 60 + 8 * n) for n in range(6)]
    labels = [Label(x, y, 4, 46, 10) for x, y in steps]
    points = np.array(steps, dtype=float)
    boxes = place_labels(labels, Box(0, 0, 400, 200), points, points)
    for number, box in enumerate(boxes):
        apart = box.distance(points)
        assert np.delete(apart, number).min() > apart[number] + 4


def test_the_float_network_is_named_where_no_front_and_no_name_comes():
    figure = draw(sweep())
    (axes,) = figure.axes
    (name,) = [text for text in axes.texts if text.get_text().startswith("float64")]
    box = name.get_window_extent()
    assert box.x0 < axes.get_window_extent().x0 + 20
    others = [text for text in axes.texts if text is not name]
    assert len(others) > 3
    assert not any(box.overlaps(text.get_window_extent()) for text in others)
