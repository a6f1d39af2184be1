"""Conversion of 10^7 floats to small formats, against ml_dtypes; one thread."""

from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
from measure import Row, least_seconds
from numpy.typing import NDArray

from hw.formats import Rounding, parse_element
from sim.golden import cast, encode

COUNT = 10_000_000
PEERS = {
    "e4m3fn": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e3m2fn": ml_dtypes.float6_e3m2fn,
    "e2m3fn": ml_dtypes.float6_e2m3fn,
    "e2m1fn": ml_dtypes.float4_e2m1fn,
}
ALONE = ("int8", "nf4", "posit<8,2>", "binary8p3se")
"""Formats that the peer does not have."""


def rows() -> Iterator[Row]:
    """Millions of values per second: to values and back, and to codes."""
    single = np.random.default_rng(1).standard_normal(COUNT, dtype=np.float32)
    double = single.astype(np.float64)
    for name, dtype in PEERS.items():
        yield from _against(name, dtype, single)
    yield from _against("e4m3fn", ml_dtypes.float8_e4m3fn, double)
    for name in ALONE:
        yield _alone(f"encode to {name} codes", encode, single, parse_element(name))
    format = parse_element("e4m3fn")
    yield _alone("encode to e4m3fn codes, scale 0.3", encode, single, format, 0.3)
    mode = Rounding.TOWARD_ZERO
    yield _alone("encode to e4m3fn codes, toward zero", encode, single, format, 1.0, mode)


def _against(name: str, dtype: type, values: NDArray[Any]) -> Iterator[Row]:
    format, kind = parse_element(name), "" if values.dtype == np.float32 else f" of {values.dtype}"
    ours, back, codes, peer = least_seconds(
        lambda: cast(values, format),
        lambda: values.astype(dtype).astype(values.dtype),
        lambda: encode(values, format),
        lambda: values.astype(dtype),
    )
    million = COUNT / 1e6
    there = "ml_dtypes there and back"
    yield Row(f"cast to {name} values{kind}", million / ours, "M/s", million / back, there)
    yield Row(f"encode to {name} codes{kind}", million / codes, "M/s", million / peer, "ml_dtypes")


def _alone(what: str, convert: Callable[..., object], *arguments: Any) -> Row:
    (ours,) = least_seconds(lambda: convert(*arguments))
    return Row(what, COUNT / ours / 1e6, "M/s")
