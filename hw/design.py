"""Floor 1a: designs as values: what is computed, to the bit, and nothing about how.

One accumulation core underlies all of them: on a clock edge with ``valid`` high,
``sum = accumulator + Σ weight[i]·activation[i]``; ``total`` takes the sum (so it shows the running
sum one cycle later) and the accumulator takes it too, or 0 if ``last`` is high, which ends the sum.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from hw.accumulators import (
    DEFAULT_WINDOW_BITS,
    MAXIMUM_ACCUMULATOR_BITS,
    Accumulator,
    AccumulatorKind,
    AccumulatorMode,
    parse_accumulator,
)
from hw.formats import FixedFormat, Format, MinifloatFormat, Specials, parse_element
from hw.formats.minifloat import MAXIMUM_EXPONENT_BITS

STRUCTURES = ("auto", "behavioural", "rows", "table", "dsp", "merged", "packed")
DSP_STRUCTURES = ("dsp", "packed")
"""Structures that use DSP blocks; they are never chosen unasked."""
SPECIALS_POLICIES = ("flag", "ignore")
OPERAND_SPECIALS = (Specials.FINITE, Specials.FN, Specials.FNUZ, Specials.IEEE)
DEFAULT_ACCUMULATOR = Accumulator.exact()
MAXIMUM_LANES = 1024
MAXIMUM_SIDE = 64
MAXIMUM_PIPELINE = 64
SCALE_BIAS = 127
SCALE_NAN = 255
SCALE_MAXIMUM = 254
"""Codes of E8M0, the scale of an MX block: ``2**(code - 127)``, NaN at 255 (OCP MX v1.0)."""


def signed_bits(low: int, high: int) -> int:
    """Return the bits of the smallest two's complement word that holds low..high."""
    return max((-low - 1).bit_length() if low < 0 else 0, max(high, 0).bit_length()) + 1


def significand_bounds(format: Format) -> tuple[int, int]:
    """Return the least and greatest integer a format multiplies with, before its exponent shift."""
    if isinstance(format, MinifloatFormat):
        top = (1 << format.precision) - 1
        return -top, top
    return format.minimum_integer, format.maximum_integer


def largest_shift(format: Format) -> int:
    """Return the largest exponent shift of a finite code (0 for fixed point)."""
    return max(format.maximum_field, 1) - 1 if isinstance(format, MinifloatFormat) else 0


