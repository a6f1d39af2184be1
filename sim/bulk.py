"""Floor 3: the emitted Verilog as a native library, for millions of vectors per second.

Yosys turns the Verilog into gates, and `sim.bitslice` those into C++ that runs 256 streams at once;
compiled once and kept by the hash of its text, it is called through ctypes, which lets other
threads run meanwhile.

The library evaluates a design once per step: with the inputs of the next step applied, just before
the rising edge, where the outputs of the step before are visible.
"""

from __future__ import annotations

import ctypes
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw import yosys
from hw.design import Design, Grid, SerialDesign
from sim import bitslice, cycle_bulk
from sim.bitslice import cut_streams, source
from sim.expected import Model
from sim.golden.vector import Outputs, run_steps
from sim.library import load
from sim.ports import check_ports
from sim.vectors import (
    Codes,
    Steps,
    corner_steps,
    join,
    overflow_steps,
    random_steps,
    uniform_steps,
)
from sim.verdict import Mismatch, Verdict

CHUNK = 1 << 17
"""Steps that are simulated while the golden model works on the steps before."""
MIXED_STEPS = 4000
"""Biased random steps before the uniform ones."""


@dataclass(frozen=True, slots=True)
class BulkResult:
    """What the hardware showed after each step.

    Parameters
    ----------
    total
        Totals as 64-bit limbs, lowest first, shape (steps, limbs); bits above the port are 0.
    total_valid
        Shape (steps,).
    flag_bits
        Flags, the design's first in bit 0, shape (steps,).
    exponent
        Shape (steps,); zeros without an alignment window.

    """

    total: NDArray[np.uint64]
    total_valid: NDArray[np.uint8]
    flag_bits: NDArray[np.uint8]
    exponent: NDArray[np.uint16]

    def where(self, chosen: NDArray[np.bool_]) -> BulkResult:
        """Return the results of chosen steps."""
        return BulkResult(
            self.total[chosen],
            self.total_valid[chosen],
            self.flag_bits[chosen],
            self.exponent[chosen],
        )


