"""BitMoD's arithmetic: terms, the scalar definition, and the arrays against it."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hw.accumulators import Accumulator, parse_accumulator
from hw.design import BitmodPe
from hw.formats import parse_element
from hw.formats.bitmod_datatypes import (
    BY_NAME,
    DATATYPES,
    default_specials,
    special_code,
    special_value,
    weight_datatype,
)
from sim.golden import bitmod, bitmod_arrays
from sim.golden.bitmod_terms import terms

HALF = parse_element("fp16")
Codes = NDArray[Any]


def test_terms_add_up_to_every_code_of_every_datatype() -> None:
    checked = 0
    for datatype in DATATYPES:
        entries = [special_value(entry) for entry in range(64) if (entry & 31).bit_count() <= 2]
        for special in entries if datatype.floating else [Fraction(0)]:
            for code in range(1 << datatype.bits):
                found = terms(datatype, code, special)
                assert len(found) == datatype.cycles
                assert sum(t.value for t in found) == datatype.value(code, special)
                assert all(0 <= t.exponent <= 3 and 0 <= t.shift <= 8 for t in found)
                checked += 1
    assert checked == 32 * (8 + 16) + 32 + 64 + 256


def test_values_and_digits_of_the_paper() -> None:
    assert [special_value(e) for e in default_specials()] == [3, -3, 6, -6, 5, -5, 8, -8]
    fp4 = {fp4_value for c in range(16) for fp4_value in [BY_NAME["fp4"].value(c, 5)]}
    assert fp4 == {
        Fraction(v) for v in (0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.5, -1, -1.5, -2, -3, -4, -6)
    } | {5}
    for value, digits in ((-31, [1, 0, -2]), (6, [-2, 2, 0])):
        found = terms(BY_NAME["int6"], value & 63)
        assert [int(t.value / Fraction(2) ** t.bsig) for t in found] == digits


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="knows fp3, fp4, int5, int6, int8, not 'int7'"):
        weight_datatype("int7")
    with pytest.raises(ValueError, match="at most 2 ones"):
        special_code(7)
    with pytest.raises(ValueError, match="is a multiple of"):
        special_code(16)
    with pytest.raises(ValueError, match="group size divides the length, 128 does not divide 200"):
        BitmodPe(length=200)
    with pytest.raises(ValueError, match="scale of a group is 0 to 255, not 256"):
        bitmod.Group("fp4", 0, 256)
    with pytest.raises(ValueError, match="knows fp3"):
        BitmodPe(datatypes=("fp4", "fp5"))
    with pytest.raises(ValueError, match="has no datatype int8"):
        bitmod.step(
            BitmodPe(datatypes=("fp4",)), bitmod.GroupSum(), BY_NAME["int8"], 0, [0] * 4, [0] * 4
        )
    ones, wide = np.ones((2, 3), np.uint8), np.full((2, 3), 300, np.uint16)
    with pytest.raises(ValueError, match="3 groups do not divide 40"):
        bitmod_arrays.BitmodMatrix(np.zeros((2, 40), np.uint8), ones, ones, ones)
    with pytest.raises(ValueError, match="the scale of a group is 0 to 255, not 300"):
        bitmod_arrays.BitmodMatrix(np.zeros((2, 60), np.uint8), ones, ones, wide)
    every = np.ones((2, 60), np.uint8)
    with pytest.raises(ValueError, match=r"cannot switch in mid-group, after 1$"):
        bitmod_arrays.BitmodMatrix(every, every, every, every)
    with pytest.raises(ValueError, match="bits of its group's datatype"):
        bitmod_arrays.BitmodMatrix(np.full((2, 60), 16, np.uint8), ones, ones, ones)


def _activations(rng: np.random.Generator, count: int, mode: int) -> Codes:
    """Codes of one kind: any, near in exponent, subnormal, normal distribution, specials."""
    codes: Codes = rng.integers(0, 1 << 16, count).astype(np.uint16)
    if mode in (1, 2):
        low, high = ((13, 17), (0, 3))[mode - 1]
        codes = codes & 0x83FF | (rng.integers(low, high, count) << 10).astype(np.uint16)
    elif mode == 3:
        codes = rng.standard_normal(count).astype(np.float16).view(np.uint16)
    return codes if mode == 4 else np.where(codes >> 10 & 31 == 31, codes & 0xBFFF, codes)


def _matrix(rng: np.random.Generator, design: BitmodPe, rows: int) -> bitmod_arrays.BitmodMatrix:
    shape = (rows, design.groups)
    kinds = rng.integers(0, len(DATATYPES), shape).astype(np.uint8)
    bits = np.array([d.bits for d in DATATYPES])[kinds].repeat(design.group, axis=1)
    return bitmod_arrays.BitmodMatrix(
        (rng.integers(0, 256, (rows, design.length)) & (1 << bits) - 1).astype(np.uint8),
        kinds,
        rng.integers(0, 4, shape).astype(np.uint8),
        rng.integers(0, 256, shape).astype(np.uint8),
    )


@pytest.mark.parametrize(
    ("activation", "accumulator", "specials"),
    [
        ("fp16", "fp32", "flag"),
        ("fp16", "fp16", "flag"),
        ("fp16", "bfloat16", "ignore"),
        ("int8", "exact:60", "flag"),
    ],
)
def test_arrays_equal_the_definition(activation: str, accumulator: str, specials: str) -> None:
    output = parse_accumulator(accumulator)
    assert isinstance(output, Accumulator)
    design = BitmodPe(
        activation=parse_element(activation),
        accumulator=output,
        group=20,
        length=60,
        specials=specials,
    )
    rng = np.random.default_rng(5)
    checked = 0
    for trial in range(20):
        acts = _activations(rng, design.length, trial % 5)
        acts = acts if design.is_fp16 else (acts & 255).astype(np.uint8)
        matrix = _matrix(rng, design, 5)
        found = bitmod_arrays.matrix_vector(design, matrix, acts)
        for row in range(5):
            groups = [
                bitmod.Group(DATATYPES[kind].name, int(sid), int(scale))
                for kind, sid, scale in zip(
                    matrix.datatype[row], matrix.special_id[row], matrix.scale[row], strict=True
                )
            ]
            exact = bitmod.dot(design, groups, matrix.codes[row].tolist(), acts.tolist())
            assert exact & (1 << 64) - 1 == int(found[row])
            checked += 1
    assert checked == 100


def test_a_group_is_near_the_exact_dot_product() -> None:
    """Each term is off by half a unit at most, and each rise of the exponent by another half."""
    design = BitmodPe(group=20, length=20)
    chooser = random.Random(3)
    worst = Fraction(0)
    for trial in range(150):
        datatype = DATATYPES[trial % 5]
        weights = [chooser.randrange(1 << datatype.bits) for _ in range(20)]
        acts = [chooser.randrange(1 << 16) & ~(chooser.randrange(2) << 14) for _ in range(20)]
        acts = [a & 0xBFFF if a >> 10 & 31 == 31 else a for a in acts]
        special = chooser.choice(datatype.specials) if datatype.floating else Fraction(0)
        found = bitmod.group_sum(design, datatype, special, weights, acts)
        exact = Fraction(0)
        for w, a in zip(weights, acts, strict=True):
            value = HALF.decode(a)
            assert isinstance(value, Fraction)
            exact += datatype.value(w, special) * value
        unit = Fraction(2) ** (4 * found.exponent - 29)
        error = abs(found.value(design) - exact) / unit
        assert error <= Fraction(20 * datatype.cycles + 9, 2)
        assert abs(found.significand) < 1 << design.group_bits - 1
        worst = max(worst, error)
    assert worst > 0


def test_the_largest_group_fits_its_register() -> None:
    design = BitmodPe()
    largest = 0x7BFF
    for datatype in DATATYPES:
        for code in range(1 << datatype.bits):
            special = datatype.specials[-1] if datatype.floating else Fraction(0)
            lane = bitmod.GroupSum()
            lane = bitmod.step(design, lane, datatype, special, [code] * 4, [largest] * 4)
            assert abs(lane.significand) * design.steps < 1 << design.group_bits - 1


def test_int8_is_exact() -> None:
    design = BitmodPe(activation=parse_element("int8"), group=20, length=20)
    sums = [
        bitmod.group_sum(design, BY_NAME["int8"], 0, [w] * 20, [a] * 20).value(design)
        for w in (0x80, 0x7F, 0xFF)
        for a in (0x80, 0x7F)
    ]
    assert sums == [20 * w * a for w in (-128, 127, -1) for a in (-128, 127)]
