"""Floor 2c: whole networks on accelerators: cycles, DRAM traffic and energy, layer by layer.

A layer of `outputs × inputs` weights and `tokens` columns takes
``ceil(inputs / lanes) · ceil(outputs / rows) · ceil(tokens / columns)`` passes, each of the cycles
that the weights' datatype needs. Meanwhile its operands come from DRAM and its results go there;
the layer lasts as long as the slower of the two. If neither operand fits its buffer, one of them is
fetched again for every buffer-full of the other, whichever costs less.

What is left out, as in the source: filling and draining of the array, DRAM latency and row misses
(an access costs its bits), softmax and other functions, and the growth of keys and values while
tokens are generated (each of them attends to `context`).

Source: BitMoD, HPCA 2025, arXiv 2411.11745, and the authors' public program (see
`costmodel.workload` for its two revisions, both of which are reproduced to the cycle).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from costmodel.accelerator import KILOBYTE, SRAM_WORD_BITS, Accelerator, Precision
from costmodel.records import positive
from costmodel.workload import GENERATE, PER_HEAD, PREFILL, MatrixProduct, Transformer

BYTE = 8


@dataclass(frozen=True, slots=True)
class EnergyParts:
    """Energy in pJ: of computing, of reading and writing the buffers, of DRAM."""

    compute_pj: float
    sram_read_pj: float
    sram_write_pj: float
    dram_pj: float

    @property
    def on_chip_pj(self) -> float:
        """Energy without DRAM."""
        return self.compute_pj + self.sram_read_pj + self.sram_write_pj

    @property
    def total_pj(self) -> float:
        """All of it."""
        return self.on_chip_pj + self.dram_pj

    def times(self, number: int) -> EnergyParts:
        """Return the energy of several runs."""
        return EnergyParts(
            self.compute_pj * number,
            self.sram_read_pj * number,
            self.sram_write_pj * number,
            self.dram_pj * number,
        )


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer takes; a product of count n stands for n of them.

    Parameters
    ----------
    product
        The layer.
    passes, compute_cycles
        Passes through the array; cycles of computing.
    stationary_fetches, moving_fetches
        How often the operands are fetched from DRAM.
    dram_bytes
        Bytes to and from DRAM.
    dram_cycles
        Cycles of DRAM, whole ones.
    energy
        None if the accelerator's energies are unknown.

    """

    product: MatrixProduct
    passes: int
    compute_cycles: int
    stationary_fetches: int
    moving_fetches: int
    dram_bytes: int
    dram_cycles: int
    energy: EnergyParts | None

    @property
    def cycles(self) -> int:
        """Cycles of the layer: the slower of computing and DRAM."""
        return max(self.compute_cycles, self.dram_cycles)

    @property
    def bound(self) -> str:
        """What the layer waits for: "compute" or "dram"."""
        return "compute" if self.compute_cycles >= self.dram_cycles else "dram"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a list of layers takes."""

    layers: tuple[LayerCost, ...]
    peak_macs_per_cycle: Fraction

    @property
    def cycles(self) -> int:
        """Cycles, one layer after the other."""
        return sum(layer.cycles * layer.product.count for layer in self.layers)

    @property
    def compute_cycles(self) -> int:
        """Cycles of computing alone."""
        return sum(layer.compute_cycles * layer.product.count for layer in self.layers)

    @property
    def dram_bytes(self) -> int:
        """Bytes to and from DRAM."""
        return sum(layer.dram_bytes * layer.product.count for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(layer.product.macs for layer in self.layers)

    @property
    def utilisation(self) -> float:
        """Share of the array's multiply-accumulates, at the weights' datatype, that are used."""
        return float(self.macs / (self.cycles * self.peak_macs_per_cycle))

    @property
    def energy(self) -> EnergyParts | None:
        """Energy, or None if it is unknown."""
        parts = [layer.energy and layer.energy.times(layer.product.count) for layer in self.layers]
        known = [part for part in parts if part is not None]
        return _sum(known) if len(known) == len(parts) else None


@dataclass(frozen=True, slots=True)
class Run:
    """A prompt, then `generated` single tokens, each of the cost `generate`."""

    prefill: Cost
    generate: Cost | None
    generated: int

    @property
    def cycles(self) -> int:
        """Cycles of prompt and tokens."""
        return self.prefill.cycles + (self.generate.cycles * self.generated if self.generate else 0)

    @property
    def dram_bytes(self) -> int:
        """Bytes to and from DRAM."""
        tokens = self.generate.dram_bytes * self.generated if self.generate else 0
        return self.prefill.dram_bytes + tokens

    @property
    def energy(self) -> EnergyParts | None:
        """Energy, or None if it is unknown."""
        prompt = self.prefill.energy
        if self.generate is None or prompt is None:
            return prompt
        token = self.generate.energy
        return None if token is None else _sum([prompt, token.times(self.generated)])


def run(
    network: Transformer,
    accelerator: Accelerator,
    scheme: str,
    context: int = 256,
    generated: int = 0,
    batch: int = 1,
    reading: str = PER_HEAD,
) -> Run:
    """Return the cost of a prompt of `context` tokens and of `generated` tokens after it.

    Parameters
    ----------
    network, accelerator
        What runs on what.
    scheme
        Of the accelerator, or the name of a format of weights.
    context, generated, batch
        Tokens of the prompt; tokens generated, 0 for a discriminative task; sequences.
    reading
        Of the attention: "per_head" or "published", see `costmodel.workload`.

    Raises
    ------
    ValueError
        For sizes out of range, names that are none, weights the accelerator does not take.

    """
    if not isinstance(generated, int) or generated < 0:
        raise ValueError(f"generated must be a whole number from 0 on, not {generated!r}")

    def phase(name: str) -> Cost:
        products = network.products(name, context, batch, reading)
        precision = accelerator.precision(scheme, name, network.name, reading)
        return cost(products, accelerator, precision, name)

    return Run(phase(PREFILL), phase(GENERATE) if generated else None, generated)


def cost(
    products: Iterable[MatrixProduct], accelerator: Accelerator, precision: Precision, phase: str
) -> Cost:
    """Return the cost of layers with the array of a phase; errors as for `run`."""
    rows, columns = accelerator.arrays[phase]
    cycles = accelerator.pass_cycles(precision.weight.computed_bits)
    peak = Fraction(rows * columns * accelerator.lanes, cycles)
    layers = tuple(layer_cost(product, accelerator, precision, phase) for product in products)
    return Cost(layers, peak)


def layer_cost(
    product: MatrixProduct, accelerator: Accelerator, precision: Precision, phase: str
) -> LayerCost:
    """Return the cost of one layer; errors as for `run`."""
    rows, columns = accelerator.arrays[phase]
    widths = precision.of(product.operand)
    passes = -(-product.inputs // accelerator.lanes) * product.batch
    passes *= -(-product.outputs // rows) * -(-product.tokens // columns)
    compute = passes * accelerator.pass_cycles(widths.computed_bits)
    stationary = product.stationary_words(widths.dram_bits, BYTE)
    moving = product.moving_words(precision.activation_bits, BYTE)
    fetches = refetches(
        stationary,
        moving,
        accelerator.weight_buffer_kb * KILOBYTE,
        accelerator.activation_buffer_kb * KILOBYTE,
    )
    traffic = stationary * fetches[0] + moving * fetches[1]
    traffic += product.result_words(precision.activation_bits, BYTE)
    energy = _energy(product, accelerator, precision, phase, (passes, compute, traffic, fetches))
    dram = traffic * BYTE // accelerator.dram_bits_per_cycle
    return LayerCost(product, passes, compute, *fetches, traffic, dram, energy)


def refetches(
    stationary: int, moving: int, stationary_buffer: int, moving_buffer: int
) -> tuple[int, int]:
    """Return how often the operands are fetched: (stationary, moving), all sizes in bytes.

    Once if either fits its buffer. Else one of them is fetched once and the other for each
    buffer-full of it; of equal traffic, the moving operand is the one fetched again.
    """
    for name, size in (("stationary", stationary_buffer), ("moving", moving_buffer)):
        positive(f"the {name} buffer", size)
    if stationary <= stationary_buffer or moving <= moving_buffer:
        return 1, 1
    again_stationary = -(-moving // moving_buffer)
    again_moving = -(-stationary // stationary_buffer)
    if again_stationary * stationary + moving < again_moving * moving + stationary:
        return again_stationary, 1
    return 1, again_moving


def _energy(
    product: MatrixProduct,
    accelerator: Accelerator,
    precision: Precision,
    phase: str,
    counts: tuple[int, int, int, tuple[int, int]],
) -> EnergyParts | None:
    """Return the energy of one layer; None without figures for the accelerator or its ports."""
    figures, (passes, compute, traffic, fetches) = accelerator.energy, counts
    ports = accelerator.ports(phase, precision.weight.dram_bits)
    if figures is None or any(port not in figures.sram for port in ports):
        return None
    (weight_read, weight_write), (read, write) = map(figures.port, ports)
    rows, columns = accelerator.arrays[phase]
    stored = precision.of(product.operand).buffer_bits
    weights = product.stationary_words(stored, SRAM_WORD_BITS) * fetches[0]
    others = product.moving_words(precision.activation_bits, SRAM_WORD_BITS) * fetches[1]
    others += product.result_words(precision.activation_bits, SRAM_WORD_BITS)
    return EnergyParts(
        figures.pe_pj_per_cycle * figures.layout_factor * rows * columns * compute,
        passes * (weight_read + read),
        weights * weight_write + others * write,
        traffic * BYTE * figures.dram_pj_per_bit,
    )


def _sum(parts: list[EnergyParts]) -> EnergyParts:
    return EnergyParts(
        sum(part.compute_pj for part in parts),
        sum(part.sram_read_pj for part in parts),
        sum(part.sram_write_pj for part in parts),
        sum(part.dram_pj for part in parts),
    )
