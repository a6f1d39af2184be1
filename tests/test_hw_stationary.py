"""Weight-stationary arrays: simulated with gaps and back-pressure, counted, described, refused."""

import re
from dataclasses import replace

import numpy as np
import pytest
from amaranth.back import rtlil

import costmodel
from costmodel.activity import check_covered
from hw.design import OutputStationaryArray, WeightStationaryArray, from_record
from hw.plan import plan
from hw.rtl import build, emit
from hw.synthesis import synthesize
from hw.target import load
from sim import runner
from sim.bulk import Bulk
from sim.golden.stationary import run_stationary, stationary_results
from sim.stationary import is_exhaustive, runs
from sweeps.autotune import resolve

WORD = {"kind": "array", "dataflow": "weight-stationary"}
RECORDS = [
    {"weight": "int4", "rows": 3, "columns": 2},
    {"weight": "e4m3fn", "rows": 2, "columns": 3, "lanes": 2, "structure": "merged"},
    {"weight": "e5m2", "rows": 3, "columns": 1, "structure": "rows"},
    {"weight": "ternary", "activation": "int8", "rows": 2, "columns": 2, "lanes": 4}
    | {"accumulator": "wrap:14"},
    {"weight": "binary", "activation": "int8", "rows": 3, "columns": 2, "lanes": 3}
    | {"accumulator": "saturate:12"},
    {"weight": "e2m1fn", "activation": "int4", "rows": 1, "columns": 1, "accumulator": "exact:4"},
    {"weight": "e2m1fn", "rows": 4, "columns": 4, "lanes": 2, "structure": "table"},
]
CHANGES = {
    "weights come a row early": (r"(array_load_1 =) .*;", r"\1 array_load_0;"),
    "exchanged while a result waits": (r"(array_exchange_2 =) (\w+) & \w+;", r"\1 \2;"),
    "takes weights though a tile waits": (r"(assign weights_ready =) .*;", r"\1 array_advance;"),
    "does not wait for weights": (r"(assign operands_ready =) .*;", r"\1 array_advance;"),
    "goes on while a result waits": (r"(assign array_advance =) .*;", r"\1 1'h1;"),
    "sums too early": (r"(assign array_step =) .*;", r"\1 array_valid_4;"),
    "lost sum from above": (r"\.above\(\w+\)", ".above(8'h0)"),
}
"""Changes of the Verilog of the first design that the bench must catch."""


def made(record, target="xcup"):
    technology = load(target)
    return resolve(from_record(WORD | record), technology), technology


def case(record, target="xcup"):
    design, technology = made(record, target)
    emitted = emit(design, technology)
    return runner.Case(design, emitted.verilog, emitted.top, emitted.record["latency_cycles"])


def changed(right, pattern, replacement):
    text, count = re.subn(pattern, replacement, right.verilog, flags=re.MULTILINE)
    assert count, pattern
    return replace(right, verilog=text)


@pytest.fixture(scope="module")
def verdicts():
    """All designs and all mutants of the first in one run."""
    cases = [case(record) for record in RECORDS]
    cases += [changed(cases[0], *change) for change in CHANGES.values()]
    return runner.simulate(cases, vectors=1500)


def test_every_result_bit_and_every_handshake_agree(verdicts):
    right = verdicts[: len(RECORDS)]
    assert [verdict.mismatches for verdict in right] == [0] * len(RECORDS)
    assert all(verdict.vectors >= 1500 for verdict in right)


@pytest.mark.parametrize("number", range(len(CHANGES)), ids=list(CHANGES))
def test_the_bench_catches(verdicts, number):
    assert verdicts[len(RECORDS) + number].mismatches > 0


@pytest.mark.parametrize("record", RECORDS[:5], ids=str)
def test_three_ways_to_the_sums_agree(record):
    design, rng = made(record)[0], np.random.default_rng(11)
    weights = rng.integers(1 << design.weight.bits, size=(3, design.lanes, design.columns))
    codes = rng.integers(1 << design.activation.bits, size=(20, design.lanes))
    tile, last = np.sort(rng.integers(3, size=20)), rng.random(20) < 0.6
    found = run_stationary(design, weights, codes, tile, last)
    scalar = stationary_results(design, weights.tolist(), codes.tolist(), tile, last)
    mask = (1 << 64) - 1
    for beat in range(20):
        for column in range(design.columns):
            one = scalar[beat][column]
            assert int(found.total[beat, column, 0]) == one.total & mask
            assert found.total_valid[beat, column] == one.total_valid
            for flag in design.flags:
                assert found.flags[flag][beat, column] == one.flags[flag]
    if design.weight.name == "int4":
        values = np.where(weights > 7, weights - 16, weights)
        sent = np.where(codes > 7, codes - 16, codes)
        alone = run_stationary(design, weights, codes, tile, np.ones(20, bool))
        exact = np.einsum("bk,bkc->bc", sent, values[tile])
        assert np.array_equal(alone.total[:, :, 0].astype(np.int64), exact)


