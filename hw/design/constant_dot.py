"""Floor 1a: dot products with constant weights: filters, layers whose weights never change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hw.design.base import MAXIMUM_LANES
from hw.design.checks import within
from hw.design.operands import signed_bits
from hw.design.serial import Ports, SerialDesign
from hw.formats import FixedFormat, Format, parse_element

MOST_OUTPUTS = 64
MOST_WEIGHTS = 4096
WEIGHT_BITS = 16
WEIGHT = FixedFormat(WEIGHT_BITS, WEIGHT_BITS)
Weights = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstantDot(SerialDesign):
    """``total[o] = Σ weights[o][i]·activation[i]``, with weights that are part of the hardware.

    Parameters
    ----------
    constants
        Whole numbers of at most 16 bits with a sign, one row per output, as many in each as there
        are activations; not all of them 0.
    activation
        Integers or fixed point, at most 16 bits.

    Notes
    -----
    Ports, beside ``clk``: `rst` (synchronous; it clears `total_valid`), `valid`, `activation`
    (lane i in bits ``[i·w +: w]``); `total` (output o in bits ``[o·t +: t]``, all as wide as the
    widest, two's complement), `total_valid`. `total` is that of the activations one cycle before,
    and `total_valid` says whether they were valid. Latency 1 cycle, initiation interval 1; totals
    are exact and nothing overflows.

    """

    kind: ClassVar[str] = "constdot"
    keys: ClassVar[tuple[str, ...]] = ("weights", "activation")

    staged: ClassVar[bool] = True

    weight: Format = WEIGHT
    constants: Weights

    def __post_init__(self) -> None:
        """Reject weights and activations that cannot be."""
        if not isinstance(self.activation, FixedFormat):
            raise ValueError(
                f"activations of constant weights are integers or fixed point, such as int8, not "
                f"{self.activation}"
            )
        if self.activation.bits > WEIGHT_BITS or (
            self.activation.signed and self.activation.bits == 1
        ):
            raise ValueError(
                f"activations have 1 to {WEIGHT_BITS} bits, signed ones at least 2, not "
                f"{self.activation}"
            )
        widths = {len(row) for row in self.constants}
        if len(widths) != 1:
            raise ValueError(
                f"every output has as many weights, not {', '.join(map(str, sorted(widths)))}"
            )
        within("outputs", len(self.constants), 1, MOST_OUTPUTS)
        within("weights of an output", self.lanes, 1, MAXIMUM_LANES)
        within("weights", len(self.constants) * self.lanes, 1, MOST_WEIGHTS)
        reach = 1 << (WEIGHT_BITS - 1)
        for weight in (weight for row in self.constants for weight in row):
            within("weight", weight, -reach, reach - 1)
        if not any(map(any, self.constants)):
            raise ValueError("constant weights are not all 0")

    @property
    def lanes(self) -> int:
        """Activations."""
        return len(self.constants[0])

    @property
    def outputs(self) -> int:
        """Totals."""
        return len(self.constants)

    @property
    def total_bits(self) -> int:
        """Width of one total: the widest needs it."""
        low, high = self.activation.minimum_integer, self.activation.maximum_integer
        found = 1
        for row in self.constants:
            ends = [sorted((w * low, w * high)) for w in row]
            found = max(found, signed_bits(sum(e[0] for e in ends), sum(e[1] for e in ends)))
        return found

    @property
    def input_fields(self) -> Ports:
        """Inputs but the clock."""
        return (("rst", 1), ("valid", 1), ("activation", self.activation.bits * self.lanes))

    @property
    def output_fields(self) -> Ports:
        """Totals, and whether they count."""
        return (("total", self.total_bits * self.outputs), ("total_valid", 1))

    @property
    def slug(self) -> str:
        """Name of the module and of its files; eight digits stand for the weights."""
        text = ";".join(",".join(map(str, row)) for row in self.constants)
        mark = hashlib.sha256(text.encode()).hexdigest()[:8]
        size = f"{self.lanes}x{self.outputs}" if self.outputs > 1 else f"{self.lanes}"
        return f"constdot{size}_{self.activation.slug}_{mark}{self._stages_slug()}"

    def to_record(self) -> dict[str, Any]:
        """Return the design as plain JSON values; `from_record` gives it back."""
        record = {
            "kind": self.kind,
            "weights": [list(row) for row in self.constants],
            "activation": self.activation.name,
        }
        return self._with_stages(record)

    @classmethod
    def from_keys(cls, record: Mapping[str, Any]) -> Self:
        """Return the design of a record; errors as for `hw.design.from_record`.

        Weights are a list of numbers, a list of such lists, or text: numbers with commas or spaces
        between, outputs with semicolons or line ends between.
        """
        if record.get("weights") is None:
            raise ValueError("a constdot needs its weights, such as 3,-5,7")
        if record.get("activation") is None:
            raise ValueError("a constdot needs its activation format, such as int8")
        activation = parse_element(str(record["activation"]))
        return cls(constants=_weights(record["weights"]), activation=activation)


def _weights(given: object) -> Weights:
    """Return weights from what a record or a command line says."""
    if isinstance(given, str):
        lines = given.replace("\n", ";").split(";")
        given = [line.replace(",", " ").split() for line in lines if line.strip()]
    if isinstance(given, int):
        given = [given]
    if not isinstance(given, Sequence) or not given:
        raise ValueError(f"weights are whole numbers, such as 3,-5,7, not {given!r}")
    rows = given if isinstance(given[0], Sequence) and not isinstance(given[0], str) else [given]
    return tuple(tuple(_whole(weight) for weight in row) for row in rows)


def _whole(weight: object) -> int:
    if isinstance(weight, str):
        try:
            return int(weight, 0)
        except ValueError:
            pass
    if not isinstance(weight, int) or isinstance(weight, bool):
        raise ValueError(f"a weight is a whole number, not {weight!r}")
    return weight
