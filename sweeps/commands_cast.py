"""Floor 4. The command ``macloom cast``: tensors of a file to a number format, as codes."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.arguments import add_json, word
from sweeps.files import check_writable, json_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hw.formats import Format
    from sweeps.tensors import Coded

FINE = 0
ARRAYS = (".npy", ".npz")
SAFETENSORS = ".safetensors"
OUTPUTS = (".npz", SAFETENSORS)
MAX_SCALE = "max"
ROUNDINGS = (
    *("ties_to_even", "ties_to_away", "ties_toward_zero", "ties_toward_negative"),
    *("ties_toward_positive", "toward_zero", "toward_negative", "toward_positive", "to_odd"),
)
OVERFLOWS = (
    *("saturate", "saturate_symmetric", "saturate_propagate", "to_zero"),
    *("to_infinity", "wrap", "wrap_sign_magnitude"),
)
"""Values of `hw.formats.Rounding` and `Overflow`, which the command line need not load."""


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="of numbers: .npy, .npz or .safetensors"
    )
    parser.add_argument("--format", required=True, metavar="FORMAT", help="such as e4m3fn, int4")
    parser.add_argument(
        *("-o", "--output"),
        type=Path,
        required=True,
        metavar="FILE",
        help=f"{' or '.join(OUTPUTS)}: codes, each tensor with its format and scale",
    )
    parser.add_argument(
        "--scale",
        type=_scale,
        default=1.0,
        metavar="SCALE",
        help="divide by this first: a number, or max: largest onto largest, per tensor (1)",
    )
    _add_word(parser, "rounding", ROUNDINGS, "of a number between two of the format")
    _add_word(parser, "overflow", OVERFLOWS, "of a number beyond the largest")
    _add_word(parser, "nan", ("error", "zero", "maximum"), "what NaN becomes if there is none")
    add_json(parser)


def _add_word(parser: argparse.ArgumentParser, name: str, words: Sequence[str], text: str) -> None:
    """Add an option whose first word is the default."""
    parser.add_argument(
        f"--{name}",
        type=word(*words),
        default=words[0],
        metavar="NAME",
        help=f"{text}: {', '.join(words)} ({words[0]})",
    )


def cast(arguments: argparse.Namespace) -> int:
    """``macloom cast FILE --format FORMAT -o FILE``."""
    from hw.formats import Overflow, Rounding, parse_element

    format = parse_element(arguments.format)
    if arguments.output.suffix not in OUTPUTS:
        raise ValueError(f"{arguments.output}: the output ends in {' or '.join(OUTPUTS)}")
    check_writable(arguments.output.parent)
    modes = {
        "rounding": Rounding(arguments.rounding),
        "overflow": Overflow(arguments.overflow),
        "nan": arguments.nan,
    }
    given = read_values(arguments.file)
    done = {}
    for name, values in given.items():
        try:
            done[name] = coded(values, format, arguments.scale, modes)
        except ValueError as error:
            raise ValueError(f"{arguments.file}: {name}: {error}") from None
    _write(arguments.output, done)
    rows = [_record(name, given[name], tensor) for name, tensor in done.items()]
    if arguments.json:
        print(json_text({"output": str(arguments.output), "tensors": rows}))
    else:
        print("\n".join([*map(_line, rows), str(arguments.output)]))
    return FINE


def coded(
    values: NDArray[Any], format: Format, scale: float | str, modes: Mapping[str, Any]
) -> Coded:
    """Return the codes of a tensor at a scale, which may be the word "max"."""
    from sweeps.quantize import full_scales
    from sweeps.tensors import Coded

    if scale == MAX_SCALE:
        scale = float(full_scales(values.reshape(-1, 1).astype("f8"), format)[0])
    return Coded.of(values, format, scale, **modes)


def read_values(path: Path) -> dict[str, NDArray[Any]]:
    """Return the tensors of a file as numbers.

    Raises
    ------
    ValueError
        If the file is of no known kind, is broken or has no tensors.
    OSError
        If it cannot be read.
    hw.errors.MissingTool
        For a safetensors file without its library.

    """
    if path.suffix == SAFETENSORS:
        from sweeps.safetensor_files import load_safetensors

        found = {name: tensor.values for name, tensor in load_safetensors(path).items()}
    elif path.suffix in ARRAYS:
        from sweeps.tensors import CODES, arrays_of, load_npz

        found = arrays_of(path)
        if any(name.endswith(CODES) for name in found):
            found = {name: tensor.values for name, tensor in load_npz(path).items()}
    else:
        raise ValueError(f"{path}: tensors come from {', '.join(ARRAYS)} or {SAFETENSORS} files")
    if not found:
        raise ValueError(f"{path}: has no tensors")
    return found


def _write(path: Path, tensors: Mapping[str, Coded]) -> None:
    if path.suffix == SAFETENSORS:
        from sweeps.safetensor_files import save_safetensors

        save_safetensors(path, tensors)
    else:
        from sweeps.tensors import save_npz

        save_npz(path, tensors)


def _scale(text: str) -> float | str:
    if text == MAX_SCALE:
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a positive number or max, not {text!r}")
    return value


def _record(name: str, values: NDArray[Any], tensor: Coded) -> dict[str, Any]:
    """Return what was done to a tensor; errors are over its finite numbers."""
    import numpy as np

    exact = values.astype("f8")
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(tensor.values - exact)
        known = np.isfinite(error)
        noise, signal = (float((part[known] ** 2).sum()) for part in (error, exact))
    return {
        "name": name,
        "shape": list(tensor.codes.shape),
        "format": tensor.format.name,
        "scale": float(tensor.scale),
        "largest_error": float(error[known].max(initial=0.0)),
        "sqnr_db": 10 * math.log10(signal / noise) if 0 < signal < math.inf and noise else None,
    }


def _line(row: dict[str, Any]) -> str:
    shape = "×".join(map(str, row["shape"])) or "scalar"
    sqnr = "" if row["sqnr_db"] is None else f", SQNR {row['sqnr_db']:.1f} dB"
    return (
        f"{row['name']}: {shape} {row['format']}, scale {row['scale']:.6g}, "
        f"largest error {row['largest_error']:.3g}{sqnr}"
    )
