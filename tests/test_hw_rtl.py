"""The generators in Amaranth's own simulator against the scalar golden model, and their Verilog."""

import json
import random
import re
import subprocess
import sys

import pytest
from amaranth.sim import Simulator

from hw.design import Design, from_record
from hw.formats import parse
from hw.plan import plan, structures
from hw.rtl import build, emit
from hw.rtl.emit import MARK
from hw.target import load
from sim.golden.scalar import GoldenCore, array_results

FORMATS = (
    [f"int{bits}" for bits in range(2, 9)]
    + [f"uint{bits}" for bits in range(1, 9)]
    + [f"e{e}m{bits - 1 - e}finite" for bits in range(3, 9) for e in range(1, bits)]
    + ["e4m3fn", "e5m2", "e4m3", "e3m4", "e4m3fnuz", "e5m2fnuz", "e2m2fn", "e3m1", "e2m1"]
    + ["fixed<8,4>", "ufixed<6,-2>", "e4m3b11fnuz"]
)
ACCUMULATORS = ("exact:256", "exact:5", "wrap:13", "saturate:15", "saturate:30", "window:24")


def random_designs(count: int, seed: int) -> list[Design]:
    generator = random.Random(seed)
    designs: list[Design] = []
    while len(designs) < count:
        record = {
            "kind": generator.choice(["mac", "dot"]),
            "weight": generator.choice(FORMATS),
            "activation": generator.choice(FORMATS),
            "accumulator": generator.choice(ACCUMULATORS),
            "specials": generator.choice(["flag", "ignore"]),
        }
        if record["kind"] == "dot":
            record["lanes"] = generator.choice([1, 2, 3, 5])
        design = from_record(record)
        designs.append(design.with_structure(generator.choice(structures(design))))
    return designs


def biased_code(generator: random.Random, bits: int) -> int:
    corners = (0, 1, (1 << bits) - 1, 1 << (bits - 1), (1 << (bits - 1)) - 1)
    return generator.choice(corners) if generator.random() < 0.3 else generator.randrange(1 << bits)


def packed(codes: list[int], bits: int) -> int:
    return sum(code << (place * bits) for place, code in enumerate(codes))


def mismatches(design: Design, target: str, cycles: int) -> int:
    """Drive a core with gaps and ends of sums; compare every output after every clock edge."""
    dut = build(plan(design, load(target)))
    golden = GoldenCore(design)
    generator = random.Random(design.slug)
    wrong = 0

    async def bench(ctx):
        nonlocal wrong
        shown = golden.step([0] * design.lanes, [0] * design.lanes, True)
        for _ in range(cycles):
            weights, activations = (
                [biased_code(generator, format.bits) for _ in range(design.lanes)]
                for format in (design.weight, design.activation)
            )
            valid, last = generator.random() < 0.8, generator.random() < 0.1
            ctx.set(dut.weight, packed(weights, design.weight.bits))
            ctx.set(dut.activation, packed(activations, design.activation.bits))
            ctx.set(dut.valid, valid)
            ctx.set(dut.last, last)
            await ctx.tick()
            if valid:
                shown = golden.step(weights, activations, last)
            got = {flag: bool(ctx.get(getattr(dut, flag))) for flag in design.flags}
            total = ctx.get(dut.total)
            wrong += total != shown.total % (1 << design.accumulator_bits)
            wrong += ctx.get(dut.total_valid) != (valid and last)
            wrong += got != shown.flags
            if design.is_window:
                wrong += ctx.get(dut.exponent) != shown.exponent

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return wrong


@pytest.mark.parametrize("design", random_designs(60, seed=1), ids=lambda d: d.slug)
def test_random_designs_equal_golden(design):
    assert mismatches(design, "xcup", cycles=120) == 0


@pytest.mark.parametrize("design", random_designs(12, seed=2), ids=lambda d: d.slug)
def test_lut4_plans_equal_golden(design):
    assert mismatches(design, "ecp5", cycles=120) == 0


def test_a_wrong_golden_is_noticed():
    design = from_record({"kind": "mac", "weight": "int4", "structure": "rows"})
    broken = from_record({"kind": "mac", "weight": "uint4", "structure": "rows"})
    assert mismatches(design, "xcup", 50) == 0
    dut = build(plan(broken, load("xcup")))
    golden = GoldenCore(design)
    seen = []

    async def bench(ctx):
        for code in range(16):
            ctx.set(dut.weight, code)
            ctx.set(dut.activation, code)
            ctx.set(dut.valid, 1)
            ctx.set(dut.last, 1)
            await ctx.tick()
            total = golden.step([code], [code], True).total
            seen.append(ctx.get(dut.total) == total % (1 << design.accumulator_bits))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == [code < 9 for code in range(16)]


