"""Floor 4. Tensors of blocks as the entries of an `.npz` file, checked whichever way they go.

`sweeps.tensors` says what the entries are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from hw.formats import Format
from hw.formats.block import BlockFormat, Outer
from hw.formats.mixture import SCALE_LIMIT, MixtureFormat
from sim.golden import BlockTensor, MixtureTensor
from sim.golden.block_rows import Rows
from sim.golden.convert import code_type

Array = NDArray[Any]
SCALE_CODES, OUTER, AXIS, IDS = ".scale_codes", ".outer", ".axis", ".ids"
_FP16_LIMIT: Final = 0x7BFF
"""Largest finite code of fp16; the codes of negative numbers lie above."""


def checked_codes(codes: Array, what: str, format: object, limit: int, dtype: DTypeLike) -> Array:
    """Return codes of a format as a type of NumPy; ValueError if they are none in ``0 … limit``."""
    if codes.dtype.kind not in "iu":
        raise ValueError(f"{what}s are integers, not {codes.dtype}")
    if codes.size and (int(codes.min()) < 0 or int(codes.max()) > limit):
        wrong = int(codes.min()) if codes.min() < 0 else int(codes.max())
        raise ValueError(f"a {what} of {format} lies in 0..{limit}, not {wrong}")
    return codes.astype(dtype, copy=False)


def codes_of(codes: Array, what: str, format: Format) -> Array:
    """Return codes of a format of single codes as its own type; errors as for `checked_codes`."""
    return checked_codes(codes, what, format, (1 << format.bits) - 1, code_type(format))


def entries_of(name: str, tensor: BlockTensor | MixtureTensor) -> dict[str, Array]:
    """Return the entries of a tensor but its codes and its format.

    Raises
    ------
    ValueError
        If it is not such that `tensor_of` gives it back.

    """
    entries = {
        name + SCALE_CODES: tensor.scales,
        name + AXIS: np.array(tensor.axis),
    }
    if _has_outer(tensor.format):
        entries[name + OUTER] = tensor.outer
    if isinstance(tensor, MixtureTensor):
        entries[name + IDS] = tensor.ids
    tensor_of(name, tensor.elements, tensor.format, entries)
    return entries


def tensor_of(
    name: str, codes: Array, format: BlockFormat | MixtureFormat, entries: Mapping[str, Array]
) -> BlockTensor | MixtureTensor:
    """Return the tensor of some codes, the other entries being those of `entries_of`.

    Raises
    ------
    ValueError
        If an entry is missing, or has another shape, type or range than the format says.

    """
    axis = _axis(_entry(entries, name, AXIS, format), codes.shape)
    rows = Rows.of(format, codes.shape, axis, format.block_size, "pad")
    scales = _shaped(_entry(entries, name, SCALE_CODES, format), "scale code", _scales_shape(rows))
    outer = _outer(name, format, rows, entries)
    if isinstance(format, BlockFormat):
        elements = codes_of(codes, "code", format.element)
        scales = codes_of(scales, "scale code", format.scale_format)
        return BlockTensor(format, elements, scales, outer, axis)
    elements = codes_of(codes, "code", format.codebooks[0])
    ids = _shaped(_entry(entries, name, IDS, format), "codebook id", _scales_shape(rows))
    ids = checked_codes(ids, "codebook id", format, len(format.codebooks) - 1, np.uint8)
    is_fp16 = format.scale_kind == "fp16"
    limit, dtype = (_FP16_LIMIT, np.uint16) if is_fp16 else (SCALE_LIMIT, np.uint8)
    scales = checked_codes(scales, "scale code", format, limit, dtype)
    return MixtureTensor(format, elements, ids, scales, outer, axis)


def _has_outer(format: BlockFormat | MixtureFormat) -> bool:
    if isinstance(format, MixtureFormat):
        return format.scale_kind == "int8"
    return format.outer is not Outer.NONE


def _entry(entries: Mapping[str, Array], name: str, end: str, format: object) -> Array:
    if name + end not in entries:
        raise ValueError(f"{format} needs the entry {name}{end}")
    return entries[name + end]


def _axis(entry: Array, shape: tuple[int, ...]) -> int:
    if entry.dtype.kind not in "iu" or entry.shape:
        raise ValueError(f"the axis is one integer, not {entry.dtype} of shape {entry.shape}")
    axis, last = int(entry), max(len(shape), 1) - 1
    if not 0 <= axis <= last:
        raise ValueError(f"the axis lies in 0..{last}, not {axis}")
    return axis


def _scales_shape(rows: Rows) -> tuple[int, ...]:
    """Return the shape of what there is once per block."""
    if rows.size is None:
        return (1,) * len(rows.shape)
    return (*rows.shape[: rows.axis], rows.blocks, *rows.shape[rows.axis + 1 :])


def _outer(
    name: str, format: BlockFormat | MixtureFormat, rows: Rows, entries: Mapping[str, Array]
) -> NDArray[np.float32]:
    """Return G: one per row, one, or 1 where the format has none."""
    one = (1,) * len(rows.shape)
    if not _has_outer(format):
        if name + OUTER in entries:
            raise ValueError(f"{format} has no outer scale (entry {name}{OUTER})")
        return np.ones(one, np.float32)
    is_shared = isinstance(format, BlockFormat) and format.outer is Outer.TENSOR
    per_row = (*rows.shape[: rows.axis], 1, *rows.shape[rows.axis + 1 :])
    whole = is_shared or rows.size is None
    outer = _shaped(_entry(entries, name, OUTER, format), "outer scale", one if whole else per_row)
    if outer.dtype != np.float32:
        raise ValueError(f"outer scales are float32, not {outer.dtype}")
    if not ((outer > 0) & (outer < np.inf)).all():
        raise ValueError("an outer scale is positive and finite")
    return outer.astype(np.float32, copy=False)


def _shaped(entry: Array, what: str, shape: tuple[int, ...]) -> Array:
    if entry.shape != shape:
        raise ValueError(f"{what}s have the shape {shape} here, not {entry.shape}")
    return entry
