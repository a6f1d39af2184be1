"""Floor 0: blocks of values that share a scale: MX, NVFP4, block floating point and their kin.

A block of n elements P_i with the scale X stands for ``G · X · P_i``; G is 1, or one binary32
number per tensor or per row (two-level scales). `BlockFormat.quantize` is the specification: one
row of numbers to codes, in exact rationals; `sim.golden.quantize` does the same to arrays.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from hw.formats.base import (
    MAXIMUM_TABLE_BITS,
    Format,
    Number,
    Rounding,
    Special,
    Value,
)
from hw.formats.fixed import FixedFormat
from hw.formats.partition import admitted_row, blocks_of, largest, scaled
from hw.formats.scale import (
    FP32,
    MSE_SCALE_BITS,
    ScaleRule,
    element_exponent,
    end_codes,
    nan_code,
    power_range,
    rule_exponent,
    scale_levels,
    scale_rounding,
)

NAN_POLICIES = ("error", "zero", "maximum", "block")


class Outer(enum.Enum):
    """Where a second, binary32 scale is shared: nowhere, by a tensor, by each row of blocks."""

    NONE = "none"
    TENSOR = "tensor"
    ROW = "row"


@dataclass(frozen=True, slots=True)
class BlockCodes:
    """One row of numbers as codes.

    Parameters
    ----------
    elements
        A code of the element format per number.
    scales
        A code of the scale format per block.
    outer
        G, a binary32 value; 1 where the format has none.
    """

    elements: tuple[int, ...]
    scales: tuple[int, ...]
    outer: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class BlockFormat:
    """Elements of one format in blocks that share a scale of another.

    Parameters
    ----------
    element
        Format of the elements, of at most 16 bits, with a positive value.
    block_size
        Elements per block, 1 or more; None for one block per tensor.
    scale_format
        Format of the scales. Consecutive powers of two (``e8m0fnu``) take every rule.
    scale_rule
        See `ScaleRule`. MSE tries every scale and needs a format of at most 8 bits.
    outer
        Whether there is a second scale G, and what shares it. It maps the largest magnitude onto
        the largest value of the largest scale: ``G = amax / (max element · max scale)``, rounded
        to binary32, ties to even, at least its smallest subnormal; 1 where all values are 0.
        The ideal scale of a block is then ``amax_block / (max element · G)``; a power-of-two
        scale takes its rule on ``max scale · amax_block / amax`` instead, so that no rounding of
        G moves a boundary.

    Sources: OCP MX v1.0 (FLOOR); NVIDIA NVFP4 (two levels, E4M3 scales); Dai et al., VS-Quant,
    MLSys 2021 (two levels, integer scales); Darvish Rouhani et al., MSFP, NeurIPS 2020; Das et
    al., DFP-16, arXiv 1802.00930; Guo et al., ShiftQuant, arXiv 2411.10948.

    """

    element: Format
    block_size: int | None
    scale_format: Format
    scale_rule: ScaleRule = ScaleRule.FLOOR
    outer: Outer = Outer.NONE

    def __post_init__(self) -> None:
        """Reject impossible combinations."""
        if self.block_size is not None and self.block_size < 1:
            raise ValueError(f"a block has at least 1 element, not {self.block_size}")
        if self.element.bits > MAXIMUM_TABLE_BITS:
            raise ValueError(
                f"elements of blocks have at most {MAXIMUM_TABLE_BITS} bits, "
                f"{self.element} has {self.element.bits}"
            )
        for what, format in (("element", self.element), ("scale", self.scale_format)):
            if format.maximum <= 0:
                raise ValueError(f"the {what} format needs a positive value, {format} has none")
        if self.scale_rule is ScaleRule.MSE:
            if self.scale_format.bits > MSE_SCALE_BITS:
                raise ValueError(
                    f"scale rule mse tries every scale of at most {MSE_SCALE_BITS} bits, "
                    f"{self.scale_format} has {self.scale_format.bits}"
                )
        elif self.scale_powers is None:
            scale_rounding(self.scale_rule)

    @property
    def scale_powers(self) -> tuple[int, int] | None:
        """Least and largest exponent where the scales are consecutive powers of two, else None."""
        return power_range(self.scale_format)

    @property
    def bits_per_element(self) -> Fraction:
        """Bits of an element and its share of the scale; scales per row or tensor count 0."""
        share = Fraction(self.scale_format.bits, self.block_size) if self.block_size else 0
        return self.element.bits + Fraction(share)

    @property
    def name(self) -> str:
        """Canonical name; ``parse(name)`` gives the format back."""
        from hw.formats.block_names import name_of

        return name_of(self)

    @property
    def slug(self) -> str:
        """Name made of letters, digits and underscores, for files, modules and shells."""
        return self.name.replace("<", "_").replace(",", "_").replace(">", "").replace("-", "n")

    def __str__(self) -> str:
        return self.name

    def blocks(self, count: int, partial: str = "error") -> Iterator[slice]:
        """Return where the blocks of a row of `count` elements lie.

        See `hw.formats.partition.blocks_of` for the policy and the errors.
        """
        return blocks_of(self, self.block_size, count, partial)

    def quantize(
        self,
        values: Sequence[Number | Special],
        nan: str = "error",
        partial: str = "error",
        rounding: Rounding = Rounding.TIES_TO_EVEN,
        amax: Fraction | None = None,
    ) -> BlockCodes:
        """Return the codes of one row of numbers, exactly.

        The scale follows from the finite values; an infinity saturates at that scale, or at the
        largest scale where its block has no other value but 0. Elements are ``v / (G · X)``
        rounded once and saturated. A block of zeros has the smallest scale; where the scale is 0,
        all elements are the code of 0.

        Parameters
        ----------
        values
            Numbers, at least one; floats are taken exactly.
        nan
            "error"; "zero"; "maximum": NaN counts as infinity; "block": the scale of its block is
            NaN and so are all values of the block (OCP MX).
        partial
            See `blocks`.
        rounding
            How elements round.
        amax
            Largest finite magnitude of the tensor that the row is part of; None: of the row.

        Raises
        ------
        ValueError
            For NaN under "error", a policy that is none, and as `blocks`.

        """
        places = list(self.blocks(len(values), partial))
        check_nan(self, nan)
        row = admitted_row(values, nan, NAN_POLICIES, self)
        if amax is None:
            amax = largest(row)
        outer = self.outer_scale(amax)
        elements: list[int] = []
        scales: list[int] = []
        for place in places:
            scale = self._block_scale(row[place], amax, outer, rounding)
            scales.append(scale)
            elements += self._elements(row[place], scale, outer, rounding)
        return BlockCodes(tuple(elements), tuple(scales), outer)

    def dequantize(self, codes: BlockCodes) -> list[Value]:
        """Return the exact values of codes; the elements of a block with scale NaN are NaN."""
        row: list[Value] = []
        places = self.blocks(len(codes.elements), "pad")
        for place, scale_code in zip(places, codes.scales, strict=True):
            scale = self.scale_format.decode(scale_code)
            for code in codes.elements[place]:
                row.append(scaled(self.element.decode(code), scale, codes.outer))
        return row

    def outer_scale(self, amax: Fraction) -> Fraction:
        """Return G for the largest magnitude of its tensor or row."""
        if self.outer is Outer.NONE or amax == 0:
            return Fraction(1)
        code = FP32.encode(amax / (self.element.maximum * self.scale_format.maximum))
        value = FP32.decode(max(code, 1))
        assert not isinstance(value, Special)  # encode saturates
        return value

    def _block_scale(
        self,
        block: Sequence[Number | Special],
        amax_row: Fraction,
        outer: Fraction,
        rounding: Rounding,
    ) -> int:
        """Return the code of the scale of one block."""
        if Special.NAN in block:
            code = nan_code(self.scale_format)
            assert code is not None  # check_nan has seen to it
            return code
        amax = largest(block)
        if amax == 0:
            infinite = any(isinstance(value, Special) for value in block)
            return end_codes(self.scale_format)[infinite]
        if self.scale_rule is ScaleRule.MSE:
            finite = [Fraction(value) for value in block if not isinstance(value, Special)]
            return self._least_error_scale(finite, outer, rounding)
        if self.scale_powers is None:
            ideal = amax / (self.element.maximum * outer)
            return self.scale_format.encode(
                min(ideal, self.scale_format.maximum), scale_rounding(self.scale_rule)
            )
        levels = scale_levels(self.scale_format)
        return levels[self._power(amax, amax_row) - self.scale_powers[0]][1]

    def _power(self, amax: Fraction, amax_row: Fraction) -> int:
        """Return the exponent of a power-of-two scale, within the scale's range."""
        low, high = self.scale_powers or (0, 0)
        if self.outer is Outer.NONE:
            exponent = rule_exponent(amax, self.scale_rule, self.element)
            exponent -= element_exponent(self.element)
        else:
            # The ratio is to 1 what amax is to the largest element: all rules have max 1 here.
            exponent = ratio_exponent(amax / amax_row, self.scale_rule) + high
        return min(max(exponent, low), high)

    def _least_error_scale(
        self, block: Sequence[Fraction], outer: Fraction, rounding: Rounding
    ) -> int:
        """Return the code of the scale of least squared error; of equals, the smallest scale."""
        errors = [
            (self.squared_error(block, value * outer, rounding), value, code)
            for value, code in scale_levels(self.scale_format)
        ]
        return min(errors)[2]

    def squared_error(
        self, block: Sequence[Fraction], scale: Fraction, rounding: Rounding
    ) -> Fraction:
        """Return the sum of squared differences at a scale ``G · X``."""
        if scale == 0:
            return sum((value**2 for value in block), Fraction(0))
        error = Fraction(0)
        for value in block:
            level = self.element.decode(self.element.encode(value / scale, rounding))
            assert not isinstance(level, Special)  # encode saturates
            error += (level * scale - value) ** 2
        return error

    def _elements(
        self,
        block: Sequence[Number | Special],
        scale_code: int,
        outer: Fraction,
        rounding: Rounding,
    ) -> Iterator[int]:
        scale = self.scale_format.decode(scale_code)
        for value in block:
            if isinstance(scale, Special) or scale == 0:
                yield self.element.encode(0)
            elif isinstance(value, Special) or value == 0:
                yield self.element.encode(value, rounding)
            else:
                yield self.element.encode(Fraction(value) / (scale * outer), rounding)


def ratio_exponent(ratio: Fraction, rule: ScaleRule) -> int:
    """Return the power of two that a rule takes for a positive ratio whose largest value is 1."""
    return rule_exponent(ratio, rule, FixedFormat(1, 1, is_signed=False))


def check_nan(format: BlockFormat, nan: str) -> None:
    """Raise ValueError for a policy that the scale format cannot carry out."""
    if nan == "block" and nan_code(format.scale_format) is None:
        raise ValueError(f"nan='block' needs a scale with a NaN, {format.scale_format} has none")
