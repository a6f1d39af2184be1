"""Exact matrix products, against the float BLAS of NumPy on the same values."""

from collections.abc import Iterator

import numpy as np
from measure import Row, least_seconds

from hw.design import from_record
from hw.formats import parse_element
from sim.golden import Operand, decode, matmul

SIDES = (256, 1024)
FORMATS = {"int8": np.float32, "e4m3fn": np.float64, "e3m2fn": np.float32, "e5m2": np.float64}
"""The float type whose sums the bound proves exact; e5m2 is split into digits."""


def rows() -> Iterator[Row]:
    """Billions of multiply-accumulates per second, operands looked through beforehand or not."""
    for name, peer_type in FORMATS.items():
        for side in SIDES:
            yield from _products(name, side, peer_type)


def _products(name: str, side: int, peer_type: type) -> Iterator[Row]:
    format = parse_element(name)
    rng = np.random.default_rng(1)
    table = decode(np.arange(1 << format.bits), format)
    arrays = [rng.choice(table[np.isfinite(table)], (side, side)) for _ in range(2)]
    design = from_record({"kind": "dot", "weight": name, "activation": name, "lanes": 16})
    operands = [Operand.of(array, format) for array in arrays]
    floats = [array.astype(peer_type) for array in arrays]
    known, given, blas = least_seconds(
        lambda: matmul(*operands, design),
        lambda: matmul(*arrays, design),
        lambda: floats[0] @ floats[1],
    )
    billion = side**3 / 1e9
    peer = f"{peer_type.__name__} BLAS"
    for what, seconds in (("", known), (", values not seen before", given)):
        yield Row(f"{name} {side}³{what}", billion / seconds, "GMAC/s", billion / blas, peer)
