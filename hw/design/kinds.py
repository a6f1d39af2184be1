"""Floor 1a: the kinds of designs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from hw.accumulators import MAXIMUM_ACCUMULATOR_BITS, AccumulatorMode
from hw.design.base import MAXIMUM_LANES, MAXIMUM_SIDE, Design
from hw.design.bitmod import BitmodPe
from hw.design.bitmod_tile import BitmodTile
from hw.design.bitplane import BitPlane
from hw.design.checks import within
from hw.design.constant_dot import ConstantDot
from hw.design.memory import Memory
from hw.design.square import SquareSum

OUTPUT_STATIONARY, WEIGHT_STATIONARY = "output-stationary", "weight-stationary"


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
        within("lanes", self.lane_count, 1, MAXIMUM_LANES)
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
        within("rows", self.rows, 1, MAXIMUM_SIDE)
        within("columns", self.columns, 1, MAXIMUM_SIDE)
        within("lanes", self.lane_count, 1, MAXIMUM_LANES)
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
    dataflow: ClassVar[str] = OUTPUT_STATIONARY


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightStationaryArray(Grid):
    """Systolic array: each of rows × columns cells keeps `lane_count` weights, sums flow down.

    A tile of weights is ``w[k][c]`` for ``rows · lane_count`` k, of which row r keeps those from
    ``r · lane_count`` on. A beat brings one activation per k; column c then adds
    ``Σ_k a[k]·w[k][c]`` to its sum, in an accumulator below the last row: `hw.design` says what a
    sum is, one column being a dot product of `lanes`. So a sum can go through several tiles of
    weights. While one tile is at work the next is loaded.
    """

    kind: ClassVar[str] = "array"
    dataflow: ClassVar[str] = WEIGHT_STATIONARY

    def __post_init__(self) -> None:
        """Reject accumulators for which a partial sum cannot flow from row to row."""
        Grid.__post_init__(self)
        if self.chain:
            raise ValueError(
                f"merged rows of a weight-stationary array are one chain down its column: "
                f"chain is 0, not {self.chain}"
            )
        if self.is_window or self.is_floating:
            bits = self.product_bits + (self.lanes - 1).bit_length()
            fits = bits <= MAXIMUM_ACCUMULATOR_BITS
            nearest = f"exact:{self.lanes}" if fits else f"wrap:{MAXIMUM_ACCUMULATOR_BITS}"
            raise ValueError(
                f"partial sums of a weight-stationary array are exact, so its accumulator is "
                f"exact, wrap or saturate, not {self.accumulator}: the nearest is {nearest}"
            )

    @property
    def lanes(self) -> int:
        """Products per accumulator and step: those of a whole column."""
        return self.rows * self.lane_count

    @property
    def cores(self) -> int:
        """Accumulators: one below each column."""
        return self.columns

    @property
    def size_slug(self) -> str:
        """Kind, sides, lanes (if more than one) and ``ws``, as in ``array4x4_ws``."""
        lanes = f"x{self.lane_count}" if self.lane_count > 1 else ""
        return f"{self.kind}{self.rows}x{self.columns}{lanes}_ws"

    def to_record(self) -> dict[str, Any]:
        """Return the design as plain JSON values; `from_record` gives it back."""
        return Grid.to_record(self) | {"dataflow": self.dataflow}

    def _size_record(self) -> dict[str, int]:
        sides = {"rows": self.rows, "columns": self.columns}
        return sides | ({"lanes": self.lane_count} if self.lane_count > 1 else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class BroadcastTile(Grid):
    """Rows × columns dot products at once: a row's activations and a column's weights are shared.

    A step carries `lanes` k: every cell (r, c) adds ``Σ_k a[r][k]·w[k][c]`` to its sum; all sums
    end together and are shown together.
    """

    kind: ClassVar[str] = "tile"


_CLASSES = (
    Mac,
    DotProduct,
    MxDotProduct,
    OutputStationaryArray,
    BroadcastTile,
    BitPlane,
    BitmodPe,
    BitmodTile,
    Memory,
    ConstantDot,
    SquareSum,
)
KINDS: dict[str, type[Design]] = {c.kind: c for c in _CLASSES}

DATAFLOWS: dict[str, type[Grid]] = {
    c.dataflow: c for c in (OutputStationaryArray, WeightStationaryArray)
}
"""Arrays by what stays in their cells; the first is meant where nothing is said."""