class Bulk:
    """A MAC or dot product as a native library.

    Parameters
    ----------
    verilog
        The emitted text.
    design
        What it is.

    Raises
    ------
    ValueError
        If the design is an array or a tile, has a latency other than 1, or the Verilog has other
        ports.
    hw.errors.MissingTool
        If Yosys or the C++ compiler is missing.

    """

    def __init__(self, verilog: str, design: Design) -> None:
        if isinstance(design, Grid | SerialDesign):
            raise ValueError(f"bulk runs a MAC or a dot product, not {design.slug}")
        if design.pipeline:
            raise ValueError(
                f"bulk runs a design of latency 1, not {1 + design.pipeline}: {design.slug}"
            )
        check_ports(verilog, design.slug, design)
        self.design = design
        self._run: Any = _gate_library(verilog, design).run
        self._run.restype = None
        self._run.argtypes = [ctypes.c_size_t] + [ctypes.c_void_p] * 10

    def run(
        self,
        weights: Codes,
        activations: Codes,
        last: NDArray[np.bool_] | None = None,
        valid: NDArray[np.bool_] | None = None,
    ) -> BulkResult:
        """Run steps, one per clock cycle, from reset.

        Parameters
        ----------
        weights, activations
            Codes, shape (steps, lanes).
        last
            Which steps end a sum; none by default.
        valid
            Which cycles are steps at all; all by default.

        Raises
        ------
        ValueError
            If a shape is wrong.

        """
        design, count = self.design, len(weights)
        inputs: list[NDArray[Any] | None] = [
            _codes(weights, design.weight.bits, design, count, "weights"),
            _codes(activations, design.activation.bits, design, count, "activations"),
            None if valid is None else _flags(valid, count, "valid"),
            None if last is None else _flags(last, count, "last"),
        ]
        result = BulkResult(
            np.zeros((count, -(-design.accumulator_bits // 64)), np.uint64),
            np.empty(count, np.uint8),
            np.zeros(count, np.uint8),
            np.zeros(count, np.uint16),
        )
        outputs: list[NDArray[Any]] = [
            result.total,
            result.total_valid,
            result.flag_bits,
            result.exponent,
        ]
        if count:
            begin, length = cut_streams(count, last, valid)
            arrays = (begin, length, *inputs, *outputs)
            self._run(int(length.max()), *(None if a is None else a.ctypes.data for a in arrays))
        return result

    def check(
        self, steps: Steps, model: Model = run_steps, idle: NDArray[np.bool_] | None = None
    ) -> tuple[int, Mismatch | None]:
        """Return how many steps differ from the golden model, and the first difference.

        Where `idle` is true the operands are on the inputs but ``valid`` is low.
        """
        valid = np.ones(len(steps), np.bool_) if idle is None else ~idle
        seen = self.run(*_arguments(steps), valid)
        taken = Steps(steps.weight[valid], steps.activation[valid], steps.last[valid])
        return compare(
            self.design, seen.where(valid), model(self.design, *_arguments(taken)), taken
        )


def compare(
    design: Design, seen: BulkResult, shown: Outputs, steps: Steps
) -> tuple[int, Mismatch | None]:
    """Return how many steps have a wrong bit in any output, and the first difference."""
    pairs: list[tuple[str, NDArray[Any], NDArray[Any]]] = []
    top = design.accumulator_bits % 64
    wanted = shown.total
    if top:
        wanted = wanted.copy()
        wanted[:, -1] &= np.uint64((1 << top) - 1)
    pairs += [(f"total[{64 * k}+]", wanted[:, k], seen.total[:, k]) for k in range(wanted.shape[1])]
    pairs.append(("total_valid", steps.last, seen.total_valid))
    for bit, flag in enumerate(design.flags):
        pairs.append((flag, shown.flags[flag], seen.flag_bits >> bit & 1))
    if design.exponent_bits:
        pairs.append(("exponent", shown.exponent, seen.exponent))
    different = [(name, want, got, want != got) for name, want, got in pairs]
    wrong = np.logical_or.reduce([rows for *_, rows in different])
    if not wrong.any():
        return 0, None
    step = int(np.argmax(wrong))
    name, want, got, _ = next(pair for pair in different if pair[3][step])
    first = Mismatch(f"step {step}", name, f"{int(want[step]):b}", f"{int(got[step]):b}")
    return int(wrong.sum()), first


def check(
    verilog: str, design: Design, vectors: int, seed: int = 1, model: Model = run_steps
) -> Verdict:
    """Compare the library with the golden model: corners, idle cycles, overflow, uniform codes.

    The seconds of the verdict contain making the vectors, simulating, the golden model and
    comparing every output bit; not the compilation. Simulation and golden model overlap.
    """
    if vectors < 1:
        raise ValueError(f"a check needs at least one vector, not {vectors}")
    if isinstance(design, SerialDesign):
        return cycle_bulk.check(verilog, design, vectors, seed)
    bulk, rng = Bulk(verilog, design), np.random.default_rng(seed)
    start = time.perf_counter()
    mixed, idle = _mixed(design, min(vectors, MIXED_STEPS), rng)
    wrong, first = bulk.check(mixed, model, idle)
    done = int((~idle).sum())
    with ThreadPoolExecutor(1) as pool:
        waiting: tuple[Steps, Future[BulkResult]] | None = None
        while done < vectors or waiting:
            coming = None
            if done < vectors:
                steps = uniform_steps(design, min(CHUNK, vectors - done), rng)
                coming = (steps, pool.submit(bulk.run, *_arguments(steps)))
                done += len(steps)
            if waiting:
                shown = model(design, *_arguments(waiting[0]))
                count, found = compare(design, waiting[1].result(), shown, waiting[0])
                wrong, first = wrong + count, first or found
            waiting = coming
    seconds = time.perf_counter() - start
    return Verdict(design.slug, done, wrong, False, done, seconds, _version(), first)


def _version() -> str:
    return f"gates of {yosys.version()}"


def _arguments(steps: Steps) -> tuple[Codes, Codes, NDArray[np.bool_]]:
    return steps.weight, steps.activation, steps.last


def _mixed(design: Design, count: int, rng: np.random.Generator) -> tuple[Steps, NDArray[np.bool_]]:
    """Return corners and biased random steps, some of them idle, and sums beyond the bounds."""
    plain = join([corner_steps(design, rng), random_steps(design, count, rng)], design)
    beyond = overflow_steps(design, rng)
    idle = np.concatenate([rng.random(len(plain)) < 0.2, np.zeros(len(beyond), np.bool_)])
    return join([plain, beyond], design), idle


def _codes(codes: Codes, width: int, design: Design, count: int, what: str) -> NDArray[Any]:
    bits, shape = max(width, design.scale_bits), (count, design.operand_codes)
    if codes.shape != shape:
        raise ValueError(f"{what} must have the shape {shape}, not {codes.shape}")
    roomy = codes.dtype.kind != "u" or 8 * codes.dtype.itemsize > bits
    if roomy and codes.size and not 0 <= codes.min() <= codes.max() < 1 << bits:
        wrong = codes[(codes < 0) | (codes >= 1 << bits)].flat[0]
        raise ValueError(f"{what} lie in 0..{(1 << bits) - 1}, not {wrong}")
    return np.ascontiguousarray(codes, np.uint8 if width <= 8 else np.uint16)


def _flags(flags: NDArray[np.bool_], count: int, what: str) -> NDArray[Any]:
    if flags.shape != (count,):
        raise ValueError(f"{what} must have the shape {(count,)}, not {flags.shape}")
    return np.ascontiguousarray(flags, np.uint8)


def _gate_library(verilog: str, design: Design) -> ctypes.CDLL:
    """Return the library that evaluates gates, 256 streams at a time."""

    def write(folder: Path) -> Path:
        (folder / "gates.cpp").write_text(source(verilog, design))
        return folder / "gates.cpp"

    return load(f"{verilog}\0{Path(bitslice.__file__).read_text()}", write, "-O2")
