"""Floor 4: small modules whose mapped size no rule gives, measured many in one synthesis.

Most formulas of `costmodel` follow from how a part maps. What remains are small functions that the
synthesiser restructures as it likes; there are few of them, so each is measured. Their number is
told by `PARTS`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from amaranth.lib import wiring

from costmodel.lanes import classifier_key
from costmodel.measured import product_key
from costmodel.products import table_key
from costmodel.rows import adder_key, booth_key
from hw.accumulators import Accumulator, AccumulatorKind
from hw.design import OPERAND_SPECIALS, Mac
from hw.formats import MinifloatFormat, Specials, parse_element
from hw.formats.minifloat import MAXIMUM_EXPONENT_BITS
from hw.plan import (
    AdderRow,
    Bounds,
    DistancePlan,
    ExponentMaximum,
    ExponentPlan,
    OperandPlan,
    classes,
    gated_apart,
    structures,
)
from hw.plan.digits import booth_rows
from hw.plan.lane import plan_lane
from hw.plan.product import plan_product
from hw.rtl.accumulate import Fits
from hw.rtl.lane import Lane
from hw.rtl.operand import Classifier, Magnitude
from hw.rtl.product import BoothRowAdder, Multiplier, ProductTable
from hw.rtl.shift import ExponentSum
from hw.rtl.tree import Adder
from hw.rtl.window import Distance, LargerExponent, Nonzero
from hw.target import Target
from sweeps.float_primitives import (
    dropped_bits,
    float_classifiers,
    float_results,
    leading_digits,
)
from sweeps.module_sizes import RUN, measure_parts
from sweeps.shell_primitives import array_controls, flag_gates

COLUMNS = ("part", "key", "lut", "sites", "carry")
WIDEST_PRODUCT = 8
WIDE_PRODUCTS = (
    *((bits, bits) for bits in range(9, 17)),
    *((12, 8), (16, 8), (11, 5), (14, 10), (9, 4)),
)
WIDEST_OPERAND = 16
NARROW_FORMAT = 8
NARROW_ROW = 4
"""Rows of so many bits or fewer are plain logic on some targets."""
TABLE_TARGETS = ("ice40",)
FLAGS_SEED = 11
FLAGGED_LANES = 60

Found = Iterator[tuple[str, wiring.Component, bool]]


def products(target: Target) -> Found:
    """Yield plain products of all widths up to 8 bits, and some wider ones."""
    small = [(a, b) for a in range(1, WIDEST_PRODUCT + 1) for b in range(1, WIDEST_PRODUCT + 1)]
    for a, b in [*small, *WIDE_PRODUCTS]:
        yield from _products(a, b, ("uu", "us", "su", "ss"))


def magnitude_products(target: Target) -> Found:
    """Yield plain products with a magnitude of at most 8 bits, as windows have them."""
    for a in range(1, WIDEST_PRODUCT + 1):
        for b in range(1, WIDEST_PRODUCT + 1):
            yield from _products(a, b, ("mu", "um", "mm"))


def _products(a: int, b: int, kinds: tuple[str, ...]) -> Found:
    for pair in kinds:
        a_kind, b_kind = pair[0], pair[1]
        if (a_kind != "u" and a < 2) or (b_kind != "u" and b < 2):
            continue
        made = plan_product("behavioural", _word(a, a_kind), a, _word(b, b_kind), b)
        yield product_key(a, b, a_kind, b_kind), Multiplier(made), False


def _word(bits: int, kind: str) -> Bounds:
    return Bounds(0, 1 << (bits - 1)) if kind == "m" else _bounds(bits, kind == "s")


def narrow_adders(target: Target) -> Found:
    """Yield tree rows of at most four bits, of words that reach as far as their bits or less."""
    words = [w for bits in range(1, NARROW_ROW + 1) for w in (*_reaching(bits), *_least(bits))]
    for relative, left, right in product((False, True), words, words):
        row = AdderRow(left, right, relative)
        if row.bounds.bits <= NARROW_ROW:
            yield adder_key(row), Adder(row), False


def _reaching(bits: int) -> Iterator[Bounds]:
    """Yield the ranges of whole words, signed ones of at least two bits."""
    yield from (_bounds(bits, signed) for signed in (False, True) if bits > 1 or not signed)


def _least(bits: int) -> Iterator[Bounds]:
    """Yield ranges that reach just beyond a word of one bit less, to either side if signed."""
    if bits > 1:
        half = 1 << bits - 2
        ends = (0, 2 * half), (-1, half), (-half - 1, 0), (-half, half)
        yield from (Bounds(*both) for both in ends)


def narrow_booth_rows(target: Target) -> Found:
    """Yield Booth rows of at most four bits."""
    for a in range(1, 17):
        for b in range(1, 17):
            for signs in ((0, 0), (0, 1), (1, 0), (1, 1)):
                if (signs[0] and a < 2) or (signs[1] and b < 2):
                    continue
                multiplicand, multiplier = _bounds(a, bool(signs[0])), _bounds(b, bool(signs[1]))
                for row in booth_rows(multiplicand, a, multiplier, b):
                    if row.width <= NARROW_ROW:
                        yield booth_key(row), BoothRowAdder(row), False


def narrow_exponent_sums(target: Target) -> Found:
    """Yield exponent adders of at most four bits."""
    for low in range(2, NARROW_ROW):
        for high in range(low, NARROW_ROW):
            amount_bits = ((1 << low) + (1 << high) - 2).bit_length()
            if low + high > target.lut_inputs:
                made = ExponentPlan((low, high), False, 2, amount_bits)
                yield f"{low}_{high}", ExponentSum(made), False


def exponent_maxima(target: Target) -> Found:
    """Yield the larger of two exponents."""
    for bits in range(1, 10):
        yield str(bits), LargerExponent(ExponentMaximum(bits)), False


def distances(target: Target) -> Found:
    """Yield exponent differences."""
    for bits in range(1, 10):
        for live in range(1, min(bits, 7) + 1):
            yield f"{bits}_{live}", Distance(DistancePlan(bits, live)), False


def magnitudes(target: Target) -> Found:
    """Yield absolute values."""
    for bits in range(2, 17):
        yield str(bits), Magnitude(bits), False


def nonzero_checks(target: Target) -> Found:
    """Yield what tells that a product of significands is not 0."""
    for weight in range(1, 9):
        for activation in range(1, weight + 1):
            yield f"{weight}_{activation}", Nonzero(weight, activation), False


def saturation_checks(target: Target) -> Found:
    """Yield what decides whether a saturating sum fits."""
    for bits in range(4, 21):
        yield str(bits), Fits(bits), False


def gated_significands(target: Target) -> Found:
    """Yield lanes that hold only the unpacking of a format whose specials are forced to zero."""
    one = parse_element("uint1")
    wide = (s for s in _splits(WIDEST_OPERAND, 1 + NARROW_FORMAT) if s[1] is Specials.FN)
    formats = [*_special_formats(), *(MinifloatFormat(*split, kind) for split, kind in wide)]
    for format in formats:
        design = Mac(
            weight=format,
            activation=one,
            accumulator=Accumulator.exact(1),
            specials="ignore",
            structure="rows",
        )
        if not design.is_window and not (lane := plan_lane(design, target)).weight.gate_apart:
            yield format.name, Lane(lane), False


def classifiers(target: Target) -> Found:
    """Yield what tells special codes, zero included, of all formats of operands."""
    flags = ("nan", "pos_inf", "neg_inf")
    finite, infinite = OperandPlan(parse_element("int4")), OperandPlan(parse_element("e2m1"))
    formats = [
        *(MinifloatFormat(*split, specials) for split, specials in _splits(WIDEST_OPERAND)),
        *(parse_element(f"uint{bits}") for bits in range(1, 17)),
    ]
    for format in formats:
        operand = OperandPlan(format)
        for other in (finite, infinite):
            if asked := classes(operand, other, flags):
                yield classifier_key(operand, asked), Classifier(format, asked), False
    for split, specials in _splits(WIDEST_OPERAND):
        operand = gated_apart(OperandPlan(MinifloatFormat(*split, specials)), (), target)
        if asked := operand.told_apart:
            yield classifier_key(operand, asked), Classifier(operand.format, asked), False


def tables(target: Target) -> Found:
    """Yield product tables where the synthesiser finds structure in them (iCE40)."""
    if target.name not in TABLE_TARGETS:
        return
    formats = [
        *(MinifloatFormat(*split, specials) for split, specials in _splits(6)),
        *(parse_element(f"int{bits}") for bits in range(2, 6)),
        *(parse_element(f"uint{bits}") for bits in range(1, 6)),
    ]
    for weight in formats:
        for activation in formats:
            design = Mac(
                weight=weight,
                activation=activation,
                accumulator=Accumulator(AccumulatorKind.WRAP, bits=80),
                structure="table",
            )
            if "table" in structures(design):
                lane = plan_lane(design, target)
                yield table_key(lane), ProductTable(lane.product), False


def infinity_lanes(target: Target) -> Found:
    """Yield unpacking and flags of lanes with infinities, on which their formula is fitted."""
    source = random.Random(FLAGS_SEED)
    ieee = [f for f in _special_formats() if f.has_infinity]
    others = [
        *_special_formats(),
        *(parse_element(name) for name in ("int4", "int8", "uint4", "e3m2fn")),
    ]
    found = 0
    while found < FLAGGED_LANES:
        weight, activation = source.choice(ieee), source.choice(others)
        design = Mac(weight=weight, activation=activation, structure="rows")
        lane = None if design.is_window else plan_lane(design, target)
        if lane is not None and (lane.shift is None or lane.shift.exponents.from_table):
            found += 1
            yield f"{weight.name}:{activation.name}", Lane(lane), False


PARTS: dict[str, Callable[[Target], Found]] = {
    "product": products,
    "magnitude_product": magnitude_products,
    "narrow_adder": narrow_adders,
    "narrow_booth_row": narrow_booth_rows,
    "narrow_exponent_sum": narrow_exponent_sums,
    "exponent_maximum": exponent_maxima,
    "distance": distances,
    "magnitude": magnitudes,
    "nonzero": nonzero_checks,
    "saturation_check": saturation_checks,
    "gated_significand": gated_significands,
    "table": tables,
    "classifier": classifiers,
    "infinity_lane": infinity_lanes,
    "flag_gate": flag_gates,
    "array_control": array_controls,
    "leading_digit": leading_digits,
    "dropped_bits": dropped_bits,
    "float_result": float_results,
    "float_classifier": float_classifiers,
}
"""The kinds of small modules."""


def measure_primitives(target: Target, parts: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Synthesise the small modules of a target and return a row of `COLUMNS` for each."""
    rows: list[dict[str, Any]] = []
    for part in parts or tuple(PARTS):
        found: dict[str, tuple[wiring.Component, bool]] = {}
        for key, component, clocked in PARTS[part](target):
            component._MustUse__used = True  # type: ignore[attr-defined]  # equal keys are dropped
            found.setdefault(key, (component, clocked))
        keys = list(found)
        for start in range(0, len(keys), RUN):
            some = keys[start : start + RUN]
            counts = measure_parts([found[key] for key in some], target)
            for key, count in zip(some, counts, strict=True):
                numbers = {name: count[name] for name in COLUMNS[2:]}
                numbers["sites"] -= count["lutram"]  # shift registers have a formula
                rows.append({"part": part, "key": key, **numbers})
    return rows


def _bounds(bits: int, signed: bool) -> Bounds:
    return Bounds.of(bits, signed)


def _special_formats() -> Iterator[MinifloatFormat]:
    """Yield the minifloats of at most 8 bits whose special codes are gated."""
    for split, specials in _splits():
        format = MinifloatFormat(*split, specials)
        if OperandPlan(format).gated:
            yield format


def _splits(
    most_bits: int = NARROW_FORMAT, least_bits: int = 3
) -> Iterator[tuple[tuple[int, int], Specials]]:
    """Yield the splits of minifloats with each kind of specials they can have."""
    for bits in range(least_bits, most_bits + 1):
        for exponent in range(1, min(bits, MAXIMUM_EXPONENT_BITS + 1)):
            for specials in OPERAND_SPECIALS:
                split = exponent, bits - 1 - exponent
                if specials is Specials.IEEE and (exponent < 2 or not split[1]):
                    continue
                if MinifloatFormat(*split, specials).specials is specials:
                    yield split, specials
