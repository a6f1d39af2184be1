"""Floor 3: serial designs as native libraries: words in, words compared, 256 streams at once.

As `sim.bulk`, but the library knows nothing of ports: it plays the words of many runs of equal
length, each from reset, and compares every output bit of every cycle with what it must be.
"""

from __future__ import annotations

import ctypes
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw import yosys
from hw.design import SerialDesign
from sim import bitslice, cycles
from sim.bitslice import STREAMS, gate_lines, gates, numbered
from sim.cycles import Streams
from sim.library import load
from sim.ports import check_ports, input_layout, output_layout
from sim.scoreboard import Scoreboard, port_values
from sim.verdict import Mismatch, Verdict

CHUNK_BYTES = 1 << 26
"""Words of a chunk, a byte per bit; the next is made while one is simulated."""
THOROUGH_VECTORS = 2000

_SOURCE = """
#include <cstddef>
#include <cstdint>
#include <cstring>
typedef std::uint64_t W __attribute__((vector_size(32)));
namespace {
constexpr int INPUTS = @INPUTS@, OUTPUTS = @OUTPUTS@, STATES = @STATES@;
const W zero = {0, 0, 0, 0}, ones = ~zero;
void step(const W *in, W *state, W *out) {
@GATES@
}
// Bytes that are 0 or 1, of many streams, to planes: a bit per stream.
template<int BITS>
void planes_of(const std::uint8_t *bytes, std::size_t stride, int streams,
               std::uint8_t (*planes)[32]) {
    for (int group = 0; group * 8 < streams; group++)
        for (int bit = 0; bit < BITS; bit += 8) {
            int left = BITS - bit < 8 ? BITS - bit : 8;
            std::uint64_t x = 0;
            for (int s = 0; s < 8 && group * 8 + s < streams; s++) {
                std::uint64_t eight = 0;
                std::memcpy(&eight, bytes + (group * 8 + s) * stride + bit, left);
                x |= eight << s;
            }
            for (int k = 0; k < left; k++) planes[bit + k][group] = std::uint8_t(x >> 8 * k);
        }
}
}
// Returns how many cycles of how many streams differ; the first goes to `place` and `shown`.
extern "C" std::uint64_t run(int streams, std::size_t cycles, const std::uint8_t *words,
                             const std::uint8_t *expected, const std::uint8_t *care,
                             std::uint64_t *place, std::uint8_t *shown) {
    alignas(32) W in[INPUTS], out[OUTPUTS], state[STATES + 1], want[OUTPUTS], cared[OUTPUTS];
    for (auto &word : in) word = zero;
    for (auto &word : state) word = zero;
    for (auto &word : want) word = zero;
    for (auto &word : cared) word = care ? zero : ones;
    std::uint64_t wrong = 0;
    in[@RST@] = ones;
    step(in, state, out);
    in[@RST@] = zero;
    for (std::size_t t = 0; t <= cycles; t++) {
        if (t < cycles)
            planes_of<INPUTS>(words + t * INPUTS, cycles * INPUTS, streams,
                              reinterpret_cast<std::uint8_t (*)[32]>(in));
        step(in, state, out);
        if (!t) continue;
        auto row = (t - 1) * OUTPUTS;
        planes_of<OUTPUTS>(expected + row, cycles * OUTPUTS, streams,
                           reinterpret_cast<std::uint8_t (*)[32]>(want));
        if (care)
            planes_of<OUTPUTS>(care + row, cycles * OUTPUTS, streams,
                               reinterpret_cast<std::uint8_t (*)[32]>(cared));
        W different = zero;
        for (int bit = 0; bit < OUTPUTS; bit++) different |= (out[bit] ^ want[bit]) & cared[bit];
        for (int s = 0; s < streams; s++) {
            if (!(different[s / 64] >> (s % 64) & 1)) continue;
            if (!wrong++) {
                place[0] = s;
                place[1] = t - 1;
                for (int bit = 0; bit < OUTPUTS; bit++)
                    shown[bit] = out[bit][s / 64] >> (s % 64) & 1;
            }
        }
    }
    return wrong;
}
"""


def source(verilog: str, design: SerialDesign) -> str:
    """Return the C++ of a serial design; its one function is `run`."""
    module = gates(verilog, design.slug)
    names = [
        tuple(field.name for field in layout(design).fields)
        for layout in (input_layout, output_layout)
    ]
    inputs, outputs = (_high_first(module["ports"], side) for side in names)
    body, states = gate_lines(module, inputs, outputs)
    settings: dict[str, object] = {
        "GATES": body,
        "INPUTS": len(inputs),
        "OUTPUTS": len(outputs),
        "STATES": states,
        "RST": input_layout(design).column("rst").start,
    }
    text = _SOURCE
    for name, value in settings.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def _high_first(ports: dict[str, Any], names: tuple[str, ...]) -> list[int | str]:
    """Return the bits of ports in the order of a word: the first port's highest bit first."""
    bits: list[int | str] = []
    for name in names:
        bits += numbered(ports, (name,))[0][::-1]
    return bits


