"""Simulated and checked dot products per second: the native library against cocotb."""

from collections.abc import Iterator

from measure import Row

from hw.design import from_record
from hw.rtl import emit
from hw.target import load
from sim import bulk
from sim.runner import Case, simulate

BULK_VECTORS = 8_000_000
COCOTB_VECTORS = 200_000


def rows() -> Iterator[Row]:
    """Dot products of 16 lanes per second; builds are not counted, making and checking are."""
    for name, structure in (("int8", "rows"), ("int4", "rows"), ("e4m3fn", "rows")):
        record = {"kind": "dot", "lanes": 16, "weight": name, "structure": structure}
        design = from_record(record)
        emitted = emit(design, load("xcup"))
        case = Case(design, emitted.verilog, emitted.top, emitted.record["latency_cycles"])
        bulk.check(emitted.verilog, design, vectors=1000)
        fast = bulk.check(emitted.verilog, design, vectors=BULK_VECTORS)
        slow = simulate([case], vectors=COCOTB_VECTORS)[0]
        if fast.mismatches or slow.mismatches:
            raise RuntimeError(f"{design.slug} is wrong: {fast.first or slow.first}")
        yield Row(
            f"dot16 {name}",
            fast.vectors / fast.seconds,
            "vectors/s",
            slow.vectors / slow.seconds,
            "cocotb and Verilator",
        )
