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
    from hw.formats.grammar import AnyFormat
    from sweeps.tensors import Coded, Tensor

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
PARTIALS = ("error", "pad")
NANS = ("error", "zero", "maximum", "block")
_CODE_OPTIONS = ("scale", "rounding", "overflow", "nan")
_BLOCK_OPTIONS = ("axis", "partial", "rounding", "nan")
_MIXTURE_OPTIONS = ("axis", "partial", "nan")


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="of numbers: .npy, .npz or .safetensors"
    )
    parser.add_argument(
        "--format", required=True, metavar="FORMAT", help="such as e4m3fn, int4, mxfp4, bitmod4"
    )
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
        metavar="SCALE",
        help="divide by this first: a number, or max: largest onto largest, per tensor (1)",
    )
    parser.add_argument(
        "--axis", type=_integer, metavar="N", help="along which blocks lie; -1: the last (-1)"
    )
    _add_word(parser, "partial", PARTIALS, "a last block that is not full")
    _add_word(parser, "rounding", ROUNDINGS, "of a number between two of the format")
    _add_word(parser, "overflow", OVERFLOWS, "of a number beyond the largest")
    _add_word(parser, "nan", NANS, "what NaN becomes if there is none; block: its whole block")
    add_json(parser)


def _add_word(parser: argparse.ArgumentParser, name: str, words: Sequence[str], text: str) -> None:
    """Add an option whose first word is what happens without it."""
    parser.add_argument(
        f"--{name}",
        type=word(*words),
        metavar="NAME",
        help=f"{text}: {', '.join(words)} ({words[0]})",
    )


def cast(arguments: argparse.Namespace) -> int:
    """``macloom cast FILE --format FORMAT -o FILE``."""
    from hw.formats import Format, parse

    format = parse(arguments.format)
    options = _options(arguments, format)
    if arguments.output.suffix not in OUTPUTS:
        raise ValueError(f"{arguments.output}: the output ends in {' or '.join(OUTPUTS)}")
    if arguments.output.suffix == SAFETENSORS and not isinstance(format, Format):
        raise ValueError(f"{arguments.output}: {format} has blocks, which only .npz files hold")
    check_writable(arguments.output.parent)
    given = read_values(arguments.file)
    done = {}
    for name, values in given.items():
        try:
            done[name] = tensor_in(values, format, **options)
        except ValueError as error:
            raise ValueError(f"{arguments.file}: {name}: {error}") from None
    _write(arguments.output, done)
    rows = [_record(name, given[name], tensor) for name, tensor in done.items()]
    if arguments.json:
        print(json_text({"output": str(arguments.output), "tensors": rows}))
    else:
        print("\n".join([*map(_line, rows), str(arguments.output)]))
    return FINE


def _options(arguments: argparse.Namespace, format: AnyFormat) -> dict[str, Any]:
    """Return the options given, as arguments of `tensor_in`; refuse what the format has not."""
    from hw.formats import Format, Overflow, Rounding
    from hw.formats.block import BlockFormat

    kinds = ((Format, _CODE_OPTIONS), (BlockFormat, _BLOCK_OPTIONS))
    known = next((names for kind, names in kinds if isinstance(format, kind)), _MIXTURE_OPTIONS)
    names = dict.fromkeys((*_CODE_OPTIONS, *_BLOCK_OPTIONS))
    options = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    for name in options:
        if name not in known:
            others = ", ".join(f"--{each}" for each in known)
            raise ValueError(f"--{name} means nothing to {format}, which takes {others}")
    for name, mode in (("rounding", Rounding), ("overflow", Overflow)):
        if name in options:
            options[name] = mode(options[name])
    return options


def tensor_in(values: NDArray[Any], format: AnyFormat, **options: Any) -> Tensor:
    """Return a tensor in a format; a `scale` may be the word "max".

    Options and errors are those of `sim.golden.quantize` for a format of blocks, else of
    `sim.golden.encode`.
    """
    from hw.formats import Format

    if isinstance(format, Format):
        return _coded(values, format, **options)
    from sim.golden import quantize

    return quantize(values, format, **options)


def _coded(values: NDArray[Any], format: Format, scale: float | str = 1.0, **modes: Any) -> Coded:
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
        from sweeps.tensors import CODES, arrays_of, load_npz, values_of

        found = arrays_of(path)
        if any(name.endswith(CODES) for name in found):
            found = {name: values_of(tensor) for name, tensor in load_npz(path).items()}
    else:
        raise ValueError(f"{path}: tensors come from {', '.join(ARRAYS)} or {SAFETENSORS} files")
    if not found:
        raise ValueError(f"{path}: has no tensors")
    return found


def _write(path: Path, tensors: Mapping[str, Tensor]) -> None:
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


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None


def _record(name: str, values: NDArray[Any], tensor: Tensor) -> dict[str, Any]:
    """Return what was done to a tensor; errors are over its finite numbers."""
    import numpy as np

    from sweeps.tensors import Coded, values_of

    exact = values.astype("f8")
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(values_of(tensor) - exact)
        known = np.isfinite(error)
        noise, signal = (float((part[known] ** 2).sum()) for part in (error, exact))
    row = {
        "name": name,
        "shape": list(values.shape),
        "format": tensor.format.name,
        "largest_error": float(error[known].max(initial=0.0)),
        "sqnr_db": 10 * math.log10(signal / noise) if 0 < signal < math.inf and noise else None,
    }
    if isinstance(tensor, Coded):
        return row | {"bits_per_element": tensor.format.bits, "scale": float(tensor.scale)}
    return row | {
        "bits_per_element": float(tensor.format.bits_per_element),
        "axis": tensor.axis,
        "block_size": tensor.format.block_size,
    }


def _line(row: dict[str, Any]) -> str:
    shape = "×".join(map(str, row["shape"])) or "scalar"
    scale = f", scale {row['scale']:.6g}" if "scale" in row else f" along axis {row['axis']}"
    sqnr = "" if row["sqnr_db"] is None else f", SQNR {row['sqnr_db']:.1f} dB"
    return (
        f"{row['name']}: {shape} {row['format']}{scale}, {row['bits_per_element']:.6g} bits per "
        f"element, largest error {row['largest_error']:.3g}{sqnr}"
    )
