"""Floor 4. Reading and writing `.npz` files: whole or not at all, never a pickle."""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]


def read_arrays(path: Path, what: str) -> Arrays:
    """Return all arrays of a file.

    Raises
    ------
    ValueError
        If the file is no `.npz` or is damaged; the message says that it must be `what`.
    OSError
        If the file cannot be read.
    """
    with path.open("rb") as stream:
        try:
            with np.load(stream, allow_pickle=False) as file:
                return dict(file)
        except (ValueError, TypeError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ValueError(f"{path} must be {what}; {error}") from error


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays to a `.npz`, aside first and then renamed."""
    aside = path.with_suffix(".tmp.npz")
    with aside.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]  # the stub takes them for flags
    aside.replace(path)
