"""Ternary trees, selected digits, paired tables: ranges by brute force, primitives by SAT."""

import itertools
import random
import re

import numpy as np
import pytest

from hw import yosys
from hw.design import from_record
from hw.plan import Bounds, DigitSelection, Sign, SumRow, Word
from hw.plan.digits import selected_rows
from hw.plan.product import plan_product
from hw.plan.sums import plan_sums
from hw.plan.table import pair_up
from hw.rtl import emit
from hw.rtl.library import Library
from hw.rtl.product import DigitSelector
from hw.rtl.sums import SignPairs, SumRowAdder
from hw.rtl.xilinx import CARRY, DUAL_LUT, models
from hw.synthesis import synthesize
from hw.target import load
from sim.bulk import Bulk, check
from sim.vectors import random_steps
from sweeps.autotune import resolve

WORDS = {
    "plain": Word.plain(Bounds(-19, 33)),
    "unsigned": Word.plain(Bounds(0, 13)),
    "carry": Word(Bounds(-17, 15), Bounds(-16, 16), Sign.CARRY),
    "negate": Word.negated(Bounds(0, 11)),
    "signed negate": Word.negated(Bounds(-7, 6)),
}


def value(word, generator):
    """Return random bits of a word with what stands beside them, and their value."""
    bits = generator.randint(word.bounds.low, word.bounds.high)
    pending = generator.randrange(2) if word.pending else 0
    if word.sign is Sign.CARRY:
        bits = min(bits, word.total.high - pending)
        return bits, pending, bits + pending
    return bits, pending, -bits if pending else bits


@pytest.mark.parametrize("kind", WORDS)
@pytest.mark.parametrize("lanes", [1, 2, 3, 4, 5, 8, 17, 32, 67])
def test_a_tree_adds_every_lane_within_its_ranges(kind, lanes):
    word, generator = WORDS[kind], random.Random(f"{kind} {lanes}")
    tree = plan_sums(lanes, word)
    assert len(tree.roots) == len(tree.words) <= 2
    assert sum(len(row.words) - 1 for row, _ in tree.rows) == lanes - len(tree.roots)
    checked = 0
    for _ in range(30):
        given = [value(word, generator) for _ in range(lanes)]
        known = [(~b if p and word.sign is Sign.NEGATE else b, p) for b, p, _ in given]
        for row, operands in tree.rows:
            assert [known[i][1] for i in operands][1:] == [
                known[i][1] if w.pending else 0 for i, w in zip(operands, row.words, strict=True)
            ][1:]
            result = sum(known[i][0] for i in operands) + sum(known[i][1] for i in operands[1:])
            assert row.result.bounds.low <= result <= row.result.bounds.high
            known.append((result, known[operands[0]][1]))
            checked += 1
        assert sum(sum(known[root]) for root in tree.roots) == sum(v for _, _, v in given)
    assert checked == 30 * len(tree.rows)
    used = [i for _, operands in tree.rows for i in operands] + list(tree.roots)
    assert sorted(used) == list(range(lanes + len(tree.rows)))


def test_a_row_inverts_at_most_one_of_three_words():
    for lanes in range(1, 80):
        tree = plan_sums(lanes, WORDS["negate"])
        rows = [row.words for row, _ in tree.rows] + [tree.words]
        for words in rows:
            inverted = sum(word.sign is Sign.NEGATE for word in words)
            assert inverted <= (2 if words is not tree.words and len(words) == 2 else 1)


def test_three_words_in_a_row_save_sites():
    word = Word(Bounds(-16257, 16383), Bounds(-16256, 16384), Sign.CARRY)
    tree = plan_sums(32, word)
    sites = sum(row.width for row, _ in tree.rows)
    pairs, words = 0, [word] * 32
    while len(words) > 1:
        rows = [SumRow(pair) for pair in zip(words[::2], words[1::2], strict=True)]
        pairs += sum(row.width for row in rows)
        words = [row.result for row in rows]
    assert (sites, pairs) == (264, 16 * 16 + 8 * 17 + 4 * 18 + 2 * 19 + 20)
    assert len(tree.rows) == 15


@pytest.mark.parametrize("inverts_zero", [False, True])
@pytest.mark.parametrize(
    ("a_bits", "a_signed", "b_bits", "b_signed"),
    [
        (a, a_signed, b, b_signed)
        for a, b in itertools.product(range(1, 6), range(2, 6))
        for a_signed, b_signed in itertools.product((False, True), repeat=2)
        if a > 1 or not a_signed
    ],
)
def test_rows_hold_their_partial_sums(a_bits, a_signed, b_bits, b_signed, inverts_zero):
    def words(bits, signed):
        half = 1 << (bits - 1)
        return range(-half, half) if signed else range(2 * half)

    a_range, b_range = words(a_bits, a_signed), words(b_bits, b_signed)
    selection, rows, pending = selected_rows(
        Bounds(a_range[0], a_range[-1]),
        a_bits,
        Bounds(b_range[0], b_range[-1]),
        b_bits,
        inverts_zero,
    )
    found = set()
    for a, b in itertools.product(a_range, b_range):
        code = b % (1 << b_bits)
        negates = selection.negates(code & 3)
        digit = (code & 1) - 2 * (code >> 1 & 1)
        total = a * digit - negates
        assert -(1 << (selection.width - 1)) <= total < 1 << (selection.width - 1)
        for row in rows:
            high, middle, low = (0 if bit is None else code >> bit & 1 for bit in row.triple)
            place = row.triple[1] if row.triple[1] is not None else row.triple[2] + 1
            total += a * (middle + low - 2 * high) << place
            reach = 1 << (row.width + place - 1)
            assert -reach <= total < reach
        assert total + negates == a * b
        found.add(total)
    assert (min(found), max(found)) == (pending.low, pending.high)


