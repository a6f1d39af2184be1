"""Matrix products against the scalar specification, and the bounds that allow the BLAS."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from hw.design import from_record
from hw.formats import parse
from sim.golden import GoldenCore, Operand, cast, decode, encode, halves, matmul, matrix, window

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
    ("e6m1finite", "int8"),
    ("bfloat16", "bfloat16"),
    ("e6m1finite", "e6m1finite"),
]
ACCUMULATORS = [
    *("exact:4", "exact:256", "wrap:5", "wrap:32", "wrap:60", "wrap:64", "wrap:80"),
    *("saturate:6", "saturate:20", "saturate:40", "saturate:64", "saturate:80"),
    *("window:24:4", "window:24:64", "window:40:64", "window:80:16", "window:62:2"),
]


def make(weight, activation, accumulator="exact", lanes=16):
    record = {"kind": "dot", "weight": weight, "activation": activation, "lanes": lanes}
    return from_record(record | {"accumulator": accumulator})


def codes_matrix(format, shape, rng):
    """Values of uniform codes; specials become 0."""
    values = decode(rng.integers(0, 1 << format.bits, shape), format)
    return np.where(np.isfinite(values), values, 0.0)


def gaussian_matrix(format, shape, rng, share=1.0):
    """Gaussian values up to the format's largest, some of them zero."""
    values = rng.standard_normal(shape)
    values = values if format.signed else np.abs(values)
    values *= rng.random(shape) < share
    return cast(values, format, float(np.abs(values).max()) / float(format.maximum))


def specified(activations, weights, design):
    """The product by the scalar specification, rounded once at the end."""
    left, right = encode(activations, design.activation), encode(weights, design.weight)
    zeros = [design.weight.encode(0)], [design.activation.encode(0)]
    result = np.empty((len(left), right.shape[1]))
    for row, column in np.ndindex(result.shape):
        core = GoldenCore(design)
        for start in range(0, len(right), design.lanes):
            now = slice(start, start + design.lanes)
            operands = right[now, column].tolist(), left[row, now].tolist()
            missing = design.lanes - len(operands[0])
            padded = [codes + zero * missing for codes, zero in zip(operands, zeros, strict=True)]
            output = core.step(*padded, False)
        result[row, column] = float(
            output.total * Fraction(2) ** (output.exponent + design.lsb_exponent)
        )
    return result


def test_products_under_every_accumulator_equal_the_specification():
    checked, number = 0, 0
    for pair, accumulator, lanes in product(PAIRS, ACCUMULATORS, (1, 5)):
        try:
            design = make(*pair, accumulator, lanes)
        except ValueError:
            continue  # a window narrower than one product
        number += 1
        rng = np.random.default_rng(number)
        for draw in (codes_matrix, gaussian_matrix, lambda *args: gaussian_matrix(*args, 0.4)):
            activations = draw(design.activation, (3, 12), rng)
            weights = draw(design.weight, (12, 4), rng)
            got = matmul(activations, weights, design)
            assert np.array_equal(got, specified(activations, weights, design)), design.slug
            checked += got.size
    assert checked > 12_000


# The bounds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [matrix.FLOAT32_BITS, matrix.FLOAT64_BITS])
def test_the_bound_is_exactly_where_floats_end(bits):
    """Partial sums below 2^bits units of the lowest bits present are held, 2^bits is refused."""
    format = parse("e5m2")
    for finest in (-16, -3, 2):
        operand = Operand(np.full((1, 1), 2.0**finest), format, 2.0**finest, finest)
        unit = 2.0 ** (2 * finest)
        assert matrix.is_exact(operand, operand, float((1 << bits) - 1) * unit, bits)
        assert not matrix.is_exact(operand, operand, float(1 << bits) * unit, bits)


