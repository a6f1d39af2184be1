"""Floor 2b: nearest even, saturating, at memory speed.

For a value of binade b and a grid of step 2^s in that binade, ``(v + 1.5·2^(s+52)) - 1.5·2^(s+52)``
in float64 is v rounded once, to the nearest multiple of 2^s, ties to even (float32: 23 for 52).
The step follows from the exponent field of v, by integer masking: no logarithm, no table. For codes
the number added has the exponent field of the result in its last bits already, so that the last
bits of one sum are the code without its sign.

NumPy's minimum and maximum with one number take five times the time of its clip, and shifts of
bytes ten times that of a product: hence clips and products below.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats import FixedFormat, Format, MinifloatFormat, Special, Specials
from sim.golden import grid

Floats = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Layout:
    """A float type of the processor, and the integers of its width."""

    float_type: Any
    word_type: Any
    fraction_bits: int
    bias: int

    @property
    def bits(self) -> int:
        """Width."""
        return 8 * int(np.dtype(self.word_type).itemsize)

    @property
    def exponent_mask(self) -> int:
        """Exponent field, in place."""
        return (2 * self.bias + 1) << self.fraction_bits

    def field(self, exponent: int) -> int:
        """The word of 2 to this power."""
        return (exponent + self.bias) << self.fraction_bits


FLOAT64 = Layout(np.float64, np.int64, 52, 1023)
FLOAT32 = Layout(np.float32, np.int32, 23, 127)


def layout_of(float_type: Any) -> Layout:
    """Return the layout of float32 or float64."""
    return FLOAT32 if np.dtype(float_type) == np.float32 else FLOAT64


@lru_cache(maxsize=1024)
def suits(format: Format, float_type: Any) -> bool:
    """Whether the trick works for this format in this float type.

    The numbers added must be finite and normal, and leave the sum in their own binade; float32 is
    used only where quotients that underflow are far below the format's last bit.
    """
    layout = layout_of(float_type)
    if not grid.is_classic(format) or grid.precision(format) > layout.fraction_bits - 2:
        return False
    if layout is FLOAT32 and format.lsb_exponent < -100:
        return False
    if format.bits > layout.bits - 1 or format.bits > layout.fraction_bits:
        return False
    fits = grid.fits_float32(format) if layout is FLOAT32 else grid.fits_float64(format)
    if isinstance(format, MinifloatFormat):
        top, span = grid.top_exponent(format), layout.fraction_bits - format.fraction_bits
    else:
        top, span = format.lsb_exponent, layout.fraction_bits
    return fits and top + span < layout.bias and format.lsb_exponent > 1 - layout.bias


class Magic(ABC):
    """One format in one float type, with buffers for pieces of so many elements.

    Parameters
    ----------
    format, float_type
        As `suits` allows.
    size
        Elements of the largest piece.
    missing
        What takes the place of NaN where the format has none; None refuses it.

    """

    def __init__(self, format: Format, float_type: Any, size: int, missing: float | None) -> None:
        layout = layout_of(float_type)
        self.format, self.layout, self.missing = format, layout, missing
        self.low = layout.float_type(float(format.minimum))
        self.high = layout.float_type(float(format.maximum))
        self.buffer = np.empty(size, layout.float_type)
        self._nan = not format.has_specials

    @abstractmethod
    def cast(self, source: Floats, out: Floats) -> None:
        """Write the format's values nearest to `source`; raise ValueError for NaN it has not."""

    @abstractmethod
    def encode(self, source: Floats, out: Any) -> None:
        """Write their codes; errors as `cast`."""

    def _clipped(self, source: Floats) -> Floats:
        """Return `source` within the format's range, in the buffer; NaN resolved or refused."""
        values: Floats = _part(self.buffer, source.shape)
        np.clip(source, self.low, self.high, out=values, casting="same_kind")
        if self._nan and np.isnan(values.max()):
            if self.missing is None:
                raise ValueError(f"{self.format} has no code for nan")
            values[np.isnan(values)] = self.missing
        return values


