"""Floor 4: energy of one inference of a network: multiplications, and bits that move.

Every multiplying node has dot products of its own formats' pair with an exact accumulator for its
sums (`sweeps.layer_costs.Units`). Its multiplications cost what one of its unit does under a stream
of operands, by formula or by the toggles of the mapped netlist; lanes that a last step leaves empty
cost as much as others. Memory is stated apart: every weight, input and output of a node moves once
(ideal reuse), at so many whole femtojoules a bit (``energy_memory.yaml``, with their sources).
Functions between the nodes (activations, normalisation, softmax) are not counted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from sweeps.layer_costs import Pair, Units, macs
from sweeps.layers import Convolution, Dense
from sweeps.models import Network, Node, load
from sweeps.pairing import element_of

DIGITS = "digits_cnn"
"""The network whose own operands the stream digits is."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What moving a bit costs; see ``energy_memory.yaml``."""

    chip_fj_per_bit: int
    dram_fj_per_bit: int
    factor: int
    source: str


@cache
def memory(target: str) -> Memory:
    """Return the constants of a target.

    Raises
    ------
    ValueError
        If it has none.

    """
    from sweeps.activity_draw import DATA

    records = yaml.safe_load((DATA / "energy_memory.yaml").read_text(encoding="utf-8"))
    if target not in records:
        raise ValueError(
            f"energies of memories are known of {', '.join(records)}, not of {target!r}"
        )
    return Memory(**records[target])


def inference(
    network: str,
    pair: Pair,
    target: str = "xcup",
    lanes: int = 16,
    stream: str = "uniform",
    by_formula: bool = True,
    dram: bool = False,
) -> dict[str, Any]:
    """Return the energy of one inference.

    Parameters
    ----------
    network
        A shipped one, or a file (`sweeps.models.load`).
    pair
        Formats of weights and activations, of all nodes.
    target, lanes
        Where units are, and their lanes.
    stream
        "uniform" or "gaussian"; of the digits network also "digits", its own operands.
    by_formula
        Whether nothing is mapped and simulated.
    dram
        Whether weights come from DRAM.

    Returns
    -------
    Plain JSON values: `layers`, `energy_nj_per_inference`, of it `macs_nj` and `memory_nj`, and
    `factor` and `memory_factor`, by which either may be off.

    Raises
    ------
    ValueError
        For an unknown network, target or stream, or formats without hardware or energy.

    """
    if stream == "digits" and network != DIGITS:
        raise ValueError(f"the stream digits is of {DIGITS}, not of {network}")
    found, known = load(network), memory(target.partition(":")[0])
    units = Units(lanes=lanes)
    spent = [
        _unit(units, found, node, pair, target, stream, by_formula) for node in found.multiplying
    ]
    layers = [
        _layer(found, node, float(count), one, lanes) | _memory(found, node, pair, known, dram)
        for node, count, one in zip(found.multiplying, macs(found), spent, strict=True)
    ]
    total = {key: sum(one[key] for one in layers) for key in ("energy_nj", "memory_nj")}
    return {
        "network": network,
        "pair": str(pair),
        "target": target,
        "stream": stream,
        "estimated": by_formula,
        "layers": layers,
        "macs_nj": total["energy_nj"],
        "memory_nj": total["memory_nj"],
        "energy_nj_per_inference": sum(total.values()),
        "factor": max((one["factor"] for one in spent), default=1.0),
        "memory_factor": known.factor,
        "memory_source": known.source,
        "weights": "dram" if dram else "chip",
        **({"error_percent": _most_off(spent)} if by_formula else {}),
    }


def _layer(
    network: Network, node: Node, count: float, spent: dict[str, Any], lanes: int
) -> dict[str, Any]:
    """Return what a node's products take, of a unit whose last step may be part empty."""
    terms = network.terms(node)
    per_mac = spent["energy_pj_per_mac"] * -(-terms // lanes) * lanes / terms
    return {
        "layer": node.name,
        "design": spent["name"],
        "macs": round(count),
        "energy_pj_per_mac": per_mac,
        "energy_nj": per_mac * count / 1000,
    }


def _most_off(spent: list[dict[str, Any]]) -> float:
    """Return the largest error that formulas of units state, in percent."""
    return max((one.get("error_percent") or 0.0 for one in spent), default=0.0)


def _memory(
    network: Network, node: Node, pair: Pair, known: Memory, dram: bool
) -> dict[str, float]:
    """Return the bits that move for a node, and what that costs."""
    bits, weights = _moved(network, node, pair)
    femto = bits * known.chip_fj_per_bit
    femto += weights * (known.dram_fj_per_bit if dram else known.chip_fj_per_bit)
    return {"memory_bits": bits + weights, "memory_nj": femto / 1e6}


def _unit(
    units: Units,
    network: Network,
    node: Node,
    pair: Pair,
    target: str,
    stream: str,
    by_formula: bool,
) -> dict[str, Any]:
    """Return the energy of a node's unit per product."""
    from sweeps import energy_workflow

    ask = energy_workflow.estimate if by_formula else energy_workflow.measure
    layer = node.name if stream == "digits" else ""
    return ask(units.design(network, node, pair), target, stream=stream, layer=layer)


def _moved(network: Network, node: Node, pair: Pair) -> tuple[int, int]:
    """Return the bits of activations and of weights that move for one input of the network."""
    shapes = network.shapes
    values = math.prod(shapes[node.name])
    values += sum(math.prod(shapes[name]) for name in node.inputs)
    layer = node.layer
    weights = layer.weight.size if isinstance(layer, Convolution | Dense) else 0
    return values * element_of(pair.activation).bits, weights * element_of(pair.weight).bits
