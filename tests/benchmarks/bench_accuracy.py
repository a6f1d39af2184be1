"""Accuracy of the digits network in a pair of formats, against its float32 inference in NumPy."""

import time
from collections.abc import Iterator

from measure import Row, median_seconds

from sweeps.accuracy import Case, evaluate_case
from sweeps.datasets import load_dataset
from sweeps.models import load

PAIRS = (
    ("int8", "uint8"),
    ("int4", "int4"),
    ("e4m3finite", "e4m3finite"),
    ("e2m1fn", "int8"),
    ("e5m2finite", "e5m2finite"),
    ("e7m0finite", "e6m1finite"),
)


def rows() -> Iterator[Row]:
    """Milliseconds per pair, the second time it is asked for (shared work done)."""
    network, dataset = load("digits_cnn"), load_dataset("digits")
    images = dataset.inputs(dataset.held_out)
    peer = 1e3 * median_seconds(lambda: network.infer(images))
    for weight, activation in PAIRS:
        case = Case(weight, activation, method="max")
        evaluate_case(case)
        start = time.perf_counter()
        evaluate_case(case)
        ours = 1e3 * (time.perf_counter() - start)
        yield Row(f"{weight} × {activation}", ours, "ms", peer, "float inference")
