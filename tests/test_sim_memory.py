"""Memories: golden against a list, hardware against golden, mutants, and the blocks Yosys makes."""

import random
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from costmodel import estimate
from hw.design import from_record
from hw.design.memory import Memory
from hw.plan import plan
from hw.plan.memory import BLOCKS
from hw.rtl import emit
from hw.synthesis import synthesize
from hw.target import load
from sim import cycles
from sim.golden import memory as golden
from sim.harness import Case
from sim.ports import input_layout
from sim.runner import simulate

SIZES = ((1, 2), (8, 37), (20, 512), (40, 1000), (9, 2048))


def memory(width, depth):
    return from_record({"kind": "memory", "width": width, "depth": depth})


@cache
def case(width, depth, target="ecp5"):
    design = memory(width, depth)
    emitted = emit(design, load(target))
    return Case(design, emitted.verilog, emitted.top, 1)


def test_golden_is_a_list_of_words():
    rng = random.Random(1)
    drawn = [
        (
            rng.random() < 0.05,
            rng.random() < 0.5,
            rng.randrange(9),
            rng.randrange(16),
            rng.randrange(9),
        )
        for _ in range(3000)
    ]
    words, shown = [None] * 9, []
    for reset, write, address, word, asked in drawn:
        writes = write and not reset
        shown.append(None if writes and address == asked else words[asked])
        if writes:
            words[address] = word
    assert list(golden.run(drawn)) == shown
    assert sum(word is not None for word in shown) > 2000


def test_a_thorough_run_reads_every_word():
    design = memory(5, 100)
    run = cycles.stimulus(design, 1000, seed=1)
    layout = input_layout(design)
    asked = run.words[:, layout.column("read_address")] @ (1 << np.arange(7)[::-1])
    assert set(asked[run.care[:, 0] == 1].tolist()) == set(range(100))
    assert asked.max() < 100
    assert run.vectors == run.care[:, 0].sum() > 900


def test_hardware_is_golden():
    cases = [case(*size) for size in SIZES]
    verdicts = simulate(cases, vectors=2500)
    assert all(verdict.passed for verdict in verdicts), verdicts
    assert all(verdict.vectors > 1000 for verdict in verdicts)


MUTANTS = {
    "reset writes": ("write_enable & _0_", "write_enable"),
    "an address bit": ("words[write_address] <=", "words[write_address & ~1] <="),
    "another word": ("read_data <= words[read_address]", "read_data <= words[write_address]"),
    "a bit of data": ("<= write_data;", "<= write_data & ~8'd128;"),
    "late": (
        "assign write = ",
        "reg late; always @(posedge clk) late <= write_enable & ~rst; assign write = late | 0 & ",
    ),
}


def test_mutants_are_caught():
    right = case(8, 37)
    mutants = []
    for old, new in MUTANTS.values():
        assert old in right.verilog
        mutants.append(replace(right, verilog=right.verilog.replace(old, new)))
    verdicts = simulate(mutants, vectors=2000)
    assert [verdict.passed for verdict in verdicts] == [False] * len(MUTANTS)


def test_banks_are_as_wide_as_blocks_at_a_depth():
    ecp5, xcup, ice40 = load("ecp5"), load("xcup"), load("ice40")

    def banks(width, depth, target):
        return [(b.width, b.block) for b in plan(memory(width, depth), target).core.banks]

    assert banks(40, 512, ecp5) == [(36, "DP16KD"), (4, "DP16KD")]
    assert banks(40, 513, ecp5) == [(18, "DP16KD"), (18, "DP16KD"), (4, "DP16KD")]
    assert banks(72, 512, xcup) == [(72, "RAMB36E2")]
    assert banks(73, 1566, xcup) == [(18, "RAMB36E2")] * 4 + [(1, "RAMB18E2")]
    assert banks(33, 256, ice40) == [(16, "SB_RAM40_4K")] * 2 + [(1, "SB_RAM40_4K")]
    built = plan(memory(40, 512), ecp5)
    assert (built.latency_cycles, built.initiation_interval) == (1, 1)


@pytest.mark.parametrize(
    ("record", "target", "words"),
    [
        ({"width": 0}, "ecp5", "width"),
        ({"depth": 1 << 16}, "ecp5", "depth"),
        ({"lanes": 3}, "ecp5", "no key 'lanes'"),
        ({"width": 2, "depth": 2049}, "ice40", "at most 2048 words, memory_2x2049 has 2049"),
        ({"width": 2}, "asic", "memories are for xcup, xc7, ecp5, ice40, gowin, not asic"),
    ],
)
def test_what_cannot_be_is_refused(record, target, words):
    with pytest.raises(ValueError, match=words):
        plan(from_record({"kind": "memory", **record}), load(target))


def drawn_sizes(target, number):
    """Return sizes at random, fewer for deep and wide ones."""
    rng = random.Random(f"memories {target}")
    deepest = max(depth for block in BLOCKS[target] for _, depth in block.shapes)
    found = set()
    while len(found) < number:
        width, depth = rng.randint(1, 80), int(2 ** rng.uniform(1, deepest.bit_length() - 1))
        if width * depth <= 150_000:
            found.add((width, max(depth, 2)))
    return sorted(found)


CELLS = {"BSRAM": ("DPB", "DPX9B", "SDPB", "SDPX9B")}
"""Cells of blocks that have several."""


def check(target, sizes):
    """Compare estimates with what Yosys maps; return how many."""
    technology = load(target)
    for size in sizes:
        found = estimate(memory(*size), technology)
        emitted = emit(memory(*size), technology)
        mapped = synthesize(emitted.verilog, emitted.top, target)
        names = ("bram", "lut", "sites", "ff", "carry", "dsp")
        expected = tuple(getattr(mapped, name) for name in names)
        assert tuple(getattr(found, name) for name in names) == expected, size
        blocks = [bank.block for bank in plan(memory(*size), technology).core.banks]
        cells = {name: CELLS.get(name, (name,)) for name in set(blocks)}
        for name, kinds in cells.items():
            used = sum(mapped.by_cell.get(kind, 0) for kind in kinds)
            assert used == blocks.count(name), size
    return len(sizes)


@pytest.mark.parametrize("target", ["ecp5", "ice40", "gowin"])
def test_estimates_are_what_yosys_maps(target):
    assert check(target, [(1, 2), (12, 26), (33, 300)]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("target", sorted(BLOCKS))
def test_estimates_are_what_yosys_maps_at_sizes_drawn_at_random(target):
    assert check(target, drawn_sizes(target, 40)) == 40


def test_an_estimate_tells_its_blocks():
    found = estimate(memory(40, 512), load("ecp5"))
    assert found.to_record()["bram"] == found.bram == 2
    mac = estimate(
        from_record({"kind": "mac", "weight": "int4", "structure": "rows"}), load("ecp5")
    )
    assert mac.bram == 0
    assert isinstance(memory(3, 4), Memory)
    assert from_record(memory(3, 4).to_record()) == memory(3, 4)
