"""The vectorised cores against the scalar specification, output by output."""

from itertools import product

import numpy as np
import pytest

from hw.design import from_record
from sim.golden import (
    GoldenCore,
    Output,
    array_results,
    run_dots,
    run_steps,
    run_stream,
    run_tiles,
)
from sim.golden.limbs import Wide, limb_ints

PAIRS = [
    ("int8", "int8"),
    ("int4", "uint8"),
    ("e4m3fn", "e4m3fn"),
    ("e5m2", "e5m2"),
    ("e5m2", "int3"),
    ("e4m3fnuz", "e5m2"),
    ("e2m1fn", "fixed<8,4>"),
    ("e7m0finite", "e6m1finite"),
    ("bfloat16", "fp16"),
    ("int16", "uint16"),
    ("uint16", "uint16"),
    ("e6m1finite", "int8"),
    ("bfloat16", "bfloat16"),
]
ACCUMULATORS = [
    *("exact:4", "exact:256", "wrap:5", "wrap:32", "wrap:64", "wrap:80"),
    *("saturate:6", "saturate:40", "saturate:64", "saturate:80"),
    *("window:24:4", "window:40:64", "window:80:16", "window:62:2"),
]


def designs():
    for (weight, activation), accumulator, lanes in product(PAIRS, ACCUMULATORS, (1, 3)):
        record = {
            "kind": "dot",
            "weight": weight,
            "activation": activation,
            "accumulator": accumulator,
            "lanes": lanes,
        }
        try:
            yield from_record(record)
        except ValueError:
            continue  # a window narrower than one product


ZEROS = np.zeros((3, 2), int)


def biased(format, shape, rng):
    """Random codes; the first rows extreme, so that accumulators overflow."""
    codes = rng.integers(0, 1 << format.bits, shape)
    third = shape[0] // 8
    codes[:third] = format.encode(format.maximum)
    codes[third : 2 * third] = format.encode(format.minimum)
    return codes


