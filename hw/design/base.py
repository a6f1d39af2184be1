"""Floor 1a: what all designs share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from hw.accumulators import (
    DEFAULT_WINDOW_BITS,
    MAXIMUM_ACCUMULATOR_BITS,
    Accumulator,
    AccumulatorKind,
)
from hw.design.checks import one_of, within
from hw.design.operands import (
    adds_shifts,
    largest_shift,
    raises_flags,
    signed_bits,
    significand_bounds,
    without_hardware,
)
from hw.formats import FixedFormat, Format

STRUCTURES = (
    *("auto", "behavioural", "rows", "table", "dsp", "merged", "packed", "compressor"),
    *("baugh-wooley", "khot"),
)
DSP_STRUCTURES = ("dsp", "packed")
"""Structures that use DSP blocks; they are never chosen unasked."""
SPECIALS_POLICIES = ("flag", "ignore")
DEFAULT_ACCUMULATOR = Accumulator.exact()
MAXIMUM_LANES = 1024
MAXIMUM_SIDE = 64
MAXIMUM_PIPELINE = 64
SCALE_BIAS = 127
SCALE_NAN = 255
SCALE_MAXIMUM = 254
"""Codes of E8M0, the scale of an MX block: ``2**(code - 127)``, NaN at 255 (OCP MX v1.0)."""


def chain_lengths(lanes: int) -> tuple[int, ...]:
    """Return the lengths of equal chains of rows for so many lanes."""
    return tuple(length for length in range(1, lanes + 1) if lanes % length == 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """What all designs share: two operand formats, an accumulator and two policies.

    Parameters
    ----------
    weight, activation
        Operand formats, at most 16 bits each.
    accumulator
        See `hw.accumulators.Accumulator`. An exact accumulator wider than 80 bits becomes an
        alignment window of 24 bits for the same number of terms.
    specials
        "flag": NaN and infinite operands contribute 0 and set sticky flags; "ignore": they
        contribute 0 and nothing else.
    structure
        How products are built; "auto" must be resolved before `hw.plan.plan`.
    chain
        Of structure merged: lanes whose rows stand in one chain; 0 leaves it to the plan.
    pipeline
        Stages of registers before the accumulators. The design then does what it does without
        them, reset included, that many cycles later. Those of an array are in its cells.

    """

    kind: ClassVar[str] = ""
    default_accumulator: ClassVar[str] = "exact"

    weight: Format
    activation: Format
    accumulator: Accumulator = DEFAULT_ACCUMULATOR
    specials: str = "flag"
    structure: str = "auto"
    chain: int = 0
    pipeline: int = 0

    def __post_init__(self) -> None:
        """Reject what cannot be built and settle the accumulator."""
        for role, format in (("weight", self.weight), ("activation", self.activation)):
            unbuilt = without_hardware(format)
            if unbuilt and not (role == "weight" and adds_shifts(format)):
                raise ValueError(f"no hardware for {unbuilt} yet: {role} format {format}")
            if format.bits > 16:
                raise ValueError(f"{role} format has at most 16 bits, {format} has {format.bits}")
        one_of("specials", self.specials, SPECIALS_POLICIES)
        one_of("structure", self.structure, STRUCTURES)
        within("pipeline", self.pipeline, 0, MAXIMUM_PIPELINE)
        self._check_chain()
        self._check_carries_specials()
        self._check_shifts()
        if (
            self.accumulator.kind is AccumulatorKind.EXACT
            and self.exact_bits > MAXIMUM_ACCUMULATOR_BITS
        ):
            bits = max(DEFAULT_WINDOW_BITS, self.significand_product_bits)
            window = Accumulator(AccumulatorKind.WINDOW, bits=bits, terms=self.accumulator.terms)
            object.__setattr__(self, "accumulator", window)
        if 0 < self.accumulator.terms < self.lanes:
            raise ValueError(
                f"an accumulator holds the products of one step at least, {self.lanes}, "
                f"not {self.accumulator.terms}"
            )
        if self.is_window and self.accumulator.bits < self.significand_product_bits:
            raise ValueError(
                f"an alignment window holds at least one product of significands, "
                f"{self.significand_product_bits} bits for {self.weight} × {self.activation}, "
                f"not {self.accumulator.bits}"
            )

    def _check_chain(self) -> None:
        if not self.chain:
            return
        if self.structure != "merged":
            raise ValueError(
                f"only merged products stand in chains of rows: chain is 0 with structure "
                f"{self.structure}, not {self.chain}"
            )
        if self.chain < 0 or self.lanes % self.chain:
            near = min(chain_lengths(self.lanes), key=lambda length: abs(length - self.chain))
            raise ValueError(
                f"equal chains of rows divide the {self.lanes} lanes, not {self.chain}: "
                f"the nearest is {near}"
            )

    def _check_shifts(self) -> None:
        """Reject what cannot be a sum of shifted activations where nothing else has hardware."""
        if not without_hardware(self.weight):
            return
        if not isinstance(self.activation, FixedFormat):
            raise ValueError(
                f"weights of {self.weight} shift integers and fixed point, not "
                f"{self.activation}: the nearest activation is int{max(self.activation.bits, 2)}"
            )
        wide = self.accumulator.kind is AccumulatorKind.EXACT
        wide = wide and self.exact_bits > MAXIMUM_ACCUMULATOR_BITS
        if self.is_window or self.is_floating or wide:
            raise ValueError(
                f"sums with weights of {self.weight} are integers of at most "
                f"{MAXIMUM_ACCUMULATOR_BITS} bits: the accumulator is exact, wrap or saturate, "
                f"not {self.accumulator}"
            )

    def _check_carries_specials(self) -> None:
        format = self.accumulator.format
        if format is None or self.specials != "flag" or not self.has_specials:
            return
        if not format.has_specials:
            raise ValueError(
                f"a floating accumulator for operands with specials has NaN, {format} has none: "
                f"choose another or specials ignore"
            )

    @property
    def lanes(self) -> int:
        """Products per accumulator and step."""
        return 1

    @property
    def scale_bits(self) -> int:
        """Bits of the scale each operand brings beside its lanes (0: none)."""
        return 0

    @property
    def operand_codes(self) -> int:
        """Codes each operand of a step is made of: its lanes, and a scale above them."""
        return self.lanes + (self.scale_bits > 0)

    @property
    def cores(self) -> int:
        """Accumulators of the design."""
        return 1

    @property
    def is_window(self) -> bool:
        """Whether products are aligned to a running maximum exponent and cut."""
        return self.accumulator.kind is AccumulatorKind.WINDOW

    @property
    def is_binned(self) -> bool:
        """Whether the sum is kept as one sum for each group of exponents (`hw.design.binned`)."""
        return self.accumulator.kind is AccumulatorKind.BINNED

    @property
    def is_floating(self) -> bool:
        """Whether ``total`` is a code of the accumulator's minifloat, not an integer."""
        return self.accumulator.kind is AccumulatorKind.FLOATING

    @property
    def product_bounds(self) -> tuple[int, int]:
        """Least and greatest product in units of ``2**product_lsb_exponent``."""
        corners = [
            w * a
            for w in (self.weight.minimum_integer, self.weight.maximum_integer)
            for a in (self.activation.minimum_integer, self.activation.maximum_integer)
        ]
        return min(corners), max(corners)

    @property
    def product_bits(self) -> int:
        """Bits of an exact product, sign included."""
        return signed_bits(*self.product_bounds)

    @property
    def product_lsb_exponent(self) -> int:
        """Exponent of the finest step of a product."""
        return self.weight.lsb_exponent + self.activation.lsb_exponent

    @property
    def exact_bits(self) -> int:
        """Width an exact register for this design's term count has."""
        return self.product_bits + self.accumulator.growth_bits

    @property
    def significand_product_bits(self) -> int:
        """Bits of the largest magnitude of a product of significands."""
        low, high = significand_bounds(self.weight)
        weight = max(-low, high)
        low, high = significand_bounds(self.activation)
        return (weight * max(-low, high)).bit_length()

    @property
    def guard_bits(self) -> int:
        """Window only: bits kept below the lowest bit of the largest product."""
        return self.accumulator.bits - self.significand_product_bits if self.is_window else 0

    @property
    def accumulator_bits(self) -> int:
        """Width of ``total``."""
        match self.accumulator.kind:
            case AccumulatorKind.EXACT | AccumulatorKind.BINNED:
                return self.exact_bits
            case AccumulatorKind.WINDOW:
                return self.accumulator.bits + 1 + self.accumulator.growth_bits
        return self.accumulator.bits

    @property
    def largest_exponent(self) -> int:
        """Largest sum of the operands' exponent shifts."""
        return largest_shift(self.weight) + largest_shift(self.activation)

    @property
    def exponent_bits(self) -> int:
        """Width of the ``exponent`` port of a window design (0 without a window)."""
        return max(self.largest_exponent.bit_length(), 1) if self.is_window else 0

    @property
    def lsb_exponent(self) -> int:
        """A sum's value is ``total · 2**lsb_exponent`` (times ``2**exponent`` with a window).

        Of a floating accumulator it says nothing: its totals are codes.
        """
        return self.product_lsb_exponent - self.guard_bits

    @property
    def has_infinity(self) -> bool:
        """Whether an operand can be infinite."""
        return any(getattr(f, "has_infinity", False) for f in (self.weight, self.activation))

    @property
    def has_specials(self) -> bool:
        """Whether an operand can be NaN or infinite."""
        return raises_flags(self.weight) or raises_flags(self.activation)

    @property
    def flags(self) -> tuple[str, ...]:
        """Names of the sticky flags the design has as ports; a floating total carries specials."""
        names: tuple[str, ...] = ("overflow",) if self.accumulator.counts_terms else ()
        return names if self.is_floating else names + self.product_flags

    @property
    def product_flags(self) -> tuple[str, ...]:
        """What products tell of themselves beside their number, whether or not it has ports."""
        if self.specials != "flag" or not self.has_specials:
            return ()
        return ("nan", "pos_inf", "neg_inf") if self.has_infinity else ("nan",)

    @property
    def size_slug(self) -> str:
        """Kind and size, as in ``dot16``."""
        return self.kind

    @property
    def slug(self) -> str:
        """Name of the module and of its files."""
        parts = [self.size_slug, self.weight.slug, self.activation.slug, self.accumulator.slug]
        parts += [self.specials] if self.has_specials and self.specials != "flag" else []
        parts += [self.structure.replace("-", "_")] if self.structure != "auto" else []
        parts += [f"c{self.chain}"] if self.chain else []
        parts += [f"p{self.pipeline}"] if self.pipeline else []
        return "_".join(parts)

    def with_structure(self, structure: str) -> Self:
        """Return the same design with another product structure."""
        return replace(self, structure=structure)

    def to_record(self) -> dict[str, Any]:
        """Return the design as plain JSON values; `from_record` gives it back."""
        return {
            "kind": self.kind,
            "weight": self.weight.name,
            "activation": self.activation.name,
            **self._size_record(),
            "accumulator": self.accumulator.name,
            "specials": self.specials,
            "structure": self.structure,
            **({"chain": self.chain} if self.chain else {}),
            **({"pipeline": self.pipeline} if self.pipeline else {}),
        }

    def _size_record(self) -> dict[str, int]:
        return {}