class FixedMagic(Magic):
    """Integers times one power of two."""

    def __init__(self, format: Format, float_type: Any, size: int, missing: float | None) -> None:
        super().__init__(format, float_type, size, missing)
        step = 2.0 ** (format.lsb_exponent + self.layout.fraction_bits)
        self.magic = self.layout.float_type(1.5 * step)

    def cast(self, source: Floats, out: Floats) -> None:
        """See `Magic.cast`."""
        values = self._clipped(source)
        values += self.magic
        np.subtract(values, self.magic, out=out, casting="same_kind")

    def encode(self, source: Floats, out: Any) -> None:
        """See `Magic.encode`: the last bits of the sum are the integer in two's complement."""
        values = self._clipped(source)
        values += self.magic
        np.copyto(out, values.view(self.layout.word_type), casting="unsafe")
        if self.format.bits < 8 * out.itemsize:
            out &= out.dtype.type((1 << self.format.bits) - 1)


class MinifloatMagic(Magic):
    """Sign, exponent and fraction."""

    format: MinifloatFormat

    def __init__(self, format: Format, float_type: Any, size: int, missing: float | None) -> None:
        super().__init__(format, float_type, size, missing)
        word, bits = self.layout.word_type, self.layout.fraction_bits
        self.words, self.added = np.empty(size, word), np.empty(size, word)
        self.signs = np.empty(size, np.bool_)
        self.mask = word(self.layout.exponent_mask)
        self.least = word(self.layout.field(self.format.emin))
        self.span = word(bits - self.format.fraction_bits)
        self.raised = word(int(self.span) << bits)
        self.half = word(1 << (bits - 1))
        self.offset = word(int(self.raised) - (int(self.least) >> int(self.span)))

    def _binades(self, values: Floats) -> Any:
        """Return the words of the powers of two below the values, those of emin where less."""
        words = _part(self.words, values.shape)
        np.bitwise_and(values.view(self.layout.word_type), self.mask, out=words)
        np.clip(words, self.least, self.mask, out=words)
        return words

    def cast(self, source: Floats, out: Floats) -> None:
        """See `Magic.cast`."""
        values = self._clipped(source)
        words = self._binades(values)
        words += self.raised + self.half
        magic = words.view(self.layout.float_type)
        values += magic
        np.subtract(values, magic, out=out, casting="same_kind")

    def encode(self, source: Floats, out: Any) -> None:
        """See `Magic.encode`."""
        values = self._clipped(source)
        some_nan = not self._nan and bool(np.isnan(values.max()))
        signs = _part(self.signs, values.shape)
        np.signbit(values, out=signs)
        binades = self._binades(values)
        np.abs(values, out=values)
        self._add(values, binades)
        np.copyto(out, values.view(self.layout.word_type), casting="unsafe")
        if out.itemsize > 2:
            out &= out.dtype.type((1 << (self.format.bits - 1)) - 1)
        self._sign(out, signs)
        if some_nan:
            out[np.isnan(values)] = self.format.encode(Special.NAN)

    def _add(self, values: Floats, binades: Any) -> None:
        """Add the numbers that leave the code in the last bits of the sum."""
        added = _part(self.added, values.shape)
        if self.format.fraction_bits:
            np.right_shift(binades, self.span, out=added)
            added += binades
            added += self.offset
            values += added.view(self.layout.float_type)
            return
        # Without fraction bits an odd exponent field would turn the tie: it is added afterwards.
        np.add(binades, self.raised, out=added)
        values += added.view(self.layout.float_type)
        np.right_shift(binades, self.span, out=added)
        added += self.offset - self.raised
        values.view(self.layout.word_type)[...] += added

    def _sign(self, out: Any, signs: NDArray[np.bool_]) -> None:
        if self.format.specials is Specials.FNUZ:
            signs &= out != 0
        weight = out.dtype.type(1 << (self.format.bits - 1))
        if out.itemsize == 1:
            bytes_ = signs.view(np.uint8)
            bytes_ *= weight
            out |= bytes_
        else:
            out |= np.multiply(signs, weight, dtype=out.dtype)


def kernel(format: Format, float_type: Any, size: int, missing: float | None) -> Magic:
    """Return the converter of a format that `suits`."""
    made = FixedMagic if isinstance(format, FixedFormat) else MinifloatMagic
    return made(format, float_type, size, missing)


def _part(buffer: Any, shape: tuple[int, ...]) -> Any:
    count = int(np.prod(shape))
    return buffer[:count].reshape(shape)
