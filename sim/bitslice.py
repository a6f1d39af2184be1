"""Floor 3: a design as C++ over its gates, 256 independent streams of vectors at a time.

Yosys turns the emitted Verilog into gates and plain flip-flops; every gate becomes one to three
operations on 256-bit words, whose bit s belongs to stream s. That is far faster than evaluating
words one vector at a time, as soon as there are vectors enough: the streams are cut where a sum
ends, so that each starts as from reset.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw import yosys
from hw.design import Design

STREAMS = 256

_RIPPLE = """
(* techmap_celltype = "$lcu" *)
module ripple (P, G, CI, CO);
  parameter WIDTH = 2;
  (* force_downto *) input [WIDTH-1:0] P, G;
  input CI;
  (* force_downto *) output [WIDTH-1:0] CO;
  assign CO = G | (P & {CO, CI});
endmodule
"""

_OPERATIONS = {
    "$_NOT_": "~{A}",
    "$_AND_": "{A} & {B}",
    "$_OR_": "{A} | {B}",
    "$_XOR_": "{A} ^ {B}",
    "$_MUX_": "{A} ^ (({A} ^ {B}) & {S})",
}
_FLIP_FLOP = "$_DFF_P_"
_PORTS = ("A", "B", "S")

_SOURCE = """
#include <cstddef>
#include <cstdint>
#include <cstring>
typedef std::uint64_t W __attribute__((vector_size(32)));
namespace {
constexpr int STREAMS = 256, INPUTS = @INPUTS@, OUTPUTS = @OUTPUTS@, STATES = @STATES@;
constexpr int CODES = @CODES@, SCALE = @SCALE@;
constexpr int LANES = @LANES@, WBITS = @WBITS@, ABITS = @ABITS@, TOTAL_BYTES = @TOTAL_BYTES@;
const W zero = {0, 0, 0, 0}, ones = ~zero;
void step(const W *in, W *state, W *out) {
@GATES@
}
inline std::uint64_t transpose(std::uint64_t x) {  // 8 x 8 bits; Hacker's Delight, 7-3
    std::uint64_t t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AAull;
    x ^= t ^ (t << 7);
    t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCCull;
    x ^= t ^ (t << 14);
    t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0ull;
    return x ^ t ^ (t << 28);
}
template<int BITS, class CODE>
void spread(std::uint8_t (*planes)[32], int group, const CODE *const *codes, int lane) {
    for (int part = 0; part * 8 < BITS; part++) {
        std::uint64_t x = 0;
        for (int s = 0; s < 8; s++)
            x |= std::uint64_t(std::uint8_t(codes[s][lane] >> 8 * part)) << 8 * s;
        x = transpose(x);
        for (int bit = 8 * part; bit < BITS && bit < 8 * part + 8; bit++)
            planes[bit][group] = std::uint8_t(x >> 8 * (bit & 7));
    }
}
inline std::uint64_t gather(const std::uint8_t (*planes)[32], int group, int first, int count) {
    std::uint64_t x = 0;
    for (int bit = 0; bit < count; bit++) x |= std::uint64_t(planes[first + bit][group]) << 8 * bit;
    return transpose(x);
}
}
extern "C" void run(std::size_t most, const std::uint64_t *begin, const std::uint64_t *count,
                    const @WTYPE@ *weight, const @ATYPE@ *activation, const std::uint8_t *valid,
                    const std::uint8_t *last, std::uint8_t *total, std::uint8_t *total_valid,
                    std::uint8_t *flags, std::uint16_t *exponent) {
    alignas(32) W in[INPUTS], out[OUTPUTS + 1], state[STATES + 1];
    auto planes = reinterpret_cast<std::uint8_t (*)[32]>(in);
    auto shown = reinterpret_cast<const std::uint8_t (*)[32]>(out);
    for (auto &word : in) word = zero;
    for (auto &word : state) word = zero;
    in[@RST@] = ones;
    step(in, state, out);
    in[@RST@] = zero;
    for (std::size_t t = 0; t <= most; t++) {
        for (int group = 0; group < STREAMS / 8; group++) {
            const @WTYPE@ *w[8];
            const @ATYPE@ *a[8];
            unsigned valid_bits = 0, last_bits = 0;
            for (int s = 0; s < 8; s++) {
                int stream = group * 8 + s;
                bool on = t < count[stream];
                std::uint64_t i = on ? begin[stream] + t : 0;
                w[s] = weight + i * CODES;
                a[s] = activation + i * CODES;
                valid_bits |= unsigned(on && (!valid || valid[i])) << s;
                last_bits |= unsigned(on && last && last[i]) << s;
            }
            for (int lane = 0; lane < LANES; lane++) {
                spread<WBITS>(planes + @WEIGHT@ + lane * WBITS, group, w, lane);
                spread<ABITS>(planes + @ACTIVATION@ + lane * ABITS, group, a, lane);
            }
            if (SCALE) {
                spread<SCALE>(planes + @WEIGHT@ + LANES * WBITS, group, w, LANES);
                spread<SCALE>(planes + @ACTIVATION@ + LANES * ABITS, group, a, LANES);
            }
            planes[@VALID@][group] = std::uint8_t(valid_bits);
            planes[@LAST@][group] = std::uint8_t(last_bits);
        }
        step(in, state, out);
        if (t)
            for (int group = 0; group < STREAMS / 8; group++) {
                std::uint64_t bytes[TOTAL_BYTES];
                for (int b = 0; b < TOTAL_BYTES; b++) {
                    int left = @TOTAL_BITS@ - 8 * b;
                    bytes[b] = gather(shown, group, @TOTAL@ + 8 * b, left < 8 ? left : 8);
                }
                std::uint64_t status = gather(shown, group, @STATUS@, @STATUS_BITS@);
                std::uint64_t low = gather(shown, group, @EXPONENT@, @EXPONENT_LOW@);
                std::uint64_t high = gather(shown, group, @EXPONENT@ + 8, @EXPONENT_HIGH@);
                for (int s = 0; s < 8; s++) {
                    int stream = group * 8 + s;
                    if (t > count[stream]) continue;
                    std::uint64_t i = begin[stream] + t - 1;
                    for (int b = 0; b < TOTAL_BYTES; b++)
                        total[i * @LIMBS@ * 8 + b] = std::uint8_t(bytes[b] >> 8 * s);
                    std::uint8_t bits = std::uint8_t(status >> 8 * s);
                    total_valid[i] = bits & 1;
                    flags[i] = bits >> 1;
                    if (@EXPONENT_LOW@)
                        exponent[i] = std::uint8_t(low >> 8 * s)
                            | std::uint16_t(std::uint8_t(high >> 8 * s)) << 8;
                }
            }
    }
}
"""


def gates(verilog: str, top: str) -> dict[str, Any]:
    """Return the top module of the netlist of two-input gates and plain flip-flops."""
    script = [
        "read_verilog -nosynthesis design.v",  # models instead of a target's primitives
        f"hierarchy -check -top {top}",
        "setattr -mod -unset keep_hierarchy *",
        "proc",
        "flatten -noscopeinfo",
        "alumacc",
        "techmap -map ripple.v",
        "techmap",
        "dfflegalize -cell $_DFF_P_ 0",
        "opt_expr",
        "opt_merge",
        "opt_clean -purge",
        "write_json gates.json",
    ]
    inputs = {"design.v": verilog, "ripple.v": _RIPPLE}
    text = yosys.run(script, inputs, ["gates.json"])["gates.json"]
    module: dict[str, Any] = json.loads(text)["modules"][top]
    return module


def source(verilog: str, design: Design) -> str:
    """Return the C++ of a MAC or dot product; its one function is `run`."""
    module = gates(verilog, design.slug)
    ports: Mapping[str, Any] = module["ports"]
    inputs, first_input = numbered(ports, ("weight", "activation", "valid", "last", "rst"))
    status = ["total_valid", *design.flags]
    names = ["total", *status] + (["exponent"] if design.exponent_bits else [])
    outputs, first_output = numbered(ports, tuple(names))
    body, states = gate_lines(module, inputs, outputs)
    exponent = design.exponent_bits
    settings: dict[str, object] = {
        "GATES": body,
        "INPUTS": len(inputs),
        "OUTPUTS": len(outputs),
        "STATES": states,
        "LANES": design.lanes,
        "CODES": design.operand_codes,
        "SCALE": design.scale_bits,
        "WBITS": design.weight.bits,
        "ABITS": design.activation.bits,
        "WTYPE": code_type(design.weight.bits),
        "ATYPE": code_type(design.activation.bits),
        "TOTAL_BITS": design.accumulator_bits,
        "TOTAL_BYTES": -(-design.accumulator_bits // 8),
        "LIMBS": -(-design.accumulator_bits // 64),
        "STATUS_BITS": len(status),
        "STATUS": first_output["total_valid"],
        "TOTAL": first_output["total"],
        "EXPONENT": first_output.get("exponent", 0),
        "EXPONENT_LOW": min(exponent, 8),
        "EXPONENT_HIGH": max(exponent - 8, 0),
        **{name.upper(): first_input[name] for name in first_input},
    }
    text = _SOURCE
    for name, value in settings.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def code_type(bits: int) -> str:
    """Return the C++ type of a code."""
    return "std::uint8_t" if bits <= 8 else "std::uint16_t"


def numbered(
    ports: Mapping[str, Any], names: tuple[str, ...]
) -> tuple[list[int | str], dict[str, int]]:
    """Return the bits of some ports in a row, and where each port starts."""
    bits: list[int | str] = []
    first = {}
    for name in names:
        first[name] = len(bits)
        bits += ports[name]["bits"]
    return bits, first


def gate_lines(
    module: Mapping[str, Any], inputs: list[int | str], outputs: list[int | str]
) -> tuple[str, int]:
    """Return one statement per gate, operands first, and the number of flip-flops."""
    names: dict[int | str, str] = {"0": "zero", "1": "ones", "x": "zero"}
    lines = []
    for place, bit in enumerate(inputs):
        names[bit] = f"i{place}"
        lines.append(f"const W i{place} = in[{place}];")
    cells = [
        (cell["type"], {port: bits[0] for port, bits in cell["connections"].items()})
        for cell in module["cells"].values()
    ]
    registers = [bits for kind, bits in cells if kind == _FLIP_FLOP]
    for place, bits in enumerate(registers):
        names[bits["Q"]] = f"s{place}"
        lines.append(f"const W s{place} = state[{place}];")
    drivers = {bits["Y"]: (kind, bits) for kind, bits in cells if kind != _FLIP_FLOP}
    wanted = [bits["D"] for bits in registers] + list(outputs)
    for bit in _ordered(wanted, drivers, names):
        kind, bits = drivers[bit]
        operation = _OPERATIONS[kind].format(
            **{port: names[bits[port]] for port in _PORTS if port in bits}
        )
        names[bit] = f"g{bit}"
        lines.append(f"const W g{bit} = {operation};")
    lines += [f"out[{place}] = {names[bit]};" for place, bit in enumerate(outputs)]
    lines += [f"state[{place}] = {names[bits['D']]};" for place, bits in enumerate(registers)]
    return "\n".join(lines), len(registers)


def _ordered(
    wanted: list[int | str],
    drivers: Mapping[int | str, tuple[str, dict[str, int | str]]],
    known: Mapping[int | str, str],
) -> list[int | str]:
    """Return the driven bits below `wanted`, operands first (depth first, so lives stay short)."""
    order: list[int | str] = []
    done = set(known)
    stack = list(reversed(wanted))
    while stack:
        bit = stack[-1]
        if bit in done:
            stack.pop()
            continue
        bits = drivers[bit][1]
        missing = [bits[p] for p in _PORTS if p in bits and bits[p] not in done]
        if missing:
            stack += missing
            continue
        stack.pop()
        done.add(bit)
        order.append(bit)
    return order


def cut_streams(
    steps: int, last: NDArray[np.bool_] | None, valid: NDArray[np.bool_] | None
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return begin and length of each stream: cut where one sum has ended and a step follows."""
    ends = np.zeros(steps + 1, dtype=bool)
    ends[0] = True
    if last is not None:
        ends[1:] = last if valid is None else last & valid
    if valid is not None:
        ends[:-1] &= valid
        ends[0] = True
    ends[steps] = True
    places = np.flatnonzero(ends)
    ideal = np.arange(STREAMS + 1) * steps // STREAMS
    chosen = places[np.searchsorted(places, ideal)]
    chosen[0], chosen[-1] = 0, steps
    return chosen[:-1].astype(np.uint64), np.diff(chosen).astype(np.uint64)
