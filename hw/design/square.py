"""Floor 1a: sums of squares: norms, variances, distances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hw.accumulators import Accumulator, AccumulatorKind, parse_accumulator
from hw.design.base import MAXIMUM_LANES, Design
from hw.design.checks import whole, within
from hw.design.serial import Ports, SerialDesign
from hw.formats import FixedFormat, parse_element

OPERAND_BITS = 16
MOST_PRODUCTS = 4096
"""Products of bits of all lanes: planning takes seconds beyond."""
SUM_BITS = 62


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareSum(SerialDesign):
    """``total = Σ activation[i]²`` over lanes and steps.

    Parameters
    ----------
    activation
        The operand: integers or fixed point, at most 16 bits.
    lane_count
        Squares per step.
    accumulator
        ``exact[:TERMS]`` or ``wrap:BITS``, as wide as for products of two such operands, at most
        62 bits.

    Notes
    -----
    Ports, beside ``clk``: `rst` (synchronous, to 0), `valid`, `last`, `activation` (lane i in bits
    ``[i·w +: w]``); `total`, `total_valid`, and `overflow` with an exact accumulator. What they
    mean is what it is of a dot product (`hw.design`): `total` shows the sum one cycle after a step,
    `total_valid` that it ended, `overflow` that it left the accumulator. Latency 1 cycle,
    initiation interval 1. In units of the square of the operand's step.

    """

    kind: ClassVar[str] = "square"
    keys: ClassVar[tuple[str, ...]] = ("activation", "lanes", "accumulator")
    staged: ClassVar[bool] = True

    lane_count: int = 1

    def __post_init__(self) -> None:
        """Reject operands and accumulators that cannot be."""
        within("lanes", self.lane_count, 1, MAXIMUM_LANES)
        if not isinstance(self.activation, FixedFormat):
            raise ValueError(
                f"squares are of integers and fixed point, such as int8, not {self.activation}: "
                f"a dot product takes {self.activation} on both sides"
            )
        bits = self.activation.bits
        if bits > OPERAND_BITS or (self.activation.signed and bits == 1):
            raise ValueError(
                f"squared operands have 1 to {OPERAND_BITS} bits, signed ones at least 2, not "
                f"{self.activation}"
            )
        if self.lane_count * bits * (bits + 1) // 2 > MOST_PRODUCTS:
            raise ValueError(
                f"squares have at most {MOST_PRODUCTS} products of bits in a step, "
                f"{MOST_PRODUCTS // (bits * (bits + 1) // 2)} lanes of {self.activation}, not "
                f"{self.lane_count}"
            )
        if self.accumulator.kind not in (AccumulatorKind.EXACT, AccumulatorKind.WRAP):
            raise ValueError(
                f"squares are summed in accumulators exact or wrap:BITS, not {self.accumulator}"
            )
        if 0 < self.accumulator.terms < self.lane_count:
            raise ValueError(
                f"an accumulator holds the squares of one step at least, {self.lane_count}, not "
                f"{self.accumulator.terms}"
            )
        if self.accumulator_bits > SUM_BITS:
            raise ValueError(
                f"sums of squares have at most {SUM_BITS} bits, not {self.accumulator_bits}"
            )

    @property
    def lanes(self) -> int:
        """Squares per step."""
        return self.lane_count

    @property
    def input_fields(self) -> Ports:
        """Inputs but the clock."""
        bits = self.activation.bits * self.lanes
        return (("rst", 1), ("valid", 1), ("last", 1), ("activation", bits))

    @property
    def output_fields(self) -> Ports:
        """The sum, whether it ended, and its flag."""
        flags = tuple((flag, 1) for flag in self.flags)
        return (("total", self.accumulator_bits), ("total_valid", 1), *flags)

    @property
    def slug(self) -> str:
        """Name of the module and of its files."""
        name = f"square{self.lanes}_{self.activation.slug}_{self.accumulator.slug}"
        return name + self._stages_slug()

    def to_record(self) -> dict[str, Any]:
        """Return the design as plain JSON values; `from_record` gives it back."""
        record = {
            "kind": self.kind,
            "activation": self.activation.name,
            "lanes": self.lanes,
            "accumulator": self.accumulator.name,
        }
        return self._with_stages(record)

    @classmethod
    def from_keys(cls, record: Mapping[str, Any]) -> Self:
        """Return the design of a record; errors as for `hw.design.from_record`."""
        if record.get("activation") is None:
            raise ValueError("squares need their operand, such as --activation int8")
        operand = parse_element(str(record["activation"]))
        given = str(record.get("accumulator") or Design.default_accumulator)
        accumulator = parse_accumulator(given)
        if not isinstance(accumulator, Accumulator):
            raise ValueError(f"squares are summed in accumulators exact or wrap:BITS, not {given}")
        lanes = 1 if record.get("lanes") is None else whole("lanes", record["lanes"])
        return cls(weight=operand, activation=operand, accumulator=accumulator, lane_count=lanes)
