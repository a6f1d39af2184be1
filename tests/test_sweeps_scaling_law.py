"""The scaling law of training in a floating-point format against figures of its paper."""

import math

import pytest

from hw.formats import parse
from sweeps.scaling_law import (
    CHANNEL_LOG2_BLOCK,
    Training,
    best_fraction_bits,
    best_split,
    critical_tokens,
    loss,
    prior,
    relative_error,
)

BEST = {
    3: (1, 1),
    4: (2, 1),
    5: (2, 2),
    6: (3, 2),
    7: (3, 3),
    8: (4, 3),
    9: (4, 4),
    10: (5, 4),
    12: (6, 5),
    16: (8, 7),
}
"""Figure 5 of the paper."""
CRITICAL = {(8, 7): (1730, 1730), (4, 3): (27, 27.3), (2, 1): (0.4, 0.393)}
"""Tokens in 1e12 for 1e9 parameters and blocks of 128: as the paper rounds them, and finer."""


def test_the_best_splits_are_those_of_the_paper():
    for width, split in BEST.items():
        assert best_split(width) == split
        assert abs(best_fraction_bits(width) - split[1]) < 0.75
    assert len(BEST) == 10
    with pytest.raises(ValueError, match="2 bits at least, not 1"):
        best_split(1)


def test_critical_amounts_of_data_are_those_of_the_paper():
    for (exponent, fraction), (published, finer) in CRITICAL.items():
        tokens = critical_tokens(1e9, exponent, fraction, 128) / 1e12
        assert tokens == pytest.approx(published, rel=0.02)
        assert tokens == pytest.approx(finer, rel=0.002)
    assert len(CRITICAL) == 3


def test_the_loss_is_least_at_the_critical_amount():
    best = critical_tokens(1e9, 2, 1)
    losses = [loss(Training(1e9, best * factor), 2, 1) for factor in (0.8, 0.99, 1, 1.01, 1.25)]
    assert losses.index(min(losses)) == 2


def test_the_loss_is_the_sum_written_out():
    training = Training(1e8, 1e10, 2**CHANNEL_LOG2_BLOCK)
    plain = 69.2343 / 1e8**0.2368 + 68973.0621 / 1e10**0.5162 + 1.9061
    added = 1e10**0.5162 / 1e8**0.2368 * 13.1567 / (11334.5197 * 4.5**3.1926 * 3.5**2.9543)
    assert training.plain_loss == pytest.approx(plain, rel=1e-12)
    assert loss(training, 4, 3) == pytest.approx(plain + added, rel=1e-9)
    assert loss(training, 4, 3) > loss(training, 5, 4) > training.plain_loss


def test_ratios_rank_formats():
    least = relative_error(2, 1)
    assert relative_error(1, 2) / least == pytest.approx(1.13, abs=0.006)
    assert relative_error(3, 0) / least == pytest.approx(8.8, abs=0.06)
    assert prior(parse("e4m3fn")) == relative_error(4, 3)
    assert prior(parse("e4m3fn")) < prior(parse("e5m2")) < prior(parse("e2m1fn"))


def test_numbers_out_of_range_are_refused():
    wrong = [
        lambda: Training(0, 1e9),
        lambda: Training(1e9, math.nan),
        lambda: Training(1e9, 1e9, 1),
        lambda: relative_error(-1, 3),
        lambda: loss(Training(1e9, 1e9), 3, math.inf),
        lambda: critical_tokens(1e9, 4, 3, 0.5),
        lambda: prior(parse("ue4m3fn")),
    ]
    for call in wrong:
        with pytest.raises(ValueError):
            call()
    assert len(wrong) == 7
