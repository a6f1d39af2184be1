"""sim.golden on formats given by tables: as `Format.encode` in all modes, at ties and zeros."""

import math

import numpy as np
import pytest

from hw.formats import Overflow, Rounding, parse
from sim import golden

NAMES = [
    *("posit<8,2>", "posit<12,1>", "posit<16,2>", "lns<8,3>", "lns<12,5>", "nf4", "fp3_er_neg"),
    *(
        "fp4_ea_pos",
        "khot<8,4,2>",
        "csd<8,4,2>",
        "apot<5>",
        "uapot<4>",
        "power<5,2>",
        "floatsd8",
        "s2fp8<1.5,-3>",
    ),
    *("upower<6,3>", "codebook<-1,-0.5,0.25,3>"),
]


def trials(format):
    """Levels and ties with their neighbours, values all over, zeros, beyond the range."""
    levels = format.levels()
    step = max(1, len(levels) // 60)
    chosen = [float(level) for level in levels[::step]]
    chosen += [float(format.tie(index)) for index in range(0, len(levels) - 1, step)]
    most = float(max(abs(levels[0]), abs(levels[-1])))
    chosen += (np.random.default_rng(5).standard_normal(60) * most / 3).tolist()
    chosen += [0.0, 2 * most, -2 * most, 1e300, -1e300]
    near = [math.nextafter(value, side) for value in chosen for side in (-math.inf, math.inf)]
    return np.array([*chosen, -0.0, *near])


@pytest.mark.parametrize("name", NAMES)
def test_arrays_encode_as_numbers_do(name):
    format, checked = parse(name), 0
    values = trials(format)
    modes = list(Rounding) if format.bits < 16 else [Rounding.TIES_TO_EVEN]
    for rounding in modes:
        wanted = [format.encode(value, rounding) for value in values.tolist()]
        assert golden.encode(values, format, rounding=rounding).tolist() == wanted
        numbers = [float(format.decode(code)) for code in wanted]
        assert golden.cast(values, format, rounding=rounding).tolist() == numbers
        checked += len(wanted)
    assert checked == len(modes) * len(values) > 300


@pytest.mark.parametrize("name", ["int12", "int12s", "e5m6", "fp16", "posit<12,1>", "lns<12,5>"])
def test_minus_zero_in_formats_of_many_values(name):
    format = parse(name)
    zeros = np.array([-0.0, 0.0, -5e-324, 5e-324])
    for rounding in Rounding:
        wanted = [format.encode(value, rounding) for value in zeros.tolist()]
        assert golden.encode(zeros, format, rounding=rounding).tolist() == wanted


@pytest.mark.parametrize("overflow", [Overflow.SATURATE, Overflow.SATURATE_PROPAGATE])
@pytest.mark.parametrize("name", NAMES)
def test_infinities_and_huge_numbers(name, overflow):
    format = parse(name)
    values = np.array([np.inf, -np.inf, 1e250, -1e250])
    wanted = [format.encode(value, overflow=overflow) for value in values.tolist()]
    assert golden.encode(values, format, overflow=overflow).tolist() == wanted


@pytest.mark.parametrize("name", NAMES)
def test_all_codes_decode_and_come_back(name):
    format = parse(name)
    codes = np.arange(1 << format.bits)
    values = golden.decode(codes, format)
    numbers = np.isfinite(values)
    exact = [float(format.decode(code)) for code in codes[numbers].tolist()]
    assert values[numbers].tolist() == exact
    again = golden.encode(values[numbers], format)
    assert golden.decode(again, format).tolist() == exact
