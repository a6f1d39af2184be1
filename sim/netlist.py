"""Floor 3: mapped netlists simulated, 512 streams at a time, and their toggles counted.

The netlist is the one that is counted as area: what Yosys left after mapping, flattened. It is
evaluated without delays, a cycle at a time, so that a net toggles at most once per cycle: glitches
are not seen (see `costmodel.energy` for what that means to energy).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.design import DSP_STRUCTURES
from hw.mapped import mapped_netlist
from hw.rtl import Emitted
from sim.library import load
from sim.netlist_graph import Graph, graph_of
from sim.netlist_parts import Kind
from sim.netlist_program import Compiled, compile_graph
from sim.netlist_source import STREAMS, compiled, interpreter

Words = NDArray[np.uint64]
"""Bits of streams: shape (cycles, nets, 8), stream ``s`` in bit ``s % 64`` of word ``s // 64``."""
WORDS = STREAMS // 64


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """Toggles of every net, in the order of `Graph.nets`.

    Parameters
    ----------
    toggles
        Changes between consecutive cycles, over all streams.
    high
        Cycles at which the net is 1, over all streams.
    cycles
        Cycles counted, over all streams.

    """

    toggles: Words
    high: Words
    cycles: int

    def __add__(self, other: Activity) -> Activity:
        return Activity(
            self.toggles + other.toggles, self.high + other.high, self.cycles + other.cycles
        )

    def per_cycle(self, graph: Graph) -> dict[Kind, float]:
        """Return the toggles per cycle of all nets of each kind."""
        kinds = np.array(graph.kinds)
        return {kind: float(self.toggles[kinds == kind].sum()) / self.cycles for kind in Kind}


class Netlist:
    """A mapped netlist that can be run.

    Parameters
    ----------
    module
        The flat top module of Yosys' JSON (`hw.mapped.mapped_netlist`).
    native
        Whether it is compiled for itself, for runs of more than some 10⁸ vectors; else one library
        serves all netlists.

    Raises
    ------
    ValueError
        As `sim.netlist_graph.graph_of`.
    hw.errors.MissingTool
        If the C++ compiler is missing, once it runs.

    """

    def __init__(self, module: Mapping[str, Any], native: bool = False) -> None:
        self.graph = graph_of(module)
        self.native = native
        self._program = compile_graph(self.graph)
        self._function: Any = None

    def run(self, inputs: Words) -> Words:
        """Return the outputs in every cycle, from power-up; before the cycle's rising edge.

        Parameters
        ----------
        inputs
            Shape (cycles, input bits, 8), in the order of `Graph.inputs`.

        Returns
        -------
        Shape (cycles, output bits, 8), in the order of `Graph.outputs`.

        """
        return self._run(inputs, 0, False)[0]

    def count(self, inputs: Words, skipped: int = 0) -> tuple[Words, Activity]:
        """Return the outputs as `run`, and the toggles of cycles after the first `skipped` + 1."""
        return self._run(inputs, skipped, True)

    def _run(self, inputs: Words, skipped: int, count: bool) -> tuple[Words, Activity]:
        program, cycles = self._program, len(inputs)
        bits = len(program.inputs)
        if inputs.ndim != 3 or inputs.shape[1:] != (bits, WORDS):
            raise ValueError(f"inputs have the shape (cycles, {bits}, {WORDS}), not {inputs.shape}")
        if count and not 0 <= skipped < cycles - 1:
            raise ValueError(f"{cycles} cycles leave none to count after the first {skipped + 1}")
        given = np.ascontiguousarray(inputs, np.uint64)
        outputs = np.empty((cycles, len(program.outputs), WORDS), np.uint64)
        found = np.zeros((2, program.nets), np.uint64)
        counted = found if count else (None, None)
        failed = self._library()(*_arguments(program, cycles, skipped, given, outputs, *counted))
        if failed:
            raise MemoryError(f"no memory for the {program.places} words of a netlist")
        return outputs, Activity(found[0], found[1], (cycles - 1 - skipped) * STREAMS)

    def _library(self) -> Any:
        if self._function is None:
            text = compiled(self._program) if self.native else interpreter()
            self._function = _load(text).run
            self._function.restype = ctypes.c_int
        return self._function


def _arguments(program: Compiled, *rest: int | Words | None) -> Iterator[Any]:
    """Return the arguments of ``run``, in its order."""
    p = program
    arrays = (p.inputs, p.outputs, p.registers)
    yield from (ctypes.c_size_t(len(p.operations)), _pointer(p.operations))
    yield from (ctypes.c_size_t(p.places), ctypes.c_size_t(p.nets))
    for array in arrays:
        yield from (ctypes.c_size_t(len(array)), _pointer(array))
    yield from (_pointer(p.following), _pointer(p.initial))
    for value in rest:
        yield ctypes.c_size_t(value) if isinstance(value, int) else _pointer(value)


def _pointer(array: NDArray[Any] | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(None if array is None else array.ctypes.data)


def _load(text: str) -> ctypes.CDLL:
    def write(folder: Path) -> Path:
        (folder / "netlist.cpp").write_text(text)
        return folder / "netlist.cpp"

    return load(text, write, "-O1")


def netlist_of(emitted: Emitted, target: str = "", native: bool = False) -> Netlist:
    """Return the mapped netlist of an emitted design.

    Parameters
    ----------
    emitted
        The design.
    target
        Where to map it: its own target by default; ``gates`` for plain gates.
    native
        As for `Netlist`.

    Raises
    ------
    ValueError
        If Yosys refuses it, or it has a cell without a model (as DSP blocks).
    hw.errors.MissingTool
        If Yosys is missing.

    """
    record = emitted.record
    name = target or str(record["target"]).partition(":")[0]
    dsp = record["design"].get("structure") in DSP_STRUCTURES
    return Netlist(mapped_netlist(emitted.verilog, emitted.top, name, dsp=dsp), native)


def pack(bits: NDArray[np.uint8]) -> Words:
    """Return streams of bits as words.

    Parameters
    ----------
    bits
        Zeros and ones, shape (streams, cycles, nets); at most 512 streams, the others are 0.

    """
    streams, cycles, nets = bits.shape
    if streams > STREAMS:
        raise ValueError(f"a run has at most {STREAMS} streams, not {streams}")
    packed = np.packbits(np.ascontiguousarray(bits.transpose(1, 2, 0)), axis=2, bitorder="little")
    found = np.zeros((cycles, nets, STREAMS // 8), np.uint8)
    found[:, :, : packed.shape[2]] = packed
    return found.view("<u8").astype(np.uint64, copy=False)


def unpack(words: Words, streams: int = STREAMS) -> NDArray[np.uint8]:
    """Return words as bits of shape (streams, cycles, nets): the inverse of `pack`."""
    spread = np.unpackbits(words.astype("<u8").view(np.uint8), axis=2, bitorder="little")
    return np.ascontiguousarray(spread[:, :, :streams].transpose(2, 0, 1))
