"""Formats described and drawn: every family, records and text, figures and what they show."""

import json
from fractions import Fraction

import pytest

from hw.formats import CATALOGUE, Format, parse
from sweeps import describe
from sweeps.cli import main
from sweeps.format_curves import curves
from sweeps.format_figure import COLOURS, draw_formats, save_formats

SINGLE = [
    *("int8", "uint4", "fixed<8,4>", "int4s", "sm5", "ternary", "binary", "bipolar3", "radix4e3"),
    *("e4m3fn", "e5m2", "e4m3fnuz", "binary8p3se", "e8m0fnu", "e5m6", "fp32", "ue4m3fn"),
    *("fp3_er_pos", "nf4", "codebook<-1,0,0.5>", "khot<8,4,2>", "csd<8,4,2>", "apot<5>", "pot<4>"),
    *(
        "power<4,2>",
        "upower<8,2>",
        "floatsd8",
        "posit<8,2>",
        "lns<8,3>",
        "lns<6,8>",
        "s2fp8<1.5,-3>",
    ),
]
BLOCKS = ["mxfp4", "mxfp8e5m2", "mxint8", "nvfp4", "bfp<8,16>", "dfp16", "vsq<4,6,16>"]
MIXTURES = ["bitmod3", "bitmod4"]


@pytest.mark.parametrize("name", SINGLE)
def test_every_family_describes_itself(name):
    format = parse(name)
    record = json.loads(json.dumps(describe.record(name), allow_nan=False))
    assert (record["name"], record["bits"]) == (format.name, format.bits)
    assert record["values"] is None or len(record["values"]) == 1 << format.bits
    assert record["layout"]
    lines = describe.text(name).splitlines()
    rows = {line[:12].strip(): line[13:] for line in lines[: lines.index("")]}
    assert list(rows) == [
        *("name", "bits", "range", "finest step", "precision", "density", "specials", "source")
    ]
    assert all(rows.values())
    assert len(lines) == len(rows) + 2 + (0 if record["values"] is None else 1 << format.bits)


@pytest.mark.parametrize("name", [*BLOCKS, *MIXTURES])
def test_blocks_tell_element_scale_size_and_bits(name):
    format = parse(name)
    record = json.loads(json.dumps(describe.record(name), allow_nan=False))
    assert Fraction(record["bits_per_element"]) == format.bits_per_element
    assert record["bits"] == float(format.bits_per_element)
    text = describe.text(name)
    assert f"{float(format.bits_per_element):g} per element" in text
    if name in MIXTURES:
        assert record["codebooks"] == [codebook.name for codebook in format.codebooks]
        assert "2 bits tell its codebook" in text
    else:
        assert record["element"] == format.element.name
        assert format.scale_format.name in text
        assert f"rule {format.scale_rule.value}" in text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("e4m3fn", "1 doubling to 4 at 2^-9…2^-7, 8 at 2^-6…2^7, 7 at 2^8"),
        ("int8", "values per binade: 1 doubling to 64 at 2^0…2^6"),
        ("fp32", "1 doubling to 2^22 at 2^-149…2^-127, 2^23 at 2^-126…2^127"),
        ("fp32", "unit round-off 2^-24 from about 1.17549e-38 to about 3.40282e+38"),
        ("e4m3fn", "unit round-off 0.0625 = 2^-4 from 0.015625 to 448"),
        ("ternary", "one positive value at most"),
        ("codebook<-2,-1,0>", "no positive values"),
        ("posit<10,1>", "1 sign, regime, 1 exponent, fraction"),
        ("posit<10,1>", "Standard for Posit Arithmetic (2022)"),
        ("nf4", "index of 16 values"),
        ("khot<8,4,2>", "sign and magnitude, 4 of them behind the point; at most 2 ones"),
        ("apot<6>", "1 sign, fields of 2, 2, 1 that choose a power of two each"),
        ("lns<8,3>", "1 sign, 4.3 logarithm, 3 of them behind the point"),
        ("floatsd8", "1 sign, 3 exponent, 4 for one of 16 magnitudes"),
        ("ue4m3fn", "4 exponent, 3 fraction; bias 7"),
    ],
)
def test_words_about_a_format(name, text):
    assert text in describe.text(name)


def test_binades_of_a_record_count_all_positive_values():
    record = describe.record("e5m2")
    positive = [v for v in record["values"] if v not in ("nan", "inf", "-inf") and float(v) > 0]
    assert sum(record["binades"].values()) == len(positive) == 123


def test_the_catalogue_has_a_row_for_every_name():
    rows = describe.catalogue()
    assert [row["name"] for row in rows] == list(CATALOGUE)
    assert all(row["bits"] > 0 for row in rows)
    assert len(describe.catalogue_text(rows).splitlines()) == len(CATALOGUE) + 2


# Figures -------------------------------------------------------------------------------------


def test_values_of_a_curve_are_all_finite_values():
    checked = 0
    for name in SINGLE:
        format = parse(name)
        (curve,) = curves([format], absolute=True)
        if format.bits > 16:
            assert curve.values is None
            continue
        finite = {value for value in format.values() if isinstance(value, Fraction)}
        assert curve.values == [float(value) for value in sorted(finite)]
        (scaled,) = curves([format], absolute=False)
        assert max(map(abs, scaled.values)) == 1
        checked += 1
    assert checked == len(SINGLE) - 1


