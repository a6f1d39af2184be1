"""Matrix products in floating accumulators, and in exact ones fitted at the end."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from hw.design import from_record
from hw.formats import parse
from sim.golden import Operand, cast, decode, encode, float_matrix, matmul, run_steps
from sim.golden.bounds import is_exact, single_products
from sim.golden.limbs import Wide

PAIRS = [
    ("int8", "int8"),
    ("e4m3fn", "e4m3fn"),
    ("e5m2", "e5m2"),
    ("e5m2", "int3"),
    ("bfloat16", "fp16"),
    ("bfloat16", "bfloat16"),
    ("int16", "uint16"),
    ("e6m1finite", "e6m1finite"),
]
FORMATS = ["fp32", "fp16", "bfloat16", "e4m3fn", "e5m2", "e3m1finite", "e4m3fnuz", "e8m20b300"]
MODES = ["step", "sequential", "once:4", "once:64"]
FITTED = ["saturate:6:once", "saturate:20:once:8", "saturate:60:once", "saturate:80:once:4"]


def make(pair, accumulator, lanes, specials="flag"):
    record = {"kind": "dot", "weight": pair[0], "activation": pair[1], "lanes": lanes}
    return from_record(record | {"accumulator": accumulator, "specials": specials})


def matrix(format, shape, rng):
    """Values of uniform codes (specials are 0), or Gaussian ones, or ones far apart."""
    kind = rng.integers(3)
    if kind == 0:
        values = decode(rng.integers(0, 1 << format.bits, shape), format)
        return np.where(np.isfinite(values), values, 0.0)
    values = rng.standard_normal(shape)
    if kind == 2:
        values = values * 2.0 ** rng.integers(-30, 20, shape)
    values = values if format.signed else np.abs(values)
    return cast(values, format).astype(np.float64)


def stepped(activations, weights, design):
    """The product by `run_steps`, which is compared with the specification elsewhere."""
    rows, columns = len(activations), weights.shape[1]
    terms = len(weights)
    padded = -(-terms // design.lanes) * design.lanes
    left = np.full((rows, columns, padded), design.activation.encode(0), np.int64)
    right = np.full((rows, columns, padded), design.weight.encode(0), np.int64)
    left[:, :, :terms] = encode(activations, design.activation)[:, None]
    right[:, :, :terms] = encode(weights, design.weight).T[None]
    steps = padded // design.lanes
    last = np.arange(rows * columns * steps) % steps == steps - 1
    shape = (-1, design.lanes)
    shown = run_steps(design, right.reshape(shape), left.reshape(shape), last).take(last)
    if not design.is_floating:
        unit = Fraction(2) ** design.lsb_exponent
        return np.array([float(total * unit) for total in shown.ints()]).reshape(rows, columns)
    format = design.accumulator.format
    totals = shown.total[:, 0].reshape(rows, columns)
    return decode(totals, format)


def same(found, wanted):
    return np.array_equal(found, wanted + 0.0)


@pytest.mark.parametrize("pair", PAIRS, ids="-".join)
def test_products_are_those_of_the_steps(pair):
    rng, checked = np.random.default_rng(17), 0
    names = [f"float:{name}:{mode}" for name, mode in itertools.product(FORMATS, MODES)]
    for name, lanes in itertools.product([*names, *FITTED], (1, 3, 4)):
        if name.endswith(":4") and lanes > 4:
            continue
        design = make(pair, name, lanes, "ignore")
        left = matrix(design.activation, (4, 9), rng)
        right = matrix(design.weight, (9, 5), rng)
        found = matmul(left, right, design)
        assert same(found, stepped(left, right, design)), (design.slug, left, right)
        checked += found.size
    assert checked == (32 + 4) * 3 * 20


def test_no_specials_are_asked_of_finite_values():
    """Operands with specials and an accumulator without: refused, unless they are ignored."""
    with pytest.raises(ValueError, match="e3m1finite has none"):
        make(("e4m3fn", "e4m3fn"), "e3m1finite", 1)


@pytest.mark.parametrize(
    ("pair", "accumulator", "lanes", "step"),
    [
        (("int4", "int8"), "fp32", 4, "_single_step"),
        (("bfloat16", "bfloat16"), "fp32", 1, "_single_step"),
        (("int8", "int8"), "fp16", 1, "_near_step"),
        (("int8", "int8"), "bfloat16", 1, "_inner_step"),
        (("bfloat16", "bfloat16"), "bfloat16", 4, "_inner_step"),
        (("bfloat16", "bfloat16"), "fp32", 4, "_odd_step"),
        (("bfloat16", "fp16"), "fp32", 4, "_wide_step"),
    ],
)
def test_every_way_is_taken_and_right(pair, accumulator, lanes, step):
    rng = np.random.default_rng(23)
    design = make(pair, accumulator, lanes)
    spread = {"_wide_step": 30, "_odd_step": 6}.get(step, 3)
    values = [
        rng.standard_normal(shape) * 2.0 ** rng.integers(-spread, 3, shape)
        for shape in ((40, 70), (70, 12))
    ]
    if pair[0].startswith("int"):
        values = [20 * value for value in values]
    left = Operand.of(cast(values[0], design.activation), design.activation)
    right = Operand.of(cast(values[1], design.weight), design.weight)
    chosen = float_matrix._step(left, right, design, lanes)
    assert getattr(chosen, "func", chosen).__name__ == step
    assert same(matmul(left, right, design), stepped(left.values, right.values, design))


def test_a_single_accumulator_is_that_of_the_processor():
    """Term by term in float32, by NumPy."""
    rng = np.random.default_rng(29)
    left = cast(rng.standard_normal((50, 300)), parse("bfloat16")).astype(np.float32)
    right = cast(rng.standard_normal((300, 40)), parse("bfloat16")).astype(np.float32)
    total = np.zeros((50, 40), np.float32)
    for k in range(300):
        total += left[:, k, None] * right[k]
    found = matmul(left, right, make(("bfloat16", "bfloat16"), "fp32", 1))
    assert np.array_equal(found, total)
    halves = np.zeros((50, 40), np.float16)
    small = cast(left, parse("e4m3fn")), cast(right, parse("e4m3fn"))
    for k in range(300):
        products = small[0][:, k, None].astype(np.float64) * small[1][k]
        halves = (halves + products).astype(np.float16)  # 53 bits hold the sum
    found = matmul(*small, make(("e4m3fn", "e4m3fn"), "fp16", 1))
    assert np.array_equal(found, halves)


def test_one_rounding_of_an_exact_sum_of_any_width():
    """Sums of 128 bits and more: three components, or Python integers where they do not do."""
    rng = np.random.default_rng(31)
    design = make(("bfloat16", "bfloat16"), "float:fp32:once", 1)
    for spread in (20, 60, 110):
        values = [
            cast(
                rng.standard_normal(shape) * 2.0 ** rng.integers(-spread, spread, shape),
                parse("bfloat16"),
            )
            for shape in ((6, 40), (40, 5))
        ]
        values[0][:, 20:] = values[0][:, :20]
        values[1][20:] = -values[1][:20]
        values[1][39] *= 0.5  # all others cancel
        found = matmul(*values, design)
        for row, column in np.ndindex(found.shape):
            exact = sum(
                Fraction(float(a)) * Fraction(float(w))
                for a, w in zip(values[0][row], values[1][:, column], strict=True)
            )
            code = parse("fp32").encode(exact, overflow=design.accumulator.overflow)
            wanted = decode(np.array([code]), parse("fp32"))[0] + 0.0
            assert found[row, column] == wanted


def test_a_register_may_be_wider_than_words():
    design = make(("bfloat16", "bfloat16"), "float:fp32:once:4", 1)
    assert design.exact_bits > 500
    top = float(parse("bfloat16").maximum)
    left, right = np.full((1, 5), top), np.full((5, 1), top)
    wrapped = 5 * Fraction(top) ** 2 / Fraction(2) ** design.product_lsb_exponent
    half = 1 << (design.exact_bits - 1)
    exact = ((int(wrapped) + half) % (2 * half) - half) * Fraction(2) ** design.product_lsb_exponent
    assert exact < 0
    assert matmul(left, right, design)[0, 0] == -np.inf
    assert stepped(left, right, design)[0, 0] == -np.inf


def test_formats_beyond_float64_are_refused():
    design = make(("e4m3finite", "e4m3finite"), "e8m3b1000", 1)
    with pytest.raises(ValueError, match="leave the range of float64"):
        matmul(np.ones((1, 1)), np.ones((1, 1)), design)


def test_products_of_single_floats():
    """By themselves they are exact where their sums are not."""
    bfloat16 = parse("bfloat16")
    apart = Operand.of(cast([[1.0, 2.0**-40, 3.0**20]], bfloat16), bfloat16)
    assert single_products(apart, apart)
    assert not is_exact(apart, apart, apart.peak**2, 24)
    half = Operand.of([[1.0]], parse("fp16"))
    assert single_products(apart, half)
    assert not single_products(Operand.of([[1.0]], parse("int16")), half)
    assert not single_products(Operand.of([[2.0**-100]], bfloat16), apart)


def test_wide_numbers_to_odd():
    rng, checked = np.random.default_rng(37), 0
    ints = [
        int(rng.integers(1 << 62)) << int(rng.integers(66)) | int(rng.integers(2))
        for _ in range(500)
    ]
    ints += [(1 << 53) + 1, (1 << 54) + 1, (1 << 54) + 2, -((1 << 60) + 1), 1 << 100, 0, -1]
    found = Wide.of_ints(ints).rounded(odd=True)
    for value, number in zip(ints, found.tolist(), strict=True):
        small = abs(value) >> 53 == 0
        assert number == value if small else is_odd_neighbour(value, number)
        checked += 1
    assert checked == 507


def is_odd_neighbour(value, number):
    """Exact, or odd at a precision of 43 bits or more, and next to the value."""
    kept = int(number)
    step = kept & -kept
    odd = abs(kept).bit_length() - step.bit_length() >= 42
    return kept == value or (odd and abs(kept - value) < step)
