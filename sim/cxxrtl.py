"""Floor 3: the C++ loop that clocks a CXXRTL design over packed arrays."""

from __future__ import annotations

from hw.design import Design

_LOOP = """
#include "design.cpp"
#include <cstddef>
#include <cstdint>
namespace {
template<std::size_t N> const value<N> &peek(const value<N> &port) { return port; }
template<std::size_t N> const value<N> &peek(const wire<N> &port) { return port.curr; }
template<std::size_t N> void words(const value<N> &port, std::uint64_t *out) {
    for (std::size_t k = 0; k < (N + 63) / 64; k++) {
        std::uint64_t low = port.data[2 * k];
        std::uint64_t high = 2 * k + 1 < value<N>::chunks ? port.data[2 * k + 1] : 0;
        out[k] = low | high << 32;
    }
}
template<std::size_t N, std::size_t BITS, std::size_t LANES, class CODE>
void pack(value<N> &port, const CODE *codes) {
    std::uint32_t chunks[value<N>::chunks + 1] = {};
    for (std::size_t i = 0; i < LANES; i++) {
        std::uint64_t code = codes[i] & ((1u << BITS) - 1);
        std::size_t bit = i * BITS;
        chunks[bit / 32] |= std::uint32_t(code << bit % 32);
        chunks[bit / 32 + 1] |= std::uint32_t(code << bit % 32 >> 32);
    }
    for (std::size_t k = 0; k < value<N>::chunks; k++) port.data[k] = chunks[k];
}
}
extern "C" int run(std::size_t steps, const @WTYPE@ *weight, const @ATYPE@ *activation,
                   const std::uint8_t *valid, const std::uint8_t *last, std::uint64_t *total,
                   std::uint8_t *total_valid, std::uint8_t *flags, std::uint16_t *exponent) {
    cxxrtl_design::@TOP@ dut;
    dut.p_rst.data[0] = 1;
    dut.p_clk.data[0] = 1;
    dut.prev_p_clk.data[0] = 0;
    if (!dut.eval()) return 1;
    dut.commit();
    dut.p_rst.data[0] = 0;
    for (std::size_t i = 0; i <= steps; i++) {
        bool more = i < steps;
        if (more) {
            pack<@WPACK@>(dut.p_weight, weight + i * @LANES@);
            pack<@APACK@>(dut.p_activation, activation + i * @LANES@);
        }
        dut.p_valid.data[0] = more && (!valid || valid[i]);
        dut.p_last.data[0] = more && last && last[i];
        dut.prev_p_clk.data[0] = 0;
        if (!dut.eval()) return 1;
        if (i) {
            words(peek(dut.p_total), total + (i - 1) * @LIMBS@);
            total_valid[i - 1] = peek(dut.p_total__valid).data[0];
            @FLAGS@
            @EXPONENT@
        }
        dut.commit();
    }
    return 0;
}
"""


def loop(design: Design) -> str:
    """Return the C++ loop for the ports of a design."""

    def code(bits: int) -> str:
        return "std::uint8_t" if bits <= 8 else "std::uint16_t"

    def packing(bits: int) -> str:
        return f"{bits * design.lanes}, {bits}, {design.lanes}, {code(bits)}"

    weight, activation = design.weight.bits, design.activation.bits
    flags = [f"peek(dut.p_{_mangled(f)}).data[0] << {i}" for i, f in enumerate(design.flags)]
    exponent = "exponent[i - 1] = peek(dut.p_exponent).data[0];" if design.exponent_bits else ""
    texts = {
        "TOP": f"p_{_mangled(design.slug)}",
        "LANES": str(design.lanes),
        "LIMBS": str(-(-design.accumulator_bits // 64)),
        "WTYPE": code(weight),
        "ATYPE": code(activation),
        "WPACK": packing(weight),
        "APACK": packing(activation),
        "FLAGS": f"flags[i - 1] = {' | '.join(flags)};" if flags else "",
        "EXPONENT": exponent,
    }
    source = _LOOP
    for name, text in texts.items():
        source = source.replace(f"@{name}@", text)
    return source


def _mangled(name: str) -> str:
    """Return a plain Verilog name as CXXRTL writes it."""
    return name.replace("_", "__")
