"""Floor 1c: products of one- and two-bit operands as bits of a heap, and the constant beside them.

See `hw.plan.compressor` for what is summed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

from hw.design import is_signs
from hw.formats import FixedFormat, Format
from hw.plan.cells import Chain, ChainBit, Lut
from hw.plan.heap import Heap

Rules = dict[int, tuple[Callable[..., int], Callable[..., int]]]
"""Sum and carry of a cell by how many nets its products have."""


def kind_of(weight: Format, activation: Format) -> str:
    """Return which products these formats have: signs, mixed, bits, digits; "" for others."""
    sides = {side_of(weight), side_of(activation)}
    if "" in sides:
        return ""
    if "ternary" in sides:
        return "digits"
    if sides == {"sign"}:
        return "signs"
    return "bits" if sides == {"bit"} else "mixed"


def side_of(format: Format) -> str:
    """Return what an operand is: sign, ternary, bit; "" for others."""
    if is_signs(format):
        return "sign" if format.bits == 1 else "ternary"
    plain = isinstance(format, FixedFormat) and not format.signed and format.bits == 1
    return "bit" if plain else ""


def take_away(heap: Heap, constant: int, largest: int) -> int:
    """Put ones into a heap so that what is to be taken away is a power of two; return which."""
    place = 0
    while (1 << place) < constant or (1 << place) - constant + largest >= 2 << place:
        place += 1
    ones = (1 << place) - constant
    for column in range(ones.bit_length()):
        if ones >> column & 1:
            heap.columns.setdefault(column, []).insert(0, "1")
    return place


def nets_of(weight: Format, activation: Format, lane: int) -> tuple[str, ...]:
    """Return the nets of a lane, the weight's first."""
    sides = (("w", weight.bits), ("a", activation.bits))
    return tuple(f"{name}{lane * bits + i}" for name, bits in sides for i in range(bits))


def product_of(kind: str, weight: int, activation: int) -> int:
    """Return a product of two nets as a table."""
    if kind == "xnor":
        return ~(weight ^ activation)
    if kind == "and":
        return weight & activation
    return weight | ~activation if kind == "implies" else activation | ~weight


@cache
def digit_rules(sides: tuple[str, str]) -> Rules:
    """Return sum and carry of ``product + 1 + more``."""
    split = 2 if sides[0] == "ternary" else 1

    def planes(*nets: int) -> tuple[int, int]:
        nonzero, negative = -1, 0
        for side, read in zip(sides, (nets[:split], nets[split:]), strict=True):
            if side == "bit":
                nonzero &= read[0]
            elif side == "sign":
                negative ^= ~read[0]
            else:
                nonzero &= read[0]
                negative ^= read[1]
        return nonzero, negative

    def low(*nets: int) -> int:
        nonzero, _ = planes(*nets[:-1])
        return ~nonzero ^ nets[-1]

    def high(*nets: int) -> int:
        nonzero, negative = planes(*nets[:-1])
        return (nonzero & ~negative) | (~nonzero & nets[-1])

    return dict.fromkeys((2, 3, 4), (low, high))


def drop(heap: Heap, nets: list[str]) -> None:
    """Remove LUTs whose nets nothing reads: carries that are always 0."""
    heap.luts = [lut for lut in heap.luts if lut.output not in nets]


def inverted(heap: Heap, net: str) -> str:
    """Return the inverse of the one net of the highest column, which nothing else reads."""
    if net in ("0", "1"):
        return "1" if net == "0" else "0"
    for number, lut in enumerate(heap.luts):
        if lut.output == net:
            full = (1 << (1 << len(lut.inputs))) - 1
            heap.luts[number] = replace(lut, truth=lut.truth ^ full)
            return net
    for number, chain in enumerate(heap.chains):
        if chain.carry_out == net:
            top = ChainBit(net, Lut("", (), 1), "0")
            heap.chains[number] = Chain(chain.carry_in, (*chain.bits, top), "")
            return net
        if not chain.carry_out and chain.bits[-1].output == net:
            select = chain.bits[-1].select
            full = (1 << (1 << len(select.inputs))) - 1
            top = replace(chain.bits[-1], select=replace(select, truth=select.truth ^ full))
            heap.chains[number] = replace(chain, bits=(*chain.bits[:-1], top))
            return net
    heap.luts.append(Lut(made := heap.net(), (net,), 0b01))
    return made
