"""Floor 4. A quantised network at work: golden sums of products, float64 between them.

Every weighted layer is quantised: its weights once (a scale per output channel), its input as it
arrives (a scale per tensor, from the training images). The sums of products are those of the
stated accumulator, bit for bit (`sim.golden.matmul`). What follows a sum runs in float64: times the
two scales (multiplied beforehand), plus the bias, then ReLU and pooling. No step depends on the
order in which a BLAS adds, so the outputs are the same bits in every run, on every number of
threads or worker processes.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.accumulators import Accumulator
from hw.design import DotProduct
from hw.formats import Format
from sim.golden import Operand, cast, matmul
from sweeps.datasets import Dataset
from sweeps.layers import (
    Convolution,
    Dense,
    Flatten,
    MaxPool,
    Relu,
    Values,
    Weighted,
    product_in_order,
)
from sweeps.models import Network
from sweeps.quantize import find_method

Images = npt.NDArray[np.int64]

KEPT = {"weights": 1024, "scale": 1024, "patches": 8, "float": 16}
"""How many results of each kind an engine keeps (patches are megabytes each)."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What one layer is quantised to, and the unit that does its sums."""

    weight: Format
    activation: Format
    accumulator: Accumulator
    method: str
    lanes: int

    @property
    def design(self) -> DotProduct:
        """The dot product unit; its accumulator is the stated one, or a window past 80 bits."""
        return DotProduct(
            weight=self.weight,
            activation=self.activation,
            accumulator=self.accumulator,
            lane_count=self.lanes,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A weighted layer and the layers up to the next one.

    `pools` follow the sums directly, through nothing but ReLU: they are taken first, on the sums.
    Scaling by a positive factor, adding a bias and ReLU keep the order of values, rounding
    included, so the result is the same bits and the rest has fewer values to touch.
    """

    layer: Weighted
    pools: tuple[MaxPool, ...]
    after: tuple[Relu | MaxPool | Flatten, ...]


def stages(network: Network) -> tuple[tuple[Relu | MaxPool | Flatten, ...], tuple[Stage, ...]]:
    """The layers before the first weighted one, and the stages."""
    groups: list[tuple[Weighted | None, list[Relu | MaxPool | Flatten]]] = [(None, [])]
    for layer in network.layers:
        if isinstance(layer, Convolution | Dense):
            groups.append((layer, []))
        else:
            groups[-1][1].append(layer)
    before = tuple(groups[0][1])
    return before, tuple(_stage(layer, rest) for layer, rest in groups[1:] if layer is not None)


def _stage(layer: Weighted, rest: list[Relu | MaxPool | Flatten]) -> Stage:
    flat = next((i for i, other in enumerate(rest) if isinstance(other, Flatten)), len(rest))
    pools = tuple(other for other in rest[:flat] if isinstance(other, MaxPool))
    others = tuple(other for other in rest[:flat] if not isinstance(other, MaxPool))
    return Stage(layer, pools, others + tuple(rest[flat:]))


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """A network on a data set, with what pairs of formats share kept in memory.

    Kept: float results, quantised weights per weight format, activation scales and quantised
    first-layer patches per activation format (the last few: sweep one activation format after
    the other, weights inside).
    """

    network: Network
    dataset: Dataset
    _kept: dict[str, dict[Hashable, Any]] = field(
        default_factory=lambda: {kind: {} for kind in KEPT}
    )

    def outputs(self, images: Images, arithmetic: tuple[Arithmetic | None, ...]) -> Values:
        """The last layer's outputs (image, output).

        Parameters
        ----------
        images : array of image numbers
        arithmetic : one per weighted layer, in order; None runs the layer in float64

        Raises
        ------
        ValueError
            If a format cannot hold its operands (unsigned weights), an accumulator not be built.
        """
        before, following = stages(self.network)
        values = self.network.checked(self.dataset.inputs(images))
        for layer in before:
            values = layer.apply(values)
        for number, (stage, unit) in enumerate(zip(following, arithmetic, strict=True)):
            key = images.tobytes() if number == 0 else None
            values = self._run(stage, unit, values, key)
        return values

    def float_outputs(self, images: Images) -> Values:
        """The float network's outputs (image, output), kept."""
        kept: Values = self._keep(
            "float",
            images.tobytes(),
            lambda: self.network.infer(self.dataset.inputs(images)),
        )
        return kept

    def samples(self, name: str) -> Values:
        """Inputs of a weighted layer on the training images, in float."""
        seen: dict[str, Values] = self._keep(
            "float", "samples", lambda: self.network.trace(self._training_inputs())[0]
        )
        return seen[name]

    def _training_inputs(self) -> Values:
        return self.dataset.inputs(self.dataset.training)

    def _run(self, stage: Stage, unit: Arithmetic | None, values: Values, key: Hashable) -> Values:
        layer = stage.layer
        if unit is None:
            sums = product_in_order(layer.patches(values), layer.matrix)
            scale = np.ones(1)
        else:
            patches, shape = self._patches(layer, unit, values, key)
            weights, weight_scale = self._weights(layer, unit)
            sums = matmul(patches, weights, unit.design).reshape(*shape, -1)
            scale = weight_scale * self._scale(layer, unit)
        for pool in stage.pools:
            sums = pool.apply(sums)
        result = sums * scale + layer.bias
        for follower in stage.after:
            result = follower.apply(result)
        return result

    def _patches(
        self, layer: Weighted, unit: Arithmetic, values: Values, key: Hashable
    ) -> tuple[Operand, tuple[int, ...]]:
        """The quantised patches (patch, term) and the shape of the output positions."""

        def make() -> tuple[Operand, tuple[int, ...]]:
            scale = self._scale(layer, unit)
            operand = Operand.of(cast(values, unit.activation, scale), unit.activation)
            patches = layer.patches(operand.values)
            flat = operand.rearranged(patches.reshape(-1, layer.terms))
            return flat, patches.shape[:-1]

        if key is None:
            return make()
        kept: tuple[Operand, tuple[int, ...]]
        kept = self._keep("patches", (unit.activation, unit.method, key), make)
        return kept

    def _scale(self, layer: Weighted, unit: Arithmetic) -> float:
        def make() -> float:
            samples = self.samples(layer.name)
            return find_method(unit.method).activation_scale(samples, unit.activation)

        kept: float = self._keep("scale", (layer.name, unit.activation, unit.method), make)
        return kept

    def _weights(self, layer: Weighted, unit: Arithmetic) -> tuple[Operand, Values]:
        def inputs() -> Values:
            return layer.patches(self.samples(layer.name)).reshape(-1, layer.terms)

        def make() -> tuple[Operand, Values]:
            matrix = find_method(unit.method).weights(layer.matrix, unit.weight, inputs)
            return Operand.of(matrix.values, unit.weight), matrix.scale

        kept: tuple[Operand, Values]
        kept = self._keep("weights", (layer.name, unit.weight, unit.method), make)
        return kept

    def _keep(self, kind: str, key: Hashable, make: Callable[[], Any]) -> Any:
        kept = self._kept[kind]
        if key not in kept:
            while len(kept) >= KEPT[kind]:
                del kept[next(iter(kept))]
            kept[key] = make()
        return kept[key]