@pytest.mark.parametrize("extra", [-1, 0, 1, 2, 3])
def test_sums_around_two_to_the_24_and_the_float32_blas(extra):
    """64 × 64 × 64 products whose first sum passes 2^24 by an odd number."""
    design = make("int16", "int16", "exact:64")
    activations, weights = np.zeros((64, 64)), np.zeros((64, 64))
    activations[0] = 512.0
    weights[:, 0] = 512.0
    activations[0, 0], weights[0, 0] = 1.0, float(extra)
    weights[1:, 0] = 32767.0
    weights[63, 0] = 1.0
    wanted = sum(int(a) * int(w) for a, w in zip(activations[0], weights[:, 0], strict=True))
    assert wanted > 1 << 24
    assert matmul(activations, weights, design)[0, 0] == wanted
    small = np.where(weights == 32767.0, 500.0, weights)
    wanted = sum(int(a) * int(w) for a, w in zip(activations[0], small[:, 0], strict=True))
    assert wanted < 1 << 24
    assert matmul(activations, small, design)[0, 0] == wanted


def test_float32_is_used_where_it_is_proven_and_only_there(monkeypatch):
    used = []
    real = Operand.single.func
    monkeypatch.setattr(Operand, "single", property(lambda self: used.append(self) or real(self)))
    rng = np.random.default_rng(1)
    for name, fits in (("int8", True), ("int16", False), ("e2m1fn", True), ("e4m3fn", False)):
        used.clear()
        design = make(name, name)
        operands = [codes_matrix(parse(name), (80, 80), rng) for _ in range(2)]
        got = matmul(*operands, design)
        lsb = design.product_lsb_exponent
        integers = [np.ldexp(o, -lsb // 2).astype(np.int64).astype(object) for o in operands]
        assert np.array_equal(np.ldexp(got, -lsb), (integers[0] @ integers[1]).astype(float))
        assert bool(used) == fits, name


@pytest.mark.parametrize(
    ("name", "far", "odd", "least"), [("int8", -128.0, -1.0, 1024), ("e5m2", 256.0, 2.0**-16, 32)]
)
@pytest.mark.parametrize("more", [-1, 0, 1])
def test_lengths_at_which_sums_reach_the_end_of_a_float(name, far, odd, least, more, monkeypatch):
    """So many products of the largest number by itself are exactly 2^24, or 2^53, units."""
    length, single = least + more, name == "int8"
    assert least * (far / odd) ** 2 == 2.0 ** (24 if single else 53)
    activations, weights = np.full((64, length), far), np.full((length, 64), far)
    activations[0, 0], weights[0, 0] = odd, odd  # odd sums show a rounding
    design, used = make(name, name, f"exact:{length}"), []
    halved, real = matrix.halves.product, Operand.single.func
    monkeypatch.setattr(matrix.halves, "product", lambda *a: used.append(0) or halved(*a))
    monkeypatch.setattr(Operand, "single", property(lambda self: used.append(1) or real(self)))
    got = matmul(activations, weights, design)
    integers = (np.rint(one / abs(odd)).astype(object) for one in (activations, weights))
    exact = next(integers) @ next(integers)
    wanted = [float(Fraction(int(total)) * Fraction(odd) ** 2) for total in exact.flat]
    assert got.ravel().tolist() == wanted
    if single:
        assert used == ([1, 1] if more < 0 else [])
    else:
        assert used == ([] if more < 0 else [0])


def test_products_by_halves_are_rounded_once():
    rng, checked = np.random.default_rng(7), 0
    for pair, length in product(
        (("e5m2", "e5m2"), ("bfloat16", "int8"), ("fp16", "e4m3fn")), (3, 300)
    ):
        design = make(*pair[::-1], "exact:512")
        scaled = [
            np.exp2(rng.integers(-14, 14, (length, 1))) if "int" not in n else 1.0 for n in pair
        ]
        left = cast(
            rng.standard_normal((40, length)) * np.ravel(scaled[0]), design.activation, 2.0**-6
        )
        right = cast(rng.standard_normal((length, 30)) * scaled[1], design.weight, 2.0**-6)
        operands = Operand.of(left, design.activation), Operand.of(right, design.weight)
        if not halves.suits(*operands):
            continue
        factors = (matrix.whole(o.values, o.finest) for o in operands)
        exact = next(factors) @ next(factors)
        wanted = [
            float(Fraction(int(v)) * Fraction(2) ** sum(o.finest for o in operands))
            for v in exact.flat
        ]
        assert halves.product(*operands).ravel().tolist() == wanted
        checked += exact.size
    assert checked >= 4 * 1200


def test_sums_of_three_numbers_at_ties():
    rng = np.random.default_rng(8)
    for _ in range(3000):
        first = float(rng.integers(1, 1 << 53)) * 2.0 ** int(rng.integers(0, 60))
        half = np.spacing(first) / 2 * float(rng.choice([-3, -1, 1, 3]))
        third = float(rng.choice([0.0, 1.0, -1.0])) * 2.0 ** int(rng.integers(-20, 20))
        numbers = [np.array([x]) for x in rng.permutation([first, half, third])]
        assert halves.sum_of_three(*numbers)[0] == float(sum(Fraction(x[0]) for x in numbers))


@pytest.mark.parametrize("accumulator", ["wrap:80", "saturate:79", "saturate:40"])
def test_sums_beyond_two_to_the_53_are_exact_where_float64_is_not(accumulator):
    """Large terms that cancel hide small ones from a float64 BLAS; all is rounded once."""
    design = make("int16", "e6m1finite", accumulator, 4)
    activations = np.full((2, 40), 2.0**21)
    activations[:, 1::2] = 2.0**-29
    weights = np.array([32767.0, 1.0, -32767.0, 3.0] * 10)[:, None] * [1.0, -1.0]
    exact = 10 * (1 + 3) * 2.0**-29
    got = matmul(activations, weights, design)
    assert got.tolist() == [[exact, -exact]] * 2
    assert (activations @ weights != got).all()
    activations[:, 1] = 2.0**21
    exact = Fraction(2) ** 21 + (10 * 4 - 1) * Fraction(2) ** -29
    if accumulator != "saturate:40":
        assert matmul(activations, weights, design)[0, 0] == float(exact)


def test_wrapping_sums_of_any_length_agree_with_integers():
    rng = np.random.default_rng(2)
    for bits in (2, 20, 53, 54, 64, 80):
        design = make("e5m2", "bfloat16", f"wrap:{bits}")
        operands = [
            codes_matrix(f, s, rng)
            for f, s in ((design.activation, (6, 30)), (design.weight, (30, 5)))
        ]
        units = [design.activation.lsb_exponent, design.weight.lsb_exponent]
        left, right = (matrix.whole(o, unit) for o, unit in zip(operands, units, strict=True))
        half = 1 << (bits - 1)
        wanted = (left @ right + half) % (2 * half) - half
        got = matmul(*operands, design)
        assert np.array_equal(got, np.ldexp(wanted.astype(float), design.product_lsb_exponent))


def test_saturating_sums_in_large_products():
    rng = np.random.default_rng(3)
    for lanes, bits in product((1, 7, 16), (12, 16, 18)):
        design = make("int8", "uint8", f"saturate:{bits}", lanes)
        activations = codes_matrix(design.activation, (300, 50), rng)
        weights = codes_matrix(design.weight, (50, 40), rng)
        half, total = 1 << (bits - 1), np.zeros((300, 40), np.int64)
        for start in range(0, 50, lanes):
            now = slice(start, start + lanes)
            step = activations[:, now].astype(np.int64) @ weights[now].astype(np.int64)
            total = np.clip(total + step, -half, half - 1)
        assert np.array_equal(matmul(activations, weights, design), total)
        assert (np.abs(total) >= half - 1).any()


# The window ----------------------------------------------------------------------------------


@pytest.mark.parametrize("pair", [("e6m1finite", "e6m1finite"), ("e7m0finite", "e7m0finite")])
def test_sums_the_bound_lets_pass_are_those_that_stepping_gives(pair, monkeypatch):
    design = make(*pair, "exact:144")
    assert design.is_window
    rng = np.random.default_rng(4)
    activations = np.abs(gaussian_matrix(design.activation, (200, 144), rng, 0.6))
    weights = gaussian_matrix(design.weight, (144, 32), rng)
    fast = matmul(activations, weights, design)
    operands = Operand.of(activations, design.activation), Operand.of(weights, design.weight)
    suspects = window._suspects(*operands, design)
    assert 0 < suspects.mean() < 0.1
    monkeypatch.setattr(window, "_suspects", lambda *_: np.ones(fast.shape, bool))
    assert np.array_equal(fast, window.window_matmul(*operands, design))
    assert (fast != activations @ weights).any()  # bits were cut


def test_a_cut_of_one_bit_is_noticed():
    design = make("e7m0finite", "e7m0finite", "window:24:4", 2)
    assert design.guard_bits == 23
    for exponent in range(-30, -15):
        activations = np.array([[1.0, 2.0**exponent, -1.0, 0.0]])
        weights = np.ones((4, 1))
        kept = 2.0**exponent if exponent >= -23 else 0.0
        assert matmul(activations, weights, design)[0, 0] == kept


# What is kept and what is refused ------------------------------------------------------------


def test_operands_know_their_values():
    operand = Operand.of([[0.0, 6.0], [-10.0, 48.0]], parse("int8"))
    assert (operand.peak, operand.finest, operand.bits) == (48.0, 1, 5)
    operand = Operand.of([[0.0, 2.0**-60], [1.5, 0.0]], parse("e7m1finite"))
    assert (operand.peak, operand.finest) == (1.5, -60)
    zeros = Operand.of(np.zeros((2, 2)), parse("e4m3fn"))
    assert (zeros.peak, zeros.finest, zeros.bits) == (0.0, -9, 0)


def test_an_operand_serves_again_and_in_other_places():
    design = make("e5m2", "int8", "saturate:20")
    rng = np.random.default_rng(5)
    image = codes_matrix(design.activation, (4, 6), rng)
    weights = Operand.of(codes_matrix(design.weight, (9, 2), rng), design.weight)
    patches = np.pad(image, 1)[:, :5].reshape(-1)[:27].reshape(3, 9)
    spread = Operand.of(image, design.activation).rearranged(patches)
    first = matmul(spread, weights, design)
    assert np.array_equal(first, specified(patches, weights.values, design))
    assert np.array_equal(first, matmul(patches, weights, design))


@pytest.mark.parametrize("accumulator", ["exact", "saturate:10", "wrap:10", "window:24"])
def test_empty_and_zero_operands(accumulator):
    design = make("e4m3fn", "e4m3fn", accumulator)
    assert matmul(np.zeros((0, 3)), np.zeros((3, 2)), design).shape == (0, 2)
    assert matmul(np.zeros((2, 0)), np.zeros((0, 3)), design).tolist() == [[0.0] * 3] * 2
    assert not matmul(np.zeros((2, 4)), np.ones((4, 3)), design).any()


@pytest.mark.parametrize(
    ("activations", "weights", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 3)), "as many terms in activations as in weights"),
        (np.ones(3), np.ones((3, 1)), r"activations have two dimensions, not shape \(3,\)"),
        (np.ones((1, 1)), np.full((1, 1), 0.5), r"values of int4 are multiples of 2\^0"),
        (np.ones((1, 1)), np.full((1, 1), 8.0), r"values of int4 lie in -8\.0\.\.7\.0, not 8"),
        (np.full((1, 1), -1.0), np.ones((1, 1)), r"values of uint4 lie in 0\.0\.\.15\.0, not -1"),
        (np.full((1, 1), np.nan), np.ones((1, 1)), "factors of a matrix product are finite"),
        (Operand.of(np.ones((1, 1)), parse("int4")), np.ones((1, 1)), "are values of uint4 in"),
    ],
)
def test_bad_operands_are_refused(activations, weights, message):
    with pytest.raises(ValueError, match=message):
        matmul(activations, weights, make("int4", "uint4"))


def test_products_beyond_float64_are_refused():
    format = "e5m2b600finite"
    with pytest.raises(ValueError, match="leave the range of float64"):
        matmul(np.full((1, 1), 2.0**-600), np.full((1, 1), 2.0**-600), make(format, format))
