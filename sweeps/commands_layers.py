"""Floor 4. ``macloom sensitivity``: what each layer loses in each format."""

from __future__ import annotations

import argparse
from pathlib import Path

from sweeps.arguments import add_json, at_least, word
from sweeps.executors import add_executor
from sweeps.files import json_text, write_whole

FINE = 0
FORMATS = "int2×uint2,int3×uint3,int4×uint4,int6×uint6,int8×uint8"
LOSSES = Path("build/losses")
_METHODS = ("one-layer", "hessian")
_SCALES = "mse"


def scheme(text: str) -> str:
    """Read a scheme of scales (`sweeps.scales`) from the command line."""
    from sweeps.scales import parse_scheme

    try:
        return parse_scheme(text).name
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def declare_sensitivity(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``macloom sensitivity``."""
    parser.epilog = (
        "The loss is the mean divergence (nats) of the outputs from the float network's, with one "
        "layer quantised; --method hessian: mean Hessian trace times squared weight error (HAWQ)."
    )
    add_network(parser, required=True)
    parser.add_argument(
        "--method",
        type=word(*_METHODS),
        default=_METHODS[0],
        metavar="NAME",
        help=f"{' or '.join(_METHODS)} ({_METHODS[0]})",
    )
    parser.add_argument("--target", metavar="TARGET", help="give each layer's lut and sites too")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE.csv", help="what `macloom allocate` reads"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="heat map; .png, .svg or .pdf")
    add_json(parser)


def add_network(parser: argparse.ArgumentParser, required: bool) -> None:
    """Add what `sweeps.layer_losses.open_study` reads, and who measures."""
    parser.add_argument(
        "--network", required=required, metavar="N", help="shipped, or a .npz or .onnx file"
    )
    parser.add_argument(
        "--dataset", metavar="D", help="shipped, or a .npz file (that of the shipped network)"
    )
    parser.add_argument(
        "--formats",
        metavar="PAIRS",
        help="weight×activation between commas (`*` does for ×); one name for both "
        f"({FORMATS}; with a network whose inputs of layers are negative int for uint)",
    )
    parser.add_argument(
        "--inputs", type=at_least(1), default=100, metavar="N", help="training inputs used (100)"
    )
    parser.add_argument(
        "--scales",
        type=scheme,
        default=_SCALES,
        metavar="NAME",
        help=f"how scales are chosen, such as max, percentile:99.9, mse/group:32@e8m0 ({_SCALES})",
    )
    parser.add_argument(
        "--losses",
        type=Path,
        default=LOSSES,
        metavar="DIR",
        help=f"where measured losses are kept ({LOSSES})",
    )
    add_executor(parser, "one, all CPUs for hundreds of losses")


def sensitivity(arguments: argparse.Namespace) -> int:
    """``macloom sensitivity``."""
    from sweeps.commands_sweep import table
    from sweeps.executors import hands_of
    from sweeps.layer_figures import check_figure, draw_losses
    from sweeps.layer_losses import measure, open_study
    from sweeps.problem_files import to_csv

    check_figure(arguments.plot)
    with hands_of(arguments) as hands:
        study = open_study(arguments, hands)
        costs = study.costs(arguments.target, ("lut", "sites") if arguments.target else ())
        found = measure(study, arguments.method)
    paths = [path for path in (arguments.output, arguments.plot) if path]
    if arguments.output:
        text = to_csv(found.layers, found.formats, found.loss, costs)
        write_whole(arguments.output, text)
    if arguments.plot:
        title = f"{study.engine.network.name}: {_MEASURES[arguments.method]}"
        draw_losses(found.layers, found.formats, found.loss, title, arguments.plot)
    if arguments.json:
        record = {
            "layers": list(found.layers),
            "formats": list(found.formats),
            "loss": found.loss.tolist(),
            "costs": {name: array.tolist() for name, array in costs.items()},
            "method": arguments.method,
            "inputs": len(study.inputs),
            "files": [str(path) for path in paths],
        }
        print(json_text(record))
        return FINE
    rows = [("layer", *found.formats)]
    for name, losses in zip(found.layers, found.loss, strict=True):
        rows.append((name, *(f"{loss:.2e}" for loss in losses)))
    print("\n".join([f"{_MEASURES[arguments.method]}:", table(rows), *map(str, paths)]))
    return FINE


_MEASURES = {
    "one-layer": "loss (nats) with one layer quantised",
    "hessian": "mean Hessian trace × squared weight error",
}
