"""Floor 1a: integer dot products from binary planes, of a precision chosen at run time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hw.accumulators import Accumulator, AccumulatorKind, parse_accumulator
from hw.design.base import MAXIMUM_LANES, MAXIMUM_PIPELINE, MAXIMUM_SIDE
from hw.design.checks import one_of, whole, within
from hw.design.serial import Ports, SerialDesign
from hw.formats import FixedFormat, Format, parse_element
from hw.formats.integers import BipolarFormat

ORGANISATIONS = ("parallel", "weight-serial", "both-serial")
MAXIMUM_TOTAL_BITS = 64
MAXIMUM_OPERAND_BITS = 16


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over the operands multiplies: a plane of the weights, one of the activations.

    None stands for whole words. `doubles` tells whether what was summed up so far counts twice.
    """

    weight_plane: int | None
    activation_plane: int | None
    doubles: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BitPlane(SerialDesign):
    """Dot products of integers by their binary planes; rows × columns of them share operands.

    A word has planes ``w = Σ ± 2^j w_j``, the highest one negative in two's complement; of a
    bipolar word every plane is +1 or -1. So ``Σ w·a = Σ_ij ± 2^(i+j) Σ_k w_kj·a_ki``, with bits
    that meet in AND, and for bipolar words ``Σ_ij 2^(i+j) (K - 2·popcount(w_j xor a_i))``.

    Parameters
    ----------
    organisation
        "parallel": all planes at once, a chunk of `lanes` products per cycle. "weight-serial"
        (as Stripes): one plane of the weights per cycle meets whole activations. "both-serial" (as
        BISMO): one plane of each per cycle.
    weight, activation
        The widest operands: two's complement, unsigned or bipolar, of at most 16 bits; both
        bipolar, or neither. Operands that come in planes may have any fewer bits, signed or not,
        from dot product to dot product; operands that come whole are re-encoded to the format
        here, which holds what is narrower.
    accumulator
        ``exact:TERMS`` (wide enough for so many products of any operands; it wraps beyond) or
        ``wrap:BITS``, at most 64 bits.
    lane_count
        Products per chunk; even for bipolar operands.
    rows, columns
        Dot products at once: a row shares activations, a column shares weights.

    Notes
    -----
    Ports: ``rst``; ``valid`` (a chunk is on the inputs), ``last`` (it is the last of its pass);
    of operands in planes ``weight_bits`` and ``activation_bits`` (their number of planes, less 1)
    and ``weight_signed``, ``activation_signed``; ``weight`` (column c, lane k in word
    ``c·lanes + k``) and ``activation`` (row r likewise), planes or words. ``total`` (cell (r, c)
    in word ``r·columns + c``) holds the dot products that ended last, ``total_valid`` tells that
    they are new; both are 0 after a reset.

    A dot product is `passes`, one after the other, each over all of its chunks. The precision is
    read at every rising edge at which no dot product is under way or one ends, ``rst`` included:
    what is on the ports at the edge before its first chunk counts, whatever they show later. So
    dot products of different precision follow each other without an idle cycle. Latency 1 cycle
    after the last chunk of the last pass, and one more per pipeline stage; initiation interval 1
    chunk, so a dot product of C chunks takes ``C · len(passes)`` cycles.

    Sources: bipolar-INT, Ma et al., arXiv 2409.17870; BISMO, Umuroglu et al., FPL 2018; Stripes,
    Judd et al., MICRO 2016.

    """

    kind: ClassVar[str] = "bitplane"
    keys: ClassVar[tuple[str, ...]] = (
        *("weight", "activation", "lanes", "rows", "columns", "accumulator", "organisation"),
    )

    staged: ClassVar[bool] = True

    organisation: str = "weight-serial"
    lane_count: int = 16
    rows: int = 1
    columns: int = 1

    def __post_init__(self) -> None:
        """Reject what cannot be built."""
        one_of("organisation", self.organisation, ORGANISATIONS)
        within("rows", self.rows, 1, MAXIMUM_SIDE)
        within("columns", self.columns, 1, MAXIMUM_SIDE)
        within("lanes", self.lane_count, 1, MAXIMUM_LANES)
        for role, format in (("weight", self.weight), ("activation", self.activation)):
            if not isinstance(format, FixedFormat | BipolarFormat):
                raise ValueError(
                    f"planes are those of two's complement, unsigned or bipolar words, not of the "
                    f"{role} format {format}"
                )
            if format.bits > MAXIMUM_OPERAND_BITS:
                raise ValueError(
                    f"{role} format has at most {MAXIMUM_OPERAND_BITS} bits, {format} has "
                    f"{format.bits}"
                )
        if isinstance(self.weight, BipolarFormat) != self.is_bipolar:
            raise ValueError(
                f"bipolar planes meet bipolar planes, not {self.weight} × {self.activation} "
                f"(bipolarN are odd numbers of int{{N+1}})"
            )
        if self.is_bipolar and self.lane_count % 2:
            raise ValueError(f"bipolar operands need an even number of lanes, not {self.lanes}")
        self._check_policies()

    def _check_policies(self) -> None:
        if self.accumulator.kind not in (AccumulatorKind.EXACT, AccumulatorKind.WRAP):
            raise ValueError(
                f"planes are added to an accumulator exact[:TERMS] or wrap:BITS, "
                f"not {self.accumulator}"
            )
        if 0 < self.accumulator.terms < self.lanes:
            raise ValueError(
                f"an accumulator holds the products of one chunk at least, {self.lanes}, "
                f"not {self.accumulator.terms}"
            )
        if self.accumulator_bits > MAXIMUM_TOTAL_BITS:
            raise ValueError(
                f"an accumulator of planes has at most {MAXIMUM_TOTAL_BITS} bits, "
                f"not {self.accumulator_bits}"
            )
        if self.structure != "auto":
            raise ValueError(f"{self.kind} has one structure")
        within("pipeline", self.pipeline, 0, MAXIMUM_PIPELINE)

    @property
    def is_bipolar(self) -> bool:
        """Whether every plane is +1 or -1."""
        return isinstance(self.activation, BipolarFormat)

    @property
    def serial_weight(self) -> bool:
        """Whether weights come in planes."""
        return self.organisation != "parallel"

    @property
    def serial_activation(self) -> bool:
        """Whether activations come in planes."""
        return self.organisation == "both-serial"

    @property
    def lanes(self) -> int:
        """Products per chunk."""
        return self.lane_count

    @property
    def cores(self) -> int:
        """Dot products at once."""
        return self.rows * self.columns

    @property
    def flags(self) -> tuple[str, ...]:
        """There are none: totals wrap."""
        return ()

    @property
    def product_bounds(self) -> tuple[int, int]:
        """Least and greatest product of any operands, of both signednesses if in planes."""
        weights = _reach(self.weight, self.serial_weight)
        activations = _reach(self.activation, self.serial_activation)
        corners = [w * a for w in weights for a in activations]
        return min(corners), max(corners)

    def passes(self, weight_bits: int, activation_bits: int) -> tuple[Pass, ...]:
        """Return the passes of a dot product of so many bits, in their order.

        Planes of one operand come highest first; planes of both by falling ``i + j``, and there by
        falling plane of the activations.
        """
        if self.organisation == "parallel":
            return (Pass(None, None, False),)
        if self.organisation == "weight-serial":
            planes = range(weight_bits - 1, -1, -1)
            return tuple(Pass(plane, None, plane < weight_bits - 1) for plane in planes)
        found = []
        highest = weight_bits + activation_bits - 2
        for place in range(highest, -1, -1):
            first = min(place, activation_bits - 1)
            for i in range(first, max(place - weight_bits + 1, 0) - 1, -1):
                found.append(Pass(place - i, i, i == first and place < highest))
        return tuple(found)

    def check_operands(self, weight: Format, activation: Format) -> None:
        """Raise ValueError unless the hardware serves these formats in one dot product."""
        roles = (
            ("weight", weight, self.weight, self.serial_weight),
            ("activation", activation, self.activation, self.serial_activation),
        )
        for role, format, widest, serial in roles:
            if isinstance(format, BipolarFormat) != self.is_bipolar or not isinstance(
                format, FixedFormat | BipolarFormat
            ):
                raise ValueError(f"{role} format {format} has no planes like those of {widest}")
            if format.lsb_exponent != widest.lsb_exponent:
                raise ValueError(f"{role} format {format} has another step than {widest}")
            if format.bits > widest.bits if serial else not _holds(widest, format):
                raise ValueError(
                    f"{self.slug} is built for {role}s up to {widest}, {format} is beyond"
                )

    @property
    def input_fields(self) -> Ports:
        """Inputs but the clock; see the notes."""
        fields = [("rst", 1), ("valid", 1), ("last", 1)]
        operands = (
            ("weight", self.weight, self.serial_weight, self.columns),
            ("activation", self.activation, self.serial_activation, self.rows),
        )
        for name, format, serial, _ in operands:
            if serial and format.bits > 1:
                fields.append((f"{name}_bits", (format.bits - 1).bit_length()))
            if serial and not self.is_bipolar:
                fields.append((f"{name}_signed", 1))
        for name, format, serial, copies in operands:
            fields.append((name, copies * self.lanes * (1 if serial else format.bits)))
        return tuple(fields)

    @property
    def output_fields(self) -> Ports:
        """Outputs; see the notes."""
        return (("total_valid", 1), ("total", self.accumulator_bits * self.cores))

    @property
    def slug(self) -> str:
        """Name of the module and of its files."""
        sides = f"{self.rows}x{self.columns}x" if self.cores > 1 else ""
        name = f"bitplane{sides}{self.lanes}_{self.organisation.replace('-', '_')}"
        return (
            "_".join(
                (name, self.weight.slug, self.activation.slug, self.accumulator.slug),
            )
            + self._stages_slug()
        )

    def to_record(self) -> dict[str, Any]:
        """Return the design as plain JSON values; `from_record` gives it back."""
        sides = {"rows": self.rows, "columns": self.columns} if self.cores > 1 else {}
        record = {
            "kind": self.kind,
            "organisation": self.organisation,
            "weight": self.weight.name,
            "activation": self.activation.name,
            "lanes": self.lanes,
            **sides,
            "accumulator": self.accumulator.name,
        }
        return self._with_stages(record)

    @classmethod
    def from_keys(cls, record: Mapping[str, Any]) -> Self:
        """Return the design of a record; errors as for `hw.design.from_record`."""
        if record.get("weight") is None:
            raise ValueError("design needs a weight format")
        accumulator = parse_accumulator(str(record.get("accumulator") or cls.default_accumulator))
        if not isinstance(accumulator, Accumulator):
            raise ValueError(f"planes are added to exact[:TERMS] or wrap:BITS, not {accumulator}")
        names = {"lanes": "lane_count", "rows": "rows", "columns": "columns"}
        sizes = {
            field: whole(key, record[key])
            for key, field in names.items()
            if record.get(key) is not None
        }
        organisation = record.get("organisation")
        if record.get("accumulator") is None and "lane_count" in sizes:
            accumulator = Accumulator.exact(max(accumulator.terms, sizes["lane_count"]))
        settings: dict[str, Any] = {**sizes, "accumulator": accumulator}
        if organisation is not None:
            settings["organisation"] = str(organisation)
        weight = parse_element(str(record["weight"]))
        activation = parse_element(str(record.get("activation") or record["weight"]))
        return cls(weight=weight, activation=activation, **settings)


def _reach(format: Format, either: bool) -> tuple[int, int]:
    """Return the range of a format, or of both signednesses of its width."""
    if either and isinstance(format, FixedFormat):
        return -(1 << (format.bits - 1)), (1 << format.bits) - 1
    return format.minimum_integer, format.maximum_integer


def _holds(widest: Format, format: Format) -> bool:
    """Whether a format's numbers are among those of another."""
    low, high = widest.minimum_integer, widest.maximum_integer
    return low <= format.minimum_integer and format.maximum_integer <= high
