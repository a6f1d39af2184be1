"""Networks in blocks, groups, mixtures and dynamic scales against a scalar reference of our own."""

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
import pytest

from hw.accumulators import parse_accumulator
from hw.design import BitmodPe, MxDotProduct
from hw.formats import Special, parse
from hw.formats.bitmod_datatypes import weight_datatype
from sim.golden import bitmod as scalar_bitmod
from sim.golden import floating
from sim.golden.mx import stepped
from sweeps.accuracy import Case, arithmetic, evaluate_scores, methods
from sweeps.datasets import load_dataset
from sweeps.inference import Arithmetic, Engine
from sweeps.layers import Convolution, Dense, Flatten, Relu
from sweeps.models import Network, load
from sweeps.operations import Product
from sweeps.pairing import element_of
from sweeps.quantize import METHODS, QuantisedMatrix, ScaleSearch, find_method, register
from sweeps.scales import Scheme

RNG = np.random.default_rng(5)
DIGITS = load_dataset("digits")
IMAGES = DIGITS.held_out[[0, 222]]
ACCUMULATOR = parse("fp32")
STEPS = parse_accumulator("float:fp32:step")


def weights(*shape):
    """Weights of a made-up layer, two of its outputs much smaller than the others."""
    found = RNG.normal(size=shape) * 0.4
    found[..., :2] /= 50
    return found


SMALL = Network.chain(
    "small",
    (8, 8, 1),
    (
        Convolution("first", weights(3, 3, 1, 6), RNG.normal(size=6), padding=1, stride=4),
        Relu(),
        Flatten(),
        Dense("second", weights(24, 5), RNG.normal(size=5)),
    ),
)


def engine():
    return Engine(SMALL, DIGITS)


def quantised(row, name, amax=None):
    """A row in a format of blocks by its own scalar specification: elements and scales, exactly."""
    format = parse(name)
    more = {} if amax is None else {"amax": amax}
    codes = format.quantize([Fraction(float(v)) for v in row], partial="pad", **more)
    if name.startswith("bitmod"):
        books = [format.codebooks[i] for i in codes.ids]
        return codes, books, [Fraction(s) for s in codes.scales], codes.outer
    return codes, None, [format.scale_format.decode(s) for s in codes.scales], codes.outer


def elements(row, name, amax=None):
    """Exact values of a row without its outer scale, which comes beside."""
    codes, books, scales, outer = quantised(row, name, amax)
    size, format = parse(name).block_size, parse(name)
    found = []
    for place, code in enumerate(codes.elements):
        block = place // size
        element = books[block] if books else format.element
        found.append(element.decode(code) * scales[block])
    return found, outer


