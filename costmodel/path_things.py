"""Floor 2c: the things that paths of `costmodel.paths` are made of."""

from __future__ import annotations

Path = dict[str, float]
"""How often each thing of `THINGS` lies on the path."""

THINGS = {
    "registers": "clock to output, set-up, and the routing around them",
    "array": "the same in a cell of an array",
    "luts": "a function of a few bits, in LUTs",
    "gated": "a special operand made 0",
    "signs": "a product's sign made its word's",
    "table": "a product looked up",
    "dsp": "a product in a DSP block",
    "dsp_links": "DSP blocks that a sum passes to",
    "multiplier": "a multiplier as Yosys builds it",
    "multiplier_levels": "its depth, logarithm of the narrower operand's bits",
    "booth_rows": "rows of a product",
    "booth_bits": "bits of these rows",
    "exponents": "a sum of exponents",
    "shift": "levels of a shifter",
    "tree_rows": "rows of an adder tree",
    "tree_bits": "bits of these rows",
    "merged_rows": "rows that place a product and add it",
    "merged_bits": "bits of the widest",
    "cells": "levels of LUTs of a circuit that is given LUT by LUT",
    "chains": "carry chains in such a circuit",
    "chain_bits": "bits of these chains",
    "add": "the row of an accumulator",
    "add_bits": "its bits",
    "saturate": "clamping",
    "window": "the comparison of exponents of an alignment window",
    "window_maximum": "levels of the maximum of exponents",
    "window_shift": "levels of its two shifters",
    "window_bits": "bits of the window",
    "window_exponent": "bits of its exponents",
    "scales": "a sum of scales",
    "float": "unpacking and packing of a floating accumulator",
    "float_align": "levels of its alignment",
    "float_distance": "bits of the distance of exponents",
    "float_normalize": "levels of its normalisation",
    "float_bits": "bits of its sum",
    "control": "what a sequencer tells its cells",
    "terms": "a term of BitMoD decoded and its product placed in an exact element",
    "memory": "a block of memory",
    "crowd": "doublings of the LUTs of a core, from 16 on: longer wires",
}
"""What paths are made of."""
SMALL_SUM = 4
"""Yosys makes sums of so few bits of plain LUTs."""


class Counted:
    """Things on a path, with their counts so far."""

    def __init__(self) -> None:
        self.things: Path = {}

    def add(self, name: str, count: float = 1) -> None:
        """Put something on the path."""
        if count:
            self.things[name] = self.things.get(name, 0.0) + count
