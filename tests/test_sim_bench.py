"""The parts of the bench, without a simulator: vectors, model, driver, monitor, scoreboard."""

import dataclasses
import json

import numpy as np
import pytest
from sim_designs import case, design

from sim.drivers import ArrayDriver, ArraySegment, CoreDriver
from sim.expected import array_response, array_words, core_response, core_words
from sim.golden import GoldenCore, array_results, run_steps
from sim.harness import Case, harness, read_case, renamed
from sim.monitors import ArrayMonitor
from sim.ports import (
    bit_strings,
    check_ports,
    code_bits,
    input_layout,
    limb_bits,
    output_layout,
    text_bits,
)
from sim.vectors import (
    array_stimulus,
    core_stimulus,
    corner_codes,
    extreme_pairs,
    overflow_run,
    pair_steps,
)

CORES = [
    design("mac", "int4", "uint3", accumulator="exact:8"),
    design("mac", "e2m1", accumulator="saturate:9"),
    design("mac", "e3m1", accumulator="window:6:8"),
    design("dot", "e5m2", lanes=3),
    design("dot", "int4", lanes=5, accumulator="wrap:7"),
]
ARRAY = design("array", "int4", "uint3", rows=3, columns=2)


def number(bits):
    return int("".join(map(str, bits)), 2) if len(bits) else 0


def signed(bits):
    return number(bits) - (int(bits[0]) << len(bits))


def test_words_pack_the_first_port_highest():
    layout = output_layout(ARRAY)
    assert [field.name for field in layout.fields][:4] == [
        "operands_ready",
        "result_valid",
        "result_last",
        "result",
    ]
    assert layout.part_select("operands_ready") == f"[{layout.width - 1}:{layout.width - 1}]"
    assert layout.part_select("result_overflow") == "[1:0]"
    with pytest.raises(KeyError):
        layout.column("nothing")


def test_bits_of_codes_and_limbs_are_those_of_python_integers():
    rng = np.random.default_rng(0)
    codes = rng.integers(1 << 11, size=(50, 3), dtype=np.uint16)
    for row, text in zip(codes.tolist(), bit_strings(code_bits(codes, 11)), strict=True):
        assert text == "".join(f"{code:011b}" for code in reversed(row))
    limbs = rng.integers(1 << 63, size=(50, 2), dtype=np.uint64)
    for (low, high), text in zip(limbs.tolist(), bit_strings(limb_bits(limbs, 73)), strict=True):
        assert text == f"{(high << 64 | low) & (1 << 73) - 1:073b}"


def test_digits_other_than_0_and_1_never_equal_an_expected_bit():
    assert set(text_bits(["x1Z0"], 4)[0].tolist()) >= {0, 1}
    assert (text_bits(["xXzZ"], 4) > 1).all()
    assert text_bits([], 7).shape == (0, 7)


def test_every_pair_of_codes_occurs_once():
    what = CORES[0]
    steps = pair_steps(what, np.random.default_rng(0))
    pairs = set(zip(steps.weight[:, 0].tolist(), steps.activation[:, 0].tolist(), strict=True))
    assert len(pairs) == len(steps) == 1 << (4 + 3)


def test_corners_hold_extremes_and_specials():
    codes = set(corner_codes(design("mac", "e5m2").weight).tolist())
    assert codes >= {0, 0x7B, 0xFB, 0x7C, 0xFC}
    assert codes & {0x7D, 0x7E, 0x7F}


@pytest.mark.parametrize("what", CORES, ids=lambda d: d.slug)
def test_expected_words_are_the_scalar_model_clocked(what):
    stimulus = core_stimulus(what, 400, seed=3)
    words = core_words(what, stimulus, seed=3)
    expected = core_response(what, stimulus, run_steps)
    inputs, outputs = input_layout(what), output_layout(what)
    core, shown, resets, accepted = GoldenCore(what), None, 0, 0
    for word, response in zip(words, expected, strict=True):
        port = {field.name: word[inputs.column(field.name)] for field in inputs.fields}
        total_valid = False
        if port["rst"][0]:
            core.reset()
            shown, resets = None, resets + 1
        elif port["valid"][0]:
            width = what.weight.bits, what.activation.bits
            lanes = [
                [number(row) for row in port[name].reshape(-1, bits)[::-1]]
                for name, bits in zip(("weight", "activation"), width, strict=True)
            ]
            shown = core.step(*lanes, bool(port["last"][0]))
            total_valid, accepted = shown.total_valid, accepted + 1
        assert bool(response[outputs.column("total_valid")][0]) == total_valid
        assert signed(response[outputs.column("total")]) == (shown.total if shown else 0)
        for flag in what.flags:
            assert bool(response[outputs.column(flag)][0]) == bool(shown and shown.flags[flag])
        if what.exponent_bits:
            seen = number(response[outputs.column("exponent")])
            assert seen == (shown.exponent if shown else 0)
    assert accepted == len(stimulus.steps) >= 128
    assert resets >= 4


@pytest.mark.parametrize("what", CORES[:1] + CORES[3:4], ids=lambda d: d.slug)
def test_vectors_reach_overflow_on_both_sides(what):
    steps = core_stimulus(what, 400, seed=1).steps
    shown = run_steps(what, steps.weight, steps.activation, steps.last)
    assert overflow_run(what) > 0
    assert shown.flags["overflow"].any()
    assert not shown.flags["overflow"].all()
    signs = [w * a for w, a in extreme_pairs(what)]
    assert len(signs) == 2


def test_saturation_reaches_both_bounds():
    what = CORES[1]
    steps = core_stimulus(what, 400, seed=1).steps
    totals = run_steps(what, steps.weight, steps.activation, steps.last).ints()
    assert (min(totals), max(totals)) == (-256, 255)


