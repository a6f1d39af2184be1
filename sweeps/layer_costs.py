"""Floor 4. Pairs of formats for layers, and what a layer costs in each, for `sweeps.allocation`.

Every multiplying node of a network (weighted layers, products of activations) has a unit of its
own: a dot product of 16 lanes with an exact accumulator for that layer's sums, its structure the
one of fewest sites. A product of activations multiplies two activations, so its unit has the
activation format twice. Costs of a layer in a pair:

- ``lut``, ``sites``: those of its unit, estimated (`costmodel`); a whole network's add up. Weighted
  by the layer's share of all MACs (`shares`), the sum is instead the mean area of a unit in a
  machine where layers get units in proportion to their work.
- ``memory``: bits of its weights, 0 for products of activations. Scales and biases not counted.
- ``bops``: MACs per input times the bits of both operands.
- ``energy``: nJ per input, MACs times the energy per MAC of its unit by the formula of toggles for
  uniformly random codes (`costmodel.activity`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from hw.accumulators import Accumulator
from hw.design import Design, DotProduct
from hw.formats import Format, parse_element
from sweeps.accuracy import Case, arithmetic
from sweeps.inference import Arithmetic, Engine
from sweeps.layers import Convolution, Dense, Values
from sweeps.models import Network, Node

LANES = 16
COSTS = ("lut", "sites", "memory", "bops", "energy")
PER_TARGET = ("lut", "sites", "energy")
"""Costs that need hardware on a target; the others follow from bits alone."""
_BETWEEN = re.compile(r",(?![^<]*>)")
_TIMES = re.compile(r"[×*]")


@dataclass(frozen=True, slots=True)
class Pair:
    """Formats of weights and of activations."""

    weight: Format
    activation: Format

    def __str__(self) -> str:
        """Return the pair as tables show it: `int4×uint4`."""
        return f"{self.weight.name}×{self.activation.name}"


def parse_pairs(text: str) -> tuple[Pair, ...]:
    """Read `int4×uint4,int8`: pairs (`*` does for `×`), or one format for both operands.

    Raises
    ------
    ValueError
        For a name that is no format, no pair at all, or one twice.
    """
    found = []
    for item in _BETWEEN.split(text):
        names = [name.strip() for name in _TIMES.split(item)]
        if len(names) > 2 or not all(names):
            raise ValueError(
                f"formats are weight×activation pairs between commas, such as int4×uint4, "
                f"not {item.strip()!r}"
            )
        found.append(Pair(parse_element(names[0]), parse_element(names[-1])))
    if len(set(found)) < len(found):
        twice = next(pair for pair in found if found.count(pair) > 1)
        raise ValueError(f"every pair is named once, {twice} is there twice")
    return tuple(found)


def units(engine: Engine, pair: Pair, method: str) -> tuple[Arithmetic | None, ...]:
    """Return the arithmetic of each multiplying node with all in one pair."""
    case = Case(pair.weight.name, pair.activation.name, method=method)
    return arithmetic(engine, case, method)


def macs(network: Network) -> Values:
    """Return multiply-accumulates per input of each multiplying node."""
    shapes = network.shapes
    return np.array(
        [math.prod(shapes[node.name]) * network.terms(node) for node in network.multiplying], float
    )


def shares(network: Network) -> Values:
    """Return each multiplying node's share of all MACs."""
    each = macs(network)
    found: Values = each / each.sum()
    return found


def unit_design(network: Network, node: Node, pair: Pair) -> Design:
    """Return the unit of a node in a pair, its structure not settled."""
    is_weighted = isinstance(node.layer, Convolution | Dense)
    return DotProduct(
        weight=pair.weight if is_weighted else pair.activation,
        activation=pair.activation,
        accumulator=Accumulator.exact(max(network.terms(node), LANES)),
        lane_count=LANES,
        specials="ignore",
    )


def layer_costs(
    network: Network, pairs: Sequence[Pair], names: Iterable[str], target: str = "xcup"
) -> dict[str, Values]:
    """Return arrays (layer, pair) of some of `COSTS`, by name.

    Raises
    ------
    ValueError
        For an unknown cost or target, a pair without hardware, or a target whose energy is not
        known.
    """
    found = {}
    for name in names:
        if name not in COSTS:
            raise ValueError(f"a cost is one of {', '.join(COSTS)}, not {name!r}")
        if name in PER_TARGET:
            rows = [
                [_unit_cost(unit_design(network, node, pair), target, name) for pair in pairs]
                for node in network.multiplying
            ]
            found[name] = np.array(rows, dtype=np.float64)
            if name == "energy":
                found[name] *= macs(network)[:, None] / 1000
        else:
            found[name] = np.array([list(row) for row in _from_bits(network, pairs, name)])
    return found


def _from_bits(network: Network, pairs: Sequence[Pair], name: str) -> Iterator[Iterator[float]]:
    for node, work in zip(network.multiplying, macs(network), strict=True):
        layer = node.layer
        stored = layer.weight.size if isinstance(layer, Convolution | Dense) else 0
        if name == "memory":
            yield (float(stored * pair.weight.bits) for pair in pairs)
        else:
            yield (
                float(work * (pair.weight if stored else pair.activation).bits)
                * pair.activation.bits
                for pair in pairs
            )


@cache
def _unit_cost(design: Design, target: str, name: str) -> float:
    """LUT or sites of a unit, or its pJ per MAC."""
    from sweeps import energy_workflow, workflow

    if name == "energy":
        return float(energy_workflow.estimate(design, target)["energy_pj_per_mac"])
    return float(workflow.estimate(design, target)[name])
