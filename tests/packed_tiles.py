"""Cells of tiles as dot products, for benches that drive those."""

from amaranth.sim import Simulator

from hw.design import from_record
from hw.rtl import emit


def view(design, target, cell, lanes=None):
    """Return Verilog that shows one cell of a tile as a dot product; other cells get other codes.

    With `lanes` the columns and rows of a tile of one lane are the lanes of the dot product.
    """
    emitted = emit(design, target)
    row, column = cell
    dot = from_record(
        {
            "kind": "dot",
            "weight": design.weight.name,
            "activation": design.activation.name,
            "lanes": lanes or design.lanes,
            "accumulator": design.accumulator.name,
            "structure": "behavioural",
        }
    )
    sides = []
    for side, count, own in (("weight", design.columns, column), ("activation", design.rows, row)):
        bits = getattr(design, side).bits
        width = bits * dot.lanes
        turned = f"{{{side}[{bits - 1}:0], {side}[{width - 1}:{bits}]}}"
        words = [side if i == own else f"~{turned}" for i in range(count)]
        sides.append(side if lanes else "{" + ", ".join(reversed(words)) + "}")
    bits = design.accumulator_bits
    low = (row * design.columns + column) * bits
    text = f"""
module {dot.slug}(clk, rst, valid, last, weight, activation, total, total_valid);
  input clk;
  input rst;
  input valid;
  input last;
  input [{design.weight.bits * dot.lanes - 1}:0] weight;
  input [{design.activation.bits * dot.lanes - 1}:0] activation;
  output [{bits - 1}:0] total;
  output total_valid;
  wire [{bits * design.cores - 1}:0] totals;
  assign total = totals[{low + bits - 1}:{low}];
  {emitted.top} tile(.clk(clk), .rst(rst), .valid(valid), .last(last), .weight({sides[0]}),
    .activation({sides[1]}), .total(totals), .total_valid(total_valid));
endmodule
"""
    return emitted.verilog + text, dot


def first_total(component, weights, activations, bits):
    """Return the total of one step in Amaranth's own simulator, of operands of so many bits."""
    seen = []

    def pack(values):
        return sum((int(v) % (1 << bits)) << bits * i for i, v in enumerate(values.flat))

    async def bench(ctx):
        ctx.set(component.weight, pack(weights))
        ctx.set(component.activation, pack(activations))
        ctx.set(component.valid, 1)
        await ctx.tick()
        seen.append(ctx.get(component.total))

    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen[0]
