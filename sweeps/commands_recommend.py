"""Floor 4. ``macloom recommend``: the best design for a network within limits."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.arguments import add_json, at_least, word
from sweeps.executors import add_executor, hands_of
from sweeps.files import json_text

if TYPE_CHECKING:
    from sweeps.pairing import AnyFormat
    from sweeps.points import Point
    from sweeps.recommend import Candidate, Limits
    from sweeps.sweep import Sweep

FINE = 0
_WIDTHS = range(2, 9)
_MINIFLOATS = ("e2m1fn", "e2m3fn", "e3m2fn")
_LANES = 16
_MINIMISE = ("lut", "sites", "energy", "loss")


def declare(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``macloom recommend``."""
    parser.epilog = (
        "Limits are met by estimates for the whole design (a dot product with an accumulator "
        "exact for the network's largest sum). Every result is kept in DIR/points.sqlite: other "
        "limits are answered at once."
    )
    add_sweep(parser, Path("build/recommend"), "where results are kept")
    add = parser.add_argument
    add("--target", default="xcup", metavar="TARGET", help="technology (xcup)")
    add(
        "--lanes", type=at_least(1), default=_LANES, metavar="N", help=f"products a step ({_LANES})"
    )
    add("--structure", metavar="NAME", help="of products; dsp and packed use DSP blocks (auto)")
    add("--max-lut", type=_positive, metavar="N", help="most LUTs")
    add("--max-sites", type=_positive, metavar="N", help="most LUT sites")
    add("--max-energy", type=_positive, metavar="PJ", help="most pJ per MAC, random codes")
    add("--min-mhz", type=_positive, metavar="F", help="least clock; pipelines where needed")
    add("--min-accuracy", type=_positive, metavar="PERCENT", help="of networks with labels")
    add("--max-bits", type=_positive, metavar="BITS", help="per byte, of language models")
    add(
        "--minimise",
        type=word(*_MINIMISE),
        metavar="WHAT",
        help=f"{', '.join(_MINIMISE)} (lut; loss where neither --min-accuracy nor --max-bits)",
    )
    add("--runners-up", type=at_least(0), default=4, metavar="N", help="how many to list (4)")
    add_json(parser)


def add_sweep(
    parser: argparse.ArgumentParser, folder: Path, kept: str, required: bool = True
) -> None:
    """Add what `sweep_of` reads: a network, its data, formats; and the folder of the results."""
    add = parser.add_argument
    add("--network", required=required, metavar="N", help="shipped, or a .npz or .onnx file")
    add("--dataset", metavar="D", help="shipped, or a .npz file")
    add("--weights", metavar="FORMATS", help="between commas (int2…int8, OCP FP4 and FP6)")
    add("--activations", metavar="FORMATS", help="between commas (the same, unsigned if it serves)")
    add("--inputs", type=at_least(1), metavar="N", help="the first held-out inputs only")
    add_executor(parser)
    add("-o", "--output", type=Path, default=folder, metavar="DIR", help=f"{kept} ({folder})")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, not {text!r}")
    return value


def recommend(arguments: argparse.Namespace) -> int:
    """``macloom recommend``."""
    from sweeps import recommend as question
    from sweeps import runs
    from sweeps.locks import alone_in
    from sweeps.store import Store

    if arguments.min_mhz is not None:
        question.check_clock(arguments.target)
    sweep = sweep_of(arguments)
    limits = _limits(arguments, sweep.dataset)
    place = arguments.output
    with alone_in(place), Store(place / runs.STORE_NAME) as store, hands_of(arguments) as hands:
        points = runs.run(sweep, store, **hands.options())
    judged = arguments.min_accuracy is not None or arguments.max_bits is not None
    minimise = arguments.minimise or ("lut" if judged else "loss")
    found = question.recommend(points, sweep, limits, minimise, arguments.runners_up + 1, _note)
    if arguments.json:
        print(json_text(_record(found, minimise, len(points))))
    else:
        print("\n".join(_lines(found, limits, minimise, points)))
    return FINE


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr)


def sweep_of(arguments: argparse.Namespace) -> Sweep:
    """Return the sweep that is asked.

    Raises
    ------
    ValueError
        For an unknown network, data set or format.
    """
    from sweeps.datasets import load_dataset, own_name
    from sweeps.inference import Engine
    from sweeps.layer_losses import has_negative_inputs
    from sweeps.metrics import find_metric
    from sweeps.models import load
    from sweeps.sweep import Sweep

    dataset = arguments.dataset or own_name(arguments.network)
    network, data = load(arguments.network), load_dataset(dataset)

    def usual(sign: str) -> str:
        return ",".join([*(f"{sign}{bits}" for bits in _WIDTHS), *_MINIFLOATS])

    activations = arguments.activations
    if activations is None:
        activations = usual("int" if has_negative_inputs(Engine(network, data)) else "uint")
    return Sweep(
        name="recommend",
        network=arguments.network,
        dataset=dataset,
        weights=_formats(arguments.weights or usual("int")),
        activations=_formats(activations),
        design=(*_design(arguments).items(),),
        targets=(arguments.target,),
        objectives=(find_metric(data.metric).objective, "sites_per_lane"),
        inputs=arguments.inputs,
    )