def test_the_same_seed_gives_the_same_run():
    one, two, other = (core_stimulus(CORES[3], 300, seed) for seed in (1, 1, 2))
    assert (one.steps.weight == two.steps.weight).all()
    assert (one.cycle == two.cycle).all()
    assert (
        one.steps.weight.shape != other.steps.weight.shape
        or (one.steps.weight != other.steps.weight).any()
    )


def test_array_words_and_results_are_the_scalar_tiles():
    segments = array_stimulus(ARRAY, 200, seed=2)
    responses = array_response(ARRAY, segments, run_steps)
    outputs = output_layout(ARRAY)
    bits, tiles = ARRAY.accumulator_bits, 0
    assert [len(response) == 0 for response in responses].count(True) == 2
    for segment, response in zip(segments, responses, strict=True):
        steps = segment.steps
        assert array_words(ARRAY, steps).shape == (len(steps), input_layout(ARRAY).width)
        ends = np.flatnonzero(steps.last) + 1
        if not segment.delivers:
            continue
        starts = [0, *ends[:-1].tolist()]
        for tile, (start, end) in enumerate(zip(starts, ends.tolist(), strict=False)):
            beats = slice(start, end)
            rows = array_results(
                ARRAY, steps.weight[beats].tolist(), steps.activation[beats].T.tolist()
            )
            for r, row in enumerate(rows):
                word = response[tile * ARRAY.rows + r]
                assert len(word) == outputs.width - 2
                assert word[0] == (r == ARRAY.rows - 1)
                for c, output in enumerate(row):
                    low = 1 + bits * (ARRAY.columns - 1 - c)
                    assert signed(word[low : low + bits]) == output.total
                    assert word[len(word) - 1 - c] == output.flags["overflow"]
            tiles += 1
    assert tiles * ARRAY.rows * ARRAY.columns >= 200


def test_core_driver_ends_with_idle_cycles():
    words = np.array([[1, 0, 1], [0, 1, 1]], np.uint8)
    driver = CoreDriver(words, latency=2)
    assert [driver.word("") for _ in range(5)] == [5, 3, 0, 0, None]
    wide = CoreDriver(np.ones((1, 40), np.uint8), latency=0)
    assert wide.word("") == "1" * 40


def run_array(segments, respond, latency=2, patience=20):
    """Play a driver and a monitor against a function of the word that gives the outputs."""
    driver, monitor = ArrayDriver(segments, patience), ArrayMonitor(latency)
    response, cycles = "000", 0
    while (word := driver.word(response)) is not None:
        response = respond(word)
        monitor.sample(word, response)
        cycles += 1
        assert cycles < 500
    return monitor


class PythonArray:
    """Accepts one beat, answers its payload after `latency` edges, then waits for ready."""

    def __init__(self, latency=2):
        self.latency, self.timer, self.payload = latency, -1, ""

    def __call__(self, word):
        if word[0] == "1":
            self.timer = -1
            return "100"
        ready = self.timer < 0
        shown = "1" if self.timer == 0 else "0"
        response = f"{int(ready)}{shown}{self.payload or '0'}"
        if self.timer == 0 and word[1] == "1":
            self.timer = -1
        elif self.timer > 0:
            self.timer -= 1
        if ready and word[2] == "1":
            self.timer, self.payload = self.latency - 1, word[4]
        return response


SEGMENT = ArraySegment(["00111", "00110", "00111"], [0, 3, 0], [True, False, False], 3, 5)


def test_array_driver_and_monitor_pass_a_right_stream():
    monitor = run_array([SEGMENT, SEGMENT], PythonArray())
    assert monitor.segments == [["1", "0", "1"]] * 2
    assert monitor.faults == []


def test_array_monitor_sees_a_late_result():
    monitor = run_array([SEGMENT], PythonArray(latency=3))
    assert len(monitor.faults) == 3
    assert "late" in monitor.faults[0]


def test_array_monitor_sees_a_result_that_does_not_wait():
    class Hasty(PythonArray):
        def __call__(self, word):
            response = super().__call__(word)
            if response[1] == "1":
                self.payload = "1" if self.payload == "0" else "0"
            return response

    assert any("changed" in fault for fault in run_array([SEGMENT], Hasty()).faults)


def test_array_driver_gives_up_on_a_dead_array():
    monitor = run_array([SEGMENT, SEGMENT], lambda word: "000")
    assert monitor.segments == [[], []]


def test_ports_that_differ_from_the_design_are_refused():
    right = case("mac", "int4")
    wider = design("mac", "int4", accumulator="exact:512")
    with pytest.raises(ValueError, match="total"):
        dataclasses.replace(right, design=wider)
    with pytest.raises(ValueError, match="must hold the module nothing"):
        check_ports(right.verilog, "nothing", right.design)


def test_modules_of_several_designs_do_not_clash():
    one = case("mac", "int4")
    text = harness([one, one])
    names = [line.split("(")[0] for line in text.splitlines() if line.startswith("module ")]
    assert len(names) == len(set(names))
    assert "d0_" not in renamed("wire module_x;", "d0_")


def test_a_case_is_read_back_from_its_file(tmp_path):
    one = case("mac", "int4")
    path = tmp_path / "mac.v"
    path.write_text(one.verilog)
    assert read_case(path) == one
    path.write_text(one.verilog.replace("// macloom ", "// "))
    with pytest.raises(ValueError, match="record"):
        read_case(path)
    for damaged in ("// macloom {", '// macloom {"design": 3}', "// macloom []"):
        path.write_text(damaged + "\n" + one.verilog)
        with pytest.raises(ValueError, match=r"record|mapping"):
            read_case(path)
    assert isinstance(one, Case)
    assert json.loads(one.verilog.split("\n", 1)[0].removeprefix("// macloom "))["version"] == 1