def block_sum(left, right, size):
    """Sums block by block, rounded to fp32 after each, on fractions."""
    state = floating.Term(Fraction(0), False)
    count, code = 0, 0
    for start in range(0, len(left), size):
        pairs = zip(left[start : start + size], right[start : start + size], strict=True)
        total = sum((a * b for a, b in pairs), Fraction(0))
        addend = floating.Term(total, total < 0)
        code = floating.rounded(STEPS, floating.total([state, addend]))
        state = floating.term(ACCUMULATOR, code, "flag")
        count += 1
    assert count == -(-len(left) // size)
    value = ACCUMULATOR.decode(code)
    assert not isinstance(value, Special)
    return float(value)


def layer_by_layer(sums):
    """Outputs of the small network where `sums(layer, patches, number)` gives those of a layer."""
    values, seen = DIGITS.inputs(IMAGES), 0
    for layer in SMALL.layers:
        if isinstance(layer, Convolution | Dense):
            patches = layer.patches(values)
            found = sums(layer, patches.reshape(-1, layer.terms), seen)
            values = found.reshape(*patches.shape[:-1], -1) + layer.bias
            seen += 1
        else:
            values = layer.apply(values)
    assert seen == 2
    return values


def run(case, method="max"):
    own = engine()
    return own.outputs(IMAGES, arithmetic(own, case, method)), own


@pytest.mark.parametrize(
    ("weight", "activation"),
    [
        ("mxfp4", "mxfp4"),
        ("mxint8", "mxfp8e4m3"),
        ("mxfp8e5m2", "mxfp6e2m3"),
        ("bfp<4,16>", "mxfp6e3m2"),
        ("block<int4,8,e8m0,ceil>", "bfp<3,4>"),
        ("nvfp4", "nvfp4"),
        ("vsq<4,4,8>", "vsq<6,6,8>"),
        ("bitmod4<8,int8>", "mxint8"),
    ],
)
def test_blocks_equal_their_scalar_specifications(weight, activation):
    """Codes by each format's own `quantize`, sums on fractions, rounded once per block."""
    outputs, own = run(Case(weight, activation))
    size = min(parse(weight).block_size, parse(activation).block_size)
    tensors = {"nvfp4"}
    counted = 0

    def sums(layer, patches, number):
        nonlocal counted
        name = own.network.multiplying[number].name
        most = Fraction(float(np.abs(own.samples(name)).max())) if activation in tensors else None
        whole = Fraction(float(np.abs(layer.matrix).max())) if weight in tensors else None
        columns = [elements(column, weight, whole) for column in layer.matrix.T]
        rows = [elements(row, activation, most) for row in patches]
        found = np.empty((len(rows), len(columns)))
        for r, (row, row_outer) in enumerate(rows):
            for c, (column, outer) in enumerate(columns):
                total = block_sum(row, column, size)
                found[r, c] = total * float(outer) * float(row_outer)
                counted += 1
        return found

    expected = layer_by_layer(sums)
    assert counted == 2 * (4 * 6 + 5)
    assert np.array_equal(outputs, expected)


def test_power_of_two_groups_are_the_blocks_that_mxdot_multiplies():
    """Codes and scale codes of both operands through the hardware's own scalar model."""
    outputs, own = run(Case("int4", "int8"), "max/group:8@e8m0")
    design = MxDotProduct(
        weight=parse("int4"), activation=parse("int8"), lane_count=8, accumulator=STEPS
    )
    method = find_method("max/group:8@e8m0")

    def sums(layer, patches, number):
        matrix = method.weights(layer.matrix, parse("int4"), lambda: None)
        name = own.network.multiplying[number].name
        scale = method.activation_scale(own.samples(name), parse("int8"))
        assert np.log2(scale) == int(np.log2(scale))
        codes = np.clip(np.rint(patches / scale), -128, 127).astype(int)
        found = np.empty((len(patches), layer.matrix.shape[1]))
        for r, c in np.ndindex(found.shape):
            state = 0
            for block, exponent in enumerate(np.log2(matrix.scale[:, c]).astype(int)):
                part = slice(8 * block, 8 * block + 8)
                left = [int(v) & 15 for v in matrix.values[part, c]]
                right = [int(v) & 255 for v in codes[r, part]]
                left += [0] * (8 - len(left))
                right += [0] * (8 - len(right))
                state = stepped(design, state, [*left, 127 + int(exponent)], [*right, 127])
            found[r, c] = float(ACCUMULATOR.decode(state)) * scale
        return found

    assert np.array_equal(outputs, layer_by_layer(sums))


@pytest.mark.parametrize("activation", ["int8", "fp16"])
def test_bitmod_equals_the_scalar_element(activation):
    outputs, own = run(Case("bitmod4<20,int8>", activation))
    format, kind = parse("bitmod4<20,int8>"), weight_datatype("fp4")

    def sums(layer, patches, number):
        groups = -(-layer.terms // 20)
        element = BitmodPe(
            activation=parse(activation), group=20, length=20 * groups, datatypes=("fp4",)
        )
        name = own.network.multiplying[number].name
        scale = METHODS["max"].activation_scale(own.samples(name), parse(activation))
        found = np.empty((len(patches), layer.matrix.shape[1]))
        for c, column in enumerate(layer.matrix.T):
            codes = format.quantize([Fraction(float(v)) for v in column], partial="pad")
            lanes = [*codes.elements, *[0] * (20 * groups - layer.terms)]
            parts = [
                scalar_bitmod.Group(kind.name, i, int(s))
                for i, s in zip(codes.ids, codes.scales, strict=True)
            ]
            for r, patch in enumerate(patches):
                inputs = [
                    parse(activation).encode(Fraction(float(v)) / Fraction(scale)) for v in patch
                ]
                inputs += [0] * (20 * groups - layer.terms)
                total = scalar_bitmod.dot(element, parts, lanes, inputs)
                value = float(ACCUMULATOR.decode(total)) if activation == "fp16" else total / 2
                found[r, c] = value * float(codes.outer) * scale
        return found

    assert np.array_equal(outputs, layer_by_layer(sums))


@pytest.mark.parametrize(
    "name", ["max/group:7", "mse/group:16@fp16", "max/token", "percentile:90/tensor/token"]
)
def test_groups_and_tokens_equal_a_naive_evaluation(name):
    """Exact integers within a group, float64 from group to group; a scale per image or token."""
    outputs, own = run(Case("int4", "int6"), name)
    method, dynamic = find_method(name), "token" in name

    def sums(layer, patches, number):
        matrix = method.weights(layer.matrix, parse("int4"), lambda: None)
        node = own.network.multiplying[number].name
        per_image = patches.reshape(len(IMAGES), -1, layer.terms)
        if dynamic:  # every pixel is in some patch of these strides but the last row and column
            whole = values_before(own, number)
            peaks = np.abs(whole.reshape(len(IMAGES), -1)).max(axis=1)
            scales = np.repeat(peaks / 31, per_image.shape[1])
        else:
            scales = np.full(
                len(patches), method.activation_scale(own.samples(node), parse("int6"))
            )
        codes = np.clip(np.rint(patches / scales[:, None]), -32, 31)
        size = matrix.group or layer.terms
        total = np.zeros((len(patches), layer.matrix.shape[1]))
        for g, scale in enumerate(matrix.scale if matrix.group else matrix.scale[None]):
            part = slice(g * size, (g + 1) * size)
            total += (codes[:, part] @ matrix.values[part]) * scale
        return total * scales[:, None]

    def values_before(own, number):
        return DIGITS.inputs(IMAGES) if number == 0 else kept[-1]

    kept = []

    def spied(layer, patches, number):
        if number:
            kept.append(patches)
        return sums(layer, patches, number)

    assert np.array_equal(outputs, layer_by_layer(spied))


def test_groups_of_weights_are_the_columns_of_their_groups():
    matrix, format = weights(24, 5), parse("int4")
    for name in ("max", "mse", "percentile:75"):
        grouped = find_method(f"{name}/group:10").weights(matrix, format, lambda: None)
        assert grouped.scale.shape == (3, 5)
        for g in range(3):
            alone = find_method(name).weights(matrix[10 * g : 10 * g + 10], format, lambda: None)
            assert np.array_equal(alone.scale, grouped.scale[g])
            assert np.array_equal(alone.values, grouped.values[10 * g : 10 * g + 10])
        whole = find_method(f"{name}/tensor").weights(matrix, format, lambda: None)
        assert len(set(whole.scale)) == 1


def test_percentiles_are_order_statistics():
    samples = RNG.permutation(np.arange(1, 1001)) / 1.0
    for percent in ("99.9", "50", "0.1", "100", "12.34"):
        rank = -(-Fraction(percent) * 1000 // 100)
        scale = find_method(f"percentile:{percent}").activation_scale(samples, parse("int8"))
        assert scale == float(rank) / 127
    sparse = np.r_[np.zeros(99), 5.0]
    assert find_method("percentile:50").activation_scale(sparse, parse("int8")) == 5 / 127


def test_scale_formats_round_up():
    matrix = weights(30, 9) * 1000
    for name, step in (("e8m0", 1.0), ("fp16", 2.0**-10), ("e4m3fn", 2.0**-3)):
        exact = find_method("max").weights(matrix, parse("int8"), lambda: None)
        found = find_method(f"max@{name}").weights(matrix, parse("int8"), lambda: None)
        assert (found.scale >= exact.scale).all()
        assert (found.scale <= exact.scale * (1 + step)).all()
        for scale in found.scale:
            code = parse(name).encode(Fraction(float(scale)))
            assert parse(name).decode(code) == Fraction(float(scale))
    with pytest.raises(
        ValueError, match=r"scale of 1e-09 underflows fp16, whose least is 5.96e-08"
    ):
        find_method("max@fp16").activation_scale(np.array([127e-9]), parse("int8"))
    with pytest.raises(ValueError, match="overflows e4m3fn, whose largest is 448"):
        find_method("max@e4m3fn").activation_scale(np.array([1e6]), parse("int8"))


GROUPS = Scheme("max", group=8)


@dataclass(frozen=True)
class Compensating:
    """As GPTQ's kin work: term by term, the error of one carried on to the next by the inputs."""

    name: str = "compensating"
    scheme: Scheme = GROUPS
    asked: ClassVar[list] = []

    def weights(self, matrix, format, inputs):
        patches = inputs()
        self.asked.append(patches.shape)
        second = patches.T @ patches + 1e-2 * np.eye(len(matrix))
        plain = ScaleSearch("max", (1.0,), self.scheme).weights(matrix, format, inputs)
        spread = np.repeat(plain.scale, 8, axis=0)[: len(matrix)]
        rest, values = matrix.copy(), np.empty_like(matrix)
        top = float(format.maximum)
        inverse = np.linalg.cholesky(np.linalg.inv(second)).T
        for k in range(len(matrix)):
            values[k] = np.clip(np.rint(rest[k] / spread[k]), -top, top)
            error = (rest[k] - values[k] * spread[k]) / inverse[k, k]
            rest[k + 1 :] -= np.outer(inverse[k, k + 1 :], error)
        return QuantisedMatrix(values, plain.scale, 8)

    def activation_scale(self, samples, format):
        return METHODS["max"].activation_scale(samples, format)


def test_a_method_that_looks_at_inputs_joins_by_its_name():
    register(Compensating())
    own = Engine(load("digits_cnn"), DIGITS)
    losses = {}
    reference = own.float_outputs(DIGITS.held_out)
    for name in ("max/group:8", "compensating"):
        case = Case("int2", "uint8", method=name)
        assert methods(case) == (name,)
        outputs = own.outputs(DIGITS.held_out, arithmetic(own, case, name))
        losses[name] = ((outputs - reference) ** 2).mean()
        assert evaluate_scores(own, case).method == name
    assert losses["compensating"] < 0.8 * losses["max/group:8"]
    assert [shape[1] for shape in Compensating.asked] == [9, 144, 128]
    with pytest.raises(ValueError, match="there is a method compensating already"):
        register(Compensating())


def test_the_schemes_of_a_case_are_those_that_matter():
    both = "max,mse,max/group:32@e8m0"
    assert methods(Case("mxfp4", "nvfp4", method=both)) == ("own",)
    assert methods(Case("mxfp4", "int8", method=both)) == ("max", "mse")
    assert methods(Case("int4", "mxint8", method=both)) == tuple(both.split(","))
    assert methods(Case("int4", "int8")) == ("max", "mse")


def test_products_of_activations_in_blocks_and_tokens():
    """A product node through the engine against fractions: blocks along the terms of both sides."""
    vit = load("digits_vit")
    own = Engine(vit, DIGITS)
    node = next(n for n in vit.multiplying if isinstance(n.layer, Product))
    left, right = (RNG.normal(size=(1, 1, 3, 20)) for _ in range(2))
    unit = arithmetic(own, Case("mxint8", "mxfp4"), "max")[0]
    assert isinstance(unit, Arithmetic)
    for layer in (Product(transposed=True), Product()):
        other = right if layer.transposed else right.swapaxes(-1, -2)
        sums, scale = own._product(node, layer, unit, (left, other))
        for r, c in np.ndindex(3, 3):
            row, column = elements(left[0, 0, r], "mxfp4")[0], elements(right[0, 0, c], "mxfp4")[0]
            assert sums[0, 0, r, c] * scale == block_sum(row, column, 32)
    unit = arithmetic(own, Case("int8", "int8"), "max/token")[0]
    sums, scale = own._product(node, Product(transposed=True), unit, (left, right))
    tops = [np.abs(side[0, 0]).max(axis=1) / 127 for side in (left, right)]
    codes = [
        np.rint(side[0, 0] / top[:, None]) for side, top in zip((left, right), tops, strict=True)
    ]
    assert np.array_equal(sums[0, 0], codes[0] @ codes[1].T)
    assert np.array_equal(np.broadcast_to(scale, sums.shape)[0, 0], np.outer(*tops))


@pytest.mark.parametrize(
    ("weight", "activation", "method", "message"),
    [
        ("bfp<4,24>", "mxint8", "max", "24 and 32 terms"),
        ("int8", "dfp8", "max", "one scale per tensor, which for activations"),
        ("int4", "mxint8", "max/group:32", "say max/group:32@e8m0"),
        ("mxfp4", "uint99", "max", "uint99"),
        ("int4", "int8", "max/groups:32", "scales are shared by"),
        ("int4", "int8", "percentile:0", "above 0 and at most 100"),
    ],
)
def test_what_does_not_go_together_is_refused(weight, activation, method, message):
    own = engine()
    with pytest.raises(ValueError, match=message):
        evaluate_scores(own, Case(weight, activation, method=method), 2)


def test_accumulators_of_blocks():
    with pytest.raises(ValueError, match="blocks add to a floating accumulator once per step"):
        run(Case("mxfp4", "mxfp4", "exact:32"))
    coarse, _ = run(Case("mxint8", "mxint8", "float:bfloat16:step"))
    fine, _ = run(Case("mxint8", "mxint8"))
    assert 0 < np.abs(coarse - fine).max() < 0.1


def test_elements_of_block_floating_point_are_integers_of_the_same_values():
    for name in ("bfp<3,16>", "bfp<8,16>"):
        element, taken = parse(name).element, element_of(parse(name))
        own = {v for v in element.values() if not isinstance(v, Special)}
        assert own == {v for v in taken.values() if v != taken.minimum}
        assert taken.bits == element.bits