def _design(arguments: argparse.Namespace) -> dict[str, Any]:
    from hw.design import STRUCTURES

    found = {"kind": "dot", "lanes": arguments.lanes, "specials": "ignore"}
    structure = getattr(arguments, "structure", None)
    if structure is None:
        return found
    if structure not in STRUCTURES:
        raise ValueError(f"a structure is one of {', '.join(STRUCTURES)}, not {structure!r}")
    return found | {"structure": structure}


def _formats(text: str) -> tuple[AnyFormat, ...]:
    from sweeps.layer_costs import parse_pairs

    pairs = parse_pairs(text)
    if any(pair.weight != pair.activation for pair in pairs):
        raise ValueError(f"formats stand between commas, without ×, not {text!r}")
    return tuple(pair.weight for pair in pairs)


def _limits(arguments: argparse.Namespace, dataset: str) -> Limits:
    from sweeps.datasets import load_dataset
    from sweeps.recommend import Limits

    metric = load_dataset(dataset).metric
    accuracy, bits = arguments.min_accuracy, arguments.max_bits
    if accuracy is not None and metric != "accuracy":
        raise ValueError(f"{dataset} is judged by {metric}: say --max-bits, not --min-accuracy")
    if bits is not None and metric == "accuracy":
        raise ValueError(f"{dataset} is judged by accuracy: say --min-accuracy, not --max-bits")
    if accuracy is not None and accuracy > 100:
        raise ValueError(f"an accuracy is at most 100 %, not {accuracy:g}")
    return Limits(
        lut=arguments.max_lut,
        sites=arguments.max_sites,
        energy=arguments.max_energy,
        loss=bits if accuracy is None else 100 - accuracy,
        mhz=arguments.min_mhz,
    )


def _record(found: Sequence[Candidate], minimise: str, points: int) -> dict[str, Any]:
    records = []
    for one in found:
        point = one.point
        records.append(
            {
                "weight": point.weight,
                "activation": point.activation,
                "design": one.design.to_record(),
                "target": point.target,
                "metric": point.metric,
                "value": point.value,
                "interval": list(point.interval),
                "lut": point.lut,
                "sites": one.sites,
                "mhz": one.mhz,
                **_clock_error(one),
                "energy_pj_per_mac": one.energy,
                "on_front": one.on_front,
                "indistinct_from_best": one.indistinct,
                "command": one.command,
            }
        )
    return {
        "best": records[0],
        "runners_up": records[1:],
        "minimised": minimise,
        "points": points,
    }


def _clock_error(one: Candidate) -> dict[str, Any]:
    """Return how far a clock may be trusted."""
    if one.mhz is None:
        return {}
    from costmodel.timing import delays

    known = delays(one.point.target.partition(":")[0])
    return {"mhz_calibrated": known.calibrated, "mhz_error_percent": known.error_percent}


def _lines(
    found: Sequence[Candidate], limits: Limits, minimise: str, points: Sequence[Point]
) -> list[str]:
    from costmodel.timing import delays
    from sweeps.commands_sweep import table

    best = found[0]
    metric = best.point.judged
    columns: list[tuple[str, Callable[[Candidate], str]]] = [
        ("weight × activation", lambda c: f"{c.point.weight} × {c.point.activation}"),
        (metric.heading, lambda c: metric.text(c.point.value)),
        ("95 % interval", lambda c: " … ".join(metric.text(end) for end in c.point.interval)),
        ("LUT", lambda c: f"{c.point.lut:g}"),
        ("sites", lambda c: f"{c.sites:g}"),
    ]
    if best.energy is not None:
        columns.append(("pJ/MAC", lambda c: f"{c.energy:.3g}"))
    if best.mhz is not None:
        columns.append(("MHz", lambda c: f"{c.mhz:.0f}"))
        columns.append(("stages", lambda c: str(c.design.pipeline)))
    columns.append(("told from the best", lambda c: "no" if c.indistinct else "yes"))
    rows = [[name for name, _ in columns]]
    for number, one in enumerate(found):
        cells = [cell(one) for _, cell in columns]
        rows.append([*cells[:-1], cells[-1] if number else "-"])
    low, high = best.point.interval
    value = 100 - limits.loss if limits.loss is not None and metric.rises else limits.loss
    lines = [f"least {minimise} within the limits, of {len(points)} designs, by estimate:"]
    lines += [table(rows), best.command]
    if best.mhz is not None:
        lines.append(f"clocks by formula: {delays(best.point.target.partition(':')[0]).error}")
    if value is not None and low <= value <= high:
        lines.append(f"the limit of {value:g} lies within the best's 95 % interval")
    return lines
