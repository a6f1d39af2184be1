"""Floor 4. What each layer of a network loses in each format, and how much each layer matters.

`one_layer_losses` measures: one layer quantised, the others in float. The rest are proxies that
need less: the trace of the Hessian times the squared error of the weights (HAWQ-V2 and V3, arXiv
1911.03852 and 2011.10680), LIM and ZD (arXiv 2406.17415). `decoupled` is MixDQ's allocation of two
groups of layers judged by different metrics (arXiv 2405.17873).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sweeps.allocation import Allocation, Problem, allocate
from sweeps.datasets import Data, Dataset
from sweeps.inference import Arithmetic, Engine, Images
from sweeps.layers import Convolution, Dense, Values, Weighted
from sweeps.models import INPUT, Network, Node, last_uses
from sweeps.operations import Product
from sweeps.quantize import find_method

STEP = 0.05
"""Relative size of the perturbations that second differences are taken of."""
PROBES = 16

Told = Callable[[int, int, str], None]
"""Called with evaluations done, evaluations in all, and what was evaluated."""


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity:
    """Losses of layers by format.

    Parameters
    ----------
    layers, formats
        Names: those of the multiplying nodes, and of the arithmetics.
    loss
        Array (layer, format), 0 or more but for noise.
    """

    layers: tuple[str, ...]
    formats: tuple[str, ...]
    loss: Values


def one_layer_losses(
    engine: Engine,
    arithmetics: Mapping[str, Sequence[Arithmetic | None]],
    images: Images,
    told: Told | None = None,
) -> Sensitivity:
    """Return the divergence of the outputs with one layer quantised from the float ones.

    It is the mean Kullback-Leibler divergence (nats) of the class probabilities, over images or
    bytes: smoother than a count of errors, and 0 only where nothing changes.

    Parameters
    ----------
    engine
        The network on its data.
    arithmetics
        One arithmetic per multiplying node (as `sweeps.accuracy.arithmetic` returns), by name of
        the format; None leaves a node in float, without loss.
    images
        Inputs to judge on: training ones, if the allocation is to be judged on held-out ones.
    told
        Told about each evaluation.
    """
    nodes = engine.network.multiplying
    reference = _log_shares(engine.float_outputs(images))
    loss = np.zeros((len(nodes), len(arithmetics)))
    done = 0
    for column, (name, units) in enumerate(arithmetics.items()):
        for row, (node, unit) in enumerate(zip(nodes, units, strict=True)):
            if unit is not None:
                alone: list[Arithmetic | None] = [None] * len(nodes)
                alone[row] = unit
                loss[row, column] = divergence(reference, engine.outputs(images, tuple(alone)))
            done += 1
            if told is not None:
                told(done, loss.size, f"{node.name} in {name}")
    return Sensitivity(tuple(node.name for node in nodes), tuple(arithmetics), loss)


def joint_loss(engine: Engine, units: Sequence[Arithmetic | None], images: Images) -> float:
    """Return the loss of all layers together, in the measure of `one_layer_losses`."""
    reference = _log_shares(engine.float_outputs(images))
    return divergence(reference, engine.outputs(images, tuple(units)))


def divergence(reference: Values, outputs: Values) -> float:
    """Return the mean divergence of outputs from log probabilities over the last axis."""
    found = _log_shares(outputs)
    return float((np.exp(reference) * (reference - found)).sum(axis=-1).mean())


def _log_shares(outputs: Values) -> Values:
    top = outputs - outputs.max(axis=-1, keepdims=True)
    shares: Values = top - np.log(np.exp(top).sum(axis=-1, keepdims=True))
    return shares


def hessian_losses(
    engine: Engine,
    arithmetics: Mapping[str, Sequence[Arithmetic | None]],
    images: Images,
    probes: int = PROBES,
    seed: int = 0,
) -> Sensitivity:
    """Return mean Hessian trace times squared weight error, for the weighted layers.

    HAWQ-V3's Ω = trace(H)/parameters · ‖W − Q(W)‖², H the Hessian of the mean cross-entropy (nats)
    with respect to the layer's weights. Products of activations have no weights: their loss is 0.
    """
    traces = hessian_traces(engine.network, engine.dataset, images, probes, seed)
    nodes = engine.network.multiplying
    loss = np.zeros((len(nodes), len(arithmetics)))
    for column, units in enumerate(arithmetics.values()):
        for row, (node, unit) in enumerate(zip(nodes, units, strict=True)):
            layer = node.layer
            if unit is not None and isinstance(layer, Convolution | Dense):
                loss[row, column] = (
                    traces[node.name] / layer.matrix.size * weight_error(layer, unit)
                )
    return Sensitivity(tuple(node.name for node in nodes), tuple(arithmetics), loss)


def weight_error(layer: Weighted, unit: Arithmetic) -> float:
    """Return the sum of squared errors of a layer's weights in their format."""

    def inputs() -> Values:
        raise ValueError(f"method {unit.method} looks at inputs, which weight errors do not have")

    found = find_method(unit.method).weights(layer.matrix, unit.weight, inputs)
    return float(((found.dequantised - layer.matrix) ** 2).sum())


def hessian_traces(
    network: Network, data: Data, images: Images, probes: int = PROBES, seed: int = 0
) -> dict[str, float]:
    """Return the trace of the Hessian of the mean cross-entropy for each weighted layer's weights.

    Hutchinson's estimator: the mean of ``vᵀHv`` over random signs v, each a second difference of
    the loss at weights moved along v by a small step both ways; forward passes only.

    Parameters
    ----------
    network, data, images
        What the loss is taken of.
    probes
        Random vectors per layer.
    seed
        Of these.
    """
    inputs = network.checked(data.inputs(images))
    middle = cross_entropy(data, _plain(network, inputs, None, None), images)
    generator = np.random.default_rng(seed)
    traces = {}
    for layer in network.weighted:
        step = STEP * float(np.sqrt(np.mean(layer.matrix**2)))
        total = 0.0
        for _ in range(probes):
            along = generator.choice((-step, step), size=layer.matrix.shape)
            both = [
                cross_entropy(data, _plain(network, inputs, layer.name, layer.matrix + d), images)
                for d in (along, -along)
            ]
            total += (both[0] - 2 * middle + both[1]) / step**2
        traces[layer.name] = total / probes
    return traces