@pytest.mark.parametrize(
    ("weight", "activation", "rows", "columns"),
    [
        ("int4", "int8", 2, 3),
        ("e4m3fn", "e4m3fn", 3, 2),
        ("e5m2", "int3", 1, 1),
        ("int2", "uint3", 1, 4),
    ],
)
def test_array_streams_tiles(weight, activation, rows, columns):
    design = from_record(
        {
            "kind": "array",
            "weight": weight,
            "activation": activation,
            "rows": rows,
            "columns": columns,
            "structure": "rows",
        }
    )
    hardware_plan = plan(design, load("xcup"))
    dut = build(hardware_plan)
    generator = random.Random(3)
    tiles = []
    for length in (1, 2, 7, 3, 1, 5):
        weights = [
            [biased_code(generator, design.weight.bits) for _ in range(columns)]
            for _ in range(length)
        ]
        activations = [
            [biased_code(generator, design.activation.bits) for _ in range(length)]
            for _ in range(rows)
        ]
        tiles.append((weights, activations))
    expected = [
        [(cell.total, cell.flags) for cell in row]
        for weights, activations in tiles
        for row in array_results(design, weights, activations)
    ]
    received: list[list[tuple[int, dict[str, bool]]]] = []
    waits: list[int] = []

    async def drive(ctx):
        for weights, activations in tiles:
            for k, beat in enumerate(weights):
                while generator.random() < 0.3:
                    ctx.set(dut.operands.valid, 0)
                    await ctx.tick()
                for c in range(columns):
                    ctx.set(dut.operands.p.weight[c], beat[c])
                for r in range(rows):
                    ctx.set(dut.operands.p.activation[r], activations[r][k])
                ctx.set(dut.operands.p.last, k == len(weights) - 1)
                ctx.set(dut.operands.valid, 1)
                await ctx.tick().until(dut.operands.ready)
        ctx.set(dut.operands.valid, 0)

    async def receive(ctx):
        half = 1 << (design.accumulator_bits - 1)
        while len(received) < len(expected):
            ctx.set(dut.results.ready, 0)
            while generator.random() < 0.5:
                await ctx.tick()
            ctx.set(dut.results.ready, 1)
            payload = (await ctx.tick().sample(dut.results.p).until(dut.results.valid))[0]
            totals = [(payload.result[c] + half) % (2 * half) - half for c in range(columns)]
            flags = [{f: bool(payload[f][c]) for f in design.flags} for c in range(columns)]
            received.append(list(zip(totals, flags, strict=True)))
            waits.append(payload.last)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.add_testbench(receive)
    simulator.run_until(1e-3)
    assert received == expected
    assert waits == [int(row == rows - 1) for _ in tiles for row in range(rows)]


def test_array_latency_is_what_the_plan_says():
    design = from_record(
        {"kind": "array", "weight": "int4", "rows": 3, "columns": 2, "structure": "rows"}
    )
    hardware_plan = plan(design, load("xcup"))
    dut = build(hardware_plan)
    seen = []

    async def bench(ctx):
        ctx.set(dut.results.ready, 1)
        ctx.set(dut.operands.valid, 1)
        ctx.set(dut.operands.p.last, 1)
        await ctx.tick()
        ctx.set(dut.operands.valid, 0)
        cycles = 1
        while not ctx.get(dut.results.valid):
            await ctx.tick()
            cycles += 1
        seen.append(cycles)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run_until(1e-4)
    assert seen == [hardware_plan.latency_cycles]


def record_of(kind: str, weight: str, **more: object) -> dict[str, object]:
    return {"kind": kind, "weight": weight, **more}


@pytest.mark.parametrize(
    "record",
    [
        record_of("mac", "int8", structure="rows"),
        record_of("dot", "e4m3fn", lanes=4, structure="rows"),
        record_of("dot", "e2m1fn", lanes=4, structure="table"),
        record_of("array", "fixed<8,4>", rows=2, columns=2, structure="behavioural"),
        record_of("dot", "e7m0finite", lanes=2, structure="behavioural"),
        record_of("mac", "int12", structure="dsp"),
    ],
    ids=lambda record: f"{record['kind']}-{record['weight']}",
)
def test_verilog_is_clean_and_stable(record):
    design = from_record(record)
    first, second = emit(design, load("xcup")), emit(design, load("xcup"))
    assert first == second
    header, _, body = first.verilog.partition("\n")
    assert header.startswith(MARK)
    read = json.loads(header.removeprefix(MARK))
    assert read == first.record
    assert from_record(read["design"]) == design
    assert "\\" not in body
    assert "$" not in body.replace("$signed(", "")
    assert "src" not in body
    modules = re.findall(r"^module (\w+)", body, flags=re.MULTILINE)
    assert len(modules) == len(set(modules))
    assert design.slug in modules
    assert all(name.startswith(design.slug) for name in modules)


def test_verilog_is_the_same_in_another_process():
    program = (
        "from hw.design import from_record; from hw.target import load; from hw.rtl import emit\n"
        "d = from_record({'kind': 'dot', 'lanes': 3, 'weight': 'e3m2fn', 'structure': 'table'})\n"
        "print(emit(d, load('xcup')).record['sha256'])"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1


def test_every_structure_of_a_format_gives_the_same_results():
    for name in ("int3", "e2m1fn", "e3m2fn"):
        design = from_record({"kind": "dot", "lanes": 2, "weight": name})
        for structure in structures(design):
            assert mismatches(design.with_structure(structure), "xcup", 100) == 0
        assert parse(name) == design.weight
