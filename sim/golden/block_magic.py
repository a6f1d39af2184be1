"""Floor 2b: values to block formats with power-of-two scales, nearest even, at memory speed.

The scale of a block is a shift of its largest magnitude's exponent field, so that the trick of
`sim.golden.magic` works without a division: each element is clipped to the block's range and
rounded by adding and subtracting ``1.5 · 2^k``, k from the larger of its own binade and the least
normal binade of the block. float32 is used where all that stays normal, else float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats import FixedFormat, Format, MinifloatFormat
from hw.formats.block import BlockFormat, Outer
from hw.formats.integers import SymmetricFormat
from hw.formats.scale import ScaleRule, element_exponent, element_precision
from sim.golden.block_rows import PIECE, Floats, Rows
from sim.golden.magic import FLOAT64, Layout, layout_of

REACH = 900
"""Exponents of scales and elements stay within ± this: float64 then always works."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a block format asks of a kernel, in the words of one float type.

    Parameters
    ----------
    layout
        The float type.
    carry
        Added to the word of a block's largest magnitude: carries into the exponent where the
        scale rule takes the power of two above.
    shift
        emax of the elements: exponent of the scale less this is that of the block.
    low, high
        Least and largest element, over the scale.
    scales
        Least and largest exponent of a scale.
    binade
        Least binade of the elements over the scale; None where all elements have one step.
    lsb
        Exponent of the elements' finest step, over the scale.
    fraction_bits
        Of the elements, where they have binades.
    """

    layout: Layout
    carry: int
    shift: int
    low: float
    high: float
    scales: tuple[int, int]
    binade: int | None
    lsb: int
    fraction_bits: int

    @property
    def safe(self) -> tuple[int, int]:
        """Least and largest exponent of a scale for which every number used is normal."""
        layout = self.layout
        least = 2 - layout.bias - (self.lsb if self.binade is None else min(self.binade, self.lsb))
        span = layout.fraction_bits - self.fraction_bits
        return least, layout.bias - 3 - max(self.shift + span, layout.fraction_bits + self.lsb)


def suits(format: BlockFormat) -> bool:
    """Whether `cast` can serve a format."""
    return _recipe(format, FLOAT64) is not None and _size(format) is not None


def cast(values: Floats, result: Floats, rows: Rows, format: BlockFormat) -> bool:
    """Write the values near `values` to `result` (C order) and return True.

    Return False, with anything in `result`, where a value is not finite, a result leaves the
    type, blocks do not divide the axis, or elements do not lie in C order.
    """
    size = _size(format)
    if size is None or rows.length % size or not values.flags.c_contiguous:
        return False
    usual = _recipe(format, layout_of(values.dtype))
    exact = _recipe(format, FLOAT64)
    if exact is None:
        return False
    kernel = _Kernel()
    for source, target in _pieces(values, result, rows, size):
        fitting = usual is not None and kernel.run(source, target, usual)
        if not fitting and not kernel.run_exact(source, target, exact):
            return False
    return True


def _size(format: BlockFormat) -> int | None:
    size = format.block_size
    return size if size is not None and 1 < size <= PIECE else None


@lru_cache(maxsize=256)
def _recipe(format: BlockFormat, layout: Layout) -> Recipe | None:
    """Return what the kernel needs, or None where the trick does not work."""
    element, powers = format.element, format.scale_powers
    if powers is None or format.outer is not Outer.NONE or format.scale_rule is ScaleRule.MSE:
        return None
    if not _regular(element):
        return None
    precision = element_precision(element)
    reach = max(map(abs, (*powers, element.lsb_exponent, element_exponent(element))))
    if precision > layout.fraction_bits - 2 or reach > REACH:
        return None
    has_binades = isinstance(element, MinifloatFormat) and element.exponent_bits > 0
    return Recipe(
        layout,
        _carry(format.scale_rule, element, layout),
        element_exponent(element),
        float(element.minimum),
        float(element.maximum),
        powers,
        element.lsb_exponent + precision - 1 if has_binades else None,
        element.lsb_exponent,
        precision - 1,
    )


def _regular(element: Format) -> bool:
    """Whether the elements have one step, or one per binade and subnormals."""
    if isinstance(element, FixedFormat | SymmetricFormat):
        return True
    return isinstance(element, MinifloatFormat) and element.subnormals and element.fraction_bits > 0


def _carry(rule: ScaleRule, element: Format, layout: Layout) -> int:
    """Return what carries where the fraction field is at least that at which the rule goes up."""
    one = 1 << layout.fraction_bits
    match rule:
        case ScaleRule.CEIL:
            return one - 1
        case ScaleRule.ROUND:
            return 2 * one - (math.isqrt(2 * one * one) + 1)
        case ScaleRule.FIT:
            top = element.maximum / Fraction(2) ** element_exponent(element)
            return 2 * one - (int(top * one) + 1)
        case ScaleRule.EVEN:
            return one >> element_precision(element)
    return 0


def _pieces(
    values: Floats, result: Floats, rows: Rows, size: int
) -> Iterator[tuple[Floats, Floats]]:
    """Yield source and target as (block, element, column) of about PIECE elements."""
    columns = math.prod(rows.shape[rows.axis + 1 :])
    source = values.reshape(-1, size, columns)
    target = result.reshape(source.shape)
    wide = min(columns, max(PIECE // size, 1))
    many = max(PIECE // (size * wide), 1)
    for block in range(0, len(source), many):
        for column in range(0, columns, wide):
            piece = slice(block, block + many), slice(None), slice(column, column + wide)
            yield source[piece], target[piece]


class _Kernel:
    """Buffers of one piece, and the work on it."""

    def __init__(self) -> None:
        self.buffers: dict[tuple[int, Any], NDArray[Any]] = {}

    def buffer(self, which: int, type: Any, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return a buffer, the same memory each time."""
        count = math.prod(shape)
        key = which, type
        if key not in self.buffers or self.buffers[key].size < count:
            self.buffers[key] = np.empty(count, type)
        return self.buffers[key][:count].reshape(shape)

    def run_exact(self, source: Floats, target: Floats, recipe: Recipe) -> bool:
        """As `run`, in float64; False also where a result leaves the target's type."""
        found = np.empty(source.shape)
        if not self.run(source.astype(np.float64), found, recipe):
            return False
        with np.errstate(over="ignore"):
            target[...] = found
        return bool((target == found).all())

    def run(self, source: Floats, target: Floats, recipe: Recipe) -> bool:
        """Round one piece (block, element, column); False where the float type does not do."""
        layout = recipe.layout
        words = self.buffer(0, layout.word_type, source.shape)
        np.bitwise_and(source.view(layout.word_type), _magnitude_mask(layout), out=words)
        if source.shape[2] == 1:
            starts = np.arange(0, source.size, source.shape[1])
            peak = np.maximum.reduceat(words.reshape(-1), starts).reshape(-1, 1, 1)
        else:
            peak = words.max(axis=1, keepdims=True)
        exponents = _scale_exponents(peak, recipe)
        if exponents is None:
            return False
        scale = _power_words(exponents, layout).view(layout.float_type)
        buffer = self.buffer(1, layout.float_type, source.shape)
        np.minimum(source, scale * layout.float_type(recipe.high), out=buffer)
        np.maximum(buffer, scale * layout.float_type(recipe.low), out=buffer)
        if recipe.binade is None:
            magic = _power_words(exponents + (recipe.lsb + layout.fraction_bits), layout)
            magic |= layout.word_type(1 << (layout.fraction_bits - 1))
        else:
            magic = words
            np.bitwise_and(
                buffer.view(layout.word_type), layout.word_type(layout.exponent_mask), out=magic
            )
            np.maximum(magic, _power_words(exponents + recipe.binade, layout), out=magic)
            span = layout.fraction_bits - recipe.fraction_bits
            magic += layout.word_type(
                (span << layout.fraction_bits) + (1 << (layout.fraction_bits - 1))
            )
        number = magic.view(layout.float_type)
        buffer += number
        np.subtract(buffer, number, out=target)
        return True