def test_selection_costs_half_a_lut_per_bit():
    assert DigitSelection(8, True, inverts_zero=True, width=9).luts == 5
    assert DigitSelection(4, True, inverts_zero=True, width=5).luts == 3
    assert DigitSelection(5, True, inverts_zero=False, width=6).luts == 3
    word = Bounds(-128, 127)
    assert plan_product("rows", word, 8, word, 8, primitives=True, may_pend=True).row_sites == 32
    assert plan_product("rows", word, 8, word, 8).row_sites == 40


@pytest.mark.parametrize("seed", range(40))
def test_paired_bits_are_the_bits_of_the_table(seed):
    generator = random.Random(seed)
    inputs, width = generator.choice([(4, 5), (5, 6), (6, 8)])
    if seed % 2:
        weights = [generator.randint(-4, 12) for _ in range(1 << inputs // 2)]
        activations = [generator.randint(0, 9) for _ in range(1 << (inputs - inputs // 2))]
        entries = tuple(w * a for a in activations for w in weights)
    else:
        entries = tuple(generator.randrange(1 << (width - 2)) for _ in range(1 << inputs))
    pairs = pair_up(entries, width)
    bits = [bit for pair in pairs for bit in pair.bits]
    assert len(bits) == len(set(bits))
    helped = {bit for pair in pairs if pair.helper is not None for bit in pair.bits}
    for pair in pairs:
        assert pair.helper not in helped
        assert len(pair.inputs) + (pair.helper is not None) <= 5
        for index, entry in enumerate(entries):
            code = sum((index >> bit & 1) << i for i, bit in enumerate(pair.inputs))
            code |= (entry >> pair.helper & 1) << len(pair.inputs) if pair.helper is not None else 0
            for bit, truth in zip(pair.bits, pair.truths, strict=True):
                assert truth >> code & 1 == entry >> bit & 1


def test_known_tables_pair_up():
    def products(values, less=0):
        return tuple(w * a - less for a in values for w in values)

    assert len(pair_up(products([0, 1, 2, 3, 4, 6, 8, 12]), 8)) == 1  # e2m1: 7 sites for 8 bits
    assert len(pair_up(products([0, 1, 2, 3, -4, -3, -2, -1], 1), 5)) == 1


def prove_equal(gold, gate, cells=False):
    """Raise YosysError unless the modules `gold` and `gate` of two texts are proven equal.

    The gate is read with Yosys' own cells, or with our models of them.
    """
    script = []
    for name in ("gold", "gate"):
        real = cells and name == "gate"
        script += [
            *(["read_verilog +/xilinx/cells_sim.v"] if real else []),
            f"read_verilog {'' if real else '-nosynthesis'} {name}.v",
            f"hierarchy -check -top {name}",
            "proc",
            "flatten",
            "opt_clean -purge",
            f"design -stash {name}",
        ]
    script += [
        "design -copy-from gold -as gold gold",
        "design -copy-from gate -as gate gate",
        "miter -equiv -make_assert -flatten gold gate both",
        "hierarchy -top both",
        "sat -verify -prove-asserts",
    ]
    yosys.run(script, {"gold.v": gold, "gate.v": gate}, [])


def as_verilog(component, primitives):
    """Return the Verilog of a module, with primitives or without, as `gate` or `gold`."""
    name = "gate" if primitives else "gold"
    library = Library("", primitives)
    text = yosys.clean_verilog(library.convert(component, name), name)
    return text + models("", library.used_primitives), library.used_primitives


ROW_COUNT = 64
ROWS = [
    SumRow(words)
    for count in (2, 3)
    for words in itertools.product(WORDS.values(), repeat=count)
    if sum(word.sign is Sign.NEGATE for word in words) <= (1 if count == 3 else 2)
    if not any(w.sign is Sign.NEGATE for w in words[:-1])
    or all(w.sign is Sign.NEGATE for w in words)
]


@pytest.mark.parametrize(
    "start", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 10))]
)
def test_rows_by_primitives_equal_plain_rows(start):
    assert len(ROWS) == ROW_COUNT
    for row in ROWS[start::10]:
        gold, none = as_verilog(SumRowAdder(row), primitives=False)
        gate, used = as_verilog(SumRowAdder(row), primitives=True)
        assert not none
        assert bool(used) == row.dual
        prove_equal(gold, gate)


@pytest.mark.parametrize(
    "make",
    [
        SignPairs,
        *(
            lambda s=s, n=n, z=z: DigitSelector(DigitSelection(n, s, z, n + 3))
            for n in (1, 2, 3, 4, 8)
            for s in (False, True)
            for z in (False, True)
        ),
    ],
)
def test_selections_and_signs_by_primitives_equal_plain_logic(make):
    gold, _ = as_verilog(make(), primitives=False)
    gate, used = as_verilog(make(), primitives=True)
    assert used == {DUAL_LUT}
    prove_equal(gold, gate)


def test_a_wrong_primitive_is_noticed():
    gold, _ = as_verilog(SignPairs(), primitives=False)
    gate, _ = as_verilog(SignPairs(), primitives=True)
    wrong = re.sub(r"(64'h\w{15})(\w)", lambda m: f"{m[1]}{int(m[2], 16) ^ 2:x}", gate)
    assert wrong != gate
    with pytest.raises(yosys.YosysError):
        prove_equal(gold, wrong)


@pytest.mark.parametrize("init", [0x0123456789ABCDEF, 0x8000000000000001])
def test_the_models_are_the_cells(init):
    text = models("", frozenset({DUAL_LUT, CARRY}))
    ports = {
        DUAL_LUT: ("input [5:0] I, output O5, O6", f"#(.INIT(64'h{init:x}))"),
        CARRY: ("input CI, CYINIT, input [3:0] DI, S, output [3:0] O, output CO", ""),
    }
    for kind, (declared, parameter) in ports.items():
        pins = ", ".join(f".{pin}({pin})" for pin in re.findall(r"\b[A-Z]\w*\b", declared))
        gold, gate = (
            f"module {name}({declared}); {kind} {parameter} x({pins}); endmodule\n{text}"
            for name in ("gold", "gate")
        )
        prove_equal(gold, gate, cells=True)


DESIGNS = [
    {"kind": "dot", "weight": "int3", "lanes": 3},
    {"kind": "dot", "weight": "int8", "lanes": 4},
    {"kind": "dot", "weight": "int4", "lanes": 5, "accumulator": "saturate:10"},
    {"kind": "dot", "weight": "e2m1fn", "lanes": 7, "accumulator": "wrap:12"},
    {"kind": "dot", "weight": "uint4", "activation": "int5", "lanes": 3},
    {"kind": "mac", "weight": "int6", "accumulator": "wrap:24"},
    {"kind": "mac", "weight": "e2m1fn", "accumulator": "wrap:17"},
]


@pytest.mark.parametrize(
    "record",
    [DESIGNS[0], *(pytest.param(record, marks=pytest.mark.slow) for record in DESIGNS[1:])],
    ids=lambda r: f"{r['kind']}-{r['weight']}",
)
def test_the_mapped_netlist_equals_golden(record):
    design = resolve(from_record(record), load("xcup"))
    emitted = emit(design, load("xcup"))
    measured = synthesize(emitted.verilog, emitted.top, "xcup")
    assert measured.by_cell["LUT6_2"] > 0
    script = [
        "read_verilog design.v",
        f"{load('xcup').synthesis} -nodsp -top {emitted.top}",
        "delete =A:blackbox =A:whitebox",
        "write_verilog -noattr netlist.v",
        "design -reset",
        "read_verilog +/xilinx/cells_sim.v",
        "read_verilog netlist.v",
        f"hierarchy -check -top {emitted.top}",
        "proc",
        "flatten -noscopeinfo",
        "opt_clean -purge",
        "write_verilog -noattr flat.v",
    ]
    flat = yosys.run(script, {"design.v": emitted.verilog}, ["flat.v"])["flat.v"]
    ports = re.search(rf"^module {emitted.top}\(.*?\);", emitted.verilog, re.MULTILINE)[0]
    flat = re.sub(rf"^module {emitted.top}\(.*?\);", ports, flat, flags=re.MULTILINE)
    verdict = check(flat, design, 5000)
    assert verdict.vectors >= 5000
    assert verdict.mismatches == 0


@pytest.mark.parametrize("name", ["xcup", "xc7", "ecp5", "ice40"])
def test_portable_designs_have_no_primitives(name):
    record = {"kind": "dot", "weight": "int8", "lanes": 4, "structure": "rows"}
    design, target = from_record(record), load(name)
    portable = emit(design, load(f"{name}:portable"))
    assert not re.search("LUT6_2|CARRY4|ifdef", portable.verilog)
    native = emit(design, target)
    assert target.primitives == (name in ("xcup", "xc7"))
    assert ("LUT6_2" in native.verilog) == target.primitives
    assert (native.verilog != portable.verilog) == target.primitives
    assert load(portable.record["target"]) == target.portable()
    assert load(portable.record["target"]).label == portable.record["target"]
    steps = random_steps(design, 500, np.random.default_rng(3))
    for text in (native.verilog, portable.verilog):
        wrong, _ = Bulk(text, design).check(steps)
        assert wrong == 0
