"""Floor 1a: a tile of BitMoD's processing elements, to the bit.

`rows × columns` elements, output-stationary: column c gets four weights a step, row r four
activations, and element (r, c) adds their products as `hw.design.BitmodPe` does. The terms of a
column's weights are made once, in its term generator, and broadcast to its elements. All columns
have the same datatype, which may change with every group, without a pause; the id of the special
value and the scale belong to each column's group.

At the end of a group its sums are captured, and while the next group accumulates each column
multiplies those of its rows by its scale, one after the other, a bit of the scale per cycle, and
adds them to their outputs: a dequantiser and an accumulator per column, not per element. So a group
must last at least 8 cycles per row; with the paper's 8 rows and groups of 128 it lasts 64, which
FP3 and FP4 just fill. The arithmetic, and every output, is that of separate elements.

Source: BitMoD, HPCA 2025, arXiv 2411.11745, section IV: tiles of 8 × 8, an encoder and an
accumulator per column. There each element has a dequantiser of its own. The authors declare a
patent application for the method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from hw.design.base import MAXIMUM_SIDE
from hw.design.bitmod import CODE_BITS, LANES, SCALE_BITS, BitmodPe
from hw.design.checks import whole, within
from hw.design.serial import Ports
from hw.formats.bitmod_datatypes import SPECIAL_BITS, weight_datatype

ID_BITS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class BitmodTile(BitmodPe):
    """A tile of elements with a term generator, a dequantiser and an accumulator per column.

    Parameters
    ----------
    rows, columns
        Elements, 1 to 64 each way.
    activation, accumulator, group, length, datatypes, specials
        As for one element.

    Ports, beside ``clk`` and ``rst`` (synchronous): `valid`: this cycle processes one term of each
    weight; `weight`: four codes per column, `activation`: four per row, held for all cycles of a
    step; `datatype`, and `special_id` of each column: held for all cycles of a group; `scale` of
    each column: read in the last cycle of a group; `special_write`, `special_index`,
    `special_value` as for one element. `total`: the output of element (r, c) in word
    ``r · columns + c``; `total_valid`, for one cycle, ``8 · rows + 2`` cycles after the last term:
    all of them are finished, and stay until the next group's are added. `fault`, until reset: a
    datatype it does not serve, or a datatype or id that changed in mid-group.
    """

    kind: ClassVar[str] = "bitmodtile"
    keys: ClassVar[tuple[str, ...]] = ("rows", "columns", *BitmodPe.keys)

    rows: int = 8
    columns: int = 8

    def __post_init__(self) -> None:
        """Reject what cannot be built, as for one element, and groups that end too soon."""
        BitmodPe.__post_init__(self)
        within("rows", self.rows, 1, MAXIMUM_SIDE)
        within("columns", self.columns, 1, MAXIMUM_SIDE)
        least = min(weight_datatype(name).cycles for name in self.datatypes) * self.steps
        if least < SCALE_BITS * self.rows:
            raise ValueError(
                f"a column scales its {self.rows} rows in {SCALE_BITS * self.rows} cycles, "
                f"a group of {self.group} lasts {least}: take larger groups or fewer rows"
            )

    @property
    def cores(self) -> int:
        """Elements."""
        return self.rows * self.columns

    @property
    def output_cycles(self) -> int:
        """Edges after which ``total_valid`` rises, counted from that of an output's last term."""
        return SCALE_BITS * self.rows + 1

    @property
    def slug(self) -> str:
        """File and module name."""
        return f"bitmod{self.rows}x{self.columns}_{self.served_slug}"

    @property
    def input_fields(self) -> Ports:
        """Inputs but the clock."""
        return (
            ("rst", 1),
            ("valid", 1),
            ("weight", self.columns * LANES * CODE_BITS),
            ("activation", self.rows * LANES * self.activation.bits),
            ("datatype", 3),
            ("special_id", self.columns * ID_BITS),
            ("scale", self.columns * SCALE_BITS),
            ("special_write", 1),
            ("special_index", 3),
            ("special_value", SPECIAL_BITS),
        )

    @property
    def output_fields(self) -> Ports:
        """Outputs."""
        return (("total", self.cores * self.accumulator_bits), ("total_valid", 1), ("fault", 1))

    @classmethod
    def from_keys(cls, record: Mapping[str, Any]) -> Self:
        """Return the design of a record."""
        element = BitmodPe.from_keys({k: v for k, v in record.items() if k in BitmodPe.keys})
        sizes: dict[str, Any] = {
            key: whole(key, record[key])
            for key in ("rows", "columns")
            if record.get(key) is not None
        }
        return cls(
            activation=element.activation,
            accumulator=element.accumulator,
            group=element.group,
            length=element.length,
            datatypes=element.datatypes,
            specials=element.specials,
            **sizes,
        )

    def to_record(self) -> dict[str, Any]:
        """Return the plain record of the design."""
        sizes = {"kind": self.kind, "rows": self.rows, "columns": self.columns}
        return BitmodPe.to_record(self) | sizes
