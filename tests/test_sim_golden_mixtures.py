"""sim.golden.mixtures: ties and near ties of codebooks, against the specification in rationals."""

from fractions import Fraction

import numpy as np
import pytest

from hw.formats import parse
from sim.golden import exact_squares, mixtures, quantize

FORMATS = ("bitmod3<16,fp16>", "bitmod4<16,fp16>", "bitmod4<8>", "mixture<8,int8,e2m1fn|int4>")


def drawn(seed):
    """Values with many equal sums of squares, of fp16, and of every size a float32 may have."""
    rng = np.random.default_rng(seed)
    yield rng.integers(-8, 9, (24, 64)).astype(np.float32) / 8
    yield rng.standard_normal((8, 64)).astype(np.float16)
    sizes = 10.0 ** rng.integers(-30, 5, (8, 64))
    yield (rng.standard_normal((8, 64)) * sizes).astype(np.float32)


def check(name, values):
    """Quantize rows both ways; return the number of values compared."""
    format = parse(name)
    found = quantize(values, format)
    for number, row in enumerate(values):
        right = format.quantize([Fraction(float(value)) for value in row])
        assert tuple(found.elements[number]) == right.elements
        assert tuple(found.ids[number]) == right.ids
        assert tuple(found.scales[number]) == right.scales
    return values.size


@pytest.mark.parametrize("close", [mixtures.CLOSE, 10.0])
@pytest.mark.parametrize("name", FORMATS)
def test_codebooks_are_those_of_the_specification(name, close, monkeypatch):
    """With `close` = 10 exact integers decide every comparison, or leave it to rationals."""
    monkeypatch.setattr(mixtures, "CLOSE", close)
    assert sum(check(name, values) for values in drawn(3)) == 2560


def test_many_ties_need_no_rationals(monkeypatch):
    monkeypatch.setattr(mixtures._Search, "_settle", lambda *_: pytest.fail("rationals"))
    compared = []
    inner = mixtures.smaller

    def counted(new, old, values):
        compared.append(len(new))
        return inner(new, old, values)

    monkeypatch.setattr(mixtures, "smaller", counted)
    rng = np.random.default_rng(4)
    for bits in (3, 4):
        few = (rng.integers(-8, 9, (64, 1024)) / 64).astype(np.float16)
        quantize(few, parse(f"bitmod{bits}<16,fp16>"))
    assert sum(compared) > 100


def test_sums_of_squares_are_compared_exactly():
    """Sums that differ by the last bit of 100; and what does not fit is said to be unknown."""
    rng = np.random.default_rng(5)
    values = rng.integers(-(1 << 49), 1 << 49, (400, 64)).astype(np.float64)
    new = values + rng.integers(-(1 << 50), 1 << 50, values.shape)
    old = 2 * values - new  # the same squares
    old[::2, 3] += rng.choice([-1, 1], 200)  # but one
    below, known = exact_squares.smaller(new, old, values)
    right = [
        sum((int(a) - int(v)) ** 2 for a, v in zip(n, row, strict=True))
        < sum((int(a) - int(v)) ** 2 for a, v in zip(o, row, strict=True))
        for n, o, row in zip(new, old, values, strict=True)
    ]
    assert known.all()
    assert below.tolist() == right
    assert 50 < sum(right) < 150
    assert not exact_squares.smaller(new * 3.0**-40, old, values)[1].any()
    long = np.zeros((1, exact_squares.MOST_TERMS + 1))
    assert not exact_squares.smaller(long, long, long)[1].any()


def test_a_wrong_comparison_is_caught(monkeypatch):
    monkeypatch.setattr(exact_squares, "_is_below", lambda left, right: left.sum(1) < right.sum(1))
    monkeypatch.setattr(mixtures, "CLOSE", 10.0)
    values = next(drawn(6))
    with pytest.raises(AssertionError):
        check("bitmod4<16,fp16>", values)
