"""Floor 3: the C++ that runs a program of word operations, 512 streams at a time.

One small library serves every netlist: it reads the operations from an array and does any of them
by the ring-sum form of its table, without a branch. For very long runs the operations of one
netlist can be compiled instead, several times as fast (one instruction each with AVX-512) for some
seconds of compilation.

The words of all nets stay in one array from cycle to cycle; what changed is counted after each.
"""

from __future__ import annotations

from sim.netlist_program import Compiled

STREAMS = 512
CHUNK = 1000
"""Operations per compiled function, which keeps compilation linear in their number."""

_HEAD = """
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#ifdef __AVX512F__
#include <immintrin.h>
#endif
typedef std::uint64_t W __attribute__((vector_size(64)));
typedef std::int32_t I;
namespace {
const W zero = {}, ones = ~zero;
inline W popcount(W x) {
#ifdef __AVX512VPOPCNTDQ__
    return (W)_mm512_popcnt_epi64((__m512i)x);
#else
    W n;
    for (int i = 0; i < 8; i++) n[i] = __builtin_popcountll(x[i]);
    return n;
#endif
}
"""

_INTERPRETER = """
struct Masks {
    std::uint64_t of[256][8];
    Masks() {  // coefficients of a table's ring sum: the Moebius transform of its bits
        for (int table = 0; table < 256; table++) {
            int bits = table;
            for (int k = 0; k < 3; k++)
                for (int row = 0; row < 8; row++)
                    if (row >> k & 1) bits ^= (bits >> (row ^ 1 << k) & 1) << row;
            for (int row = 0; row < 8; row++) of[table][row] = 0 - std::uint64_t(bits >> row & 1);
        }
    }
};
const Masks masks;
inline void step(W *v, std::size_t count, const I *operations) {
    for (const I *p = operations; p != operations + 5 * count; p += 5) {
        const std::uint64_t *m = masks.of[p[0]];
        const W a = v[p[1]], b = v[p[2]], c = v[p[3]];
        const W low = m[0] ^ (m[1] & a) ^ ((m[2] ^ (m[3] & a)) & b);
        const W high = m[4] ^ (m[5] & a) ^ ((m[6] ^ (m[7] & a)) & b);
        v[p[4]] = low ^ (high & c);
    }
}
"""

_OPERATIONS = """
template<int T> inline W two(W a, W b) {  // a function of two words by its table
    switch (T) {
        case 0: return zero;
        case 1: return ~(a | b);
        case 2: return a & ~b;
        case 3: return ~b;
        case 4: return ~a & b;
        case 5: return ~a;
        case 6: return a ^ b;
        case 7: return ~(a & b);
        case 8: return a & b;
        case 9: return ~(a ^ b);
        case 10: return a;
        case 11: return a | ~b;
        case 12: return b;
        case 13: return ~a | b;
        case 14: return a | b;
        default: return ones;
    }
}
template<int T> inline W op(W a, W b, W c) {
#ifdef __AVX512F__
    return (W)_mm512_ternarylogic_epi64((__m512i)c, (__m512i)b, (__m512i)a, T);
#else
    constexpr int low = T & 15, high = T >> 4;
    if (low == high) return two<low>(a, b);
    if (low == (high ^ 15)) return two<low>(a, b) ^ c;
    return two<low>(a, b) ^ ((two<low>(a, b) ^ two<high>(a, b)) & c);
#endif
}
"""

_RUN = """
}
extern "C" int run(std::size_t count, const I *operations, std::size_t places, std::size_t nets,
                   std::size_t inputs, const I *input, std::size_t outputs, const I *output,
                   std::size_t registers, const I *state, const I *following,
                   const std::uint8_t *initial, std::size_t cycles, std::size_t skipped,
                   const std::uint64_t *given, std::uint64_t *shown, std::uint64_t *toggles,
                   std::uint64_t *high) {
    const std::size_t words = places + registers + (toggles ? 3 * nets : 0);
    W *v = static_cast<W *>(std::aligned_alloc(64, words * sizeof(W)));
    if (!v) return 1;
    std::memset(v, 0, words * sizeof(W));
    W *next = v + places, *old = next + registers, *changed = old + nets, *at_one = changed + nets;
    v[1] = ones;
    for (std::size_t i = 0; i < registers; i++)
        if (initial[i]) v[state[i]] = ones;
    for (std::size_t t = 0; t < cycles; t++) {
        for (std::size_t i = 0; i < inputs; i++)
            std::memcpy(v + input[i], given + 8 * (t * inputs + i), sizeof(W));
        step(v, count, operations);
        for (std::size_t i = 0; i < outputs; i++)
            std::memcpy(shown + 8 * (t * outputs + i), v + output[i], sizeof(W));
        if (toggles) {
            if (t > skipped)
                for (std::size_t n = 0; n < nets; n++) {
                    const W x = v[n + 2];
                    changed[n] += popcount(x ^ old[n]);
                    at_one[n] += popcount(x);
                    old[n] = x;
                }
            else if (t == skipped)
                std::memcpy(old, v + 2, nets * sizeof(W));
        }
        for (std::size_t i = 0; i < registers; i++) next[i] = v[following[i]];
        for (std::size_t i = 0; i < registers; i++) v[state[i]] = next[i];
    }
    if (toggles)
        for (std::size_t n = 0; n < nets; n++)
            for (int i = 0; i < 8; i++) {
                toggles[n] += changed[n][i];
                high[n] += at_one[n][i];
            }
    std::free(v);
    return 0;
}
"""


def interpreter() -> str:
    """Return the C++ that runs any program; its one function is ``run``."""
    return _HEAD + _INTERPRETER + _RUN


def compiled(program: Compiled) -> str:
    """Return the C++ that runs one program, with the same function."""
    functions, calls = [], []
    for start in range(0, len(program.operations), CHUNK):
        rows = program.operations[start : start + CHUNK].tolist()
        number = start // CHUNK
        functions.append(_function(number, rows))
        calls.append(f"    part{number}(v);")
    head = "inline void step(W *v, std::size_t, const I *) {"
    return "\n".join([_HEAD, _OPERATIONS, *functions, head, *calls, "}", _RUN])


def _function(number: int, rows: list[list[int]]) -> str:
    """Return a function of some operations; words made in it are locals, and stored."""
    names: dict[int, str] = {}
    lines = [f"__attribute__((noinline)) void part{number}(W *v) {{"]
    for row, (table, *operands, result) in enumerate(rows):
        words = ", ".join(names.get(place, f"v[{place}]") for place in operands)
        lines.append(f"    const W w{row} = v[{result}] = op<{table}>({words});")
        names[result] = f"w{row}"
    return "\n".join([*lines, "}"])
