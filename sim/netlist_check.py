"""Floor 3: the mapped netlist against the golden model, bit for bit.

It is the netlist whose cells are counted, evaluated by models of the target's cells: neither the
emitted Verilog nor the Verilog models of any simulator take part, so it checks the synthesis too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from hw import yosys
from hw.design import Design, OutputStationaryArray, WeightStationaryArray, from_record
from hw.rtl import Emitted
from sim.expected import Model, core_response, core_words
from sim.golden.vector import run_steps
from sim.netlist import Netlist, Words, netlist_of, pack, unpack
from sim.netlist_source import STREAMS
from sim.ports import Bits, Layout, input_layout, output_layout
from sim.vectors import (
    CoreStimulus,
    Steps,
    corner_steps,
    is_exhaustive,
    join,
    overflow_steps,
    pair_steps,
    random_steps,
    uniform_steps,
)
from sim.verdict import Mismatch, Verdict

DEFAULT_VECTORS = 100_000
BATCH = 64 * STREAMS
MIXED_STEPS = 8000
LONGEST_STREAM = 2000
IDLE_SHARE = 0.15


def check(
    emitted: Emitted,
    target: str = "",
    vectors: int = DEFAULT_VECTORS,
    seed: int = 1,
    model: Model = run_steps,
) -> Verdict:
    """Compare the mapped netlist of an emitted design with the golden model.

    Every pair of codes of a MAC with at most 16 operand bits, else at least `vectors` steps:
    corners, biased random, sums beyond the accumulator where these are short, uniform codes; with
    idle cycles between, each stream after a reset. The seconds contain all but synthesis.

    Raises
    ------
    ValueError
        For an array, whose streams wait for each other (check its cell, a MAC); as `netlist_of`.
    hw.errors.MissingTool
        If Yosys or the C++ compiler is missing.

    """
    design = from_record(emitted.record["design"])
    latency = int(emitted.record["latency_cycles"])
    return check_netlist(netlist_of(emitted, target), design, latency, vectors, seed, model)


def check_netlist(
    netlist: Netlist,
    design: Design,
    latency: int = 1,
    vectors: int = DEFAULT_VECTORS,
    seed: int = 1,
    model: Model = run_steps,
) -> Verdict:
    """Compare a netlist with the golden model of a design; parameters and errors as `check`."""
    if isinstance(design, OutputStationaryArray):
        raise ValueError(f"of an array the cell is checked, a mac; not the whole {design.slug}")
    if isinstance(design, WeightStationaryArray):
        raise ValueError(
            f"of an array a column is checked, a dot of {design.lanes} lanes; not the whole "
            f"{design.slug}"
        )
    if vectors < 1:
        raise ValueError(f"a check needs at least one vector, not {vectors}")
    start = time.perf_counter()
    wrong = done = cycles = 0
    first: Mismatch | None = None
    for number, batch in enumerate(_batches(design, vectors, np.random.default_rng(seed))):
        stimulus = _stimulus(batch, design, latency, np.random.default_rng((seed, number)))
        count, found = _differences(netlist, design, stimulus, len(batch), latency, number, model)
        wrong, first, cycles = wrong + count, first or found, cycles + stimulus.cycles
        done += len(stimulus.steps)
    seconds = time.perf_counter() - start
    tool = f"mapped netlist of {yosys.version()}"
    return Verdict(design.slug, done, wrong, is_exhaustive(design), cycles, seconds, tool, first)


def _batches(design: Design, vectors: int, rng: np.random.Generator) -> Iterator[list[Steps]]:
    """Return lists of at most 512 streams of steps."""
    mixed = join([corner_steps(design, rng), random_steps(design, MIXED_STEPS, rng)], design)
    yield _cut(mixed)
    beyond = overflow_steps(design, rng)
    if 0 < len(beyond) <= LONGEST_STREAM:
        yield [beyond]
    if is_exhaustive(design):
        yield _cut(pair_steps(design, rng))
        return
    done = len(mixed)
    while done < vectors:
        steps = uniform_steps(design, min(BATCH, vectors - done), rng)
        done += len(steps)
        yield _cut(steps)


def _cut(steps: Steps) -> list[Steps]:
    """Return equal pieces, one per stream."""
    size = -(-len(steps) // STREAMS)
    return [
        Steps(steps.weight[i : i + size], steps.activation[i : i + size], steps.last[i : i + size])
        for i in range(0, len(steps), size)
    ]


def _stimulus(
    streams: list[Steps], design: Design, latency: int, rng: np.random.Generator
) -> CoreStimulus:
    """Return all streams in a row, each a reset, its steps with idle cycles between, idle ones."""
    longest = max(map(len, streams))
    length = 1 + round(longest * (1 + IDLE_SHARE)) + latency
    places = []
    for number, steps in enumerate(streams):
        chosen = rng.choice(length - 1 - latency, len(steps), replace=False)
        places.append(number * length + 1 + np.sort(chosen))
    total = length * len(streams)
    reset = np.arange(0, total, length)
    return CoreStimulus(join(streams, design), np.concatenate(places), reset, total, False)


def _differences(
    netlist: Netlist,
    design: Design,
    stimulus: CoreStimulus,
    streams: int,
    latency: int,
    batch: int,
    model: Model,
) -> tuple[int, Mismatch | None]:
    """Return how many cycles have a wrong bit, and the first difference."""
    inputs, outputs = input_layout(design), output_layout(design)
    words = core_words(design, stimulus, seed=batch)
    want = core_response(design, stimulus, model).reshape(streams, -1, outputs.width)
    shown = netlist.run(port_words(netlist, inputs, words, streams))
    got = words_of(shown, netlist, outputs, streams)
    want, got = want[:, : want.shape[1] - latency], got[:, latency:]
    wrong = want != got
    rows = wrong.any(axis=2)
    if not rows.any():
        return 0, None
    stream, cycle = (int(i[0]) for i in np.nonzero(rows))
    column = int(np.argmax(wrong[stream, cycle]))
    port = next(f for f in outputs.fields if column < outputs.column(f.name).stop)
    where = outputs.column(port.name)
    texts = ("".join(map(str, bits[stream, cycle, where])) for bits in (want, got))
    return int(rows.sum()), Mismatch(
        f"batch {batch}, stream {stream}, cycle {cycle}", port.name, *texts
    )


def port_words(netlist: Netlist, layout: Layout, rows: Bits, streams: int) -> Words:
    """Return rows of a layout's bits, stream after stream, as a netlist's inputs."""
    columns = [
        layout.column(name).stop - 1 - place
        for name, bits in netlist.graph.inputs.items()
        for place in range(len(bits))
    ]
    return pack(rows.reshape(streams, -1, layout.width)[:, :, columns])


def words_of(words: Words, netlist: Netlist, layout: Layout, streams: int) -> Bits:
    """Return a netlist's outputs as bits of a layout, shape (streams, cycles, width)."""
    first, places = 0, {}
    for name, bits in netlist.graph.outputs.items():
        places[name], first = first, first + len(bits)
    columns = [
        places[field.name] + place
        for field in layout.fields
        for place in reversed(range(field.width))
    ]
    return unpack(words, streams)[:, :, columns]
