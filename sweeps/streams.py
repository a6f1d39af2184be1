"""Floor 4. Operand streams: what a design is fed when its energy is measured.

uniform
    Every code that is a number, each as likely, independent from step to step.
gaussian
    Normal values rounded to the format, independent; the standard deviation is a quarter of the
    format's largest value for integers and fixed point, and 1/16 for formats with exponents (whose
    grid is for tails); magnitudes where a format has no sign. What the format cannot reach
    saturates.
digits
    The trained digits network: weights of each layer at their scale per output channel, and the
    inputs that the layer sees in float inference on held-out images, at the layer's scale. One
    output at a time: first its terms, a step's lanes at a time, then the next position of the
    image with the same weights. Layers get streams in proportion to their multiplications.

Scales of MX blocks, beside random elements: 127 and a normal deviate of `SCALE_SIGMA` rounded, new
for every 32 products.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.design import SCALE_BIAS, Design, Grid
from hw.formats import FixedFormat, Format, Special
from sim.golden import encode
from sim.netlist_source import STREAMS
from sim.ports import operand_words
from sweeps import datasets, models
from sweeps.quantize import find_method

NAMES = ("uniform", "gaussian", "digits")
CYCLES = 65
"""Steps per stream: the first shows nothing, for a toggle takes two."""
SUM_PRODUCTS = 64
"""Products per sum of random streams."""
INTEGER_SIGMA, EXPONENT_SIGMA = 1 / 4, 1 / 16
BLOCK = 32
"""Products that share a scale."""
SCALE_SIGMA = 2
IMAGES = 24
METHOD = "max"

Codes = npt.NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class OperandStream:
    """Steps of many streams.

    Parameters
    ----------
    name
        As on the command line.
    weight, activation
        Codes, shape (streams, steps, words).
    last
        Whether a step ends its sum, shape (streams, steps).

    """

    name: str
    weight: Codes
    activation: Codes
    last: npt.NDArray[np.bool_]


def operand_stream(
    design: Design,
    name: str,
    seed: int = 1,
    streams: int = STREAMS,
    cycles: int = CYCLES,
    layer: str = "",
) -> OperandStream:
    """Return the steps that a design is fed.

    Parameters
    ----------
    design
        What is fed; without scales of blocks.
    name
        "uniform", "gaussian" or "digits".
    seed
        The same seed gives the same stream.
    streams, cycles
        How many, and how long.
    layer
        Of digits: one layer only.

    Raises
    ------
    ValueError
        If there is no such stream or layer, the design has scales and the stream is the network's
        (which is not cut into blocks), or its weights have no place in an unsigned format.

    """
    if name not in NAMES:
        raise ValueError(f"a stream is one of {', '.join(NAMES)}, not {name!r}")
    if layer and name != "digits":
        raise ValueError(f"layers are of the stream digits, not of {name}")
    rng = np.random.default_rng(seed)
    if name == "digits" and design.scale_bits:
        raise ValueError(f"the stream digits has no scales of blocks, which {design.slug} needs")
    if name == "digits":
        return _digits(design, rng, streams, cycles, layer)
    drawn = [
        _random_codes(format, name, (streams, cycles, words), rng)
        for format, words in zip(
            (design.weight, design.activation), operand_words(design), strict=True
        )
    ]
    if design.scale_bits:
        for codes in drawn:
            codes[:, :, -1] = _scales(rng, streams, cycles, design.lanes)
    steps = max(1, SUM_PRODUCTS // design.lanes)
    last = np.broadcast_to(np.arange(cycles) % steps == steps - 1, (streams, cycles))
    return OperandStream(name, drawn[0], drawn[1], last)


def _scales(rng: np.random.Generator, streams: int, cycles: int, lanes: int) -> Codes:
    """Return codes of E8M0, the same for a block of products."""
    steps = max(1, BLOCK // lanes)
    drawn = rng.standard_normal((streams, -(-cycles // steps))) * SCALE_SIGMA
    return np.repeat(np.rint(drawn) + SCALE_BIAS, steps, axis=1)[:, :cycles].astype(np.uint16)


def _random_codes(
    format: Format, name: str, shape: tuple[int, ...], rng: np.random.Generator
) -> Codes:
    if name == "uniform":
        return rng.choice(number_codes(format), size=shape)
    return gaussian_codes(format, rng.standard_normal(shape))


@cache
def number_codes(format: Format) -> Codes:
    """Return the codes of a format that are numbers."""
    numbers = (c for c in range(1 << format.bits) if not isinstance(format.special(c), Special))
    return np.array(list(numbers), np.uint16)


def gaussian_codes(format: Format, normal: npt.NDArray[np.float64]) -> Codes:
    """Return standard normal values as codes of a format."""
    share = INTEGER_SIGMA if isinstance(format, FixedFormat) else EXPONENT_SIGMA
    values = normal * (float(format.maximum) * share)
    return encode(values if format.signed else np.abs(values), format).astype(np.uint16)


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Operands of a layer: weights (terms, outputs), inputs (images, positions, terms)."""

    name: str
    macs: int
    matrix: npt.NDArray[np.float64]
    patches: npt.NDArray[np.float64]
    samples: npt.NDArray[np.float64]