def _magnitude_mask(layout: Layout) -> Any:
    return layout.word_type((1 << (layout.bits - 1)) - 1)


def _power_words(exponents: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Return the words of powers of two."""
    words: NDArray[Any] = (exponents + layout.word_type(layout.bias)) << layout.word_type(
        layout.fraction_bits
    )
    return words


def _scale_exponents(peak: NDArray[Any], recipe: Recipe) -> NDArray[Any] | None:
    """Return the exponents of the scales, None where the float type does not do."""
    layout = recipe.layout
    least, most = recipe.safe
    if int(peak.max()) >= layout.exponent_mask:
        return None
    exponents: NDArray[Any] = (peak + layout.word_type(recipe.carry)) >> layout.word_type(
        layout.fraction_bits
    )
    exponents -= layout.word_type(layout.bias + recipe.shift)
    low, high = recipe.scales
    np.clip(exponents, low, high, out=exponents)
    if int(exponents.max()) > most:
        return None
    subnormal = 1 - layout.bias - recipe.shift  # exponents up to here may come from subnormals
    if low <= subnormal:
        least = max(least, subnormal + 1)
    if int(exponents.min()) < least:
        if ((exponents < least) & (peak != 0)).any():
            return None
        np.maximum(exponents, least, out=exponents)
    return exponents
