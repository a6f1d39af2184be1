"""Floor 4. A network cut into what an engine computes at once."""

from __future__ import annotations

from dataclasses import dataclass

from sweeps.layers import Flatten, MaxPool, Relu
from sweeps.models import INPUT, Network, Node


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A multiplying node and the nodes that follow it alone: ReLU, pooling, flattening.

    `pools` follow the sums directly, through nothing but ReLU: they are taken first, on the sums.
    Scaling by a positive factor, adding a bias and ReLU keep the order of values, rounding
    included, so the result is the same bits and the rest has fewer values to touch.
    """

    node: Node
    pools: tuple[MaxPool, ...]
    after: tuple[Relu | MaxPool | Flatten, ...]
    output: str


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A network cut into what is computed at once.

    Parameters
    ----------
    steps
        Stages, and nodes without hardware, in order.
    fixed
        Names of values that no quantised layer comes before: the same in every format.
    """

    steps: tuple[Stage | Node, ...]
    fixed: frozenset[str]


def program(network: Network) -> Program:
    """Return the steps of a network."""
    steps: list[Stage | Node] = []
    fixed = {INPUT}
    taken: set[str] = set()
    for node in network.nodes:
        if node.name in taken:
            continue
        if node.multiplies:
            followers = _followers(network, node)
            taken.update(follower.name for follower in followers)
            steps.append(_stage(node, followers))
        else:
            steps.append(node)
            if fixed.issuperset(node.inputs):
                fixed.add(node.name)
    return Program(tuple(steps), frozenset(fixed))


def _followers(network: Network, node: Node) -> list[Node]:
    """Return the nodes that follow one by one, each the only one to take what comes before."""
    found: list[Node] = []
    name = node.name
    while True:
        takers = [other for other in network.nodes if name in other.inputs]
        if len(takers) != 1 or not isinstance(takers[0].layer, Relu | MaxPool | Flatten):
            return found
        found.append(takers[0])
        name = takers[0].name


def _stage(node: Node, followers: list[Node]) -> Stage:
    rest = [n.layer for n in followers if isinstance(n.layer, Relu | MaxPool | Flatten)]
    flat = next((i for i, other in enumerate(rest) if isinstance(other, Flatten)), len(rest))
    pools = tuple(other for other in rest[:flat] if isinstance(other, MaxPool))
    others = tuple(other for other in rest[:flat] if not isinstance(other, MaxPool))
    output = followers[-1].name if followers else node.name
    return Stage(node, pools, others + tuple(rest[flat:]), output)