class CycleBulk:
    """A serial design as a native library.

    Parameters
    ----------
    verilog
        The emitted text.
    design
        What it is.

    Raises
    ------
    ValueError
        If the Verilog has other ports.
    hw.errors.MissingTool
        If Yosys or the C++ compiler is missing.

    """

    def __init__(self, verilog: str, design: SerialDesign) -> None:
        check_ports(verilog, design.slug, design)
        self.design = design

        def write(folder: Path) -> Path:
            (folder / "gates.cpp").write_text(source(verilog, design))
            return folder / "gates.cpp"

        own = Path(__file__).read_text() + Path(bitslice.__file__).read_text()
        self._run: Any = load(f"{verilog}\0{own}", write, "-O1").run
        self._run.restype = ctypes.c_uint64
        self._run.argtypes = [ctypes.c_int, ctypes.c_size_t] + [ctypes.c_void_p] * 5

    def compare(self, runs: Streams) -> tuple[int, Mismatch | None]:
        """Return how many cycles of how many runs have a wrong bit, and the first of them.

        Raises
        ------
        ValueError
            If there are more runs than the library plays at once, or words of another width.

        """
        count, length, _ = runs.words.shape
        if not 1 <= count <= STREAMS:
            raise ValueError(f"a library plays 1..{STREAMS} runs at once, not {count}")
        arrays = [
            _bytes(runs.words, input_layout(self.design).width),
            _bytes(runs.expected, output_layout(self.design).width),
        ]
        care = None if runs.care is None else _bytes(runs.care, arrays[1].shape[2])
        place, shown = np.zeros(2, np.uint64), np.zeros(arrays[1].shape[2], np.uint8)
        wrong = self._run(
            count,
            length,
            arrays[0].ctypes.data,
            arrays[1].ctypes.data,
            None if care is None else care.ctypes.data,
            place.ctypes.data,
            shown.ctypes.data,
        )
        return wrong, self._first(runs, place, shown) if wrong else None

    def _first(
        self, runs: Streams, place: NDArray[np.uint64], shown: NDArray[np.uint8]
    ) -> Mismatch:
        stream, cycle = (int(number) for number in place)
        fields, inputs = (
            [(field.name, field.width) for field in layout(self.design).fields]
            for layout in (output_layout, input_layout)
        )
        mask = np.uint8(1) if runs.care is None else runs.care[stream, cycle]
        where = f"stream {stream} cycle {cycle}{port_values(inputs, runs.words[stream, cycle])}"
        board = Scoreboard(fields)
        board.compare((runs.expected[stream, cycle] * mask)[None], (shown * mask)[None], where)
        assert board.first is not None
        difference = board.first
        return Mismatch(where, difference["port"], difference["expected"], difference["got"])


def check(verilog: str, design: SerialDesign, vectors: int, seed: int = 1) -> Verdict:
    """Compare a serial design with its golden model: a thorough run, then 256 random ones at once.

    The seconds contain making the words, with the golden model, and comparing; not the compilation.
    """
    bulk = CycleBulk(verilog, design)
    start = time.perf_counter()
    first_run = cycles.stimulus(design, min(vectors, THOROUGH_VECTORS), seed)
    care = None if first_run.care is None else first_run.care[None]
    whole = Streams(first_run.words[None], first_run.expected[None], care, first_run.vectors)
    wrong, first = bulk.compare(whole)
    done, cycles_run = whole.vectors, len(first_run.words)
    per_vector = max(len(first_run.words) / max(first_run.vectors, 1), 1) * whole.words.shape[2]
    chunk = max(int(CHUNK_BYTES / per_vector), STREAMS)
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[tuple[int, Mismatch | None]] | None = None
        while done < vectors:
            seed += 1
            runs = cycles.streams(design, STREAMS, min(chunk, vectors - done + STREAMS), seed)
            if waiting is not None:
                count, found = waiting.result()
                wrong, first = wrong + count, first or found
            waiting = pool.submit(bulk.compare, runs)
            done += runs.vectors
            cycles_run += runs.words.shape[0] * runs.words.shape[1]
        if waiting is not None:
            count, found = waiting.result()
            wrong, first = wrong + count, first or found
    seconds = time.perf_counter() - start
    version = f"gates of {yosys.version()}"
    return Verdict(
        design.slug, done, wrong, first_run.exhaustive, cycles_run, seconds, version, first
    )


def _bytes(words: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    if words.shape[2] != width:
        raise ValueError(f"words have {width} bits, not {words.shape[2]}")
    return np.ascontiguousarray(words, np.uint8)
