"""Floor 2b: nearest even, saturating, at memory speed.

For a value of binade b and a grid of step 2^s in that binade, ``(v + 1.5·2^(s+52)) - 1.5·2^(s+52)``
in float64 is v rounded once, to the nearest multiple of 2^s, ties to even (float32: 23 for 52).
The step follows from the exponent field of v, by integer masking: no logarithm, no table.
Work goes through buffers of `CHUNK` elements that stay in the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats import Format, MinifloatFormat, Special, Specials
from sim.golden import grid

Floats = NDArray[Any]

CHUNK = 1 << 16


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
    if grid.precision(format) > layout.fraction_bits - 2:
        return False
    if layout is FLOAT32 and format.lsb_exponent < -100:
        return False
    if format.bits > layout.bits - 1:
        return False
    fits = grid.fits_float32(format) if layout is FLOAT32 else grid.fits_float64(format)
    if isinstance(format, MinifloatFormat):
        top, span = grid.top_exponent(format), layout.fraction_bits - format.fraction_bits
    else:
        top, span = format.lsb_exponent, layout.fraction_bits
    return fits and top + span < layout.bias and format.lsb_exponent > 1 - layout.bias


def cast(values: Floats, divisor: NDArray[np.float64] | None, format: Format, out: Floats) -> None:
    """Write the rounded quotients to `out`; raise ValueError for NaN the format does not have."""
    _run(values, divisor, format, out, _cast_minifloat, _cast_fixed)


def encode(values: Floats, divisor: NDArray[np.float64] | None, format: Format, out: Any) -> None:
    """Write the codes of the rounded quotients to `out`; errors as `cast`."""
    _run(values, divisor, format, out, _encode_minifloat, _encode_fixed)


def _run(
    values: Floats,
    divisor: NDArray[np.float64] | None,
    format: Format,
    out: Any,
    minifloat: Any,
    fixed: Any,
) -> None:
    narrow = values.dtype == np.float32 and suits(format, np.float32)
    layout = FLOAT32 if narrow and (divisor is None or _is_exact(divisor)) else FLOAT64
    work = minifloat if isinstance(format, MinifloatFormat) else fixed
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        for source, scale, target in _chunks(values, divisor, out):
            buffer = np.empty(source.shape, layout.float_type)
            if scale is None:
                buffer[...] = source
            else:
                np.divide(source, scale, out=buffer, dtype=layout.float_type, casting="same_kind")
            if not format.has_specials and np.isnan(buffer.max(initial=0.0)):
                raise ValueError(f"{format} has no code for nan")
            work(buffer, format, layout, target)


def _is_exact(divisor: NDArray[np.float64]) -> bool:
    """Whether there is one divisor, a power of two that float32 divides by without a rounding."""
    if divisor.size != 1:
        return False
    significand, exponent = np.frexp(divisor.flat[0])
    return bool(significand == 0.5 and -20 <= exponent <= 20)


def _chunks(values: Floats, divisor: NDArray[np.float64] | None, out: Any) -> Any:
    """Cut arrays into pieces of about CHUNK elements, along the leading axes."""
    if values.ndim == 0:
        yield values.reshape(1), divisor, out.reshape(1)
    elif values.size <= CHUNK:
        yield values, divisor, out
    elif divisor is None or divisor.size == 1:
        scale = None if divisor is None else divisor.reshape(())
        flat, target = np.ascontiguousarray(values).reshape(-1), out.reshape(-1)
        for start in range(0, flat.size, CHUNK):
            piece = slice(start, start + CHUNK)
            yield flat[piece], scale, target[piece]
    else:
        whole = np.broadcast_to(divisor, values.shape)
        rows = max(CHUNK * len(values) // values.size, 1)
        for start in range(0, len(values), rows):
            piece = slice(start, start + rows)
            if rows > 1 or values.ndim == 1:
                yield values[piece], whole[piece], out[piece]
            else:
                yield from _chunks(values[start], whole[start], out[start])


def _cast_minifloat(buffer: Floats, format: MinifloatFormat, layout: Layout, out: Floats) -> None:
    high = layout.float_type(float(format.maximum))
    np.clip(buffer, -high, high, out=buffer)
    words = buffer.view(layout.word_type) & layout.exponent_mask
    np.maximum(words, layout.field(format.emin), out=words)
    one_and_a_half = 1 << (layout.fraction_bits - 1)
    span = layout.fraction_bits - format.fraction_bits
    words += (span << layout.fraction_bits) + one_and_a_half
    magic = words.view(layout.float_type)
    buffer += magic
    np.subtract(buffer, magic, out=out, casting="same_kind")


def _cast_fixed(buffer: Floats, format: Format, layout: Layout, out: Floats) -> None:
    magic = _fixed_magic(buffer, format, layout)
    buffer += magic
    np.subtract(buffer, magic, out=out, casting="same_kind")


def _fixed_magic(buffer: Floats, format: Format, layout: Layout) -> Any:
    low, high = layout.float_type(float(format.minimum)), layout.float_type(float(format.maximum))
    np.clip(buffer, low, high, out=buffer)
    return layout.float_type(1.5 * 2.0 ** (format.lsb_exponent + layout.fraction_bits))


def _encode_fixed(buffer: Floats, format: Format, layout: Layout, out: Any) -> None:
    buffer += _fixed_magic(buffer, format, layout)
    # The last bits of the sum are the integer in two's complement.
    words = buffer.view(layout.word_type)
    words &= (1 << format.bits) - 1
    out[...] = words


def _encode_minifloat(buffer: Floats, format: MinifloatFormat, layout: Layout, out: Any) -> None:
    words = buffer.view(layout.word_type)
    signs = words < 0
    missing = np.isnan(buffer) if format.has_specials else None
    np.abs(buffer, out=buffer)
    np.minimum(buffer, layout.float_type(float(format.maximum)), out=buffer)
    binade = words & layout.exponent_mask
    np.maximum(binade, layout.field(format.emin), out=binade)
    magic = binade + ((layout.fraction_bits - format.fraction_bits) << layout.fraction_bits)
    buffer += magic.view(layout.float_type)
    words -= magic  # the significand, 0 … 2^(M+1)
    binade >>= layout.fraction_bits - format.fraction_bits
    words += binade
    words -= (format.emin + layout.bias) << format.fraction_bits
    if format.specials is Specials.FNUZ:
        signs &= words != 0
    out[...] = words
    out |= signs.astype(out.dtype) << out.dtype.type(format.bits - 1)
    if missing is not None and missing.any():
        out[missing] = format.encode(Special.NAN)
