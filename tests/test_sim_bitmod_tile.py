"""The tile of BitMoD elements: records, bench against scalar golden, hardware, wrong hardware."""

import re

import numpy as np
import pytest

from hw.design import from_record
from hw.design.bitmod_tile import BitmodTile
from hw.formats import parse_element
from hw.formats.bitmod_datatypes import DATATYPES, special_value
from hw.plan import plan
from hw.rtl.emit import emit
from hw.target import load
from sim import bitmod_tile as bench
from sim.golden import bitmod
from sim.harness import Case
from sim.ports import input_layout, output_layout
from sim.runner import simulate

INT8 = parse_element("int8")
SMALL = BitmodTile(rows=2, columns=2, group=32, length=64)
SMALL_INT = BitmodTile(rows=2, columns=3, group=32, length=32, activation=INT8)
PAPER = BitmodTile()


def test_records():
    for design in (PAPER, SMALL, SMALL_INT):
        assert from_record(design.to_record()) == design
    assert (PAPER.rows, PAPER.columns, PAPER.group, PAPER.lanes, PAPER.cores) == (8, 8, 128, 4, 64)
    assert PAPER.slug == "bitmod8x8_fp16_128x32_fp32step"
    assert plan(PAPER, load("xcup")).latency_cycles == 66
    widths = dict(PAPER.input_fields)
    assert (widths["weight"], widths["activation"]) == (8 * 4 * 8, 8 * 4 * 16)
    assert dict(PAPER.output_fields)["total"] == 64 * 32


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rows": 9}, "scales its 9 rows in 72 cycles, a group of 128 lasts 64"),
        ({"rows": 4, "group": 32, "length": 64}, "larger groups or fewer rows"),
        ({"rows": 0}, "rows lies in 1..64, not 0"),
        ({"columns": 65}, "columns lies in 1..64, not 65"),
        ({"group": 100, "length": 4096}, "does not divide"),
        ({"datatypes": ("fp5",)}, "fp3, fp4, int5, int6, int8, not 'fp5'"),
        ({"activation": parse_element("int4")}, "fp16, int8"),
    ],
)
def test_impossible_tiles_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        BitmodTile(**settings)


def test_wider_datatypes_leave_time_for_more_rows():
    assert BitmodTile(rows=16, datatypes=("int8",)).rows == 16
    with pytest.raises(ValueError, match="136 cycles"):
        BitmodTile(rows=17, datatypes=("int8",))


@pytest.mark.parametrize("design", [SMALL, SMALL_INT], ids=["fp16", "int8"])
def test_every_output_is_that_of_an_element_of_its_own(design):
    """The bench's totals, against the scalar golden of separate elements."""
    rng = np.random.default_rng(3)
    groups = bench.drawn(rng, design, 5 * design.groups, True)
    found = bench.totals(design, groups)
    compared = 0
    for row in range(design.rows):
        for column in range(design.columns):
            sums = []
            for number in range(groups.count):
                kind = DATATYPES[groups.datatype[number]]
                place = 4 * kind.select + int(groups.special_id[column, number])
                special = special_value(int(groups.entries[number, place])) if kind.floating else 0
                state = bitmod.group_sum(
                    design,
                    kind,
                    special,
                    groups.codes[column, :, number].tolist(),
                    groups.activations[row, :, number].tolist(),
                )
                sums.append((state, int(groups.scale[column, number])))
                first = number // design.groups * design.groups
                right = bitmod.output(design, sums[first:])
                assert int(found[row, column, number]) == right % (1 << 64)
                compared += 1
    assert compared == 5 * design.groups * design.cores


def test_a_step_takes_the_cycles_of_its_datatype_and_the_next_follows_at_once():
    """Without idle cycles groups of all datatypes follow each other, valid in every cycle."""
    run = bench.stimulus(SMALL, 60 * SMALL.steps * SMALL.cores, 5, thorough=False)
    inputs, outputs = input_layout(SMALL), output_layout(SMALL)
    valid = run.words[:, inputs.column("valid")].ravel()
    selects = run.words[:, inputs.column("datatype")] @ np.array([4, 2, 1])
    marks = np.flatnonzero(run.expected[:, outputs.column("total_valid")].ravel())
    busy = int(valid.sum())
    assert valid[:busy].all()
    assert len(marks) == 30
    steps = np.bincount(selects[:busy], minlength=5) / [d.cycles for d in DATATYPES]
    assert steps.sum() == 60 * SMALL.steps
    assert (steps > 0).all()  # each datatype occurs
    assert run.vectors == 60 * SMALL.steps * 4
    # The last output is complete 8 cycles per row and one edge after its last term.
    assert marks[-1] - (busy - 1) == SMALL.output_cycles == 17


MUTANTS = {
    "a row's first group is added to the output before": (
        r"\.first\(first\)(,\s+\.following)",
        r".first(1'h0)\1",
    ),
    "the scale of another column": (r"\.scale\(scale\[15:8\]\)", ".scale(scale[7:0])"),
    "a special value of another column": (r"(\.special\(special\w*)\[11:6\]\)", r"\1[5:0])"),
    "activations of the row above": (
        r"\.activation\(activation\[63:32\]\)",
        ".activation(activation[31:0])",
    ),
}


def case(design, pattern=None, replacement=""):
    emitted = emit(design, load("xcup"))
    text = emitted.verilog
    if pattern is not None:
        text, count = re.subn(pattern, replacement, text)
        assert count, pattern
    return Case(design, text, emitted.top, plan(design, load("xcup")).latency_cycles)


def test_the_bench_sends_what_it_says():
    run = bench.stimulus(SMALL, 1000, 2)
    outputs = output_layout(SMALL)
    assert run.vectors >= 1000
    assert run.words[:, input_layout(SMALL).column("rst")].sum() >= 8
    assert run.words[:, input_layout(SMALL).column("special_write")].sum() > 5
    assert run.expected[:, outputs.column("fault")].any()
    assert run.expected[:, outputs.column("total_valid")].sum() >= 5
    assert run.care is not None
    assert not run.care.all()


@pytest.mark.slow
def test_the_bench_passes_the_right_hardware_and_catches_the_wrong():
    cases = {"fp16": case(SMALL), "int8": case(SMALL_INT)}
    cases |= {name: case(SMALL_INT, *change) for name, change in MUTANTS.items()}
    found = dict(zip(cases, simulate(list(cases.values()), vectors=2000), strict=True))
    assert {name for name, verdict in found.items() if verdict.passed} == {"fp16", "int8"}
    assert len(found) == 6
    assert all(verdict.vectors >= 2000 for verdict in found.values())


MILLIONS = {
    "int8": BitmodTile(length=256, activation=INT8),
    "fp16": BitmodTile(rows=4, columns=4, group=64, length=128),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MILLIONS)
def test_a_million_steps_of_elements(name):
    """Eight rows and columns, as in the paper, with exact sums; fewer with floating ones."""
    (verdict,) = simulate([case(MILLIONS[name])], vectors=1_000_000)
    assert verdict.passed
    assert verdict.vectors >= 1_000_000
