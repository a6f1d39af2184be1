"""Constant weights and squares against what Yosys makes of ``x*C`` and ``x*x`` in the same flow."""

import random
from collections.abc import Iterator
from statistics import mean

from measure import Row

from hw.design import from_record
from hw.rtl import emit
from hw.synthesis import synthesize
from hw.target import load

TARGETS = ("xcup", "ecp5")
CONSTANTS = 40
FILTERS = ((8, 1), (16, 1), (1, 8), (8, 4))
"""Inputs and outputs."""


def rows() -> Iterator[Row]:
    """Sites: a sample of all 8-bit constants times int8 on average, filters, sums of squares."""
    rng = random.Random(1)
    constants = rng.sample([c for c in range(-128, 128) if c], CONSTANTS)
    filters = [
        [[rng.randint(-128, 127) for _ in range(lanes)] for _ in range(outputs)]
        for lanes, outputs in FILTERS
    ]
    for target in TARGETS:
        pairs = [constant_sites([[constant]], target) for constant in constants]
        ours, peer = (mean(side) for side in zip(*pairs, strict=True))
        yield Row(f"{CONSTANTS} constants × int8, {target}", ours, "sites", peer, "Yosys x*C")
        for weights in filters:
            ours, peer = constant_sites(weights, target)
            what = f"{len(weights[0])} inputs, {len(weights)} outputs, {target}"
            yield Row(what, ours, "sites", peer, "Yosys x*C")
        for lanes in (1, 8):
            ours, peer = square_sites(lanes, target)
            yield Row(f"{lanes} squares of int8, {target}", ours, "sites", peer, "Yosys x*x")


def constant_sites(weights: list[list[int]], target: str) -> tuple[int, int]:
    """Return the sites of constant weights times int8, ours and as plain Verilog."""
    design = from_record({"kind": "constdot", "weights": weights, "activation": "int8"})
    bits = design.total_bits
    sums = [" + ".join(f"x{i}*({w})" for i, w in enumerate(row)) for row in weights]
    named = "".join(f"wire signed [{bits - 1}:0] y{o} = {s};\n" for o, s in enumerate(sums))
    shown = ", ".join(f"y{o}" for o in reversed(range(len(weights))))
    body = f"{named}always @(posedge clk) total <= {{{shown}}};"
    return _both(design, target, bits * len(weights), len(weights[0]), body)


def square_sites(lanes: int, target: str) -> tuple[int, int]:
    """Return the sites of a sum of squares of int8, ours and as plain Verilog."""
    design = from_record({"kind": "square", "activation": "int8", "lanes": lanes})
    bits = design.accumulator_bits
    total = " + ".join(f"x{i}*x{i}" for i in range(lanes))
    body = f"""reg signed [{bits - 1}:0] sum;
wire signed [{bits - 1}:0] next = sum + {total};
always @(posedge clk) begin
  if (rst) sum <= 0; else if (valid) sum <= last ? 0 : next;
  if (rst) total <= 0; else if (valid) total <= next;
end"""
    return _both(design, target, bits, lanes, body)


def _both(design, target: str, bits: int, lanes: int, body: str) -> tuple[int, int]:
    technology = load(target)
    emitted = emit(design, technology)
    inputs = "".join(
        f"wire signed [7:0] x{i} = activation[{8 * i + 7}:{8 * i}];\n" for i in range(lanes)
    )
    plain = f"""module plain(input clk, rst, valid, last, input [{8 * lanes - 1}:0] activation,
  output reg [{bits - 1}:0] total, output reg total_valid);
{inputs}{body}
always @(posedge clk) total_valid <= rst ? 1'b0 : valid & last;
endmodule
"""
    texts = ((emitted.verilog, emitted.top), (plain, "plain"))
    ours, peer = (synthesize(text, top, technology).sites for text, top in texts)
    return ours, peer
