"""Floor 4. ``macloom sqnr``: signal to quantisation noise of the weights of a folder."""

from __future__ import annotations

import argparse
import csv
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.arguments import add_json, word
from sweeps.files import check_writable, json_text, write_whole

if TYPE_CHECKING:
    from sweeps.quantize import AnyFormat
    from sweeps.sqnr import Noise
    from sweeps.weight_files import Weights

FINE = 0
FORMATS = "int4,int8,e2m1fn,e4m3fn,mxfp4,nvfp4,bitmod4"
SIDES = ("first", "last")
_MOST_LISTED = 60
_BETWEEN = re.compile(r",(?![^<]*>)")
"""A comma that is not within a name such as fixed<8,4>."""


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``macloom sqnr``."""
    parser.epilog = (
        "Vectors (biases, norms) and whole numbers are left out. Scales: METHOD[/SHARED][@FORMAT], "
        "such as max, mse, percentile:99.9, max/tensor, mse/group:32@fp16; a scale without a "
        "format counts 32 bits. Formats of blocks and mixtures bring their own, along the terms "
        "of an output."
    )
    add = parser.add_argument
    add("weights", type=Path, metavar="PATH", help="a .npz, .npy or .safetensors file, or a folder")
    add("--formats", default=FORMATS, metavar="NAMES", help=f"between commas ({FORMATS})")
    add("--scales", default="max", metavar="NAME", help="of single codes: see below (max)")
    add("--tensors", default="*", metavar="PATTERN", help="names with * and ? (all matrices)")
    add(
        "--outputs",
        type=word(*SIDES),
        default=SIDES[0],
        metavar="SIDE",
        help="axis of a tensor that tells outputs: first as in PyTorch, or last (first)",
    )
    add("-o", "--output", type=Path, metavar="FILE.csv", help="a row per tensor and format")
    add("--plot", type=Path, metavar="FILE", help="heat map; .png, .svg or .pdf")
    add_json(parser)


def sqnr(arguments: argparse.Namespace) -> int:
    """``macloom sqnr PATH``."""
    from sweeps.layer_figures import check_figure
    from sweeps.progress import Progress
    from sweeps.quantize import find_method
    from sweeps.sqnr import measure
    from sweeps.weight_files import weights_of

    check_figure(arguments.plot)
    for path in (arguments.output, arguments.plot):
        if path is not None:
            check_writable(path.parent)
    formats = _formats(arguments.formats)
    method = find_method(arguments.scales)
    every = weights_of(arguments.weights, arguments.tensors)
    tensors = [one for one in every if one.has_sums and one.is_real]
    if not tensors:
        raise ValueError(_nothing(arguments.weights, every))
    with Progress("sqnr", len(tensors)) as progress:
        found = list(measure(tensors, formats, method, arguments.outputs, progress.advance))
    paths = [path for path in (arguments.output, arguments.plot) if path]
    rows = _rows(tensors, formats, found)
    if arguments.output:
        write_whole(arguments.output, _csv(rows))
    if arguments.plot:
        from sweeps.sqnr_figure import draw

        draw(_names(tensors), formats, found, arguments.scales, arguments.plot)
    if arguments.json:
        record = {"tensors": rows, "left_out": len(every) - len(tensors)}
        print(json_text(record | {"files": [str(path) for path in paths]}))
        return FINE
    text = _table(_names(tensors), formats, found)
    note = [f"{len(every) - len(tensors)} vectors or whole numbers left out"]
    lines = ["signal to quantisation noise in dB (more is better):", text]
    print("\n".join([*lines, *(note if len(every) > len(tensors) else []), *map(str, paths)]))
    return FINE


def _formats(text: str) -> list[AnyFormat]:
    from hw.formats import parse

    names = [name for name in _BETWEEN.split(text) if name.strip()]
    if not names:
        raise ValueError("formats are names between commas, there are none")
    return list(dict.fromkeys(parse(name) for name in names))


def _nothing(path: Path, every: Sequence[Weights]) -> str:
    one = every[0]
    shape = "×".join(map(str, one.shape)) or "a single number"
    return (
        f"{path}: no tensor has two axes or more and real numbers: "
        f"{one.name} is {shape} of {one.dtype}"
    )


def _names(tensors: Sequence[Weights]) -> list[str]:
    """Return names; with their file where several files have the same one."""
    names = [one.name for one in tensors]
    return [
        one.name if names.count(one.name) == 1 else f"{one.path.name}:{one.name}" for one in tensors
    ]


def _rows(
    tensors: Sequence[Weights], formats: Sequence[AnyFormat], found: Sequence[Sequence[Noise]]
) -> list[dict[str, Any]]:
    return [
        {
            "file": tensor.path.name,
            "tensor": tensor.name,
            "shape": "×".join(map(str, tensor.shape)),
            "format": format.name,
            "bits_per_weight": round(one.bits_per_weight, 6),
            "sqnr_db": one.sqnr_db if math.isfinite(one.sqnr_db) else None,
        }
        for tensor, noises in zip(tensors, found, strict=True)
        for format, one in zip(formats, noises, strict=True)
    ]


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, tuple(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        value = row["sqnr_db"]
        writer.writerow(row | {"sqnr_db": "" if value is None else f"{value:.6g}"})
    return stream.getvalue()


def _table(
    names: Sequence[str], formats: Sequence[AnyFormat], found: Sequence[Sequence[Noise]]
) -> str:
    from sweeps.commands_sweep import table

    together = [sum(column[1:], column[0]) for column in zip(*found, strict=True)]
    lines = [("tensor", *(format.name for format in formats))]
    for name, noises in [*zip(names, found, strict=True)][:_MOST_LISTED]:
        lines.append((name, *(_text(one) for one in noises)))
    if len(names) > _MOST_LISTED:
        lines.append((f"… {len(names) - _MOST_LISTED} more", *("" for _ in formats)))
    lines.append(("all together", *(_text(one) for one in together)))
    lines.append(("bits per weight", *(f"{one.bits_per_weight:.2f}" for one in together)))
    return table(lines)


def _text(one: Noise) -> str:
    return f"{one.sqnr_db:.1f}" if math.isfinite(one.sqnr_db) else "exact"
