"""Floor 2c: what a DSP block spends on one product, with its source and its doubt."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from costmodel.records import shipped
from hw.design import Design


@dataclass(frozen=True, slots=True)
class Block:
    """Energy within a DSP block; see ``data/energy_blocks.yaml``.

    Parameters
    ----------
    bit_product_aj
        Attojoules per bit product of both operands.
    addition_fj
        Femtojoules of an operation beside.
    factor
        Both may be this many times too large or too small.
    source
        Where they come from.

    """

    bit_product_aj: int
    addition_fj: int
    factor: int
    source: str


@cache
def block(target: str) -> Block:
    """Return the constants of a target.

    Raises
    ------
    ValueError
        If it has none.

    """
    record = shipped("energy_blocks").get(target)
    if record is None:
        raise ValueError(f"the cost model has no energy of the DSP blocks of {target!r}")
    return Block(**record)


def product_pj(design: Design, target: str) -> float:
    """Return the pJ of one product of a design in a block.

    Raises
    ------
    ValueError
        As `block`.

    """
    known = block(target)
    bits = design.weight.bits * design.activation.bits
    return known.bit_product_aj * bits / 1e6 + known.addition_fj / 1e3
