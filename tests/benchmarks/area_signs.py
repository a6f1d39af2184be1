"""Plain Verilog of dot products with binary and ternary operands: the baseline of their rows.

The generator has no behavioural form of these. Signs are ``2 · popcount(xnor) − K``; bits, signs
and ternary digits among themselves a popcount of the products +1 less one of those −1; integers are
added or subtracted. One sum of all lanes and an accumulator, everything else is left to Yosys.
"""

from __future__ import annotations

from hw.design import Design, is_signs
from hw.formats import Format

_MODULE = """module {top}(clk, rst, valid, last, weight, activation, total, total_valid, overflow);
  input clk;
  input rst;
  input valid;
  input last;
  input [{weight}:0] weight;
  input [{activation}:0] activation;
  output [{high}:0] total;
  output total_valid;
  output overflow;
  reg [{high}:0] total;
  reg total_valid;
  reg overflow;
{lanes}
  wire signed [{reach}:0] step = {step};
  reg signed [{high}:0] sum;
  reg seen;
  wire signed [{reach}:0] exact = sum + step;
  wire beyond = seen | ~(&exact[{reach}:{high}] | ~|exact[{reach}:{high}]);
  always @(posedge clk) begin
    if (rst | (valid & last)) begin sum <= 0; seen <= 0; end
    else if (valid) begin sum <= exact[{high}:0]; seen <= beyond; end
    if (rst) begin total <= 0; overflow <= 0; total_valid <= 0; end
    else begin
      if (valid) begin total <= exact[{high}:0]; overflow <= beyond; end
      total_valid <= valid & last;
    end
  end
endmodule
"""


def is_plain(design: Design) -> bool:
    """Whether `plain_verilog` has a design: binary or ternary operands, an exact accumulator."""
    signs = is_signs(design.weight) or is_signs(design.activation)
    return signs and design.kind == "dot" and design.flags == ("overflow",)


def plain_verilog(design: Design) -> str:
    """Return the text; its ports are those of the design, without a header.

    Raises
    ------
    ValueError
        If the design is none of binary or ternary operands with an exact accumulator.

    """
    if not is_plain(design):
        raise ValueError(
            f"no plain Verilog of binary and ternary operands is that of {design.slug}"
        )
    signs = "weight" if is_signs(design.weight) else "activation"
    bits = design.accumulator_bits
    small = all(is_signs(f) or f.bits == 1 for f in (design.weight, design.activation))
    lanes, step = _bits(design) if small else _integers(design, signs)
    return _MODULE.format(
        top=design.slug,
        weight=design.weight.bits * design.lanes - 1,
        activation=design.activation.bits * design.lanes - 1,
        high=bits - 1,
        reach=bits,
        lanes="\n".join(lanes),
        step=step,
    )


def _planes(format: Format, name: str, lane: int) -> tuple[str, str]:
    """Return whether an operand is not 0, and whether it is negative."""
    if format.bits == 2:
        return f"{name}[{2 * lane}]", f"{name}[{2 * lane + 1}]"
    return ("1'b1", f"~{name}[{lane}]") if is_signs(format) else (f"{name}[{lane}]", "1'b0")


def _bits(design: Design) -> tuple[list[str], str]:
    """Return the products of a step as two words of bits, and the sum."""
    both: list[tuple[str, str]] = []
    for lane in range(design.lanes):
        (some, minus), (other, negative) = (
            _planes(design.weight, "weight", lane),
            _planes(design.activation, "activation", lane),
        )
        both.append((f"{some} & {other}", f"({minus}) ^ ({negative})"))
    last = design.lanes - 1
    plus = ", ".join(f"({nonzero}) & ~({minus})" for nonzero, minus in reversed(both))
    less = ", ".join(f"({nonzero}) & ({minus})" for nonzero, minus in reversed(both))
    lines = [f"  wire [{last}:0] plus = {{{plus}}};", f"  wire [{last}:0] less = {{{less}}};"]
    positive, negative_ = (
        " + ".join(f"{word}[{lane}]" for lane in range(design.lanes)) for word in ("plus", "less")
    )
    width = design.lanes.bit_length()
    lines.append(f"  wire [{width - 1}:0] ones = {positive};")
    if (
        is_signs(design.weight)
        and is_signs(design.activation)
        and design.weight.bits == 1 == design.activation.bits
    ):
        return lines, f"$signed({{1'b0, ones, 1'b0}}) - {design.lanes}"
    lines.append(f"  wire [{width - 1}:0] minus_ones = {negative_};")
    return lines, "$signed({1'b0, ones}) - $signed({1'b0, minus_ones})"


def _integers(design: Design, signs: str) -> tuple[list[str], str]:
    """Return the products of a step as words, and the sum."""
    name = "activation" if signs == "weight" else "weight"
    format, other = getattr(design, signs), getattr(design, name)
    lines = []
    for lane in range(design.lanes):
        nonzero, minus = _planes(format, signs, lane)
        word = f"{name}[{lane * other.bits} +: {other.bits}]"
        read = (
            f"$signed({word})" if getattr(other, "signed", False) else f"$signed({{1'b0, {word}}})"
        )
        lines.append(f"  wire signed [{other.bits}:0] value{lane} = {read};")
        lines.append(
            f"  wire signed [{other.bits}:0] p{lane} = "
            f"{nonzero} ? ({minus} ? -value{lane} : value{lane}) : 0;"
        )
    return lines, " + ".join(f"p{lane}" for lane in range(design.lanes))
