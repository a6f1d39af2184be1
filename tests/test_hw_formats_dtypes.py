"""hw.formats.dtypes: every element type of ml_dtypes and NumPy decodes as its format says."""

import ml_dtypes
import numpy as np
import pytest

from hw.formats import Special, parse
from hw.formats.dtypes import DTYPES, from_dtype, to_dtype


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name, name))


def same(value, other):
    if isinstance(value, Special):
        return value.value == str(float(other))
    return value == float(other)


@pytest.mark.parametrize("name", DTYPES)
def test_bit_patterns_mean_what_the_format_says(name):
    """All codes up to 16 bits, 4096 random ones beyond."""
    format, dtype = from_dtype(name), dtype_of(name)
    storage = np.dtype(f"uint{8 * dtype.itemsize}")
    if format.bits <= 16:
        codes = np.arange(1 << format.bits).astype(storage)
    else:
        bits = np.random.default_rng(1).bytes(4096 * storage.itemsize)
        codes = np.frombuffer(bits, storage)
    items = codes.view(dtype)
    wide = format.bits == 64  # float64 does not hold them
    values = [int(item) if wide else float(item) for item in items]
    checked = 0
    for code, value in zip(codes.tolist(), values, strict=True):
        meaning = format.decode(code)
        assert meaning == value if wide else same(meaning, value), (code, meaning, value)
        checked += 1
    assert checked == min(1 << format.bits, 65536 if format.bits <= 16 else 4096)


def test_names_go_both_ways():
    assert len({from_dtype(name) for name in DTYPES}) == len(DTYPES) == 26
    for name in DTYPES:
        assert str(dtype_of(name)) == name
        assert to_dtype(from_dtype(name)) == name
    left_out = {"finfo", "iinfo", "real", "imag", "complex32", "bcomplex32", "int1"}
    known = {n for n in dir(ml_dtypes) if not n.startswith("_")} - left_out
    assert known - set(DTYPES) <= {"float8_e8m0fnu"}


@pytest.mark.parametrize("name", ["float64", "bool", "complex64", "float8"])
def test_other_types_have_no_format(name):
    with pytest.raises(ValueError, match=f"element type '{name}' has no format"):
        from_dtype(name)


def test_other_formats_have_no_type():
    with pytest.raises(ValueError, match="e2m2finite is no element type"):
        to_dtype(parse("e2m2finite"))