def assert_same(outputs, wanted, design):
    assert outputs.ints() == [output.total for output in wanted], design.slug
    assert outputs.total.shape[-1] == -(-design.accumulator_bits // 64)
    assert outputs.total_valid.ravel().tolist() == [output.total_valid for output in wanted]
    assert outputs.exponent.ravel().tolist() == [output.exponent for output in wanted]
    assert list(outputs.flags) == list(design.flags)
    for name, flag in outputs.flags.items():
        assert flag.ravel().tolist() == [output.flags[name] for output in wanted], name


def clocked(design, weights, activations, valid, last, reset):
    """Run the specification with a clock around it."""
    core = GoldenCore(design)
    nothing = Output(0, False, dict.fromkeys(design.flags, False), 0)
    shown, outputs = nothing, []
    for cycle in range(len(valid)):
        if reset[cycle]:
            core.reset()
            shown = nothing
        elif valid[cycle]:
            shown = core.step(weights[cycle], activations[cycle], bool(last[cycle]))
        ended = bool(valid[cycle] and last[cycle] and not reset[cycle])
        outputs.append(Output(shown.total, ended, shown.flags, shown.exponent))
    return outputs


def test_streams_equal_the_specification():
    checked, seen = 0, {"overflow": 0, "nan": 0, "pos_inf": 0, "neg_inf": 0}
    for number, design in enumerate(designs()):
        rng = np.random.default_rng(number)
        cycles = 96
        weights = biased(design.weight, (cycles, design.lanes), rng)
        activations = biased(design.activation, (cycles, design.lanes), rng)
        valid, last, reset = (rng.random(cycles) < share for share in (0.8, 0.1, 0.03))
        last[:30] = False
        outputs = run_stream(design, weights, activations, valid, last, reset)
        wanted = clocked(design, weights, activations, valid, last, reset)
        assert_same(outputs, wanted, design)
        for name, flag in outputs.flags.items():
            seen[name] += int(flag.sum())
        checked += cycles
    assert checked > 25_000
    assert min(seen.values()) > 100


@pytest.mark.parametrize(
    ("pair", "accumulator"),
    [
        (("int4", "int4"), "exact:2"),
        (("e2m1fn", "int3"), "saturate:7"),
        (("e3m0finite", "e2m2"), "wrap:9"),
        (("e2m2", "e3m1fnuz"), "exact"),
        (("e4m1", "e3m2fn"), "window:7:4"),
    ],
)
def test_every_pair_of_codes(pair, accumulator):
    record = {"weight": pair[0], "activation": pair[1], "accumulator": accumulator}
    design = from_record({"kind": "mac"} | record)
    rng = np.random.default_rng(5)
    every = list(product(range(1 << design.weight.bits), range(1 << design.activation.bits)))
    codes = rng.permutation(np.array(every * 2, np.uint8))
    last = rng.random(len(codes)) < 0.15
    outputs = run_steps(design, codes[:, :1], codes[:, 1:], last)
    core = GoldenCore(design)
    wanted = [
        core.step([weight], [activation], bool(end))
        for (weight, activation), end in zip(codes, last, strict=True)
    ]
    assert_same(outputs, wanted, design)
    assert len(wanted) == 2 << (design.weight.bits + design.activation.bits)


@pytest.mark.parametrize("code_type", [np.uint8, np.uint16, np.uint32, np.int64])
@pytest.mark.parametrize("name", ["int8", "int5", "uint6", "int16", "e4m3fn"])
def test_codes_of_any_integer_type(name, code_type):
    design = from_record({"kind": "dot", "weight": name, "activation": "uint8", "lanes": 4})
    rng = np.random.default_rng(6)
    top = min(1 << design.weight.bits, np.iinfo(code_type).max + 1)
    weights = rng.integers(0, top, (50, 4)).astype(code_type)
    activations = rng.integers(0, 256, (50, 4)).astype(code_type)
    core = GoldenCore(design)
    wanted = [core.step(*pair, True) for pair in zip(weights, activations, strict=True)]
    assert_same(run_dots(design, weights, activations), wanted, design)


@pytest.mark.parametrize("lanes", [1, 16, 1024])
@pytest.mark.parametrize("pair", [("int8", "int8"), ("e5m2", "e5m2"), ("int16", "int16")])
def test_sums_at_their_extremes_are_exact(pair, lanes):
    record = {"kind": "dot", "weight": pair[0], "activation": pair[1], "lanes": lanes}
    design = from_record(record | {"accumulator": f"exact:{4 * lanes}"})
    extremes = [
        [f.encode(f.maximum), f.encode(f.minimum)] for f in (design.weight, design.activation)
    ]
    found = {
        design.weight.integer(w) * design.activation.integer(a): (w, a)
        for w, a in product(*extremes)
    }
    for value in design.product_bounds:
        operands = [np.full((4, lanes), code, np.uint16) for code in found[value]]
        outputs = run_steps(design, *operands, [False] * 4)
        assert outputs.ints() == [value * lanes * step for step in range(1, 5)]
        assert not outputs.flags["overflow"].any()


def test_long_sums_in_pieces():
    design = from_record({"kind": "dot", "weight": "e4m3fn", "accumulator": "exact:16777216"})
    rng = np.random.default_rng(7)
    codes = [rng.integers(0, 256, (20_000, 16), dtype=np.uint8) for _ in range(2)]
    outputs = run_steps(design, *codes, np.zeros(20_000, bool))
    integers = [np.array([f.integer(c) for c in range(256)], object) for f in (design.weight,) * 2]
    total = sum((integers[0][codes[0]] * integers[1][codes[1]]).ravel())
    assert outputs.ints()[-1] == total


@pytest.mark.parametrize("accumulator", ["exact:3", "saturate:12", "window:24:16"])
def test_tiles_are_the_cells_of_an_array(accumulator):
    record = {"kind": "array", "weight": "e5m2", "activation": "int4", "rows": 2, "columns": 3}
    design = from_record(record | {"accumulator": accumulator})
    rng = np.random.default_rng(8)
    weights = rng.integers(0, 256, (4, 7, 3))
    activations = rng.integers(0, 16, (4, 2, 7))
    outputs = run_tiles(design, weights, activations)
    assert outputs.total.shape[:3] == (4, 2, 3)
    wanted = [
        output
        for tile in range(4)
        for row in array_results(design, weights[tile], activations[tile])
        for output in row
    ]
    assert_same(outputs, wanted, design)


def test_nothing_in_nothing_out():
    design = from_record({"kind": "dot", "weight": "e5m2", "lanes": 2})
    empty = np.zeros((0, 2), np.uint8)
    assert run_steps(design, empty, empty, []).ints() == []
    idle = run_stream(design, np.zeros((3, 2), int), np.zeros((3, 2), int), [0] * 3, [1] * 3)
    assert idle.ints() == [0, 0, 0]
    assert not idle.total_valid.any()


@pytest.mark.parametrize(
    ("weights", "activations", "last", "message"),
    [
        (ZEROS * 1.0, ZEROS, [0] * 3, "weights are integer codes, not float64"),
        (ZEROS[:, :1], ZEROS, [0] * 3, r"weights have shape \(any, 2\)"),
        (ZEROS, ZEROS[:2], [0] * 3, r"activations have shape \(3, 2\)"),
        (ZEROS, ZEROS, [0] * 4, r"last has shape \(3,\), one per step"),
        (ZEROS + 16, ZEROS, [0] * 3, r"weights lie in 0\.\.15, not 16"),
        (ZEROS, ZEROS - 1, [0] * 3, r"activations lie in 0\.\.15, not -1"),
    ],
)
def test_wrong_operands_are_refused(weights, activations, last, message):
    design = from_record({"kind": "dot", "weight": "int4", "lanes": 2})
    with pytest.raises(ValueError, match=message):
        run_steps(design, weights, activations, last)


def test_wrong_streams_and_tiles_are_refused():
    design = from_record({"kind": "mac", "weight": "int4"})
    with pytest.raises(ValueError, match="one entry per cycle"):
        run_stream(design, [[1]] * 3, [[1]] * 3, [1] * 3, [1] * 2)
    with pytest.raises(ValueError, match="whole beats of 1 k, not 0"):
        run_tiles(design, np.zeros((1, 0, 2), int), np.zeros((1, 2, 0), int))
    with pytest.raises(ValueError, match=r"activations have shape \(1, any, 3\)"):
        run_tiles(design, np.zeros((1, 3, 2), int), np.zeros((1, 2, 4), int))


def test_wide_numbers_round_once_to_nearest_even():
    rng = np.random.default_rng(9)
    edges = [0, 1, -1, 2**53 + 1, 2**54 + 2, 2**54 + 6, 2**63, -(2**63), 2**64 - 1, 2**127 - 1]
    edges += [2**100 + 2**47, 2**100 + 2**47 + 1, 2**100 + 3 * 2**47, -(2**127), 2**64, 2**117 + 1]
    words = rng.integers(0, 2**63, (2000, 2)).tolist()
    values = edges + [(high << 64 | low) >> index % 127 for index, (low, high) in enumerate(words)]
    values = [value if index % 2 else -value for index, value in enumerate(values)]
    values = [value for value in values if -(2**127) <= value < 2**127]
    wide = Wide.of_ints(values)
    assert wide.rounded().tolist() == [float(value) for value in values]
    assert limb_ints(wide.limbs(2)) == values
    assert len(values) > 2000


def test_designs_of_the_list_cover_every_path():
    kinds = {(d.accumulator.kind, d.is_window, d.accumulator_bits > 64) for d in designs()}
    assert len(kinds) == 8
