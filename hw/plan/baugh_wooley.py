"""Floor 1c: dot products of integers as one heap of bits: Baugh–Wooley products, all lanes at once.

A product of words is the sum of the products of their bits. Those with one sign bit count
negatively and go in inverted; what that adds is taken away again, for all lanes in one constant
(`hw.plan.terms`), and no sign is extended. Operands may be signed, unsigned and of any widths.
"""

from __future__ import annotations

from dataclasses import dataclass

from hw.design import Design
from hw.formats import FixedFormat, Format
from hw.plan.digits import Bounds
from hw.plan.terms import BitSum, HeapSource, Terms, product_terms, word_nets
from hw.target import ASIC, Target

STRUCTURE = "baugh-wooley"
MOST_BITS = 8
"""Bits of the wider operand: beyond, rows are always smaller."""
MOST_PRODUCTS = 4096
"""Products of bits in one heap: planning takes seconds beyond."""


@dataclass(frozen=True, slots=True)
class BitProducts(HeapSource):
    """``Σ weight[i]·activation[i]`` over lanes.

    Parameters
    ----------
    weight, activation
        Formats, fixed point.
    lanes
        Products.

    """

    weight: Format
    activation: Format
    lanes: int

    @property
    def inputs(self) -> tuple[tuple[str, int], ...]:
        """The operands, lane i in bits ``[i·w +: w]``."""
        return (("w", self.weight.bits * self.lanes), ("a", self.activation.bits * self.lanes))

    def bit_sum(self) -> BitSum:
        """Return the products of the bits."""
        terms = Terms()
        sides = (("w", self.weight), ("a", self.activation))
        for lane in range(self.lanes):
            left, right = (word_nets(n, lane * f.bits, f.bits, f.signed) for n, f in sides)
            product_terms(terms, left, right)
        return terms.done(self.bounds)

    @property
    def bounds(self) -> Bounds:
        """Range of the sum."""
        one = Bounds(*_range(self.weight)) * Bounds(*_range(self.activation))
        return Bounds(one.low * self.lanes, one.high * self.lanes)


def _range(format: Format) -> tuple[int, int]:
    return format.minimum_integer, format.maximum_integer


def why_no_heap(design: Design, target: Target) -> str:
    """Return why a design cannot be a heap of products of bits; "" if it can."""
    sides = design.weight, design.activation
    if target.name == ASIC:
        return "heaps of bits are for FPGAs"
    if design.is_window or design.is_floating:
        return "a heap of bits adds to an integer accumulator"
    if not all(isinstance(side, FixedFormat) for side in sides):
        return "its operands are integers and fixed point"
    if max(side.bits for side in sides) > MOST_BITS:
        return f"its operands have at most {MOST_BITS} bits"
    if bit_products(design) > MOST_PRODUCTS:
        return f"a heap has at most {MOST_PRODUCTS} products of bits, not {bit_products(design)}"
    return ""


def bit_products(design: Design) -> int:
    """Return the products of two bits each that a step of a design adds."""
    return design.weight.bits * design.activation.bits * design.lanes


def least_sites(design: Design, target: Target) -> int:
    """Return a bound from below on the sites of a design as heaps, what else it holds left out.

    Of the K products of bits of a sum of W bits, at least K − 2 W bits must go. A LUT6_2 with two
    products removes one bit, no other site more than two; elsewhere a bit takes two LUTs.
    """
    products = bit_products(design)
    width = BitProducts(design.weight, design.activation, design.lanes).bounds.bits
    one = 3 * products // 4 - width if target.primitives else 2 * (products - 2 * width)
    return (max(one, 0) + design.accumulator_bits) * design.cores
