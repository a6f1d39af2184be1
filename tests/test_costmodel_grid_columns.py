"""Energy and clock as columns of a grid: each point is what the models say of its design."""

import random

import numpy as np
import pytest

from costmodel import energy, timing
from costmodel.grid import Grid, prepare
from costmodel.grid_columns import clock_column, energy_column
from hw.accumulators import parse_accumulator
from hw.formats import parse
from hw.plan import plan
from hw.target import load
from sweeps.activity import stream_statistics

READERS = {
    "weights": parse,
    "activations": parse,
    "targets": load,
    "accumulators": parse_accumulator,
}
BASE = {
    "weights": ("int4", "e4m3fn", "uint3"),
    "activations": ("int8", "e2m1fn"),
    "targets": ("xcup", "ecp5", "ice40"),
    "structures": ("behavioural", "rows", "merged", "dsp"),
    "accumulators": ("exact", "wrap:24", "saturate:20", "window:24", "fp32"),
}
SIDES = {"rows": (1, 2, 3, 4, 7, 18, 64), "columns": (1, 2, 5, 6, 33)}
KINDS = {
    "mac": {},
    "dot": {"lanes": (1, 3, 16)},
    "array": {"lanes": (1, 4)} | SIDES,
    "tile": {"lanes": (1, 4), "structures": ("behavioural", "rows", "packed")}
    | {"rows": (1, 2, 6), "columns": (1, 8), "accumulators": ("exact", "fp32")},
}


def table_of(kind, **axes):
    """Return the planned grid of some axes given by names."""
    given = {name: tuple(map(READERS.get(name, lambda v: v), v)) for name, v in axes.items()}
    return prepare(Grid(kind=kind, **given))


def wanted(model):
    """Return a model's number, None where it does not cover the design."""
    try:
        return model()
    except ValueError:
        return None


@pytest.mark.parametrize("kind", KINDS)
def test_points_are_what_the_models_say(kind):
    table = table_of(kind, **BASE | KINDS[kind])
    statistics = stream_statistics("gaussian")
    columns = {
        "energy": energy_column(table, statistics, "mask"),
        "clock": clock_column(table, "mask"),
    }
    assert not columns["energy"].covered.all()
    chunks = list(table.chunks(points=500, extras=columns))
    found = {name: np.ma.concatenate([c.columns[name] for c in chunks]) for name in columns}
    assert {len(column) for column in found.values()} == {table.points}
    number = min(table.points, 150)
    known = dict.fromkeys(columns, 0)
    for point in random.Random(2).sample(range(table.points), number):
        design, target = table.design(point), table.target(point)
        models = {
            "energy": lambda d=design, t=target: (
                energy.estimate(d, t, statistics(d)).energy_pj_per_mac
            ),
            "clock": lambda d=design, t=target: timing.clock(plan(d, t)).fmax_mhz,
        }
        for name, model in models.items():
            value, masked = wanted(model), np.ma.getmaskarray(found[name])[point]
            assert masked == (value is None), (name, design.slug)
            if value is not None:
                assert found[name][point] == pytest.approx(value, rel=1e-12), design.slug
                known[name] += 1
    for name, column in columns.items():
        assert known[name] >= number / 8, (name, known)
        assert len(column.reasons) == (~column.covered).sum()
        assert not np.isnan(np.ma.getdata(found[name])).any()


@pytest.mark.parametrize("kind", ["mac", "dot", "array", "tile"])
def test_heaps_of_bits_have_the_energy_of_their_estimate(kind):
    axes = {"lanes": (2, 8)} if kind != "mac" else {}
    sides = {"rows": (1, 3), "columns": (1, 2)} if kind in ("array", "tile") else {}
    table = table_of(
        kind,
        weights=("int3", "uint2"),
        activations=("int4",),
        targets=("xcup", "ecp5"),
        structures=("baugh-wooley",),
        accumulators=("exact", "saturate:20"),
        **axes | sides,
    )
    statistics = stream_statistics("gaussian")
    chunks = table.chunks(extras={"energy": energy_column(table, statistics)})
    found = np.concatenate([chunk.columns["energy"] for chunk in chunks])
    assert len(found) == table.points == 8 * (2 if axes else 1) * (4 if sides else 1)
    for point, value in enumerate(found):
        design = table.design(point)
        assert design.structure == "baugh-wooley"
        each = energy.estimate(design, table.target(point), statistics(design))
        assert value == pytest.approx(each.energy_pj_per_mac, rel=1e-12), design.slug


def test_what_is_covered_comes_plain():
    table = table_of(
        "array",
        **BASE
        | SIDES
        | {"accumulators": ("exact",), "targets": ("ecp5",)}
        | {"structures": ("rows",)},
    )
    extras = {"energy": energy_column(table, stream_statistics()), "clock": clock_column(table)}
    for chunk in table.chunks(extras=extras):
        for name in extras:
            values = chunk.columns[name]
            assert not isinstance(values, np.ma.MaskedArray)
            assert np.isfinite(values).all()
            assert (values > 0).all()


@pytest.mark.parametrize(
    ("axes", "column", "words"),
    [
        (
            {"accumulators": ("fp32",), "targets": ("ice40",)},
            "energy",
            "judged by no mac, floating on ice40",
        ),
        (
            {"structures": ("dsp",), "weights": ("int8",), "targets": ("ice40",)},
            "clock",
            "no time here for a product in a DSP block",
        ),
    ],
)
def test_what_is_not_covered_is_refused(axes, column, words):
    plain = {"weights": ("e4m3fn",), "activations": ("e2m1fn",), "targets": ("ecp5",)}
    table = table_of("mac", **plain | axes)
    make = clock_column if column == "clock" else lambda t: energy_column(t, stream_statistics())
    with pytest.raises(ValueError, match=words):
        make(table)
    with pytest.raises(ValueError, match="one of refuse, mask, not 'zero'"):
        clock_column(table, "zero")


def test_statistics_are_shared_by_designs_of_the_same_words():
    statistics = stream_statistics()
    table = table_of(
        "dot", **BASE | {"lanes": (3,), "weights": ("int4",), "activations": ("int8",)}
    )
    found = {core.design.accumulator_bits: statistics(core.design) for core in table.cores[:9]}
    assert len(found) > 1
    assert len({id(one) for one in found.values()}) == 1