@cache
def layers() -> tuple[Layer, ...]:
    """Return the weighted layers of the digits network with their inputs in float inference."""
    network, data = models.load("digits_cnn"), datasets.load_dataset("digits")
    seen = network.trace(data.inputs(data.held_out[:IMAGES]))[0]
    found = []
    for layer in network.weighted:
        given: Any = seen[layer.name]
        inputs = given[0] if isinstance(given, tuple) else given
        patches = layer.patches(inputs).reshape(IMAGES, -1, layer.terms)
        macs = patches.shape[1] * layer.matrix.size
        found.append(Layer(layer.name, macs, layer.matrix, patches, inputs))
    return tuple(found)


def _digits(
    design: Design, rng: np.random.Generator, streams: int, cycles: int, layer: str
) -> OperandStream:
    if not design.weight.signed:
        raise ValueError(f"weights of the digits network are signed, {design.weight} is not")
    chosen = [one for one in layers() if layer in ("", one.name)]
    if not chosen:
        raise ValueError(f"a layer is one of {', '.join(x.name for x in layers())}, not {layer!r}")
    shares = np.cumsum([one.macs for one in chosen]) / sum(one.macs for one in chosen)
    counts = np.diff(np.concatenate([[0], np.round(shares * streams).astype(int)]))
    parts = [
        _layer_steps(design, one, int(count), cycles, rng)
        for one, count in zip(chosen, counts, strict=True)
        if count
    ]
    weight, activation, last = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return OperandStream("digits", weight, activation, last)


def _layer_steps(
    design: Design, layer: Layer, count: int, cycles: int, rng: np.random.Generator
) -> tuple[Codes, Codes, npt.NDArray[np.bool_]]:
    """Return weights, activations and ends of some streams of one layer."""
    weights, patches = coded(design.weight, design.activation, layer)
    terms, lanes = weights.shape[0], design.lanes
    steps = -(-terms // lanes)
    columns, rows = (design.columns, design.rows) if isinstance(design, Grid) else (1, 1)
    padding = steps * lanes - terms
    weights = np.pad(weights, ((0, padding), (0, 0)), constant_values=design.weight.encode(0))
    zero = design.activation.encode(0)
    patches = np.pad(patches, ((0, 0), (0, 0), (0, padding)), constant_values=zero)
    output = rng.integers(weights.shape[1], size=(count, columns))
    image = rng.integers(len(patches), size=(count, rows))
    first = rng.integers(patches.shape[1] * steps, size=count)
    at = first[:, None] + np.arange(cycles)
    step, position = at % steps, at // steps % patches.shape[1]
    lane = step[:, :, None] * lanes + np.arange(lanes)
    weight = weights[lane[:, :, None, :], output[:, None, :, None]]
    activation = patches[image[:, None, :, None], position[:, :, None, None], lane[:, :, None, :]]
    shape = (count, cycles, -1)
    return weight.reshape(shape), activation.reshape(shape), step == steps - 1


@cache
def coded(weight: Format, activation: Format, layer: Layer) -> tuple[Codes, Codes]:
    """Return a layer's weights (terms, outputs) and inputs (images, positions, terms) as codes."""
    method = find_method(METHOD)
    matrix = method.weights(
        layer.matrix, weight, lambda: layer.patches.reshape(-1, len(layer.matrix))
    )
    scale = method.activation_scale(layer.samples, activation)
    return (
        encode(matrix.values, weight).astype(np.uint16),
        encode(layer.patches, activation, scale).astype(np.uint16),
    )


def record(stream: OperandStream) -> dict[str, Any]:
    """Return what a result says of its stream."""
    return {"stream": stream.name, "streams": len(stream.last), "steps": stream.last.shape[1]}