def without_hardware(format: Format) -> str | None:
    """Return what in a format no operand of a design can have, or None for an operand format.

    Operands are fixed point (signed from 2 bits), or minifloats of 1 to 8 exponent bits with a
    sign, subnormals, the specials of `OPERAND_SPECIALS` and, but for fnuz, a negative zero.
    """
    if isinstance(format, FixedFormat):
        return "signed fixed point of 1 bit" if format.signed and format.bits == 1 else None
    if not isinstance(format, MinifloatFormat):
        return "formats that are neither fixed point nor minifloats"
    wanting = {
        "unsigned minifloats": not format.signed,
        "minifloats of no exponent bits": format.exponent_bits == 0,
        "minifloats of more than 8 exponent bits": format.exponent_bits > MAXIMUM_EXPONENT_BITS,
        "minifloats without subnormals": not format.subnormals,
        "minifloats of P3109's extended domain": format.specials not in OPERAND_SPECIALS,
        "minifloats without a negative zero": not (
            format.negative_zero or format.specials is Specials.FNUZ
        ),
    }
    return next((what for what, absent in wanting.items() if absent), None)


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
    pipeline
        Stages of registers before the accumulators. The design then does what it does without
        them, reset included, that many cycles later. Arrays have none.

    """

    kind: ClassVar[str] = ""
    default_accumulator: ClassVar[str] = "exact"

    weight: Format
    activation: Format
    accumulator: Accumulator = DEFAULT_ACCUMULATOR
    specials: str = "flag"
    structure: str = "auto"
    pipeline: int = 0

    def __post_init__(self) -> None:
        """Reject what cannot be built and settle the accumulator."""
        for role, format in (("weight", self.weight), ("activation", self.activation)):
            unbuilt = without_hardware(format)
            if unbuilt:
                raise ValueError(f"no hardware for {unbuilt} yet: {role} format {format}")
            if format.bits > 16:
                raise ValueError(f"{role} format has at most 16 bits, {format} has {format.bits}")
        _one_of("specials", self.specials, SPECIALS_POLICIES)
        _one_of("structure", self.structure, STRUCTURES)
        _within("pipeline", self.pipeline, 0, MAXIMUM_PIPELINE)
        self._check_carries_specials()
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
            case AccumulatorKind.EXACT:
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
        return self.weight.has_specials or self.activation.has_specials

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
        parts += [self.structure] if self.structure != "auto" else []
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
            **({"pipeline": self.pipeline} if self.pipeline else {}),
        }

    def _size_record(self) -> dict[str, int]:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mac(Design):
    """Multiply-accumulate: one product per step."""

    kind: ClassVar[str] = "mac"


@dataclass(frozen=True, slots=True, kw_only=True)
class DotProduct(Design):
    """Dot product: `lane_count` products per step, added to one accumulator."""

    kind: ClassVar[str] = "dot"
    lane_count: int = 16

    def __post_init__(self) -> None:
        """Reject an impossible number of lanes."""
        _within("lanes", self.lane_count, 1, MAXIMUM_LANES)
        Design.__post_init__(self)

    @property
    def lanes(self) -> int:
        """Products per step."""
        return self.lane_count

    @property
    def size_slug(self) -> str:
        """Kind and lanes, as in ``dot16``."""
        return f"dot{self.lane_count}"

    def _size_record(self) -> dict[str, int]:
        return {"lanes": self.lane_count}


@dataclass(frozen=True, slots=True, kw_only=True)
class MxDotProduct(DotProduct):
    """Dot product of two MX blocks: elements and one scale each, added to a floating accumulator.

    A step adds ``2**(s - 127) · 2**(t - 127) · Σ weight[i]·activation[i]`` for the scale codes s
    and t, rounded once with the accumulator; the sum of a block is one addend, +0 if it is 0. A
    scale of 255 is NaN; with specials ignored it is the number ``2**128``.
    """

    kind: ClassVar[str] = "mxdot"
    default_accumulator: ClassVar[str] = "float:fp32:step"
    lane_count: int = 32

    def __post_init__(self) -> None:
        """Reject what is not a floating accumulator that can be NaN."""
        DotProduct.__post_init__(self)
        if not self.is_floating or self.accumulator.mode is not AccumulatorMode.STEP:
            raise ValueError(
                f"an MX dot product adds to a floating accumulator once per step, such as fp32, "
                f"not to {self.accumulator}"
            )
        format = self.accumulator.format
        if self.specials == "flag" and format is not None and not format.has_specials:
            raise ValueError(
                f"a floating accumulator for scales that can be NaN has NaN, {format} has none: "
                f"choose another or specials ignore"
            )

    @property
    def scale_bits(self) -> int:
        """Bits of an E8M0 scale."""
        return 8

    @property
    def size_slug(self) -> str:
        """Kind and lanes, as in ``mxdot32``."""
        return f"mxdot{self.lane_count}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid(Design):
    """What arrays and tiles share: rows × columns cells, each with an accumulator and its lanes."""

    rows: int = 4
    columns: int = 4
    lane_count: int = 1

    def __post_init__(self) -> None:
        """Reject impossible sides."""
        _within("rows", self.rows, 1, MAXIMUM_SIDE)
        _within("columns", self.columns, 1, MAXIMUM_SIDE)
        _within("lanes", self.lane_count, 1, MAXIMUM_LANES)
        Design.__post_init__(self)

    @property
    def lanes(self) -> int:
        """Products per cell and step."""
        return self.lane_count

    @property
    def cores(self) -> int:
        """Accumulators of the grid."""
        return self.rows * self.columns

    @property
    def size_slug(self) -> str:
        """Kind, sides and lanes (if more than one), as in ``array4x4`` or ``tile2x8x16``."""
        lanes = f"x{self.lane_count}" if self.lane_count > 1 else ""
        return f"{self.kind}{self.rows}x{self.columns}{lanes}"

    def _size_record(self) -> dict[str, int]:
        sides = {"rows": self.rows, "columns": self.columns}
        return sides | ({"lanes": self.lane_count} if self.lane_count > 1 else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStationaryArray(Grid):
    """Systolic array: each of rows × columns cells keeps one sum while operands pass by.

    One operand beat carries `lanes` k: activations ``a[0…rows-1][k]`` and weights
    ``w[k][0…columns-1]``. After the last beat the products ``Σ_k a[r][k]·w[k][c]`` leave row by
    row.
    """

    kind: ClassVar[str] = "array"

    def __post_init__(self) -> None:
        """Refuse pipeline stages: the cells pass operands on from register to register."""
        if self.pipeline:
            raise ValueError(
                f"pipeline stages are for mac, dot and tile; an array has none, not {self.pipeline}"
            )
        Grid.__post_init__(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastTile(Grid):
    """Rows × columns dot products at once: a row's activations and a column's weights are shared.

    A step carries `lanes` k: every cell (r, c) adds ``Σ_k a[r][k]·w[k][c]`` to its sum; all sums
    end together and are shown together.
    """

    kind: ClassVar[str] = "tile"


_CLASSES = (Mac, DotProduct, MxDotProduct, OutputStationaryArray, BroadcastTile)
KINDS: dict[str, type[Design]] = {c.kind: c for c in _CLASSES}
_GRID_KEYS = ("rows", "columns", "lanes")
_SIZE_KEYS = {
    "mac": (),
    "dot": ("lanes",),
    "mxdot": ("lanes",),
    "array": _GRID_KEYS,
    "tile": _GRID_KEYS,
}
_COMMON_KEYS = (
    *("kind", "weight", "activation", "accumulator", "specials", "structure", "pipeline"),
)


def from_record(record: Mapping[str, Any]) -> Design:
    """Return the design a plain record describes (the inverse of `Design.to_record`).

    Missing `activation` means the weight format; other missing keys take their defaults. Keys
    must belong to the design's kind.

    Raises
    ------
    ValueError
        For an unknown key (the nearest is suggested), a missing one, or a value out of range.

    """
    if not isinstance(record, Mapping):
        raise ValueError(f"a design is a mapping of keys to values, not {record!r}")
    kind = record.get("kind")
    _one_of("kind", kind, tuple(KINDS))
    assert isinstance(kind, str)
    allowed = (*_COMMON_KEYS, *_SIZE_KEYS[kind])
    for key in record:
        if key not in allowed:
            raise ValueError(f"design has no key {key!r}{_nearest(str(key), allowed)}")
    if record.get("weight") is None:
        raise ValueError("design needs a weight format")
    sizes = {
        key: _whole(key, record[key]) for key in _SIZE_KEYS[kind] if record.get(key) is not None
    }
    if "lanes" in sizes:
        sizes["lane_count"] = sizes.pop("lanes")
    weight = parse_element(str(record["weight"]))
    activation = parse_element(str(record.get("activation") or record["weight"]))
    settings: dict[str, Any] = {
        key: str(record[key]) for key in ("specials", "structure") if record.get(key)
    }
    if record.get("pipeline") is not None:
        settings["pipeline"] = _whole("pipeline", record["pipeline"])
    usual = KINDS[kind].default_accumulator
    accumulator = parse_accumulator(str(record.get("accumulator") or usual))
    if isinstance(accumulator, FixedFormat):
        accumulator = _fixed_accumulator(accumulator, weight, activation)
    operands: dict[str, Any] = {"weight": weight, "activation": activation, **settings, **sizes}
    return KINDS[kind](accumulator=accumulator, **operands)


def _fixed_accumulator(format: FixedFormat, weight: Format, activation: Format) -> Accumulator:
    step = weight.lsb_exponent + activation.lsb_exponent
    if format.lsb_exponent != step:
        raise ValueError(
            f"an accumulator format has the step of the products, 2^{step} for "
            f"{weight} × {activation}; {format} has 2^{format.lsb_exponent}"
        )
    return Accumulator(AccumulatorKind.SATURATE, bits=format.bits)


def _nearest(word: str, choices: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, choices, n=1)
    return f"; did you mean {near[0]!r}?" if near else f" (keys: {', '.join(choices)})"


def _one_of(what: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{what} is one of {', '.join(choices)}, not {value!r}")


def _within(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{what} lies in {low}..{high}, not {value}")


def _whole(what: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{what} is a whole number, not {value!r}")
    return value
