"""Floor 4. Tensors as codes of a stated format, and the `.npz` files they are kept in.

A file holds, for each tensor NAME, the entries ``NAME.codes`` (unsigned integers, one code each, in
the shape of the values) and ``NAME.format`` (the format's name). For a format of single codes there
is ``NAME.scale`` (float64, left out where it is 1). For a format of blocks there are

- ``NAME.axis``: the axis along which the blocks lie, an integer from 0 on;
- ``NAME.scale_codes``: unsigned integers, one per block: as many axes as the values, along the axis
  one entry per block, the last of which may be shorter; a block of the whole tensor has one entry;
- ``NAME.outer``: float32, the scale of scales, where the format has one: a single entry, or one per
  row, in which case its length along the axis is 1;
- ``NAME.ids``: for mixtures, the place of each block's codebook in the format, as many as scales.

A value is the element's value times the scale's value times the outer scale.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.formats import Format, parse
from sim.golden import BlockTensor, MixtureTensor, decode, encode
from sweeps.block_entries import codes_of, entries_of, tensor_of
from sweeps.files import write_whole

CODES, FORMAT, SCALE = ".codes", ".format", ".scale"


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A tensor of codes: ``values = decode(codes, format) * scale``.

    Parameters
    ----------
    codes
        Unsigned integers below ``2**format.bits``, any shape.
    format
        What they mean.
    scale
        Positive and finite, float64, broadcastable to the shape of `codes`.

    """

    codes: NDArray[np.unsignedinteger]
    format: Format
    scale: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Reject codes that are none, and scales that do not fit."""
        codes, scale = np.asarray(self.codes), np.asarray(self.scale, np.float64)
        codes = codes_of(codes, "code", self.format)
        if not ((scale > 0) & (scale < np.inf)).all():
            raise ValueError("a scale is positive and finite")
        try:
            fits = np.broadcast_shapes(scale.shape, codes.shape) == codes.shape
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(f"scale of shape {scale.shape} does not fit codes of {codes.shape}")
        object.__setattr__(self, "codes", codes)
        object.__setattr__(self, "scale", scale)

    @classmethod
    def of(cls, values: ArrayLike, format: Format, scale: ArrayLike = 1.0, **modes: Any) -> Coded:
        """Return the codes nearest to ``values / scale``, as `sim.golden.encode` with its modes."""
        return cls(encode(values, format, scale, **modes), format, np.asarray(scale, np.float64))

    @property
    def values(self) -> NDArray[np.float64]:
        """What the codes stand for; specials are nan and ±inf."""
        return np.asarray(decode(self.codes, self.format) * self.scale)

    @property
    def is_scaled(self) -> bool:
        """Whether the scale is not just 1."""
        return not (self.scale.ndim == 0 and float(self.scale) == 1.0)


Tensor = Coded | BlockTensor | MixtureTensor
"""What a file holds under one name."""


def values_of(tensor: Tensor) -> NDArray[np.float64]:
    """Return what the codes of a tensor stand for, exactly; specials are nan and ±inf."""
    return tensor.values if isinstance(tensor, Coded) else tensor.values()


def save_npz(path: Path | str, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as a `.npz` file, whole or not at all.

    Raises
    ------
    ValueError
        If there are none, a name is empty, or the parts of a tensor do not fit together.
    OSError
        If the file cannot be written.

    """
    entries: dict[str, Any] = {}
    check_names(tensors)
    for name, tensor in tensors.items():
        entries[name + FORMAT] = np.array(tensor.format.name)
        if isinstance(tensor, Coded):
            entries[name + CODES] = tensor.codes
            if tensor.is_scaled:
                entries[name + SCALE] = tensor.scale
            continue
        entries[name + CODES] = tensor.elements
        try:
            entries |= entries_of(name, tensor)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    buffer = io.BytesIO()
    np.savez(buffer, **entries)
    write_whole(Path(path), buffer.getvalue())


def load_npz(path: Path | str) -> dict[str, Tensor]:
    """Return the tensors of a file of `save_npz`.

    Raises
    ------
    ValueError
        If it is no such file; the message names it and the tensor.
    OSError
        If it cannot be read.

    """
    entries = arrays_of(Path(path))
    names = [key.removesuffix(CODES) for key in entries if key.endswith(CODES)]
    if not names:
        raise ValueError(f"{path}: has no codes (entries NAME{CODES} with NAME{FORMAT})")
    return {name: _tensor(Path(path), name, entries) for name in names}


def _tensor(path: Path, name: str, entries: Mapping[str, NDArray[Any]]) -> Tensor:
    if name + FORMAT not in entries:
        raise ValueError(f"{path}: {name} has no format (entry {name}{FORMAT})")
    try:
        format, codes = parse(str(entries[name + FORMAT])), entries[name + CODES]
        if not isinstance(format, Format):
            return tensor_of(name, codes, format, entries)
        return Coded(codes, format, entries.get(name + SCALE, np.array(1.0)))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {name}: {error}") from None


def arrays_of(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays of a `.npz` file, or that of a `.npy` file under the file's stem.

    Raises
    ------
    ValueError
        If it is neither; pickled objects are refused.
    OSError
        If it cannot be read.

    """
    content = path.read_bytes()
    try:
        found = np.load(io.BytesIO(content), allow_pickle=False)
        if isinstance(found, np.ndarray):
            return {path.stem: found}
        return {key: found[key] for key in found.files}
    except Exception as error:  # of NumPy, zipfile, zlib, tokenize: a dozen types, none of ours
        detail = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path}: not an array file of NumPy: {detail}") from None


def check_names(tensors: Mapping[str, object]) -> None:
    """Raise ValueError if there are no tensors or entries of two would clash."""
    if not tensors:
        raise ValueError("there are no tensors to write")
    for name in tensors:
        if not name or name != name.strip() or "\0" in name:
            raise ValueError(f"a tensor has a name, not {name!r}")
        if name.endswith((CODES, FORMAT, SCALE)):
            raise ValueError(f"{name!r} ends like an entry of a tensor ({CODES} {FORMAT} {SCALE})")
