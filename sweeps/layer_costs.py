"""Floor 4. Pairs of formats for layers, and what a layer costs in each, for `sweeps.allocation`.

Every multiplying node of a network (weighted layers, products of activations) has units of its
own (`Units`): a dot product of 16 lanes with an exact accumulator for that layer's sums, its
structure the one of fewest sites, unless something else is asked for. A product of activations
multiplies two activations, so its unit has the activation format twice. Formats of blocks have the
units of `sweeps.pairing`; their areas are scaled to as many products a cycle as the others have.
Costs of a layer in a pair:

- ``lut``, ``sites``, ``dsp``: those of its units, estimated (`costmodel`); a whole network's add
  up. Weighted by the layer's share of all MACs (`shares`), the sum is instead the mean area of a
  unit in a machine where layers get units in proportion to their work.
- ``memory``: bits of its weights, 0 for products of activations. Scales of blocks are counted,
  those per tensor or output and biases are not.
- ``bops``: MACs per input times the bits of both operands.
- ``energy``: nJ per input, MACs times the energy per MAC of its unit by the formula of toggles for
  uniformly random codes (`costmodel.activity`).
- ``cycles``: of one input, layers one after the other: steps of `lanes` products, as many cycles
  each as the unit's plan says, its outputs shared among the units, and the unit's latency.
- ``latency``: these cycles in µs, at a clock that is given or at the unit's own by formula
  (`costmodel.timing`), where there is one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from hw.accumulators import Accumulator
from hw.design import BitPlane, Design, DotProduct
from hw.formats import parse
from sweeps.accuracy import Case, arithmetic
from sweeps.inference import Arithmetic, Engine
from sweeps.layers import Convolution, Dense, Values
from sweeps.models import Network, Node
from sweeps.pairing import (
    BLOCK_ACCUMULATOR,
    AnyFormat,
    element_of,
    hardware,
    has_own_scales,
    storage_bits,
)
from sweeps.scales import Scheme

LANES = 16
COSTS = ("lut", "sites", "dsp", "memory", "bops", "energy", "cycles", "latency")
PER_TARGET = ("lut", "sites", "dsp", "energy", "cycles", "latency")
UNIT_KINDS = ("dot", "weight-serial", "both-serial")
"""Costs that need hardware on a target; the others follow from bits alone."""
_BETWEEN = re.compile(r",(?![^<]*>)")
_TIMES = re.compile(r"[×*]")


@dataclass(frozen=True, slots=True)
class Pair:
    """Formats of weights and of activations."""

    weight: AnyFormat
    activation: AnyFormat

    @property
    def has_blocks(self) -> bool:
        """Whether a format brings scales of its own."""
        return has_own_scales(self.weight) or has_own_scales(self.activation)

    def __str__(self) -> str:
        """Return the pair as tables show it: `int4×uint4`."""
        return f"{self.weight.name}×{self.activation.name}"


@dataclass(frozen=True, slots=True)
class Units:
    """The hardware of a layer.

    Parameters
    ----------
    kind
        "dot", or planes of bits (`hw.design.BitPlane`): "weight-serial", a cycle for each bit of
        the weights, or "both-serial", one for each pair of bits.
    lanes
        Products per step of a unit.
    count
        Units of a layer side by side.
    structure
        Of the products of a dot; "auto" is the one of fewest sites.
    mhz
        Clock; None takes each unit's own by formula.

    Raises
    ------
    ValueError
        For an unknown kind, or a structure of what has none.

    """

    kind: str = UNIT_KINDS[0]
    lanes: int = LANES
    count: int = 1
    structure: str = "auto"
    mhz: float | None = None

    def __post_init__(self) -> None:
        """Refuse what is no hardware."""
        if self.kind not in UNIT_KINDS:
            raise ValueError(f"a unit is one of {', '.join(UNIT_KINDS)}, not {self.kind!r}")
        if self.structure != "auto" and self.kind != "dot":
            raise ValueError(f"{self.kind} units have one structure, not {self.structure!r}")

    def design(self, network: Network, node: Node, pair: Pair) -> Design:
        """Return the unit of a node in a pair; the structure may be unsettled."""
        if pair.has_blocks:
            return self._of_blocks(network, node, pair)[0]
        fields: dict[str, Any] = {
            "weight": pair.weight if _is_weighted(node) else pair.activation,
            "activation": pair.activation,
            "accumulator": Accumulator.exact(max(network.terms(node), self.lanes)),
            "lane_count": self.lanes,
        }
        if self.kind != "dot":
            return BitPlane(**fields, organisation=self.kind)
        return DotProduct(**fields, specials="ignore", structure=self.structure)

    def per_lane(self, network: Network, node: Node, pair: Pair) -> float:
        """Return how many units of a pair in blocks do as many products a cycle as others."""
        if not pair.has_blocks:
            return 1.0
        return self.lanes / self._of_blocks(network, node, pair)[1]

    def _of_blocks(self, network: Network, node: Node, pair: Pair) -> tuple[Design, int]:
        """Return the unit of a pair in blocks, and its products per cycle."""
        if self.kind != "dot" or self.structure != "auto":
            raise ValueError(f"{pair} has blocks, whose units are mxdot and bitmod, not asked for")
        weight = pair.weight if _is_weighted(node) else pair.activation
        accumulator = str(Accumulator.exact(max(network.terms(node), self.lanes)))
        if has_own_scales(weight) or has_own_scales(pair.activation):
            accumulator = BLOCK_ACCUMULATOR
        common = {"kind": "dot", "lanes": self.lanes, "specials": "ignore"}
        terms = network.terms(node)
        found = hardware(weight, pair.activation, Scheme(), common, accumulator, terms)
        if found.design is None:
            raise ValueError(f"{pair} has no hardware: {found.reason}")
        return found.design, found.lanes

    def steps(self, network: Network, node: Node) -> int:
        """Return the steps of a node's busiest unit for one input."""
        outputs = math.prod(network.shapes[node.name])
        return -(-network.terms(node) // self.lanes) * -(-outputs // self.count)


def _is_weighted(node: Node) -> bool:
    return isinstance(node.layer, Convolution | Dense)


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
        found.append(Pair(parse(names[0]), parse(names[-1])))
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


def layer_costs(
    network: Network,
    pairs: Sequence[Pair],
    names: Iterable[str],
    target: str = "xcup",
    units: Units | None = None,
) -> dict[str, Values]:
    """Return arrays (layer, pair) of some of `COSTS`, by name.

    Raises
    ------
    ValueError
        For an unknown cost or target, a pair without hardware, or a target or design whose energy
        or clock is not known.
    """
    found = {}
    for name in names:
        if name not in COSTS:
            raise ValueError(f"a cost is one of {', '.join(COSTS)}, not {name!r}")
        if name in PER_TARGET:
            found[name] = _from_hardware(network, pairs, name, target, units or Units())
        else:
            found[name] = np.array([list(row) for row in _from_bits(network, pairs, name)])
    return found


def _from_hardware(
    network: Network, pairs: Sequence[Pair], name: str, target: str, units: Units
) -> Values:
    nodes = network.multiplying
    each = "cycles" if name == "latency" else name
    found: Values = np.array(
        [[_unit_cost(units.design(network, n, p), target, each) for p in pairs] for n in nodes],
        dtype=np.float64,
    )
    if name == "energy":
        found *= macs(network)[:, None] / 1000
    elif each != "cycles":
        found *= units.count
        found *= np.array([[units.per_lane(network, n, p) for p in pairs] for n in nodes])
    elif any(pair.has_blocks for pair in pairs):
        raise ValueError(f"{name} are of units of single codes, some pairs have blocks")
    if each != "cycles":
        return found
    steps = np.array([units.steps(network, node) for node in nodes], dtype=np.float64)
    ends = [[_unit_cost(units.design(network, n, p), target, "end") for p in pairs] for n in nodes]
    cycles: Values = found * steps[:, None] + np.array(ends)
    if name == "cycles":
        return cycles
    if units.mhz is not None:
        cycles /= units.mhz
        return cycles
    cycles /= np.array([[_mhz(units.design(network, n, p), target) for p in pairs] for n in nodes])
    return cycles


def _from_bits(network: Network, pairs: Sequence[Pair], name: str) -> Iterator[Iterator[float]]:
    for node, work in zip(network.multiplying, macs(network), strict=True):
        layer = node.layer
        stored = layer.weight.size if isinstance(layer, Convolution | Dense) else 0
        if name == "memory":
            yield (float(stored * storage_bits(pair.weight)) for pair in pairs)
        else:
            yield (
                float(work * element_of(pair.weight if stored else pair.activation).bits)
                * element_of(pair.activation).bits
                for pair in pairs
            )


@cache
def _unit_cost(design: Design, target: str, name: str) -> float:
    """LUT, sites or DSP of a unit, its pJ per MAC, its cycles per step, or after the last one."""
    from hw.plan import plan
    from sweeps import energy_workflow, workflow

    if name == "energy":
        return float(energy_workflow.estimate(design, target)["energy_pj_per_mac"])
    if name in ("cycles", "end"):
        built = plan(*workflow.settle(design, target))
        return float(built.initiation_interval if name == "cycles" else built.latency_cycles)
    return float(workflow.estimate(design, target)[name])


@cache
def _mhz(design: Design, target: str) -> float:
    """Clock of a unit by formula."""
    from costmodel.timing import clock
    from hw.plan import plan
    from sweeps import workflow

    try:
        return clock(plan(*workflow.settle(design, target))).fmax_mhz
    except ValueError as error:
        raise ValueError(
            f"a latency in time needs a clock (--mhz), or is given in cycles: {error}"
        ) from None
