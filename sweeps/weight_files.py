"""Floor 4. The weights of a file or a folder of files, one tensor in memory at a time.

`.npz` and `.npy` files of numbers, files of `sweeps.tensors`, and safetensors files, of which only
the header and one tensor's bytes are read (the format: huggingface/safetensors, README, "Format").
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.formats import FixedFormat, Format
from hw.formats.dtypes import DTYPES, from_dtype
from sim.golden import decode
from sim.golden.convert import code_type
from sweeps.tensors import CODES, load_npz, values_of

SUFFIXES = (".npz", ".npy", ".safetensors")
_TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
}
"""Types of numbers in a safetensors file; others are no weights."""
_MOST_HEADER = 100_000_000


@dataclass(frozen=True, slots=True)
class Weights:
    """One tensor of a file, not yet read.

    Parameters
    ----------
    path, name
        Where it is.
    shape
        Of its values.
    dtype
        Type of an element, as the file says it.
    is_real
        Whether that is a type of real numbers (not whole numbers, truth values, text).
    read
        Gives its values as float64.

    """

    path: Path
    name: str
    shape: tuple[int, ...]
    dtype: str
    is_real: bool
    read: Callable[[], NDArray[np.float64]]

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)

    @property
    def has_sums(self) -> bool:
        """Whether it is a matrix or more: what is no vector takes part in sums of products."""
        return len(self.shape) >= 2 and self.size > 0

    def values(self) -> NDArray[np.float64]:
        """Return its values.

        Raises
        ------
        ValueError
            If one is not finite, or the file is damaged; the message names file and tensor.
        """
        try:
            found = np.asarray(self.read(), dtype=np.float64)
        except (ValueError, zipfile.BadZipFile, EOFError, TypeError) as error:
            raise ValueError(f"{self.path}: {self.name}: {error}") from None
        bad = np.flatnonzero(~np.isfinite(found.ravel()))
        if len(bad):
            place = ", ".join(str(int(i)) for i in np.unravel_index(bad[0], self.shape))
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            raise ValueError(
                f"{self.path}: {self.name}: weights are finite numbers, "
                f"[{place}] is {found.ravel()[bad[0]]}{more}"
            )
        return found


def weights_of(path: Path, pattern: str = "*") -> tuple[Weights, ...]:
    """Return the tensors of a file, or of all files of a folder (in order of names).

    Parameters
    ----------
    path
        A file with a suffix of `SUFFIXES`, or a folder of some.
    pattern
        Which names are meant, with `*` and `?`.

    Raises
    ------
    ValueError
        If there is no such file in the folder, a file is damaged, or no tensor has such a name.
    OSError
        If one cannot be read.
    """
    files = [path]
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.suffix in SUFFIXES and one.is_file())
        if not files:
            raise ValueError(f"{path}: no {', '.join(SUFFIXES)} file is in this folder")
    every = [weights for one in files for weights in _in_file(one)]
    chosen = tuple(one for one in every if fnmatchcase(one.name, pattern))
    if not chosen:
        names = ", ".join(one.name for one in every[:8]) or "none"
        raise ValueError(f"{path}: no tensor is named {pattern!r} (there are {names})")
    return chosen


def _in_file(path: Path) -> Iterator[Weights]:
    if path.suffix == ".safetensors":
        return _in_safetensors(path)
    if path.suffix in (".npz", ".npy"):
        return _in_arrays(path)
    raise ValueError(f"{path}: weights come from {', '.join(SUFFIXES)} files or a folder of them")


def _in_arrays(path: Path) -> Iterator[Weights]:
    """An `.npz` file's arrays are read one by one: of each only its header first."""
    if path.suffix == ".npy":
        yield _array(path, path.stem, partial(_loaded, path))
        return
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = list(archive.files)
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{path}: not an array file of NumPy: {error}") from None
    if any(name.endswith(CODES) for name in names):
        for name, tensor in load_npz(path).items():
            values, kind = values_of(tensor), tensor.format.name
            yield Weights(path, name, values.shape, kind, True, partial(_same, values))
        return
    for name in names:
        yield _array(path, name, partial(_member, path, name))


def _same(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values


def _array(path: Path, name: str, read: Callable[[], NDArray[Any]]) -> Weights:
    try:
        found = read()
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{path}: {name}: not an array of NumPy: {error}") from None
    kind = found.dtype
    format = _format(str(kind))
    is_real = np.issubdtype(kind, np.floating) or isinstance(format, Format)

    def values() -> NDArray[np.float64]:
        array = read()
        return np.asarray(array.astype(np.float64))

    return Weights(path, name, found.shape, str(kind), bool(is_real), values)


def _loaded(path: Path) -> NDArray[Any]:
    found: NDArray[Any] = np.load(path, allow_pickle=False)
    return found


def _member(path: Path, name: str) -> NDArray[Any]:
    with np.load(path, allow_pickle=False) as archive:
        found: NDArray[Any] = archive[name]
    return found


def _format(dtype: str) -> Format | None:
    """Return the format of an element type of numbers that are not whole."""
    format = from_dtype(dtype) if dtype in DTYPES else None
    return None if isinstance(format, FixedFormat) else format


def _in_safetensors(path: Path) -> Iterator[Weights]:
    header, start = _header(path)
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape = str(entry["dtype"]), tuple(int(n) for n in entry["shape"])
            first, last = (int(n) for n in entry["data_offsets"])
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{path}: {name}: the header of a tensor is damaged") from None
        known = dtype in _TYPES
        if known and (
            first < 0
            or last - first != math.prod(shape) * _bytes(dtype)
            or start + last > path.stat().st_size
        ):
            raise ValueError(f"{path}: {name}: its data do not fit its shape {shape}: cut off?")
        read = partial(_segment, path, start + first, dtype, shape)
        yield Weights(path, name, shape, _TYPES.get(dtype, dtype), known, read)


def _header(path: Path) -> tuple[Mapping[str, Any], int]:
    """Return the JSON header, and where the data begin."""
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= min(_MOST_HEADER, path.stat().st_size - 8):
            raise ValueError(f"{path}: not a safetensors file: its header has no sensible length")
        try:
            header = json.loads(stream.read(length))
        except (json.JSONDecodeError, UnicodeDecodeError):
            header = None
    if not isinstance(header, dict):
        raise ValueError(f"{path}: not a safetensors file: its header is no JSON object")
    return header, 8 + length


def _bytes(dtype: str) -> int:
    name = _TYPES[dtype]
    return 8 if name == "float64" else from_dtype(name).bits // 8


def _segment(path: Path, start: int, dtype: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    name, count = _TYPES[dtype], math.prod(shape)
    if name in ("float64", "float32", "float16"):
        plain = np.fromfile(path, np.dtype(name).newbyteorder("<"), count, offset=start)
        return plain.astype(np.float64).reshape(shape)
    format = from_dtype(name)
    codes = np.fromfile(path, np.dtype(code_type(format)).newbyteorder("<"), count, offset=start)
    return np.asarray(decode(codes, format)).reshape(shape)