@pytest.mark.parametrize("name", SINGLE)
def test_the_error_of_a_curve_bounds_rounding_and_is_reached(name):
    format = parse(name)
    (curve,) = curves([format], absolute=True)
    points = [point for point in curve.error if point[0] <= float(format.maximum)]
    assert bool(points) == (name != "binary")
    assert points == sorted(points, key=lambda point: point[0])
    reached = 0
    for place, error in points:
        # On both sides of a tie: the larger distance may be on either.
        around = [Fraction(place) * (1 + side * Fraction(1, 1 << 40)) for side in (-1, 0, 1)]
        errors = [abs(format.decode(format.encode(value)) - value) / value for value in around]
        assert max(errors) <= error * (1 + 1e-9)
        reached += max(errors) >= error * (1 - 1e-9)
    assert reached >= len(points) - (name == "posit<8,2>")  # which has no bound next to 0


@pytest.mark.parametrize("name", ["int8", "e4m3fn", "ternary", "nf4", "posit<8,2>"])
def test_saturation_costs_half_at_twice_the_largest_value(name):
    (curve,) = curves([parse(name)], absolute=False)
    assert curve.error[-1] == (2 * float(curve.format.maximum / curve.scale), 0.5)
    coarse = [x for x, _ in curve.error if x != x]
    assert len(coarse) == (name in ("ternary", "nf4", "posit<8,2>"))


def test_errors_by_binade_are_the_largest_of_the_ties():
    (curve,) = curves([parse("e4m3fn")], absolute=True)
    steps = dict(curve.error_by_binade[::2])
    assert steps[1.0] == 1 / 17  # at 1 + 1/16
    assert steps[2.0**-6] == 1 / 17
    assert steps[2.0**-7] == 1 / 9  # subnormal: 4.5 units, half a unit
    assert len(steps) == 19


def test_blocks_and_mixtures_are_drawn_by_their_parts():
    shown = curves([parse("mxfp4"), parse("bitmod3"), parse("int4")], absolute=False)
    assert [curve.title for curve in shown] == [
        "mxfp4: e2m1fn",
        *(f"bitmod3: fp3_{v}" for v in ("er_pos", "er_neg", "ea_pos", "ea_neg")),
        "int4",
    ]
    assert all(isinstance(curve.format, Format) for curve in shown)


@pytest.mark.parametrize("names", [["e4m3fn"], ["e2m1fn", "nf4", "posit<8,2>"], ["fp32", "binary"]])
def test_figures_have_labels_and_a_row_per_format(names):
    figure = draw_formats([parse(name) for name in names])
    values, density, error = figure.axes
    texts = [text.get_text() for text in values.texts]
    assert texts[::2] == [parse(name).name for name in names]
    over = "" if len(names) == 1 else " / largest magnitude"
    assert values.get_xlabel() == f"value{over}{' of the format' if over else ''}"
    assert density.get_xlabel() == error.get_xlabel() == f"positive value{over}"
    assert density.get_ylabel() == "values per binade"
    assert error.get_ylabel() == "largest relative rounding error"
    assert len(density.get_lines()) == len(error.get_lines()) == len(names)
    assert len(figure.legends) == (len(names) > 1)


def test_a_figure_is_the_same_every_time_and_its_files_are_what_they_say(tmp_path):
    formats = [parse("int4"), parse("e2m1fn")]
    assert [path.name for path in save_formats(formats, tmp_path / "both")] == [
        "both.png",
        "both.svg",
    ]
    first = (tmp_path / "both.svg").read_bytes()
    save_formats(formats, tmp_path / "both")
    assert (tmp_path / "both.svg").read_bytes() == first
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")
    (path,) = save_formats(formats, tmp_path / "one.pdf", absolute=True)
    assert path.read_bytes().startswith(b"%PDF")


def test_too_many_formats_for_a_figure():
    with pytest.raises(ValueError, match=f"a figure shows 1 to {len(COLOURS)} formats, not 8"):
        draw_formats([parse(f"int{bits}") for bits in range(2, 10)])


# The command ---------------------------------------------------------------------------------


def test_several_formats_one_after_the_other(capsys):
    assert main(["formats", "int2", "mxfp4"]) == 0
    out = capsys.readouterr().out
    assert out.count("\nsource ") == 2
    assert main(["formats", "int2", "mxfp4", "--json"]) == 0
    assert [record["name"] for record in json.loads(capsys.readouterr().out)] == ["int2", "mxfp4"]


def test_plot_writes_the_file_it_prints(capsys, tmp_path):
    path = tmp_path / "deep" / "figure.svg"
    assert main(["formats", "e2m1fn", "--plot", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_text().startswith("<?xml")
    assert main(["formats", "int2", "--plot", str(tmp_path / "a.png"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "formats": ["int2"],
        "files": [str(tmp_path / "a.png")],
    }


def test_a_codebook_file_in_place_of_a_name(capsys, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nvalues: [-1, 0, 0.25, 1]\n")
    assert main(["formats", str(path)]) == 0
    assert "codebook<mine,-1,0,0.25,1>" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--plot", "a.png"], "--plot needs the names of formats to draw"),
        (["int4", "--plot", "a.gif"], "a figure is one of .png, .svg, .pdf, not '.gif'"),
        (["int4", "itn4"], "unknown format 'itn4'; did you mean 'int4'?"),
        (["none.yaml"], "none.yaml: no such file or directory"),
    ],
)
def test_bad_commands(capsys, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    assert main(["formats", *words]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert message in err
    assert not list(tmp_path.iterdir())
