"""Matrix–vector products of signs and of binary planes through the golden model."""

from collections.abc import Iterator

import numpy as np
from measure import Row, least_seconds

from hw.design import from_record
from hw.formats import parse_element
from sim.golden import decode, matmul
from sim.golden.bitplane import matrix_product

SIDE = 4096
PAIRS = (("binary", "binary"), ("ternary", "ternary"), ("binary", "int8"), ("ternary", "int8"))


PLANES = ("int8", "int4", "bipolar8")


def rows() -> Iterator[Row]:
    """Seconds of one product of 4096 × 4096 weights and a vector, its values looked through."""
    yield from signs()
    yield from planes()


def planes() -> Iterator[Row]:
    """Products of codes, plane by plane."""
    rng = np.random.default_rng(2)
    for name in PLANES:
        format = parse_element(name)
        matrix, vector = (rng.integers(1 << format.bits, size=s) for s in ((SIDE, SIDE), SIDE))
        single = matrix.astype(np.float32)
        ours, peer = least_seconds(
            lambda m=matrix, v=vector, f=format: matrix_product(m, v, f, f),
            lambda m=single, v=vector: m @ v.astype(np.float32),
            runs=3,
        )
        yield Row(f"planes of {name} {SIDE}×{SIDE}", ours, "s", peer, "float32 BLAS, no checks")


def signs() -> Iterator[Row]:
    """Products of values of binary and ternary weights."""
    rng = np.random.default_rng(1)
    for weight, activation in PAIRS:
        record = {"kind": "dot", "weight": weight, "activation": activation, "lanes": 64}
        design = from_record({**record, "accumulator": f"exact:{SIDE}"})
        arrays = []
        for format, shape in ((design.activation, (1, SIDE)), (design.weight, (SIDE, SIDE))):
            table = decode(np.arange(1 << format.bits), format)
            arrays.append(rng.choice(table[np.isfinite(table)], shape))
        vector, matrix = arrays
        single = matrix.astype(np.float32)
        ours, peer = least_seconds(
            lambda vector=vector, matrix=matrix, design=design: matmul(vector, matrix, design),
            lambda vector=vector, single=single: vector.astype(np.float32) @ single,
            runs=3,
        )
        yield Row(
            f"{weight} × {activation} {SIDE}×{SIDE}", ours, "s", peer, "float32 BLAS, no checks"
        )
