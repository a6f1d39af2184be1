"""256³ products in floating accumulators: ours against NumPy term by term."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from measure import Row, least_seconds

from hw.design import from_record
from sim.golden import Operand, cast, matmul

SIDE = 256
CASES = [
    *(("e4m3fn", "fp32", 1, np.float32), ("e4m3fn", "fp16", 1, np.float16)),
    *(("bfloat16", "fp32", 1, np.float32), ("int8", "fp16", 1, np.float16)),
    *(("e4m3fn", "fp16", 16, None), ("bfloat16", "fp32", 4, None)),
    *(("bfloat16", "float:fp32:once:256", 4, None), ("e5m2", "bfloat16", 1, None)),
]
"""Operands, accumulator, lanes, and the type of NumPy that does the same, if one does."""


def rows() -> Iterator[Row]:
    """Millions of multiply-accumulates per second; every result NumPy can give is compared."""
    rng = np.random.default_rng(1)
    for name, accumulator, lanes, kind in CASES:
        record = {"kind": "dot", "weight": name, "lanes": lanes, "accumulator": accumulator}
        design = from_record(record)
        spread = 16.0 if name == "int8" else 1.0
        left, right = (
            Operand.of(
                cast(spread * rng.standard_normal((SIDE, SIDE)), design.weight), design.weight
            )
            for _ in range(2)
        )
        calls: list[Callable[[], object]] = [lambda a=left, w=right, d=design: matmul(a, w, d)]
        if kind is not None:
            calls.append(lambda a=left, w=right, k=kind: term_by_term(a.values, w.values, k))
            if not np.array_equal(*(call() for call in calls)):
                raise RuntimeError(f"{design.slug} differs from NumPy")
        seconds = least_seconds(*calls, runs=3)
        speeds = [SIDE**3 / least / 1e6 for least in seconds]
        what = f"{name} in {accumulator}, {lanes} lanes"
        peer = speeds[1] if kind is not None else None
        yield Row(what, speeds[0], "M MAC/s", peer, f"NumPy {kind.__name__}" if kind else "")


def term_by_term(left: np.ndarray, right: np.ndarray, kind: type) -> np.ndarray:
    """Return the product with one rounding per term: float64 holds each sum of these cases."""
    total = np.zeros((len(left), right.shape[1]), kind)
    for k in range(len(right)):
        if kind is np.float32:
            total += np.multiply.outer(left[:, k].astype(kind), right[k].astype(kind))
        else:
            total = (total + np.multiply.outer(left[:, k], right[k])).astype(kind)
    return total
