"""Floor 4. ``macloom energy``, and ``macloom simulate --netlist``: what runs on mapped netlists."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from sweeps.arguments import DEFAULT_TARGET, add_design, add_json, at_least, design_of, word
from sweeps.commands import CHECK_FAILED, FINE, show, verdict_line

STREAMS = ("uniform", "gaussian", "digits")
GATES = ("cmos45", "cmos7")
"""Static CMOS gates with the energy of a node, besides the targets of `hw.target`."""
_HEADS = ("part", "pJ per MAC", "share", "toggles per cycle")


def declare(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``macloom energy``."""
    add_design(parser)
    parser.add_argument(
        "--stream",
        type=word(*STREAMS),
        default=STREAMS[0],
        metavar="NAME",
        help=f"operands: {', '.join(STREAMS)} (uniform)",
    )
    parser.add_argument("--layer", default="", metavar="NAME", help="of digits: one layer only")
    parser.add_argument(
        "--estimate", action="store_true", help="by formula, without mapping or simulating"
    )
    parser.add_argument(
        "--seed", type=at_least(0), default=1, metavar="N", help="of the stream (1)"
    )
    parser.add_argument(
        "--saif", type=Path, metavar="FILE", help="write the toggles of all nets for power tools"
    )
    parser.add_argument(
        "--period",
        type=at_least(1),
        default=10,
        metavar="NS",
        help="clock cycle in the SAIF file (10 ns)",
    )
    parser.add_argument(
        "--network",
        metavar="NAME",
        help="one inference: digits_cnn, digits_vit, bytes_lm or a file",
    )
    parser.add_argument(
        "--dram", action="store_true", help="weights of --network come from DRAM (on the chip)"
    )
    parser.add_argument(
        "--show", action="store_true", help="print the errors of the formula, by kind and stream"
    )
    add_json(parser)


def energy(arguments: argparse.Namespace) -> int:
    """``macloom energy``."""
    from sweeps import energy_workflow as workflow

    if arguments.show:
        return _show(arguments)
    if arguments.network:
        return _network(arguments)
    if arguments.dram:
        raise ValueError("--dram is of --network, which is missing")
    node = arguments.target if arguments.target in GATES else ""
    if node:
        arguments.target = "xcup:portable"
    design, target = design_of(arguments)
    options = {"stream": arguments.stream, "layer": arguments.layer, "seed": arguments.seed}
    if arguments.estimate:
        if arguments.saif or node:
            raise ValueError("--estimate knows no nets (--saif) and no gates (cmos45, cmos7)")
        found = workflow.estimate(design, target, **options)
    else:
        files = {"saif": arguments.saif, "period_ns": arguments.period}
        found = workflow.measure(design, target, node=node, **options, **files)
    show(arguments, found, _lines(found))
    return FINE


def _show(arguments: argparse.Namespace) -> int:
    """Print what the formula misses of netlists that it was not fitted to."""
    from costmodel.activity import errors
    from sweeps.activity_errors import table as rows
    from sweeps.commands_sweep import table

    show(arguments, errors(), [table(rows())])
    return FINE


def _network(arguments: argparse.Namespace) -> int:
    """Print the energy of one inference."""
    from hw.formats import parse_element
    from sweeps.layer_costs import LANES, Pair
    from sweeps.network_energy import inference

    for name in ("kind", "design", "rows", "columns", "saif", "accumulator", "structure", "layer"):
        if getattr(arguments, name):
            raise ValueError(f"--network has dot products of its own: leave out {name}")
    if arguments.weight is None:
        raise ValueError("--network needs --weight, and --activation if it is another format")
    weight = parse_element(arguments.weight)
    given = arguments.activation
    pair = Pair(weight, weight if given is None else parse_element(given))
    found = inference(
        arguments.network,
        pair,
        arguments.target or DEFAULT_TARGET,
        arguments.lanes or LANES,
        arguments.stream,
        arguments.estimate,
        arguments.dram,
    )
    show(arguments, found, _inference_lines(found))
    return FINE


def _inference_lines(found: dict[str, Any]) -> list[str]:
    """Return an inference for people."""
    from sweeps.commands_sweep import table

    by = "by formula" if found["estimated"] else "by toggles of the netlists"
    rows: list[tuple[str, ...]] = [("layer", "MACs", "pJ per MAC", "nJ", "memory nJ")]
    for layer in found["layers"]:
        numbers = (layer["energy_pj_per_mac"], layer["energy_nj"], layer["memory_nj"])
        rows.append((layer["layer"], f"{layer['macs']}", *(f"{value:.4g}" for value in numbers)))
    weights = "from DRAM" if found["weights"] == "dram" else "on the chip"
    lines = [
        f"{found['network']} in {found['pair']} on {found['target']}, {found['stream']} operands, "
        f"{by}",
        f"one inference: {found['energy_nj_per_inference']:.4g} nJ = MACs {found['macs_nj']:.4g} "
        f"(constants within a factor of {found['factor']:g}) + memory {found['memory_nj']:.4g} "
        f"(within {found['memory_factor']}; every value moves once, weights {weights})",
        "",
        table(rows),
    ]
    if "error_percent" in found:
        off = found["error_percent"]
        lines.append(f"mean error of the formula on designs not fitted: {off:.1f} %")
    return lines


def _lines(found: dict[str, Any]) -> list[str]:
    """Return the figures for people."""
    from sweeps.commands_sweep import table

    total, rates = found["energy_pj_per_mac"], found.get("rates", {})
    by = "by formula" if found["estimated"] else f"toggles of the netlist of {found['tool']}"
    lines = [
        f"{found['name']} on {found['target']}, {found['stream']} operands, {by}",
        f"{total:.4g} pJ per MAC · {found['energy_pj_per_cycle']:.4g} pJ per cycle; "
        f"the constants may be {found['factor']:g} times too large or too small",
        "",
    ]
    rows: list[tuple[str, ...]] = [_HEADS if rates else _HEADS[:-1]]
    for name, value in found["parts"].items():
        shown = f"{rates[name]:.1f}" if name in rates else f"{rates.get('flip_flops', 0):.0f} FF"
        row = (name, f"{value:.4g}", f"{100 * value / total:.0f} %", shown)
        rows.append(row if rates else row[:-1])
    lines.append(table(rows))
    for layer in found.get("layers", []):
        lines.append(
            f"{layer['layer']}: {layer['energy_pj_per_mac']:.4g} pJ per MAC, "
            f"{layer['energy_nj']:.4g} nJ per inference"
        )
    if "energy_nj_per_inference" in found:
        lines.append(f"one inference: {found['energy_nj_per_inference']:.4g} nJ")
    if found.get("error_percent") is not None:
        off = found["error_percent"]
        lines.append(f"mean error of the formula on designs not fitted: {off:.1f} %")
    elif found["estimated"]:
        lines.append("DSP blocks are a constant within a factor of 4, which nothing here simulates")
    return lines + ([found["saif"]] if "saif" in found else [])


def simulate_netlist(arguments: argparse.Namespace) -> int:
    """``macloom simulate --netlist``: the mapped netlist against the golden model."""
    from sim.netlist_check import DEFAULT_VECTORS
    from sweeps import energy_workflow as workflow

    found = workflow.check_netlist(
        *design_of(arguments), vectors=arguments.vectors or DEFAULT_VECTORS, seed=arguments.seed
    )
    show(arguments, found, [verdict_line(found["name"], found)])
    return FINE if found["verdict"]["passed"] else CHECK_FAILED
