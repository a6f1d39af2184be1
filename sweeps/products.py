"""Floor 4. Sums of products whose scales belong to groups, blocks or tokens, in golden arithmetic.

What `sweeps.pairing` says how it is added: blocks as `mxdot` does (`sim.golden.block_matmul`),
`bitmod` × int8 or fp16 as BitMoD's element does, groups of single codes exactly within a group and
in float64 from group to group. Activations in blocks are quantised as they enter a sum: blocks of
consecutive terms of each output, whatever layer it is of. The second scale of a tensor is static,
from the training inputs, for a dynamic one would depend on who else is in the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hw.accumulators import Accumulator, AccumulatorMode
from hw.design import DotProduct
from hw.design.bitmod import BitmodPe
from hw.formats import Format, MinifloatFormat
from hw.formats.bitmod_datatypes import weight_datatype
from hw.formats.block import BlockFormat, Outer
from hw.formats.mixture import MixtureFormat
from sim.golden import Operand, cast, cast_blocks, decode, encode, matmul, quantize
from sim.golden.bitmod_arrays import group_sums, running_totals
from sim.golden.block_matmul import Blocks, block_matmul
from sim.golden.block_scales import significant_bits
from sweeps.layers import Convolution, Values, Weighted
from sweeps.pairing import AnyFormat, bitmod_element, is_bitmod, is_in_blocks, step_lanes
from sweeps.quantize import QuantisedMatrix, token_scales
from sweeps.scales import Scheme

_AT_ONCE = 1 << 15
"""Sums of a BitMoD element that are followed side by side."""
_ALL_ONES = np.uint64(2**64 - 1)
_GROUP_SCALE_BITS = {"int8": 7, "fp16": 11}


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """Activations on their grid.

    Parameters
    ----------
    values
        Exact, block scales included; the terms lie along the last axis, or the last but one.
    scale
        What sums are multiplied by outside; broadcasts to them.
    format
        Of the values.

    """

    values: Values
    scale: Values
    format: AnyFormat

    @property
    def blocks(self) -> Blocks:
        """The values as a factor of block products."""
        return blocks_of(self.values, self.format)


def activation_factor(
    values: Values,
    format: AnyFormat,
    scheme: Scheme,
    static: Callable[[], float],
    axis: int = -1,
    tokens: tuple[int, ...] = (-1,),
) -> Factor:
    """Return quantised activations.

    Parameters
    ----------
    values
        Float, any shape.
    format, scheme
        What to.
    static
        Gives the scale of single codes, or the largest magnitude for the second scale of a tensor.
    axis
        Along which blocks lie: that of the terms.
    tokens
        Axes that a dynamic scale is shared along; none: the static one.

    Raises
    ------
    ValueError
        For a format with one scale of its own per tensor.

    """
    if isinstance(format, Format):
        if scheme.is_dynamic and tokens:
            dynamic = token_scales(values, format, tokens, scheme)
            return Factor(cast(values, format, dynamic), dynamic, format)
        scale = static()
        return Factor(cast(values, format, scale), np.array(scale), format)
    if format.block_size is None:
        raise ValueError(
            f"{format} has one scale per tensor, which for activations would depend on the batch: "
            f"take single codes with a static scale, such as int8 with max@e8m0"
        )
    if isinstance(format, BlockFormat) and format.outer is not Outer.ROW:
        if format.outer is Outer.NONE:
            found = cast_blocks(values, format, axis=axis, partial="pad")
            return Factor(found, np.array(1.0), format)
        largest = static()
        outer = float(format.outer_scale(Fraction(largest)))
        found = cast_blocks(values, format, axis=axis, partial="pad", amax=largest)
        return Factor(found / outer, np.array(outer), format)
    tensor = quantize(values, format, axis=axis, partial="pad")
    outers = tensor.outer.astype(np.float64)
    return Factor(tensor.values() / outers, outers, format)


def blocks_of(values: Values, format: AnyFormat) -> Blocks:
    """Return values of a format, scales of blocks included, as a factor of block products."""
    bits = _bits(format)
    words = (values.view(np.int64) << 1).view(np.uint64) - np.uint64(1)  # zeros come last
    least = int(words.min(initial=_ALL_ONES)) + 1
    return Blocks(values, bits, (least >> 53) - 1023 - bits if least <= int(_ALL_ONES) else 0)


@lru_cache(maxsize=256)
def _bits(format: AnyFormat) -> int:
    """Return the bits of an element's largest magnitude and of its scale's significand."""
    if isinstance(format, Format):
        return format.magnitude_bits
    if isinstance(format, BlockFormat):
        scale = 0 if format.scale_powers else significant_bits(format.scale_format)
        return format.element.magnitude_bits + scale
    low = min(book.lsb_exponent for book in format.codebooks)
    most = max(book.magnitude_bits + book.lsb_exponent - low for book in format.codebooks)
    return most + _GROUP_SCALE_BITS[format.scale_kind]


class Unit(Protocol):
    """What a layer runs in; `sweeps.inference.Arithmetic` is one."""

    @property
    def weight(self) -> AnyFormat:
        """Format of the weights."""

    @property
    def activation(self) -> AnyFormat:
        """Format of the inputs."""

    @property
    def accumulator(self) -> Accumulator:
        """What sums are added up in."""

    @property
    def lanes(self) -> int:
        """Products per step."""

    @property
    def scheme(self) -> Scheme:
        """How scales are shared."""

    @property
    def design(self) -> DotProduct:
        """The dot product of single codes."""


def layer_factors(
    layer: Weighted, values: Values, unit: Unit, static: Callable[[], float]
) -> Iterator[tuple[Factor, tuple[int, ...]]]:
    """Yield the patches (patch, term) of each group of channels, and the shape of its outputs."""
    if not isinstance(unit.activation, Format):
        for channels, part in layer.parts:
            patches = part.patches(values[..., channels])
            flat = np.ascontiguousarray(patches.reshape(-1, part.terms))
            yield (
                activation_factor(flat, unit.activation, unit.scheme, static),
                patches.shape[:-1],
            )
        return
    tokens = (1, 2, 3) if isinstance(layer, Convolution) else (-1,)
    whole = activation_factor(values, unit.activation, unit.scheme, static, tokens=tokens)
    for channels, part in layer.parts:
        patches = part.patches(whole.values[..., channels])
        flat = np.ascontiguousarray(patches.reshape(-1, part.terms))
        scale = whole.scale
        if scale.ndim:
            scale = np.broadcast_to(scale, (*patches.shape[:-1], 1)).reshape(-1, 1)
        yield Factor(flat, scale, unit.activation), patches.shape[:-1]


def layer_sums(
    inputs: Factor, shape: tuple[int, ...], matrix: QuantisedMatrix, unit: Unit
) -> Values:
    """Return the sums of a layer (…, output), all scales included."""
    return (weighted_sums(inputs, matrix, unit) * inputs.scale).reshape(*shape, -1)


def weighted_sums(inputs: Factor, matrix: QuantisedMatrix, unit: Unit) -> Values:
    """Return sums (patch, output) of patches (patch, term), with all scales but the inputs'.

    Raises
    ------
    ValueError
        If blocks do not fit each other, or the accumulator is not one of blocks.

    """
    weight, scheme, activation = unit.weight, unit.scheme, inputs.format
    outer = 1.0 if matrix.outer is None else matrix.outer
    if is_bitmod(weight, activation):
        assert isinstance(weight, MixtureFormat)
        assert isinstance(activation, Format)
        element = bitmod_element(weight, activation, len(matrix.values))
        if element.is_fp16:
            return bitmod_sums(element, weight, inputs.values, matrix) * outer
        return np.asarray(inputs.values @ matrix.scaled) * outer  # integers far below 2^53: exact
    if is_in_blocks(weight, activation, scheme):
        if isinstance(weight, Format) and scheme.group and not scheme.has_power_groups:
            raise ValueError(
                f"groups of weights beside activations in blocks ({activation}) have scales that "
                f"are powers of two: say {scheme.name.partition('@')[0]}@e8m0"
            )
        size = step_lanes(weight, activation, scheme, unit.lanes)
        is_grouped = matrix.group is not None
        right = blocks_of(matrix.scaled if is_grouped else matrix.values, weight)
        found = block_matmul(inputs.blocks, right, size, block_accumulator(unit.accumulator))
        return found * (outer if is_grouped else matrix.scale * outer)
    if matrix.group is None:
        return _codes(inputs, matrix.values, unit) * (matrix.scale * outer)
    total = np.zeros((len(inputs.values), matrix.values.shape[1]))
    for number, scale in enumerate(matrix.scale):
        part = slice(number * matrix.group, (number + 1) * matrix.group)
        some = Factor(np.ascontiguousarray(inputs.values[:, part]), inputs.scale, activation)
        total += _codes(some, matrix.values[part], unit) * scale
    return total * outer


def block_accumulator(accumulator: Accumulator) -> MinifloatFormat:
    """Return the minifloat that blocks are added to; ValueError unless it is one, once per step."""
    if accumulator.format is None or accumulator.mode is not AccumulatorMode.STEP:
        raise ValueError(
            f"blocks add to a floating accumulator once per step, such as float:fp32:step, "
            f"not to {accumulator}"
        )
    return accumulator.format


def _codes(inputs: Factor, matrix: Values, unit: Unit) -> Values:
    design = unit.design
    left, right = Operand.of(inputs.values, design.activation), Operand.of(matrix, design.weight)
    return matmul(left, right, design)


def _mixture_codes(weight: MixtureFormat, matrix: QuantisedMatrix) -> NDArray[np.uint8]:
    """Return the codes of values in each group's codebook."""
    assert matrix.group is not None
    assert matrix.ids is not None
    ids = np.repeat(matrix.ids, matrix.group, axis=0)[: len(matrix.values)]
    codes = np.empty(matrix.values.shape, np.uint8)
    for number, book in enumerate(weight.codebooks):
        chosen = ids == number
        codes[chosen] = encode(matrix.values[chosen], book)
    return codes


