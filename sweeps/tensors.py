"""Floor 4. Tensors as codes of a stated format, and the `.npz` files they are kept in.

A file holds, for each tensor NAME, the entries ``NAME.codes`` (unsigned integers, one code each),
``NAME.format`` (the format's name) and ``NAME.scale`` (float64, left out where it is 1).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hw.formats import Format, parse_element
from sim.golden import decode, encode
from sim.golden.convert import code_type
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
        if codes.dtype.kind not in "iu":
            raise ValueError(f"codes are integers, not {codes.dtype}")
        top = (1 << self.format.bits) - 1
        if codes.size and (int(codes.min()) < 0 or int(codes.max()) > top):
            wrong = int(codes.min()) if codes.min() < 0 else int(codes.max())
            raise ValueError(f"a code of {self.format} lies in 0..{top}, not {wrong}")
        if not ((scale > 0) & (scale < np.inf)).all():
            raise ValueError("a scale is positive and finite")
        try:
            fits = np.broadcast_shapes(scale.shape, codes.shape) == codes.shape
        except ValueError:
            fits = False
        if not fits:
            raise ValueError(f"scale of shape {scale.shape} does not fit codes of {codes.shape}")
        object.__setattr__(self, "codes", codes.astype(code_type(self.format), copy=False))
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


def save_npz(path: Path, tensors: Mapping[str, Coded]) -> None:
    """Write tensors as a `.npz` file, whole or not at all.

    Raises
    ------
    ValueError
        If there are none, or a name is empty.
    OSError
        If the file cannot be written.

    """
    entries: dict[str, Any] = {}
    for name, tensor in checked_names(tensors).items():
        entries[name + CODES] = tensor.codes
        entries[name + FORMAT] = np.array(tensor.format.name)
        if tensor.is_scaled:
            entries[name + SCALE] = tensor.scale
    buffer = io.BytesIO()
    np.savez(buffer, **entries)
    write_whole(path, buffer.getvalue())


def load_npz(path: Path) -> dict[str, Coded]:
    """Return the tensors of a file of `save_npz`.

    Raises
    ------
    ValueError
        If it is no such file; the message names it and the tensor.
    OSError
        If it cannot be read.

    """
    entries = arrays_of(path)
    names = [key.removesuffix(CODES) for key in entries if key.endswith(CODES)]
    if not names:
        raise ValueError(f"{path}: has no codes (entries NAME{CODES} with NAME{FORMAT})")
    return {name: _tensor(path, name, entries) for name in names}


def _tensor(path: Path, name: str, entries: Mapping[str, NDArray[Any]]) -> Coded:
    if name + FORMAT not in entries:
        raise ValueError(f"{path}: {name} has no format (entry {name}{FORMAT})")
    try:
        format = parse_element(str(entries[name + FORMAT]))
        scale = entries.get(name + SCALE, np.array(1.0))
        return Coded(entries[name + CODES], format, scale)
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
    except (ValueError, EOFError, KeyError, OSError, zipfile.BadZipFile) as error:
        detail = " ".join(str(error).split())
        raise ValueError(f"{path}: not an array file of NumPy: {detail}") from None


def checked_names(tensors: Mapping[str, Coded]) -> Mapping[str, Coded]:
    """Return the tensors, or raise ValueError if there are none or two entries would clash."""
    if not tensors:
        raise ValueError("there are no tensors to write")
    for name in tensors:
        if not name or name != name.strip() or "\0" in name:
            raise ValueError(f"a tensor has a name, not {name!r}")
        if name.endswith((CODES, FORMAT, SCALE)):
            raise ValueError(f"{name!r} ends like an entry of a tensor ({CODES} {FORMAT} {SCALE})")
    return tensors
