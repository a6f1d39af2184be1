"""Floor 2b: arrays to block formats and back, equal to `BlockFormat.quantize` bit for bit.

`quantize` gives codes, `cast_blocks` the values near the input. The usual case (power-of-two
scales, nearest even) of `cast_blocks` takes `sim.golden.block_magic`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.formats import Rounding
from hw.formats.block import BlockFormat, Outer
from hw.formats.mixture import MixtureFormat
from sim.golden import block_magic
from sim.golden.block_rows import Floats, Rows, in_blocks
from sim.golden.block_scales import Codes, significant_bits
from sim.golden.block_work import Work
from sim.golden.convert import cast, code_type, decode, encode
from sim.golden.inputs import as_floats
from sim.golden.mixtures import MixtureTensor, quantize_mixture


@dataclass(frozen=True, slots=True, eq=False)
class BlockTensor:
    """An array in a block format.

    Parameters
    ----------
    format
        The format.
    elements : array
        Codes of the element format, in the shape of the values.
    scales : array
        Codes of the scale format: as many axes, one entry per block along `axis`; blocks of a
        whole tensor have one entry.
    outer : array of float32
        G, as many axes, broadcasts to `scales`; one entry of 1 where the format has none.
    axis
        Axis along which the blocks lie.
    """

    format: BlockFormat
    elements: Codes
    scales: Codes
    outer: NDArray[np.float32]
    axis: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the values."""
        return self.elements.shape

    def values(self) -> NDArray[np.float64]:
        """Return the exact values; the elements of a block with scale NaN are NaN."""
        scales = decode(self.scales, self.format.scale_format) * self.outer
        size = self.format.block_size
        if size is not None and self.elements.ndim:
            length = self.elements.shape[self.axis]
            spread = np.repeat(scales, size, axis=self.axis)
            scales = spread[(slice(None),) * self.axis + (slice(length),)]
        values: NDArray[np.float64] = decode(self.elements, self.format.element)
        if self.elements.ndim:
            values *= scales
            return values
        return np.asarray(values * scales.reshape(()))


@overload
def quantize(
    values: ArrayLike,
    format: BlockFormat,
    axis: int = ...,
    nan: str = ...,
    partial: str = ...,
    rounding: Rounding = ...,
) -> BlockTensor: ...
@overload
def quantize(
    values: ArrayLike,
    format: MixtureFormat,
    axis: int = ...,
    nan: str = ...,
    partial: str = ...,
    rounding: Rounding = ...,
) -> MixtureTensor: ...
def quantize(
    values: ArrayLike,
    format: BlockFormat | MixtureFormat,
    axis: int = -1,
    nan: str = "error",
    partial: str = "error",
    rounding: Rounding = Rounding.TIES_TO_EVEN,
) -> BlockTensor | MixtureTensor:
    """Return an array in a format of blocks, as the format's own `quantize` says for each row.

    Parameters
    ----------
    values
        float32 or float64 (other real types are taken as float64), at least one.
    format
        The format.
    axis
        Axis along which blocks, and rows of `Outer.ROW`, lie. A block of the whole tensor
        (block_size None) takes all axes.
    nan, partial, rounding
        See `BlockFormat.quantize`; mixtures have their own rounding, of which nothing else than
        the default may be said, and no policy "block".

    Raises
    ------
    ValueError
        As `BlockFormat.quantize`, for an axis that is none, and for formats whose roundings
        float64 does not decide.

    """
    if isinstance(format, MixtureFormat):
        _check_rounding(format, rounding)
        return quantize_mixture(values, format, axis, nan, partial)
    work = Work(values, format, axis, nan, partial, rounding)
    elements = np.empty((work.rows.count, work.rows.length), code_type(format.element))
    for piece, quotient, _ in work.quotients():
        elements[piece] = encode(quotient, format.element, rounding=rounding)
    shape = work.floats.shape
    return BlockTensor(
        format,
        np.ascontiguousarray(work.rows.join(elements)).reshape(shape),
        work.rows.join(work.scales),
        work.rows.join(work.outer.astype(np.float32), shared=work.outer.size == 1),
        work.rows.axis,
    )


def _check_rounding(format: MixtureFormat, rounding: Rounding) -> None:
    if rounding is not Rounding.TIES_TO_EVEN:
        raise ValueError(f"{format} has a rounding of its own, not {rounding.value}")


def cast_blocks(
    values: ArrayLike,
    format: BlockFormat | MixtureFormat,
    axis: int = -1,
    nan: str = "error",
    partial: str = "error",
    rounding: Rounding = Rounding.TIES_TO_EVEN,
    amax: float | None = None,
) -> Floats:
    """Return ``quantize(…).values()`` without the codes; a zero result may have either sign.

    Parameters
    ----------
    values, format, axis, nan, partial, rounding
        As for `quantize`.
    amax
        The largest magnitude that the second scale of a tensor (`Outer.TENSOR`) is made for, as
        `BlockFormat.quantize` takes it; that of `values` if None.

    Returns
    -------
    array
        float32 if `values` are float32, the scales are powers of two without a second level, and
        all results are float32 numbers; else float64.

    Raises
    ------
    ValueError
        As `quantize`.

    """
    if isinstance(format, MixtureFormat):
        _check_rounding(format, rounding)
        return quantize_mixture(values, format, axis, nan, partial).values()
    floats = as_floats(values)
    narrow = floats.dtype == np.float32 and fits_float32(format)
    kept = narrow or floats.dtype == np.float64
    if kept and rounding is Rounding.TIES_TO_EVEN and block_magic.suits(format):
        rows = Rows.of(format, floats.shape, axis, format.block_size, partial)
        result = np.empty_like(floats, order="C")
        if block_magic.cast(floats, result, rows, format):
            return result
    work = Work(floats, format, axis, nan, partial, rounding, amax)
    narrow = narrow and work.tops_fit()
    found = np.empty((work.rows.count, work.rows.length), np.float32 if narrow else np.float64)
    for piece, quotient, divisor in work.quotients():
        grid = in_blocks(cast(quotient, format.element, rounding=rounding), divisor.shape[1])
        found[piece] = (grid * divisor[..., None]).reshape(quotient.shape)
    return np.ascontiguousarray(work.rows.join(found)).reshape(floats.shape)


def fits_float32(format: BlockFormat) -> bool:
    """Whether float32 holds every value of the format but those at the top of its range."""
    if format.outer is not Outer.NONE or format.scale_powers is None:
        return False
    low = format.scale_powers[0] + format.element.lsb_exponent
    return significant_bits(format.element) <= 24 and low >= -149
