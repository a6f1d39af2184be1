"""Arrays whose cells have several lanes, and broadcast tiles: simulated, counted, refused."""

import re

import numpy as np
import pytest

import costmodel
from hw.design import BroadcastTile, OutputStationaryArray, from_record
from hw.formats import parse_element
from hw.rtl import emit
from hw.synthesis import synthesize
from hw.target import load
from sim import runner
from sim.bulk import Bulk
from sim.golden import array_results, run_tiles
from sim.golden.scalar import GoldenCore
from sim.vectors import core_stimulus
from sweeps.autotune import resolve

RECORDS = [
    {"kind": "tile", "weight": "int4", "activation": "int8", "rows": 2, "columns": 3, "lanes": 4},
    {"kind": "tile", "weight": "e4m3fn", "rows": 2, "columns": 2},
    {
        "kind": "tile",
        "weight": "e5m2",
        "rows": 1,
        "columns": 2,
        "lanes": 3,
        "accumulator": "window:24",
    },
    {"kind": "array", "weight": "int4", "activation": "int8", "rows": 2, "columns": 3, "lanes": 4},
    {"kind": "array", "weight": "e2m1fn", "rows": 3, "columns": 1, "lanes": 2},
]
TARGET = load("xcup")


def case(design) -> runner.Case:
    emitted = emit(design, TARGET)
    return runner.Case(design, emitted.verilog, emitted.top, emitted.record["latency_cycles"])


def designs():
    return [resolve(from_record(record), TARGET) for record in RECORDS]


def test_every_output_bit_agrees_with_the_golden_model():
    found = runner.simulate([case(design) for design in designs()], vectors=3000)
    assert [verdict.mismatches for verdict in found] == [0] * len(RECORDS)
    assert all(verdict.vectors >= 3000 for verdict in found)


def test_a_tile_with_two_cells_exchanged_is_found_out():
    one = case(designs()[0])
    first, second = re.findall(r"\.total\((total_\d+)\)", one.verilog)[1:3]
    wrong = one.verilog.replace(f".total({first})", f".total({second}_)", 1)
    wrong = wrong.replace(f".total({second})", f".total({first})", 1)
    wrong = wrong.replace(f".total({second}_)", f".total({second})", 1)
    assert wrong != one.verilog
    broken = runner.Case(one.design, wrong, one.top, one.latency_cycles)
    (verdict,) = runner.simulate([broken], vectors=300)
    assert verdict.mismatches > 100


@pytest.mark.slow
def test_estimates_are_what_yosys_counts():
    for design in designs():
        emitted = emit(design, TARGET)
        measured = synthesize(emitted.verilog, emitted.top, TARGET)
        estimate = costmodel.estimate(design, TARGET)
        for name in ("ff", "carry"):
            assert getattr(estimate, name) == getattr(measured, name), (design.slug, name)
        for name in ("lut", "sites"):
            ratio = getattr(estimate, name) / getattr(measured, name)
            assert abs(ratio - 1) < 0.02, (design.slug, name, ratio)


def test_a_cell_takes_lanes_k_per_beat():
    rng = np.random.default_rng(5)
    design = OutputStationaryArray(
        weight=parse_element("int4"),
        activation=parse_element("int8"),
        rows=2,
        columns=3,
        lane_count=4,
    )
    weights = rng.integers(16, size=(5, 8, 3), dtype=np.uint16)
    activations = rng.integers(256, size=(5, 2, 8), dtype=np.uint16)
    found = run_tiles(design, weights, activations)
    for tile in range(5):
        scalar = array_results(design, weights[tile].tolist(), activations[tile].tolist())
        for row in range(2):
            for column in range(3):
                total = int(found.total[tile, row, column, 0]) & 0xFFFFFFFF
                assert total == scalar[row][column].total & 0xFFFFFFFF
    core = GoldenCore(design)
    for beat in (slice(0, 4), slice(4, 8)):
        output = core.step(weights[0, beat, 1].tolist(), activations[0, 0, beat].tolist(), False)
    assert (
        output.total
        == array_results(design, weights[0].tolist(), activations[0].tolist())[0][1].total
    )
    with pytest.raises(ValueError, match="whole beats of 4 k, not 6"):
        run_tiles(design, weights[:, :6], activations[:, :, :6])
    with pytest.raises(ValueError, match="whole beats of 4 k, not 6"):
        array_results(design, weights[0, :6].tolist(), activations[0, :, :6].tolist())


def test_steps_of_a_tile_bring_a_word_per_column_or_row_and_lane():
    tile = designs()[0]
    steps = core_stimulus(tile, 1000, seed=3).steps
    assert steps.weight.shape[1] == 3 * 4
    assert steps.activation.shape[1] == 2 * 4
    assert not np.array_equal(steps.weight[:, :4], steps.weight[:, 4:8])


def test_names_and_sizes():
    tile = BroadcastTile(weight=parse_element("int4"), activation=parse_element("int4"))
    assert (tile.rows, tile.columns, tile.lanes, tile.cores) == (4, 4, 1, 16)
    assert from_record(tile.to_record()) == tile
    assert designs()[0].slug.startswith("tile2x3x4_int4_int8_exact256")
    assert designs()[3].slug.startswith("array2x3x4_int4_int8_exact256")
    with pytest.raises(ValueError, match=r"lanes lies in 1\.\.1024, not 0"):
        from_record({"kind": "array", "weight": "int4", "lanes": 0})
    with pytest.raises(ValueError, match="bulk runs a MAC or a dot product"):
        Bulk("", designs()[0])
