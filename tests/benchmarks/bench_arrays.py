"""LUTs per product of 8 × 8 arrays whose weights stay, beside arrays whose sums stay, by Yosys."""

from collections.abc import Iterator

from measure import Row

from hw.design import from_record
from hw.rtl import emit
from hw.synthesis import synthesize
from hw.target import load
from sweeps.autotune import resolve

SIDE = 8
PAIRS = (("int8", "int8"), ("int4", "int8"), ("e4m3fn", "e4m3fn"), ("ternary", "int8"))


def rows() -> Iterator[Row]:
    """Sites per product, the structure of each array chosen by cost; exact sums of 256 terms."""
    for target in ("xcup", "ecp5"):
        for weight, activation in PAIRS:
            ours, peer = (
                sites(target, weight, activation, dataflow)
                for dataflow in ("weight-stationary", "output-stationary")
            )
            what = f"{weight} × {activation} on {target}"
            yield Row(what, ours, "sites/product", peer, "output-stationary")


def sites(target: str, weight: str, activation: str, dataflow: str) -> float:
    """Return the measured sites per product of an array."""
    technology = load(target)
    record = {"kind": "array", "dataflow": dataflow, "rows": SIDE, "columns": SIDE}
    design = from_record(record | {"weight": weight, "activation": activation})
    emitted = emit(resolve(design, technology), technology)
    return synthesize(emitted.verilog, emitted.top, technology).sites / SIDE**2