def bitmod_sums(
    element: BitmodPe, weight: MixtureFormat, inputs: Values, matrix: QuantisedMatrix
) -> Values:
    """Return sums of fp16 activations in a BitMoD element, output for output and bit for bit."""
    assert matrix.group is not None
    assert matrix.ids is not None
    kind = weight_datatype(element.datatypes[0])
    groups, outputs = matrix.scale.shape
    padding = groups * matrix.group - len(matrix.values)
    codes = np.pad(_mixture_codes(weight, matrix), ((0, padding), (0, 0)))
    halves = np.pad(encode(inputs, element.activation), ((0, 0), (0, padding)))
    total = np.empty((len(inputs), outputs))
    kinds = np.full(1, kind.select, np.uint8)
    at_once = max(_AT_ONCE // outputs, 1)
    format = element.accumulator.format
    assert format is not None
    for start in range(0, len(inputs), at_once):
        rows = halves[start : start + at_once]
        count = len(rows) * outputs
        sums = [
            group_sums(
                element,
                np.tile(codes[part], (1, len(rows))),
                np.repeat(rows[:, part].T, outputs, axis=1),
                np.repeat(kinds, count),
                np.tile(matrix.ids[number], len(rows)),
            )
            for number, part in enumerate(
                slice(g * matrix.group, (g + 1) * matrix.group) for g in range(groups)
            )
        ]
        joined = type(sums[0])(
            *(np.stack([getattr(one, name) for one in sums], axis=1) for name in sums[0].__slots__)
        )
        scales = np.tile(matrix.scale.T.astype(np.uint8), (len(rows), 1))
        shown = running_totals(element, joined, scales)[:, -1]
        total[start : start + at_once] = decode(shown, format).reshape(len(rows), outputs)
    return total


def block_products(
    left: Factor, right: Factor, scheme: Scheme, accumulator: Accumulator, lanes: int
) -> Values:
    """Return products of two activations in blocks, matrix by matrix, but for their scales."""
    size = step_lanes(left.format, right.format, Scheme(scheme.method), lanes)
    return block_matmul(left.blocks, right.blocks, size, block_accumulator(accumulator))
