"""Floor 2c: accelerators as frozen records: an array of processing elements, buffers, DRAM.

An array takes `lanes` products per processing element (PE) in a pass; rows of PEs lie along the
outputs of a layer, columns along its tokens, and sums stay where they are. A pass lasts as many
cycles as the weight's datatype needs. The shipped ones are those of the BitMoD paper's comparison.

Source: BitMoD, HPCA 2025, arXiv 2411.11745, and the constants of the authors' public program
abdelfattah-lab/BitMoD-HPCA-25. The authors declare a patent application on BitMoD's hardware.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from costmodel.records import checked, nearest, positive, shipped
from costmodel.workload import PHASES, PUBLISHED
from hw.formats.block import BlockFormat
from hw.formats.grammar import parse
from hw.formats.mixture import MixtureFormat

KILOBYTE = 1024
SRAM_WORD_BITS = 64


@dataclass(frozen=True, slots=True)
class Operand:
    """Widths of the stationary operand.

    Parameters
    ----------
    computed_bits
        Width of its datatype, which sets the cycles of a pass.
    dram_bits
        Bits per value in DRAM, what groups share included.
    buffer_bits
        Bits per value in the weight buffer.

    """

    computed_bits: int
    dram_bits: Fraction
    buffer_bits: Fraction


@dataclass(frozen=True, slots=True)
class Precision:
    """Widths of everything in one phase: weights, keys and values, activations."""

    weight: Operand
    cache: Operand
    activation_bits: int

    def of(self, operand: str) -> Operand:
        """Return the widths of "weight" or "cache"."""
        return self.weight if operand == "weight" else self.cache


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy per event.

    Parameters
    ----------
    pe_pj_per_cycle
        Of a processing element in a cycle of computing.
    layout_factor
        By which placement and routing raise it.
    dram_pj_per_bit
        Of DRAM, read or written.
    sram
        Per width of a buffer's port in bits: pJ per read of that width, pJ per write of 64 bits.

    """

    pe_pj_per_cycle: float
    layout_factor: float
    dram_pj_per_bit: float
    sram: Mapping[int, tuple[float, float]]

    def port(self, bits: int) -> tuple[float, float]:
        """Return (pJ per read, pJ per written word); ValueError for a width without figures."""
        if bits not in self.sram:
            raise ValueError(
                f"there are figures for buffer ports of {', '.join(map(str, self.sram))} bits, "
                f"not {bits}"
            )
        read, write = self.sram[bits]
        return read, write


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One accelerator.

    Parameters
    ----------
    name, title
        Name on the command line; name for people.
    lanes
        Products per PE and pass.
    arrays
        Per phase: rows of PEs (along outputs), columns (along tokens).
    cycles
        Pairs (widest weight datatype in bits, cycles of a pass), ascending.
    read_cycles
        Cycles over which a pass reads its operands: a serial PE's ports are that much narrower.
    activation_bits, cache_bits
        Widths of activations; of keys and values.
    weight_buffer_kb, activation_buffer_kb
        Buffers, in units of 1024 bytes.
    dram_bits_per_cycle
        What DRAM transfers in a cycle.
    clock_mhz
        Clock.
    schemes
        By name: bits per weight, group scales included, per phase; a number, or one per network.
    source
        Where the figures come from.
    weights
        Names of the formats its weights may have, without parameters; empty: any that fits.
    energy
        Energy per event, if known.

    """

    name: str
    title: str
    lanes: int
    arrays: Mapping[str, tuple[int, int]]
    cycles: tuple[tuple[int, int], ...]
    read_cycles: int
    activation_bits: int
    cache_bits: int
    weight_buffer_kb: int
    activation_buffer_kb: int
    dram_bits_per_cycle: int
    clock_mhz: int
    schemes: Mapping[str, Mapping[str, Any]]
    source: str
    weights: tuple[str, ...] = ()
    energy: Energy | None = None

    def __post_init__(self) -> None:
        """Reject impossible figures."""
        for field in ("lanes", "read_cycles", "activation_bits", "cache_bits", "clock_mhz"):
            positive(f"{self.name}: {field}", getattr(self, field))
        for field in ("weight_buffer_kb", "activation_buffer_kb", "dram_bits_per_cycle"):
            positive(f"{self.name}: {field}", getattr(self, field))
        if sorted(self.arrays) != sorted(PHASES):
            raise ValueError(f"{self.name}: arrays has the keys {', '.join(PHASES)}")
        for size in (size for array in self.arrays.values() for size in array):
            positive(f"{self.name}: rows and columns", size)
        widths = [bits for bits, _ in self.cycles]
        if not widths or widths != sorted(set(widths)):
            raise ValueError(f"{self.name}: widths of cycles must ascend, not {widths}")

    def pass_cycles(self, bits: int) -> int:
        """Return the cycles of a pass with weights of a width; ValueError if they do not fit."""
        for widest, cycles in self.cycles:
            if bits <= widest:
                return cycles
        raise ValueError(
            f"{self.name} takes weights of up to {self.cycles[-1][0]} bits, not {bits}"
        )

    def ports(self, phase: str, weight_bits: Fraction) -> tuple[int, int]:
        """Return the port widths (weight buffer, activation buffer): what a cycle reads.

        Weights are read in a whole number of 4-bit pieces, as the authors' program has it.
        """
        rows, columns = self.arrays[phase]
        weight = self.lanes * -(-weight_bits // 4) * 4 * rows // self.read_cycles
        return int(weight), self.lanes * self.activation_bits * columns // self.read_cycles

    def precision(self, scheme: str, phase: str, network: str, reading: str) -> Precision:
        """Return the widths under a scheme of its own, or with weights in a format.

        Raises
        ------
        ValueError
            For a scheme that is neither, or has no width for the network.

        """
        computed, bits = self._weight_bits(scheme, phase, network)
        cache = Operand(self.cache_bits, Fraction(self.cache_bits), Fraction(self.cache_bits))
        if reading == PUBLISHED:  # attention like the weights, but 16 bits in DRAM
            cache = Operand(computed, Fraction(self.activation_bits), bits)
        return Precision(Operand(computed, bits, bits), cache, self.activation_bits)

    def _weight_bits(self, scheme: str, phase: str, network: str) -> tuple[int, Fraction]:
        """Return (width of the datatype, bits per weight)."""
        if scheme not in self.schemes:
            return self._format_bits(scheme)
        bits = self.schemes[scheme][phase]
        if isinstance(bits, Mapping):
            if network not in bits:
                raise ValueError(
                    f"the scheme {scheme!r} of {self.name} has no width for {network}: "
                    "name a format of weights instead, such as int4"
                )
            bits = bits[network]
        return int(bits), Fraction(bits)

    def _format_bits(self, name: str) -> tuple[int, Fraction]:
        try:
            format = parse(name)
        except ValueError as error:
            schemes = ", ".join(self.schemes)
            raise ValueError(f"{name!r} is no scheme of {self.name} ({schemes}); {error}") from None
        if self.weights and format.name.partition("<")[0] not in self.weights:
            known = ", ".join(self.weights)
            raise ValueError(f"{self.name} decodes weights in {known}, not {format.name}")
        if isinstance(format, MixtureFormat):
            return format.codebooks[0].bits, format.bits_per_element
        if isinstance(format, BlockFormat):
            return format.element.bits, format.bits_per_element
        return format.bits, Fraction(format.bits)


@cache
def accelerators() -> Mapping[str, Accelerator]:
    """Return the shipped accelerators by name."""
    data = shipped("accelerators")
    return {
        name: accelerator_of(name, data["common"] | record)
        for name, record in data["accelerators"].items()
    }


def find(name: str) -> Accelerator:
    """Return a shipped accelerator; ValueError with the nearest name if there is none."""
    known = accelerators()
    if name not in known:
        raise ValueError(f"there is no accelerator {name!r}; {nearest(name, known)}")
    return known[name]


def accelerator_of(name: str, record: Mapping[str, Any]) -> Accelerator:
    """Return an accelerator from its record; ValueError for keys unknown or missing, or values."""
    try:
        plain = dict(record)
        plain["arrays"] = {phase: _pair(size) for phase, size in record.get("arrays", {}).items()}
        plain["weights"] = tuple(record.get("weights", ()))
        plain["cycles"] = tuple(_pair(pair) for pair in record.get("cycles", ()))
        if plain.get("energy") is not None:
            energy = dict(plain["energy"])
            energy["sram"] = {bits: _pair(pair) for bits, pair in energy.get("sram", {}).items()}
            plain["energy"] = checked(Energy, energy)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"accelerator {name}: {error}") from None
    return checked(Accelerator, plain, name=name)


def _pair(values: Any) -> tuple[Any, Any]:
    if not isinstance(values, list | tuple) or len(values) != 2:
        raise ValueError(f"a pair of numbers is wanted, not {values!r}")
    return values[0], values[1]
