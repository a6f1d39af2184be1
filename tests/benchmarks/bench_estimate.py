"""One cost estimate, against the synthesis it stands for."""

import time
from collections.abc import Iterator

from measure import Row, median_seconds

from costmodel import estimate
from hw.design import from_record
from hw.rtl import emit
from hw.synthesis import synthesize
from hw.target import load


def rows() -> Iterator[Row]:
    """Seconds per design, synthesis without its cache."""
    for name, structure in (("int8", "rows"), ("e4m3fn", "rows"), ("e2m1fn", "table")):
        record = {"kind": "dot", "lanes": 16, "weight": name, "structure": structure}
        design, target = from_record(record), load("xcup")
        ours = median_seconds(lambda d=design, t=target: [estimate(d, t) for _ in range(20)]) / 20
        emitted = emit(design, target)
        start = time.perf_counter()
        synthesize(emitted.verilog, emitted.top, "xcup", cache=False)
        yield Row(
            f"estimate dot16 {name}", ours, "s", time.perf_counter() - start, "Yosys synthesis"
        )
