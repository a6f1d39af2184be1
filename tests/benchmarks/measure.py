"""What the benchmarks share: one row of a result, and the median time of a call."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Row(NamedTuple):
    """One figure beside a peer's, measured in the same run."""

    what: str
    ours: float
    unit: str
    peer: float | None = None
    peer_name: str = ""


def median_seconds(call: Callable[[], object], runs: int = 5) -> float:
    """Return the median wall time of a call, after one that is not counted."""
    call()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def least_seconds(*calls: Callable[[], object], runs: int = 7) -> list[float]:
    """Return the least wall time of each call, the calls taking turns; first ones do not count."""
    least = [float("inf")] * len(calls)
    for run in range(runs + 1):
        for index, call in enumerate(calls):
            start = time.perf_counter()
            call()
            if run:
                least[index] = min(least[index], time.perf_counter() - start)
    return least