@pytest.mark.parametrize(("record", "target"), [(RECORDS[3], "xcup"), (RECORDS[0], "ecp5")])
def test_estimates_are_what_yosys_counts(record, target):
    compare(record, target)


def compare(record, target):
    design, technology = made(record, target)
    emitted = emit(design, technology)
    measured = synthesize(emitted.verilog, emitted.top, technology)
    estimate = costmodel.estimate(design, technology)
    assert estimate.ff == measured.ff, design.slug
    for name in ("lut", "sites"):
        ratio = getattr(estimate, name) / getattr(measured, name)
        assert abs(ratio - 1) < 0.05, (design.slug, name, ratio)


def test_partial_sums_grow_down_the_column():
    design, technology = made({"weight": "int8", "rows": 8, "columns": 2})
    built = plan(design, technology)
    assert [cell.after.bits for cell in built.core.cells] == [16, 17, 17, 18, 18, 18, 18, 19]
    assert (built.latency_cycles, built.initiation_interval) == (8 + 2 + 1, 1)
    assert design.lanes * design.cores == 16


def test_names_and_records():
    design = from_record(WORD | {"weight": "int4", "rows": 3, "columns": 2})
    assert isinstance(design, WeightStationaryArray)
    assert design.slug == "array3x2_ws_int4_int4_exact256"
    assert from_record(design.to_record()) == design
    plain = from_record({"kind": "array", "weight": "int4"})
    assert isinstance(plain, OutputStationaryArray)
    assert "dataflow" not in plain.to_record()
    assert from_record(plain.to_record() | {"dataflow": "output-stationary"}) == plain


def test_streams_of_the_component():
    array = build(plan(*made(RECORDS[0])))
    assert set(array.signature.members) == {"weights", "operands", "results"}
    assert "operands__payload" in rtlil.convert(array, name="array", emit_src=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dataflow": "row-stationary"}, "dataflow is one of output-stationary, weight-stationary"),
        ({"accumulator": "fp32"}, "not float:fp32:step: the nearest is exact:4"),
        ({"accumulator": "window:24"}, "exact, wrap or saturate, not window:24:256"),
        ({"rows": 64, "lanes": 8}, "the products of one step at least, 512, not 256"),
        ({"rows": 65}, r"rows lies in 1\.\.64, not 65"),
        ({"kind": "tile"}, "design has no key 'dataflow'"),
    ],
)
def test_refusals(change, said):
    with pytest.raises(ValueError, match=said):
        from_record(WORD | {"weight": "int4"} | change)


def test_what_does_not_know_such_arrays_says_so():
    design, technology = made(RECORDS[0])
    for structure in ("compressor", "packed"):
        with pytest.raises(ValueError, match=structure):
            plan(design.with_structure(structure), technology)
    with pytest.raises(ValueError, match="bulk runs a MAC or a dot product"):
        Bulk("", design)
    with pytest.raises(ValueError, match="the activity formula covers arrays whose sums stay"):
        check_covered(design.with_structure("rows"), load("ecp5"))


def test_exhaustive_runs_pair_all_codes_in_every_lane():
    design, _ = made({"weight": "int3", "activation": "uint2", "rows": 2, "columns": 2})
    assert is_exhaustive(design, 2 << 5)
    assert not is_exhaustive(design, (2 << 5) - 1)
    run = runs(design, 64, 3)[2]
    tile = np.cumsum(run.swap) - 1
    for row in range(2):
        for column in range(2):
            pairs = zip(run.weights[tile, row, column], run.activations[:, row], strict=True)
            assert len(set(pairs)) == 32


@pytest.mark.slow
@pytest.mark.parametrize(
    ("record", "vectors"),
    [
        ({"weight": "int4", "activation": "int8", "rows": 4, "columns": 4}, 4 << 12),
        ({"weight": "int8", "rows": 3, "columns": 2}, 2 << 16),
        ({"weight": "e4m3fn", "rows": 2, "columns": 2, "structure": "merged"}, 2 << 16),
        ({"weight": "ternary", "activation": "int8", "rows": 4, "columns": 4, "lanes": 2}, 4 << 10),
        ({"weight": "fixed<12,4>", "activation": "int8", "rows": 4, "columns": 16}, 1_000_000),
    ],
)
def test_every_pair_or_a_million_results(record, vectors):
    found = runner.simulate([case(record)], vectors=vectors)[0]
    print(f"{found.design}: {found.vectors} vectors, {found.mismatches} mismatches")
    assert found.mismatches == 0
    assert found.vectors >= vectors
    design, _ = made(record)
    assert found.exhaustive == (design.weight.bits + design.activation.bits <= 16)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["xcup", "xc7", "ecp5", "ice40", "gowin"])
def test_estimates_on_every_target(target):
    records = [
        {"weight": "int8", "rows": 8, "columns": 4},
        {"weight": "e4m3fn", "rows": 4, "columns": 4},
        {"weight": "e5m2", "rows": 2, "columns": 2, "lanes": 2},
        {"weight": "ternary", "activation": "int8", "rows": 4, "columns": 4, "lanes": 4},
    ]
    for record in records:
        compare(record, target)
