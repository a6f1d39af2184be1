"""Floor 4. A quantised network at work: golden sums of products, float64 between them.

Every weighted layer is quantised: its weights once (a scale per output channel), its input as it
arrives (a scale per tensor, from the training images). A product of two activations has both of
them quantised so. The sums of products are those of the stated accumulator, bit for bit
(`sim.golden.matmul`). What follows a sum runs in float64: times the two scales (multiplied
beforehand), plus the bias, then the layers without weights. Scales of groups, blocks and tokens go
into the sums themselves (`sweeps.products`). No step depends on the order in which a BLAS adds, so
the outputs are the same bits in every run, on every number of threads or worker processes.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from hw.accumulators import Accumulator
from hw.design import DotProduct
from hw.formats import Format
from sim.golden import Operand, cast, matmul
from sim.golden.stacked import stacked_matmul
from sweeps.datasets import Data
from sweeps.layers import Convolution, Dense, Values, Weighted
from sweeps.models import INPUT, Network, Node, float_output, last_uses
from sweeps.operations import Product
from sweeps.products import Factor, activation_factor, block_products, layer_factors, layer_sums
from sweeps.quantize import AnyFormat, QuantisedMatrix, find_method
from sweeps.scales import Scheme
from sweeps.stages import Program, Stage, program

Images = npt.NDArray[np.int64]

KEPT = {"weights": 1024, "scale": 1024, "patches": 8, "float": 16}
"""How many results of each kind an engine keeps (patches are megabytes each)."""
BATCH_VALUES = 1 << 23
"""Images go through together until their largest tensor has so many values."""
CALIBRATION_VALUES = 1 << 26
"""Scales are calibrated on as many training images, evenly spaced, as have so many values."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """What one layer is quantised to, and the unit that does its sums."""

    weight: AnyFormat
    activation: AnyFormat
    accumulator: Accumulator
    method: str
    lanes: int

    @property
    def scheme(self) -> Scheme:
        """How scales are shared."""
        return find_method(self.method).scheme

    @property
    def is_plain(self) -> bool:
        """Whether scales are applied to whole sums: one per tensor, or per output."""
        single = isinstance(self.weight, Format) and isinstance(self.activation, Format)
        return single and self.scheme.group is None and not self.scheme.is_dynamic

    @property
    def design(self) -> DotProduct:
        """The dot product unit; its accumulator is the stated one, or a window past 80 bits."""
        return DotProduct(
            weight=_single(self.weight),
            activation=_single(self.activation),
            accumulator=self.accumulator,
            lane_count=self.lanes,
        )

    @property
    def between(self) -> DotProduct:
        """The unit of a product of two activations of single codes."""
        return replace(self, weight=self.activation).design


def _single(format: AnyFormat) -> Format:
    assert isinstance(format, Format)  # blocks have products of their own
    return format


@dataclass(frozen=True, slots=True, eq=False)
class Engine:
    """A network on a data set, with what pairs of formats share kept in memory.

    Kept: float results, quantised weights per weight format, activation scales and quantised
    patches of what comes before all arithmetic per activation format (the last few: sweep one
    activation format after the other, weights inside).
    """

    network: Network
    dataset: Data
    _kept: dict[str, dict[Hashable, Any]] = field(
        default_factory=lambda: {kind: {} for kind in KEPT}
    )

    def outputs(self, images: Images, arithmetic: tuple[Arithmetic | None, ...]) -> Values:
        """The last node's outputs (image, …).

        Parameters
        ----------
        images : array of image numbers
        arithmetic : one per multiplying node, in order; None runs the node in float

        Raises
        ------
        ValueError
            If a format cannot hold its operands (unsigned weights), an accumulator not be built.
        """
        nodes = self.network.multiplying
        units = {n.name: unit for n, unit in zip(nodes, arithmetic, strict=True)}
        parts = [self._outputs(batch, units) for batch in self._batches(images)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def float_outputs(self, images: Images) -> Values:
        """The float network's outputs (image, …), kept."""

        def make() -> Values:
            inputs = self.dataset.inputs
            parts = [self.network.infer(inputs(batch)) for batch in self._batches(images)]
            return np.concatenate(parts)

        kept: Values = self._keep("float", images.tobytes(), make)
        return kept

    def samples(self, name: str, side: int = 0) -> Values:
        """Inputs of a multiplying node on training images, in float."""
        seen: dict[str, tuple[Values, ...]] = self._keep(
            "float", "samples", lambda: self.network.trace(self._training_inputs())[0]
        )
        return seen[name][side]

    def _training_inputs(self) -> Values:
        shapes = self.network.shapes
        names = {name for node in self.network.multiplying for name in node.inputs}
        most = max(CALIBRATION_VALUES // sum(int(np.prod(shapes[name])) for name in names), 1)
        training = self.dataset.training
        if len(training) > most:
            training = training[np.linspace(0, len(training) - 1, most).round().astype(np.int64)]
        return self.dataset.inputs(training)

    def _batches(self, images: Images) -> list[Images]:
        largest = max(int(np.prod(shape)) for shape in self.network.shapes.values())
        at_once = max(BATCH_VALUES // largest, 1)
        return [images[start : start + at_once] for start in range(0, len(images), at_once)]

    def _outputs(self, images: Images, units: dict[str, Arithmetic | None]) -> Values:
        steps = self._program
        values = {INPUT: self.network.checked(self.dataset.inputs(images))}
        last = last_uses(self.network.nodes)
        for step in steps.steps:
            if isinstance(step, Node):
                node, given = step, tuple(values[name] for name in step.inputs)
                values[node.name] = float_output(node.layer, given)
            else:
                node, given = step.node, tuple(values[name] for name in step.node.inputs)
                key = images.tobytes() if steps.fixed.issuperset(node.inputs) else None
                values[step.output] = self._run(step, units[node.name], given, key)
            for name in node.inputs:
                if last[name] == node.name:
                    values.pop(name, None)
        return values[self.network.nodes[-1].name]

    @property
    def _program(self) -> Program:
        kept: Program = self._keep("float", "program", lambda: program(self.network))
        return kept

    def _run(
        self, stage: Stage, unit: Arithmetic | None, given: tuple[Values, ...], key: Hashable
    ) -> Values:
        layer = stage.node.layer
        if unit is None:
            result = float_output(layer, given)
            for pool in stage.pools:
                result = pool.apply(result)
        else:
            if isinstance(layer, Product):
                sums, scale = self._product(stage.node, layer, unit, given)
            else:
                assert isinstance(layer, Convolution | Dense)
                sums, scale = self._weighted(layer, unit, given[0], key)
            floats = unit.accumulator.format is not None
            if floats and not np.isfinite(sums).all():
                raise ValueError(
                    f"sums of {stage.node.name} overflow the accumulator {unit.accumulator}"
                )
            for pool in stage.pools:
                sums = pool.apply(sums)
            result = sums * scale
            if not isinstance(layer, Product):
                result += layer.bias
        for follower in stage.after:
            result = follower.apply(result)
        return result

    def _product(
        self, node: Node, layer: Product, unit: Arithmetic, given: tuple[Values, ...]
    ) -> tuple[Values, Values]:
        """The sums of a product of activations, and what to multiply them by."""
        if not unit.is_plain:
            return self._other_product(node, layer, unit, given)
        assert isinstance(unit.activation, Format)
        scales = [self._scale(node.name, side, unit) for side in (0, 1)]
        left, right = (
            Operand.of(cast(values, unit.activation, scale), unit.activation)
            for values, scale in zip(given, scales, strict=True)
        )
        right = right.rearranged(layer.right(right.values))
        return stacked_matmul(left, right, unit.between), np.array(scales[0] * scales[1])

    def _weighted(
        self, layer: Weighted, unit: Arithmetic, values: Values, key: Hashable
    ) -> tuple[Values, Values]:
        """The sums of a weighted layer, group by group, and what to multiply them by."""
        weights = self._weights(layer, unit)
        if weights is None:
            return self._other_sums(layer, unit, values, key), np.array(1.0)
        sums, scales = [], []
        patches, shape = self._patches(layer, unit, values, key)
        for operand, (matrix, scale) in zip(patches, weights, strict=True):
            sums.append(matmul(operand, matrix, unit.design).reshape(*shape, -1))
            scales.append(scale)
        factor = self._scale(layer.name, 0, unit)
        if len(sums) == 1:
            return sums[0], scales[0] * factor
        return np.concatenate(sums, axis=-1), np.concatenate(scales) * factor

    def _patches(
        self, layer: Weighted, unit: Arithmetic, values: Values, key: Hashable
    ) -> tuple[list[Operand], tuple[int, ...]]:
        """The quantised patches (patch, term) of each group, and the shape of the outputs."""

        def make() -> tuple[list[Operand], tuple[int, ...]]:
            scale = self._scale(layer.name, 0, unit)
            format = _single(unit.activation)
            operand = Operand.of(cast(values, format, scale), format)
            found = [part.patches(operand.values[..., channels]) for channels, part in layer.parts]
            shape = found[0].shape[:-1]
            return [operand.rearranged(p.reshape(-1, layer.terms)) for p in found], shape

        if key is None:
            return make()
        kept: tuple[list[Operand], tuple[int, ...]]
        kept = self._keep("patches", (layer.name, unit.activation, unit.method, key), make)
        return kept

    def _other_sums(
        self, layer: Weighted, unit: Arithmetic, values: Values, key: Hashable
    ) -> Values:
        """The sums of a weighted layer with all scales, where these lie inside the sums."""

        def make() -> list[tuple[Factor, tuple[int, ...]]]:
            return list(layer_factors(layer, values, unit, static))

        def static() -> float:
            return self._static(layer.name, 0, unit)

        kept: list[tuple[Factor, tuple[int, ...]]]
        if key is None:
            kept = make()
        else:
            method = unit.method if isinstance(unit.activation, Format) else ""
            own = ("factors", layer.name, unit.activation, method, key)
            kept = self._keep("patches", own, make)
        matrices = self._matrices(layer, unit)
        return np.concatenate(
            [
                layer_sums(factor, shape, matrix, unit)
                for (factor, shape), matrix in zip(kept, matrices, strict=True)
            ],
            axis=-1,
        )

    def _other_product(
        self, node: Node, layer: Product, unit: Arithmetic, given: tuple[Values, ...]
    ) -> tuple[Values, Values]:
        """The sums of a product of activations with scales of blocks or tokens."""
        dynamic = (-1,), (-1,) if layer.transposed else ()
        left, right = (
            activation_factor(
                values,
                unit.activation,
                unit.scheme,
                partial(self._static, node.name, side, unit),
                axis=-2 if side and not layer.transposed else -1,
                tokens=dynamic[side],
            )
            for side, values in enumerate(given)
        )
        if right.scale.ndim:
            right = replace(right, scale=layer.right(right.scale))
        right = replace(right, values=np.ascontiguousarray(layer.right(right.values)))
        scale = left.scale * right.scale
        if not isinstance(unit.activation, Format):
            return block_products(left, right, unit.scheme, unit.accumulator, unit.lanes), scale
        operands = [Operand.of(f.values, unit.activation) for f in (left, right)]
        return stacked_matmul(operands[0], operands[1], unit.between), scale

    def _static(self, name: str, side: int, unit: Arithmetic) -> float:
        """The scale of single codes, or the largest magnitude of the training inputs."""
        if isinstance(unit.activation, Format):
            return self._scale(name, side, unit)

        def make() -> float:
            return float(np.abs(self.samples(name, side)).max(initial=0.0))

        kept: float = self._keep("scale", (name, side), make)
        return kept

    def _scale(self, name: str, side: int, unit: Arithmetic) -> float:
        def make() -> float:
            samples = self.samples(name, side)
            assert isinstance(unit.activation, Format)
            return find_method(unit.method).activation_scale(samples, unit.activation)

        kept: float = self._keep("scale", (name, side, unit.activation, unit.method), make)
        return kept

    def _weights(self, layer: Weighted, unit: Arithmetic) -> list[tuple[Operand, Values]] | None:
        """The weights of each group of channels; None where scales lie inside the sums."""

        def make() -> list[tuple[Operand, Values]] | None:
            found = self._matrices(layer, unit)
            if any(matrix.group or matrix.outer is not None for matrix in found):
                return None
            format = _single(unit.weight)
            return [(Operand.of(matrix.values, format), matrix.scale) for matrix in found]

        if not unit.is_plain:
            return None
        kept: list[tuple[Operand, Values]] | None
        kept = self._keep("weights", (layer.name, unit.weight, unit.method), make)
        return kept

    def _matrices(self, layer: Weighted, unit: Arithmetic) -> list[QuantisedMatrix]:
        def one(channels: slice, part: Weighted) -> QuantisedMatrix:
            def inputs() -> Values:
                samples = self.samples(layer.name)[..., channels]
                return part.patches(samples).reshape(-1, part.terms)

            return find_method(unit.method).weights(part.matrix, unit.weight, inputs)

        def make() -> list[QuantisedMatrix]:
            return [one(channels, part) for channels, part in layer.parts]

        kept: list[QuantisedMatrix]
        kept = self._keep("weights", (layer.name, unit.weight, unit.method, "matrix"), make)
        return kept

    def _keep(self, kind: str, key: Hashable, make: Callable[[], Any]) -> Any:
        kept = self._kept[kind]
        if key not in kept:
            while len(kept) >= KEPT[kind]:
                del kept[next(iter(kept))]
            kept[key] = make()
        return kept[key]
