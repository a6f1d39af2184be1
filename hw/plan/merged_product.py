"""Floor 1c: the product of significands in merged lanes (`hw.plan.merged`), LUT by LUT."""

from __future__ import annotations

from functools import cache

from hw.plan.builder import CellBuilder, both_not
from hw.plan.cells import Chain, ChainBit, Lut, bitwise
from hw.plan.truth import columns_of

TABLE_INPUTS = 6
"""Widest table: its bits are single LUT6s."""
Cells = tuple[tuple[Lut, ...], tuple[Chain, ...], tuple[str, ...]]
"""LUTs, chains, and the nets of their result, lowest first."""


@cache
def product_cells(
    weight_bits: int, activation_bits: int, gated: bool, inverted: bool, product_bits: int
) -> Cells:
    """Return the product of significands ``wm0 … am0 …``, inverted by ``s`` if asked for.

    Where it is `gated`, ``kill`` makes it 0.
    """
    build = CellBuilder()
    weight = [f"wm{i}" for i in range(weight_bits)]
    activation = [f"am{i}" for i in range(activation_bits)]
    more, less = (weight, activation) if weight_bits >= activation_bits else (activation, weight)
    table = weight_bits + activation_bits <= TABLE_INPUTS or len(less) == 1
    in_rows = gated and not table and not inverted
    if gated and not in_rows:
        less = [build.lut(f"g{i}", (net, "kill"), both_not) for i, net in enumerate(less)]
    if table:
        truths = columns_of(_products(len(more), len(less)), product_bits)
        nets = [build.table(f"p{i}", (*more, *less), truth) for i, truth in enumerate(truths)]
    else:
        nets = _product_rows(build, more, less, "s" if inverted else "0", in_rows)[:product_bits]
    return tuple(build.luts), tuple(build.chains), tuple(nets)


def _products(more: int, less: int) -> tuple[int, ...]:
    """Return the products of all codes of two words, the first one lowest."""
    return tuple(a * b for b in range(1 << less) for a in range(1 << more))


def _product_rows(
    build: CellBuilder, more: list[str], less: list[str], sign: str, gated: bool
) -> list[str]:
    """Multiply row by row, two multiplier bits in the first; invert by the sign in passing.

    ``~(x + y) = ~x + ~y + 1``: each row inverts what it adds and takes the sign as carry.
    Rows that are `gated` add 0 where ``kill`` is set.
    """
    kill = "kill" if gated else "0"
    bits = len(more)
    nets = [build.lut("p0", (more[0], less[0], sign, kill), _partial)]
    chain = []
    for j in range(1, bits + 1):
        high = more[j] if j < bits else "0"
        select = bitwise("", (high, less[0], more[j - 1], less[1], kill), _two_partials)
        direct = bitwise("", (high, less[0], sign, kill), _partial)
        plain = direct.inputs[0] if direct.truth == 2 and len(direct.inputs) == 1 else direct
        chain.append(ChainBit(f"r1_{j}", select, plain if direct.inputs else "0"))
    build.chains.append(Chain(sign, tuple(chain), f"r1_{bits + 1}"))
    previous = [f"r1_{j}" for j in range(1, bits + 2)]
    for row in range(2, len(less)):
        nets.append(previous[0])
        chain = []
        for j in range(bits):
            inputs = (more[j], less[row], sign, kill, previous[j + 1])
            chain.append(
                ChainBit(f"r{row}_{j}", bitwise("", inputs, _next_partial), previous[j + 1])
            )
        build.chains.append(Chain(sign, tuple(chain), f"r{row}_{bits}"))
        previous = [f"r{row}_{j}" for j in range(bits + 1)]
    return nets + previous


def _partial(a: int, b: int, sign: int, kill: int) -> int:
    """Return a bit of a partial product, inverted by the sign."""
    return a & b & ~kill ^ sign


def _two_partials(a: int, b: int, c: int, d: int, kill: int) -> int:
    """Return the sum bit of two partial products; signs that invert both leave it."""
    return (a & b ^ c & d) & ~kill


def _next_partial(a: int, b: int, sign: int, kill: int, previous: int) -> int:
    """Return the sum bit of a partial product and what is there."""
    return previous ^ _partial(a, b, sign, kill)
