"""Products of block matrices against the scalar specification of the MX dot product, on codes."""

from fractions import Fraction

import numpy as np
import pytest

from hw.accumulators import parse_accumulator
from hw.design import MxDotProduct
from hw.formats import parse
from sim.golden import decode, quantize
from sim.golden.block_matmul import Blocks, block_matmul
from sim.golden.mx import stepped

RNG = np.random.default_rng(11)


def tensor(values, name, axis):
    """Codes of a block format and its blocks as factors."""
    found = quantize(values, parse(name), axis=axis)
    element = found.format.element
    scales = decode(found.scales, found.format.scale_format)
    finest = int(np.log2(scales.min())) + element.lsb_exponent
    return found, Blocks(found.values(), element.magnitude_bits, finest)


def scalar(design, weights, activations):
    """Every sum through `stepped`: a block of codes and its scale after the other."""
    size, count = design.lanes, 0
    total = np.zeros((len(activations.elements), weights.elements.shape[1]))
    for row, column in np.ndindex(total.shape):
        code = 0
        for block in range(weights.scales.shape[0]):
            part = slice(block * size, (block + 1) * size)
            left = [*weights.elements[part, column].tolist(), int(weights.scales[block, column])]
            right = [*activations.elements[row, part].tolist(), int(activations.scales[row, block])]
            code = stepped(design, code, left, right)
            count += 1
        total[row, column] = float(design.accumulator.format.decode(code))
    assert count == total.size * weights.scales.shape[0]
    return total


@pytest.mark.parametrize("spread", [0, 6, 40])
@pytest.mark.parametrize(
    ("weight", "activation", "accumulator"),
    [
        ("mxfp4", "mxfp4", "fp32"),
        ("mxfp4", "mxint8", "fp32"),
        ("mxfp6e2m3", "mxfp6e3m2", "fp32"),
        ("mxint8", "mxint8", "fp32"),
        ("mxfp8e4m3", "mxfp8e4m3", "fp32"),
        ("mxfp8e5m2", "mxfp8e5m2", "fp32"),
        ("mxfp4", "mxfp8e5m2", "fp32"),
        ("mxfp4", "mxfp4", "fp16"),
        ("mxfp8e5m2", "mxfp8e4m3", "bfloat16"),
        ("block<int4,8,e8m0,floor>", "block<e4m3fn,8,e8m0,ceil>", "fp32"),
    ],
)
def test_sums_equal_the_scalar_specification(weight, activation, accumulator, spread):
    size = parse(weight).block_size
    shape = (5, 4 * size)
    scale = 2.0 ** RNG.integers(-spread, spread + 1, shape)
    if accumulator == "fp16":
        scale = np.minimum(scale, 4.0)
    left, a = tensor(RNG.normal(size=shape) * scale, activation, 1)
    right, b = tensor(
        RNG.normal(size=shape).T * RNG.permutation(scale.ravel()).reshape(shape).T
        if accumulator == "fp32"
        else RNG.normal(size=shape).T,
        weight,
        0,
    )
    design = MxDotProduct(
        weight=right.format.element,
        activation=left.format.element,
        accumulator=parse_accumulator(f"float:{accumulator}:step"),
        lane_count=size,
    )
    found = block_matmul(a, b, size, design.accumulator.format)
    expected = scalar(design, right, left)
    assert found.shape == (5, 5)
    assert np.array_equal(found, expected)


def test_roundings_that_float64_does_not_decide():
    """A tie of float32, moved off by what float64 drops: both ways, in the exact and wide case."""
    for tail, expected in ((2.0**-60, 2.0**24 + 2), (0.0, 2.0**24), (-(2.0**-60), 2.0**24)):
        rows = np.array([[2.0**12, 0.0, 1.0, 0.0, 1.0, 0.0]])
        columns = np.array([[2.0**12], [0.0], [1.0], [0.0], [tail], [0.0]])
        for bits in (10, 40):
            sums = block_matmul(Blocks(rows, bits, 0), Blocks(columns, bits, -60), 2)
            # the tie is broken after each step: 2^24 + 1 to even, then the tail is lost
            assert sums[0, 0] == 2.0**24
            sums = block_matmul(Blocks(rows, bits, 0), Blocks(columns, bits, -60), 4)
            assert sums[0, 0] == 2.0**24
        wide = block_matmul(Blocks(rows, 40, 0), Blocks(columns, 40, -60), 6)
        assert wide[0, 0] == expected
    state = np.array([[2.0**24, 0.0, 1.0, 2.0**-40]])
    ones = np.ones((4, 1))
    assert block_matmul(Blocks(state, 41, -40), Blocks(ones, 1, 0), 2)[0, 0] == 2.0**24 + 2
    assert block_matmul(Blocks(state, 60, -40), Blocks(ones, 1, 0), 2)[0, 0] == 2.0**24 + 2


def test_stacks_equal_their_matrices():
    left, right = RNG.integers(-7, 8, (3, 2, 4, 10)) / 1.0, RNG.integers(-7, 8, (3, 2, 10, 5)) / 1.0
    found = block_matmul(Blocks(left, 3, 0), Blocks(right, 3, 0), 4)
    assert found.shape == (3, 2, 4, 5)
    for place in np.ndindex(3, 2):
        one = block_matmul(Blocks(left[place], 3, 0), Blocks(right[place], 3, 0), 4)
        assert np.array_equal(found[place], one)
        assert np.array_equal(one, left[place] @ right[place])


def test_overflow_is_infinite_and_deep_subnormals_round_once():
    big = np.full((1, 2), 2.0**100)
    assert block_matmul(Blocks(big, 1, 100), Blocks(big.T, 1, 100), 2)[0, 0] == np.inf
    tiny = np.array([[3 * 2.0**-76, 2.0**-76]])
    found = block_matmul(Blocks(tiny, 2, -76), Blocks(np.full((2, 1), 2.0**-74), 1, -74), 1)
    assert found[0, 0] == 2 * 2.0**-149  # 1.5 ulp to 2, then 2.5 ulp to 2: even both times
    assert Fraction(found[0, 0]) == Fraction(2, 2**149)


def test_bad_shapes_are_refused():
    ones = Blocks(np.ones((2, 3)), 1, 0)
    with pytest.raises(ValueError, match="do not fit"):
        block_matmul(ones, ones, 2)
    with pytest.raises(ValueError, match="at least 1 element"):
        block_matmul(ones, Blocks(np.ones((3, 2)), 1, 0), 0)
    huge = Blocks(np.full((1, 1), 2.0**500), 1, 500)
    with pytest.raises(ValueError, match="leave the range"):
        block_matmul(huge, huge, 1)
