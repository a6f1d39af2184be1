"""Conversion of float32 arrays to small formats, against ml_dtypes; one thread."""

from collections.abc import Iterator

import ml_dtypes
import numpy as np
from measure import Row, median_seconds

from hw.formats import parse
from sim.golden import cast, encode

COUNT = 2_000_000
PEERS = {
    "e4m3fn": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "e3m2fn": ml_dtypes.float6_e3m2fn,
    "e2m3fn": ml_dtypes.float6_e2m3fn,
    "e2m1fn": ml_dtypes.float4_e2m1fn,
}


def rows() -> Iterator[Row]:
    """Millions of values per second: to values and back, and to codes."""
    values = np.random.default_rng(1).standard_normal(COUNT, dtype=np.float32)
    for name, dtype in PEERS.items():
        format = parse(name)
        ours = COUNT / median_seconds(lambda format=format: cast(values, format)) / 1e6
        peer = COUNT / median_seconds(lambda d=dtype: values.astype(d).astype(np.float32)) / 1e6
        yield Row(f"cast to {name} values", ours, "M/s", peer, "ml_dtypes there and back")
        ours = COUNT / median_seconds(lambda format=format: encode(values, format)) / 1e6
        peer = COUNT / median_seconds(lambda d=dtype: values.astype(d)) / 1e6
        yield Row(f"encode to {name} codes", ours, "M/s", peer, "ml_dtypes")