def cross_entropy(data: Data, outputs: Values, images: Images) -> float:
    """Return the mean cross-entropy in nats of outputs with what the data say."""
    if isinstance(data, Dataset):
        shares = _log_shares(outputs)
        return -float(shares[np.arange(len(images)), data.labels[images]].mean())
    return -float(data.scores(outputs, images).mean()) * float(np.log(2))


def _plain(network: Network, inputs: Values, changed: str | None, matrix: Values | None) -> Values:
    """Float outputs by plain products, one layer's weights replaced."""
    values = {INPUT: inputs}
    last = last_uses(network.nodes)
    output = inputs
    for node in network.nodes:
        given = [values[name] for name in node.inputs]
        output = _plain_output(node, given, matrix if node.name == changed else None)
        values[node.name] = output
        for name in node.inputs:
            if last[name] == node.name:
                values.pop(name, None)
    return output


def _plain_output(node: Node, given: list[Values], matrix: Values | None) -> Values:
    layer = node.layer
    if isinstance(layer, Convolution | Dense):
        if matrix is not None:
            layer = replace(layer, weight=matrix.reshape(layer.weight.shape))
        parts = [part.patches(given[0][..., c]) @ part.matrix for c, part in layer.parts]
        result: Values = np.concatenate(parts, axis=-1)
        return result + layer.bias
    if isinstance(layer, Product):
        product: Values = given[0] @ layer.right(given[1])
        return product
    apply: Callable[..., Values] = layer.apply
    return apply(*given)


def input_modification(
    network: Network, inputs: Values, blocks: Sequence[tuple[str, str]]
) -> dict[str, float]:
    """Return LIM of blocks: minus the mean cosine of a block's input and output, per token.

    More means more important: the block turns its input further.

    Parameters
    ----------
    network, inputs
        What is run in float.
    blocks
        (node before, last node) of each block; the second names it. Both have one shape.
    """
    wanted = {name for pair in blocks for name in pair}
    kept: dict[str, Values] = {INPUT: inputs}
    for node, _, output in network.walk(inputs):
        if node.name in wanted:
            kept[node.name] = output
    found = {}
    for before, after in blocks:
        left, right = kept[before], kept[after]
        if left.shape != right.shape:
            raise ValueError(
                f"a block keeps its shape, {after} turns {left.shape} to {right.shape}"
            )
        norms = np.linalg.norm(left, axis=-1) * np.linalg.norm(right, axis=-1)
        cosines = (left * right).sum(axis=-1) / np.where(norms > 0, norms, 1.0)
        found[after] = -float(cosines.mean())
    return found


def residual_blocks(network: Network) -> tuple[tuple[str, str], ...]:
    """Return the (node before, last node) of the blocks that `sweeps.transformers` makes."""
    names = {node.name for node in network.nodes}
    starts = {f"{node.name}.norm1": node.name for node in network.nodes}
    inputs = {node.name: node.inputs[0] for node in network.nodes}
    return tuple(
        (inputs[first], name) for first, name in starts.items() if first in names and name in names
    )


def outlier_share(layer: Weighted) -> float:
    """Return ZD of a layer: the share of weights more than one deviation above their mean.

    Less means more important (arXiv 2406.17415; one-sided, as its text has it).
    """
    matrix = layer.matrix
    return float((matrix > matrix.mean() + matrix.std()).mean())


def ranked_bits(
    importance: Mapping[str, float], sizes: Mapping[str, int], high: int, low: int, mean_bits: float
) -> dict[str, int]:
    """Return bits per layer: `high` for the most important, `low` for the rest.

    As many layers as the budget of `mean_bits` per weight allows, in order of importance.

    Raises
    ------
    ValueError
        If the budget lies below `low`.
    """
    total = sum(sizes.values())
    if mean_bits < low:
        raise ValueError(f"mean bits are at least the low width {low}, not {mean_bits:g}")
    left = (mean_bits - low) * total
    bits = dict.fromkeys(importance, low)
    for name in sorted(importance, key=lambda n: -importance[n]):
        extra = (high - low) * sizes[name]
        if extra > left * (1 + 1e-12):
            break
        bits[name], left = high, left - extra
    return bits


def decoupled(
    first: Problem, second: Problem, cost: str, budget: float, ratios: Sequence[float]
) -> Iterator[tuple[float, Allocation, Allocation]]:
    """Yield MixDQ's allocations of two groups of layers whose losses are not comparable.

    The budget is split so that the first group's share of its own dearest allocation is k times
    the second's, for each k; each group is solved by itself. Splits that a group cannot meet are
    left out. Which k is best is for the jointly measured loss to say.

    Raises
    ------
    ValueError
        For an unknown cost.
    """
    for problem in (first, second):
        if cost not in problem.costs:
            raise ValueError(f"a cost is one of {', '.join(problem.costs)}, not {cost!r}")
    most = [float(p.costs[cost].max(axis=1).sum()) for p in (first, second)]
    for ratio in ratios:
        share = budget / (ratio * most[0] + most[1])
        try:
            yield (
                ratio,
                allocate(first, {cost: ratio * share * most[0]}),
                allocate(second, {cost: share * most[1]}),
            )
        except ValueError:
            continue
